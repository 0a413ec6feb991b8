"""How often a config.json may ask for a part of a network, looked at before a library obeys it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.errors import ModelError
from harness.text.values import shown

REPEATS = {
    "layers": 1_000, "layer": 1_000, "blocks": 1_000, "groups": 1_000, "group_num": 1_000,
    "experts": 1_000, "depths": 1_000, "depth": 1_000, "block_sizes": 1_000,
    "num_labels": 100_000,
}  # fmt: skip
"""How the names of settings end that say how often something is made, and the most that may be.

Each is made before it can be counted. The deepest published transformers have about 1,000 layers.
"""


def check(path: Path, said: Mapping[str, Any]) -> None:
    """Raise `ModelError` where a config.json, as it was read, asks for too many of something."""
    stack = [(str(name), value) for name, value in said.items()]  # it may be nested deeply
    while stack:
        name, value = stack.pop()
        if isinstance(value, Mapping):
            stack += [(str(inner), one) for inner, one in value.items()]
        most = next((most for end, most in REPEATS.items() if name.endswith(end)), None)
        for count in value if isinstance(value, list) else [value]:
            if most and isinstance(count, int | float) and count > most:
                raise ModelError(
                    f"{path}: key {shown(name)}: found {shown(count)}; expected at most {most:,}. "
                    "Mend: correct it, or fetch the model again with `glue-bench fetch --again "
                    "MODEL`"
                )
