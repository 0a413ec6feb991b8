"""What a run loads before its first step."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from harness import encoders, targets, tasks
from harness.data import batches
from harness.data import load as data
from harness.device import Device
from harness.spec import Recipe, RunConfig, Task


@dataclass(frozen=True)
class Prepared:
    """What a run loaded before its first step."""

    task: Task
    device: Device
    data: data.Data
    encoder: encoders.Encoder
    network: torch.nn.Module
    encoded: Mapping[str, batches.Encoded]
    weights_sha256: str  # before the first step
    seconds: float

    def train_batches(self, config: RunConfig, recipe: Recipe) -> batches.TrainBatches:
        """The training rows, in the run's own order."""
        return batches.TrainBatches(
            self.encoded["train"], self.data.splits["train"], recipe, config.case.seed
        )


def prepare(config: RunConfig) -> Prepared:
    """Load rows, weights and tokens. Raises `GlueBenchError`."""
    started = time.perf_counter()
    task = tasks.get(config.case.task)
    device = Device(targets.get(config.case.target))
    loaded = data.load(config.data, task, held_out=config.recipe.held_out, seed=config.case.seed)
    encoder = encoders.load(
        Path(config.model_directory), task, config.case.seed, scratch=config.scratch
    )
    encoded = {
        name: batches.encode(
            encoder.tokenizer, split.texts, config.recipe.max_length, encoder.spare
        )
        for name, split in loaded.splits.items()
    }
    network = encoder.network.to(device.torch)
    weights = encoders.weights_sha256(network)
    seconds = time.perf_counter() - started
    return Prepared(task, device, loaded, encoder, network, encoded, weights, seconds)
