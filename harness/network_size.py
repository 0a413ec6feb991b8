"""How large a network config.json describes, known before any of it is allocated."""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForSequenceClassification

from harness.errors import ModelError, shown

REPEATS = {
    "layers": 1_000, "layer": 1_000, "blocks": 1_000, "groups": 1_000, "group_num": 1_000,
    "experts": 1_000, "depths": 1_000, "depth": 1_000, "block_sizes": 1_000,
    "num_labels": 100_000,
}  # fmt: skip
"""How the names of settings end that say how often something is made, and the most that may be.

Each is made before it can be counted. The deepest published transformers have about 1,000 layers.
"""
BYTES = 4  # of a number in fp32


def refuse_repeats(directory: Path, said: Mapping[str, Any]) -> None:
    """Raise `ModelError` where a config.json, as it was read, asks for too many of something."""
    for name, value in said.items():
        if isinstance(value, Mapping):
            refuse_repeats(directory, value)
        most = next((most for end, most in REPEATS.items() if name.endswith(end)), None)
        for count in value if isinstance(value, list) else [value]:
            if most and isinstance(count, int | float) and count > most:
                raise ModelError(
                    f"{directory}: config.json: key {shown(name)}: found {shown(count)}; expected "
                    f"at most {most:,}. Mend: correct it, or fetch the model again with "
                    "`glue-bench fetch --again MODEL`"
                )


def refuse_oversized(directory: Path, config: Any) -> None:
    """Raise `ModelError` for a network that this machine's memory cannot hold in fp32.

    It is built on torch's `meta` device, which allocates nothing.
    """
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
