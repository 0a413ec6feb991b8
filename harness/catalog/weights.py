"""A folder of pretrained weights: what it must hold, and the hashes that decide a score."""

from __future__ import annotations

import os
from pathlib import Path

from harness.catalog import config_limits, tasks, tensor_headers
from harness.catalog.model_files import (
    ADAPTER,
    CARD,
    CONFIG,
    INDEX_ENDING,
    TENSORS,
    configuration,
    files,
    is_pointer,
    read_object,
    refuse_pickles,
    unreadable,
)
from harness.errors import ModelError
from harness.files import hashes
from harness.text.values import shown

PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
FOREIGN = (".h5", ".msgpack", ".gguf", ".onnx")  # weights that other libraries read


def checked(path: Path) -> Path:
    """The folder, if it holds a model. Raises `ModelError`, which says what it holds instead."""
    try:
        names = sorted(entry.name for entry in path.iterdir()) if path.is_dir() else []
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror}. Fix: give it read permission") from error
    if CONFIG not in names:
        raise ModelError(f"{path}: {_without_config(path, names)}")
    check_files(path)
    if not any(name.endswith(TENSORS) for name in files(path)):
        raise ModelError(
            f"{path}: holds no *.safetensors{_other_weights(names)}. Fix: save the model with "
            "`save_pretrained`, which writes safetensors"
        )
    return path


def check_files(path: Path) -> None:
    """Raise `ModelError` for files that would make a library do more than read them.

    With an adapter in the folder, peft changes the network and asks the Hub for the base model. A
    pipe, a device or a damaged file can stop the program or fill its memory.
    """
    if (path / ADAPTER).exists() or (path / ADAPTER).is_symlink():
        raise ModelError(
            f"{path}: holds a model and, in adapter_config.json, an adapter (LoRA or another of "
            "peft's) beside it, which is loaded on one machine and not on another; expected one "
            "network. Fix: merge it with peft's `merge_and_unload` and save the result with "
            "`save_pretrained`; or move adapter_config.json and its weights away"
        )
    if os.path.lexists(path / CONFIG):
        config_limits.check(path / CONFIG, configuration(path))
    for name, file in files(path).items():
        if is_pointer(file):
            raise ModelError(
                f"{path / name}: found a pointer of git-lfs, {file.stat().st_size} bytes of text; "
                f"expected the file itself. Fix: `git lfs install && git lfs pull` in {path}"
            )
        if name.endswith(TENSORS):
            try:
                tensor_headers.check(file)
            except OSError as error:
                raise unreadable(file, error) from error
    refuse_pickles(path)


def _without_config(path: Path, names: list[str]) -> str:
    """What a folder without config.json is, and what to name instead."""
    if CARD in names:
        return (
            "holds a network that has no pretrained weights; expected pretrained weights. Fix: "
            "name the network's row, such as cbow; `glue-bench predict` reads the folder"
        )
    if ADAPTER in names:
        base_model = read_object(path / ADAPTER).get("base_model_name_or_path")
        base = f" of {shown(base_model)}" if base_model else ""
        return (
            f"holds no config.json: it is an adapter{base}, made by peft; expected a whole model. "
            "Fix: load it with peft, call `merge_and_unload` and `save_pretrained`, save the "
            "tokenizer there too, and name that folder"
        )
    inside = [*path.glob(f"*/{CONFIG}"), *path.glob(f"snapshots/*/{CONFIG}")]
    networks = (file.parent for file in sorted(inside) if "model_type" in read_object(file))
    network = next(networks, None)
    kind = "a sentence-transformers model" if "modules.json" in names else "a folder of folders"
    if network:
        return f"holds no config.json: it is {kind}. Fix: name {network}, which holds the network"
    return "holds no config.json; expected a model's folder"


def _other_weights(names: list[str]) -> str:
    pickled = next((name for name in names if name.endswith(PICKLES)), None)
    if pickled:
        return f"; {shown(pickled)} is a pickle, which is never loaded"
    foreign = next((name for name in names if name.endswith(FOREIGN)), None)
    return f"; {shown(foreign)} is of another library" if foreign else ""


def warm_start(directory: Path) -> str | None:
    """The task that the weights of a folder were fine-tuned on before; None: they were not.

    A card of glue-bench says it, except for `+frozen`, which does not change the encoder. Otherwise
    config.json may: by the task's name, by MNLI's labels, or by an architecture with a classifier,
    which gives "another".
    """
    path = directory / CARD
    card = read_object(path) if path.is_file() else {}
    tuned_on = None if card.get("method") == "frozen" else card.get("task")
    config = configuration(directory)
    labels = config.get("id2label")
    names = {str(name).lower() for name in labels.values()} if isinstance(labels, dict) else set()
    for task in (tuned_on, config.get("finetuning_task")):
        if isinstance(task, str) and task:
            return task
    if names == {*tasks.NLI}:
        return "mnli"
    architectures = str(config.get("architectures"))
    return "another" if "ForSequenceClassification" in architectures else None


def fingerprint(directory: Path, *, tensors: bool = True, anew: bool = False) -> dict[str, str]:
    """The sha256 of each file that decides what the model computes. Raises `ModelError`.

    Without `tensors`, only files of the configuration and the tokenizer count. With `anew`, every
    byte is read again; otherwise a file is read only if it changed, by the file system's data.
    """
    digest = hashes.sha256 if anew else hashes.remembered
    try:
        return {name: digest(path) for name, path in _select(directory, tensors)}
    except OSError as error:
        raise unreadable(directory, error) from error


def stamps(directory: Path, *, tensors: bool = True) -> dict[str, tuple[int, ...]]:
    """`hashes.stamp` of each of the files of `fingerprint`. Raises `ModelError`."""
    try:
        return {name: hashes.stamp(path) for name, path in _select(directory, tensors)}
    except OSError as error:
        raise unreadable(directory, error) from error


def _select(directory: Path, tensors: bool) -> list[tuple[str, Path]]:
    return [
        (name, path)
        for name, path in files(directory).items()
        if tensors or not name.endswith((TENSORS, INDEX_ENDING))
    ]
