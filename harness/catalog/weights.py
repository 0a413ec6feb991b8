"""A folder of pretrained weights: what it must hold, and the files that decide what it computes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.catalog import config_limits, tasks, tensor_headers
from harness.errors import ModelError
from harness.files import hashes, paths, reading
from harness.text.values import shown

CONFIG, WEIGHTS, CARD = "config.json", "model.safetensors", "glue-bench.json"
ADAPTER = "adapter_config.json"  # with it, peft changes the network beside it
TENSORS, INDEX_ENDING = ".safetensors", ".safetensors.index.json"
INDEX = f"model{INDEX_ENDING}"
NEEDED = (CONFIG, f"*{TENSORS}")
OPTIONAL = (
    f"*{INDEX_ENDING}",
    "tokenizer*",
    "special_tokens_map.json",
    "added_tokens.json",
    # The vocabularies of all tokenizers of transformers, by `vocab_files_names` of its classes.
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
    # Read with the tokenizer, though no benchmark chats.
    "chat_template.jinja",
    "additional_chat_templates/*.jinja",
)
READ = (*NEEDED, *OPTIONAL)
"""Patterns of the files that transformers opens when it loads a network and a tokenizer.

A test watches which files it opens. Some of these files name others: `NAMING`.
"""

NAMING = {
    CONFIG: {"configuration_files": False, "transformers_weights": True},
    "tokenizer_config.json": {"fast_tokenizer_files": False},
}
"""The keys by which a file names others that transformers opens, and whether they must be there."""

NEVER = ("gguf_file", "vocab", "merges", "init_inputs")
"""Keys of a tokenizer's files whose text transformers 5.23 takes for the path of a file, anywhere.

No `save_pretrained` writes a path there. In special_tokens_map.json `vocab_file` and its like are
such keys too; those of tokenizer_config.json it replaces by the folder's own files.
"""

POINTER = b"version https://git-lfs.github.com/spec/"
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
FOREIGN = (".h5", ".msgpack", ".gguf", ".onnx")  # weights that other libraries read


def checked(path: Path) -> Path:
    """The folder, if it holds a model. Raises `ModelError` that says what it is instead."""
    try:
        names = sorted(entry.name for entry in path.iterdir()) if path.is_dir() else []
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror}. Mend: give it read permission") from error
    if CONFIG not in names:
        raise ModelError(f"{path}: {_without_config(path, names)}")
    check_files(path)
    if not any(name.endswith(TENSORS) for name in files(path)):
        raise ModelError(
            f"{path}: holds no *.safetensors{_other_weights(names)}. Mend: save the model with "
            "`save_pretrained`, which writes safetensors"
        )
    return path


def check_files(path: Path) -> None:
    """Raise `ModelError` where a library that loads the folder would do more than read its files.

    peft would put an adapter into the network, and ask the Hub for what the adapter names; a file
    that is a pipe, a device, or holds less than it announces would stop or flood the reader.
    """
    if (path / ADAPTER).exists() or (path / ADAPTER).is_symlink():
        raise ModelError(
            f"{path}: holds a model and, in adapter_config.json, an adapter (LoRA or another of "
            "peft's) beside it, which is loaded on one machine and not on another; expected one "
            "network. Mend: merge it with peft's `merge_and_unload` and save the result with "
            "`save_pretrained`; or move adapter_config.json and its weights away"
        )
    if os.path.lexists(path / CONFIG):
        config_limits.check(path / CONFIG, configuration(path))
    for name, file in files(path).items():
        if _is_pointer(file):
            raise ModelError(
                f"{path / name}: found a pointer of git-lfs, {file.stat().st_size} bytes of text; "
                f"expected the file itself. Mend: `git lfs install && git lfs pull` in {path}"
            )
        if name.endswith(TENSORS):
            try:
                tensor_headers.check(file)
            except OSError as error:
                raise _unreadable(file, error) from error
    refuse_pickles(path)


def _without_config(path: Path, names: list[str]) -> str:
    """What a folder without config.json is, and what to name in its place."""
    if CARD in names:
        return (
            "holds a network that starts from nothing; expected pretrained weights. "
            "Mend: name its row, such as cbow; `glue-bench predict` reads the folder"
        )
    if ADAPTER in names:
        said = read_object(path / ADAPTER).get("base_model_name_or_path")
        base = f" of {shown(said)}" if said else ""
        return (
            f"holds no config.json: it is an adapter{base}, made by peft; expected a whole model. "
            "Mend: load it with peft, say `merge_and_unload` and `save_pretrained`, save the "
            "tokenizer there too, and name that folder"
        )
    inside = [*path.glob(f"*/{CONFIG}"), *path.glob(f"snapshots/*/{CONFIG}")]
    networks = (file.parent for file in sorted(inside) if "model_type" in read_object(file))
    network = next(networks, None)
    kind = "a sentence-transformers model" if "modules.json" in names else "a folder of folders"
    if network:
        return f"holds no config.json: it is {kind}. Mend: name {network}, which holds the network"
    return "holds no config.json; expected a model's folder"


def _other_weights(names: list[str]) -> str:
    pickled = next((name for name in names if name.endswith(PICKLES)), None)
    if pickled:
        return f"; {shown(pickled)} is a pickle, which is never loaded"
    foreign = next((name for name in names if name.endswith(FOREIGN)), None)
    return f"; {shown(foreign)} is of another library" if foreign else ""


def _is_pointer(file: Path) -> bool:
    try:
        with reading.opened(file, _kind(file.name)) as stream:
            return stream.read(len(POINTER)) == POINTER
    except OSError as error:
        raise _unreadable(file, error) from error


def _kind(name: str) -> reading.Kind:
    """How large a file of a model may be."""
    if name.endswith(TENSORS):
        return reading.WEIGHTS
    is_json = name in (CONFIG, CARD, ADAPTER, *NAMING) or name.endswith(INDEX_ENDING)
    return reading.JSON if is_json else reading.TOKENIZER


def configuration(directory: Path) -> dict[str, Any]:
    """What config.json says. Raises `ModelError`."""
    return read_object(directory / CONFIG)


def read_object(path: Path) -> dict[str, Any]:
    """A JSON object that a file of a model is. Raises `ModelError`."""
    try:
        found = json.loads(reading.read(path, reading.JSON).decode())
    except OSError as error:
        raise _unreadable(path, error) from error
    except (ValueError, RecursionError) as error:
        why = "it is a pointer of git-lfs" if _is_pointer(path) else error
        raise ModelError(f"{path}: cannot be read: {why}. Mend: save the model again") from error
    if not isinstance(found, dict):
        raise ModelError(f"{path}: found {shown(found)}; expected a JSON object")
    return found


def warm_start(directory: Path) -> str | None:
    """The task that the weights of a folder were fine-tuned on before; None: they were not.

    glue-bench's own card says it (`+frozen` left the encoder as it was), or a config.json with the
    task's name, MNLI's labels, or a classifier for its architecture: then it is "another".
    """
    path = directory / CARD
    card = read_object(path) if path.is_file() else {}
    tuned_on = None if card.get("method") == "frozen" else card.get("task")
    config = configuration(directory)
    labels = config.get("id2label")
    named = {str(name).lower() for name in labels.values()} if isinstance(labels, dict) else set()
    for said in (tuned_on, config.get("finetuning_task")):
        if isinstance(said, str) and said:
            return said
    if named == {*tasks.NLI}:
        return "mnli"
    made_as = str(config.get("architectures"))
    return "another" if "ForSequenceClassification" in made_as else None


def refuse_pickles(directory: Path) -> None:
    """Raise `ModelError` where a file names weights that are no safetensors.

    transformers unpickles what an index of shards, or config.json, names so, though it was told to
    use safetensors alone.
    """
    indices = {path.name: "weight_map" for path in directory.glob(f"*{INDEX_ENDING}")}
    for source, key in {CONFIG: "transformers_weights", **indices}.items():
        try:
            said = read_object(directory / source).get(key)
        except ModelError:  # told by those who read it
            continue
        for name in said.values() if isinstance(said, dict) else [] if said is None else [said]:
            if not str(name).endswith((TENSORS, INDEX_ENDING)):
                raise ModelError(
                    f"{directory / source}: key {key}: found {shown(name)}; expected a name that "
                    f"ends in {TENSORS}: pickles are never loaded. Mend: save the model again with "
                    "`save_pretrained`, which writes safetensors"
                )


def files(directory: Path) -> dict[str, Path]:
    """The files of a folder that transformers may open, by their names from the folder on.

    Raises `ModelError` where one of them names a file that is missing, or one outside the folder.
    """
    found = {
        path.relative_to(directory).as_posix(): path
        for pattern in READ
        for path in directory.glob(pattern)
        if not path.is_dir()
    }
    for name in _named(directory):
        found[name] = directory / name
    return dict(sorted(found.items()))


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
    said = read_object(path).get(key)
    if isinstance(said, dict):
        said = list(said.values())
    named = said if isinstance(said, list) else [] if said is None else [said]
    found = []
    for name in dict.fromkeys(map(_text, named)):
        parts = Path(name).parts
        if not parts or ".." in parts or Path(name).is_absolute():
            raise ModelError(
                f"{path}: key {key}: found {shown(name)}; expected the name of a file in this "
                "folder. Mend: put the file there and name it by its name alone, or save the model "
                "again with `save_pretrained`"
            )
        if paths.is_file(directory / name):
            found.append(Path(name).as_posix())
        elif must_be:
            raise ModelError(
                f"{path}: key {key}: names {shown(name)}, which is not in the folder. Mend: bring "
                "the file there, or fetch the model again with `glue-bench fetch --again MODEL`"
            )
    return found


def _refuse_paths(path: Path) -> None:
    """Raise `ModelError` where a tokenizer's file would have any other file opened."""
    said = read_object(path) if path.is_file() else {}
    is_map = path.name == "special_tokens_map.json"
    for key, value in said.items():
        opens = key in NEVER or (is_map and key.endswith("_file"))
        named = value if key == "init_inputs" and isinstance(value, list) else [value]
        if opens and any(isinstance(one, str) for one in named):
            raise ModelError(
                f"{path}: key {key}: found {shown(value)}, a file to be read in place of the "
                "folder's own; expected no such key. Mend: remove it, or save the tokenizer again "
                "with `save_pretrained`"
            )


def _text(name: Any) -> str:
    return name if isinstance(name, str) else ""


def fingerprint(directory: Path, *, tensors: bool = True, anew: bool = False) -> dict[str, str]:
    """sha256 of each file that decides what the model computes. Raises `ModelError`.

    Without `tensors`, those of the configuration and the tokenizer alone. `anew`: every byte is
    read again; else a file of which nothing changed, by what the file system says, is not.
    """
    digest = hashes.sha256 if anew else hashes.remembered
    try:
        return {name: digest(path) for name, path in _chosen(directory, tensors)}
    except OSError as error:
        raise _unreadable(directory, error) from error


def stamps(directory: Path, *, tensors: bool = True) -> dict[str, tuple[int, ...]]:
    """`file_hashes.stamp` of each of the files. Raises `ModelError`."""
    try:
        return {name: hashes.stamp(path) for name, path in _chosen(directory, tensors)}
    except OSError as error:
        raise _unreadable(directory, error) from error


def _chosen(directory: Path, tensors: bool) -> list[tuple[str, Path]]:
    found = files(directory).items()
    return [file for file in found if tensors or not file[0].endswith((TENSORS, INDEX_ENDING))]


def _unreadable(path: Path, error: OSError) -> ModelError:
    where = error.filename or path
    mend = "give it read permission, or save the model again"
    if isinstance(error, reading.Refused):
        mend = "put the model's own file there, or save the model again"
    return ModelError(f"{where}: cannot be read: {paths.reason(error)}. Mend: {mend}")
