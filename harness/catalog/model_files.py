"""The files of a model that transformers opens, and reading the JSON among them safely."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

from harness.errors import ModelError
from harness.files import paths, reading
from harness.spec import JsonObject
from harness.text.values import shown

CONFIG, WEIGHTS, CARD = "config.json", "model.safetensors", "glue-bench.json"
ADAPTER = "adapter_config.json"  # where it exists, peft changes the network beside it
TENSORS, INDEX_ENDING = ".safetensors", ".safetensors.index.json"
INDEX = f"model{INDEX_ENDING}"
NEEDED = (CONFIG, f"*{TENSORS}")
OPTIONAL = (
    f"*{INDEX_ENDING}",
    "tokenizer*",
    "special_tokens_map.json",
    "added_tokens.json",
    # The vocabularies of all tokenizers of transformers, from `vocab_files_names` of its classes.
    "vocab*",
    "*vocab.json",
    "merges.txt",
    "bpe.codes",
    "*.model",
    "*.tokenizer",
    "*.spm",
    "tekken.json",
    "dict.txt",
    "byte_maps.json",
    "emoji.json",
    "normalizer.json",
    "word_shape.json",
    "word_pronunciation.json",
    # transformers reads these with the tokenizer, although no task here uses them.
    "chat_template.jinja",
    "additional_chat_templates/*.jinja",
)
READ = (*NEEDED, *OPTIONAL)
"""Patterns of the files that transformers opens when it loads a network and a tokenizer.

A test watches which files it opens. Some of these files name further files: `NAMING`.
"""

NAMING = {
    CONFIG: {"configuration_files": False, "transformers_weights": True},
    "tokenizer_config.json": {"fast_tokenizer_files": False},
}
"""File -> the keys in which it names files that transformers opens -> whether they must exist."""

NEVER = ("gguf_file", "vocab", "merges", "init_inputs")
"""Keys of a tokenizer's files whose text transformers 5.23 opens as a file, in any folder.

No `save_pretrained` writes a path there. In special_tokens_map.json, `vocab_file` and other keys
that end in `_file` have the same effect. In tokenizer_config.json transformers replaces their
values by the files of the folder.
"""

POINTER = b"version https://git-lfs.github.com/spec/"


def files(directory: Path) -> dict[str, Path]:
    """The files of a folder that transformers may open, by their paths relative to the folder.

    Raises `ModelError` where one of them names a file that is missing or outside the folder.
    """
    by_name = {
        path.relative_to(directory).as_posix(): path
        for pattern in READ
        for path in directory.glob(pattern)
        if not path.is_dir()
    }
    for name in _named(directory):
        by_name[name] = directory / name
    return dict(sorted(by_name.items()))


def _named(directory: Path) -> Iterator[str]:
    """The files that other files of the folder name."""
    weights = INDEX if not (directory / WEIGHTS).is_file() else WEIGHTS
    configs = [CONFIG] if os.path.lexists(directory / CONFIG) else []  # `cbow` has none
    for source in configs:
        for key, must_be in NAMING[CONFIG].items():
            for name in _names(directory, source, key, must_be):
                yield name
                if key == "transformers_weights":
                    weights = name
                elif name not in configs:
                    configs.append(name)
    for source in ("tokenizer_config.json", "special_tokens_map.json"):
        _refuse_paths(directory / source)
    for key, must_be in NAMING["tokenizer_config.json"].items():
        yield from _names(directory, "tokenizer_config.json", key, must_be)
    if weights.endswith(INDEX_ENDING):
        yield from _names(directory, weights, "weight_map", must_be=True)


def _names(directory: Path, source: str, key: str, must_be: bool) -> list[str]:
    """The files that a key of a JSON file names: one, a list of them, or the values of an object.

    Raises `ModelError`.
    """
    path = directory / source
    if source != CONFIG and not path.is_file():
        return []
    value = read_object(path).get(key)
    if isinstance(value, dict):
        value = list(value.values())
    values = value if isinstance(value, list) else [] if value is None else [value]
    names = []
    for name in dict.fromkeys(map(_text, values)):
        parts = Path(name).parts
        if not parts or ".." in parts or Path(name).is_absolute():
            raise ModelError(
                f"{path}: key {key}: found {shown(name)}; expected the name of a file in this "
                "folder. Fix: put the file into the folder and write only its name, or save the "
                "model again with `save_pretrained`"
            )
        if paths.is_file(directory / name):
            names.append(Path(name).as_posix())
        elif must_be:
            raise ModelError(
                f"{path}: key {key}: names {shown(name)}, which is not in the folder. Fix: put "
                "the file there, or fetch the model again with `glue-bench fetch --again MODEL`"
            )
    return names


def _text(name: object) -> str:
    return name if isinstance(name, str) else ""


def _refuse_paths(path: Path) -> None:
    """Raise `ModelError` where a tokenizer's file makes transformers open a file elsewhere."""
    content = read_object(path) if path.is_file() else {}
    is_map = path.name == "special_tokens_map.json"
    for key, value in content.items():
        opens = key in NEVER or (is_map and key.endswith("_file"))
        values = value if key == "init_inputs" and isinstance(value, list) else [value]
        if opens and any(isinstance(item, str) for item in values):
            raise ModelError(
                f"{path}: key {key}: found {shown(value)}, a file to be read in place of the "
                "folder's own; expected no such key. Fix: remove it, or save the tokenizer again "
                "with `save_pretrained`"
            )


def refuse_pickles(directory: Path) -> None:
    """Raise `ModelError` where a file names weights that are not safetensors.

    transformers unpickles the weights that an index of shards or config.json names, even if it was
    told to use only safetensors.
    """
    indices = {path.name: "weight_map" for path in directory.glob(f"*{INDEX_ENDING}")}
    for source, key in {CONFIG: "transformers_weights", **indices}.items():
        try:
            value = read_object(directory / source).get(key)
        except ModelError:  # raised again where the file is read for use
            continue
        names = value.values() if isinstance(value, dict) else [] if value is None else [value]
        for name in names:
            if not str(name).endswith((TENSORS, INDEX_ENDING)):
                raise ModelError(
                    f"{directory / source}: key {key}: found {shown(name)}; expected a name that "
                    f"ends in {TENSORS}: pickles are never loaded. Fix: save the model again with "
                    "`save_pretrained`, which writes safetensors"
                )


def configuration(directory: Path) -> JsonObject:
    """The content of config.json. Raises `ModelError`."""
    return read_object(directory / CONFIG)


def read_object(path: Path) -> JsonObject:
    """The JSON object in a file of a model. Raises `ModelError`."""
    try:
        content = json.loads(reading.read(path, reading.JSON).decode())
    except OSError as error:
        raise unreadable(path, error) from error
    except (ValueError, RecursionError) as error:
        reason = "it is a pointer of git-lfs" if is_pointer(path) else error
        raise ModelError(f"{path}: cannot be read: {reason}. Fix: save the model again") from error
    if not isinstance(content, dict):
        raise ModelError(f"{path}: found {shown(content)}; expected a JSON object")
    return content


def is_pointer(file: Path) -> bool:
    """Whether a file is a pointer of git-lfs in place of the file itself. Raises `ModelError`."""
    try:
        with reading.opened(file, _kind(file.name)) as stream:
            return stream.read(len(POINTER)) == POINTER
    except OSError as error:
        raise unreadable(file, error) from error


def _kind(name: str) -> reading.Kind:
    """The kind of a file of a model, which limits its size."""
    if name.endswith(TENSORS):
        return reading.WEIGHTS
    is_json = name in (CONFIG, CARD, ADAPTER, *NAMING) or name.endswith(INDEX_ENDING)
    return reading.JSON if is_json else reading.TOKENIZER


def unreadable(path: Path, error: OSError) -> ModelError:
    """The error to raise for a file that the operating system does not let us read."""
    where = error.filename or path
    remedy = "give it read permission, or save the model again"
    if isinstance(error, reading.Refused):
        remedy = "put the model's own file there, or save the model again"
    return ModelError(f"{where}: cannot be read: {paths.reason(error)}. Fix: {remedy}")
