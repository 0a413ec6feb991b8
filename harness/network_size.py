"""How large a network config.json describes, known before any of it is allocated."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForSequenceClassification

from harness.errors import ModelError, shown

MOST_LAYERS = 1_000
"""The deepest published transformers have about as many; each is built before it is counted."""
LAYERS = (
    "layers",
    "layer",
    "blocks",
    "groups",
    "group_num",
    "experts",
    "depths",
    "depth",
    "block_sizes",
)
"""How the names of settings end that say how often a part is repeated."""
BYTES = 4  # of a number in fp32


def refuse_oversized(directory: Path, config: Any) -> None:
    """Raise `ModelError` for a network that this machine's memory cannot hold in fp32.

    It is built on torch's `meta` device, which allocates nothing.
    """
    for name, count in _repeats(config.to_dict()):
        if count > MOST_LAYERS:
            raise ModelError(
                f"{directory}: config.json: key {name}: found {shown(count)}; expected at most "
                f"{MOST_LAYERS:,}. Mend: correct it, or fetch the model again with `glue-bench "
                "fetch --again MODEL`"
            )
    with torch.device("meta"):
        network = AutoModelForSequenceClassification.from_config(
            copy.deepcopy(config), dtype=torch.float32
        )
    needed = BYTES * sum(parameter.numel() for parameter in network.parameters())
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if needed > memory:
        raise ModelError(
            f"{directory}: config.json describes a network of {needed:,} bytes in fp32; expected "
            f"at most this machine's memory, {memory:,}. Mend: name a smaller model, or correct "
            "config.json"
        )


def _repeats(said: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """Every number of a configuration that says how often something is repeated."""
    for name, value in said.items():
        if isinstance(value, Mapping):
            yield from _repeats(value)
        elif str(name).endswith(LAYERS):
            for one in value if isinstance(value, list | tuple) else [value]:
                if isinstance(one, int):
                    yield str(name), one
