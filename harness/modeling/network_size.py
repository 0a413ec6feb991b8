"""The size of the network that config.json describes, computed before any of it is allocated."""

from __future__ import annotations

import copy
import os
from pathlib import Path

import torch
from transformers import AutoModelForSequenceClassification

from harness.errors import ModelError
from harness.modeling.library_types import ModelConfig

BYTES_PER_PARAMETER = 4  # fp32


def refuse_oversized(directory: Path, config: ModelConfig) -> None:
    """Raise `ModelError` for a network that this machine's memory cannot hold in fp32.

    The network is built on torch's `meta` device, which allocates nothing.
    """
    with torch.device("meta"):
        network = AutoModelForSequenceClassification.from_config(
            copy.deepcopy(config), dtype=torch.float32
        )
    needed = BYTES_PER_PARAMETER * sum(parameter.numel() for parameter in network.parameters())
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if needed > memory:
        raise ModelError(
            f"{directory}: config.json describes a network of {needed:,} bytes in fp32; expected "
            f"at most this machine's memory, {memory:,}. Fix: name a smaller model, or correct "
            "config.json"
        )
