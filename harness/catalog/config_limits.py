"""How many layers and other parts a config.json may ask for, checked before any is made."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from harness.errors import ModelError
from harness.spec import JsonObject
from harness.text.values import shown

REPEATS = {
    "layers": 1_000,
    "layer": 1_000,
    "blocks": 1_000,
    "groups": 1_000,
    "group_num": 1_000,
    "experts": 1_000,
    "depths": 1_000,
    "depth": 1_000,
    "block_sizes": 1_000,
    "num_labels": 100_000,
}
"""The endings of settings that say how many parts are made -> the largest number allowed.

A library makes all parts before anything can count them. The deepest published transformers have
about 1,000 layers.
"""


def check(path: Path, config: JsonObject) -> None:
    """Raise `ModelError` where a config.json asks for too many parts. `config` is its content."""
    stack = [(str(name), value) for name, value in config.items()]  # not recursive: it may be deep
    while stack:
        name, value = stack.pop()
        if isinstance(value, Mapping):
            stack += [(str(key), inner) for key, inner in value.items()]
        most = next((most for ending, most in REPEATS.items() if name.endswith(ending)), None)
        for count in value if isinstance(value, list) else [value]:
            if most and isinstance(count, int | float) and count > most:
                raise ModelError(
                    f"{path}: key {shown(name)}: found {shown(count)}; expected at most {most:,}. "
                    "Fix: correct it, or fetch the model again with `glue-bench fetch --again "
                    "MODEL`"
                )
