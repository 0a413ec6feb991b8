"""What a run loads before its first step."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from harness import adapters, batch_invariance, encoders, networks, targets, tasks
from harness.data import batches
from harness.data import load as data
from harness.device import Device
from harness.errors import DataError
from harness.spec import Recipe, RunConfig, Split, Task


@dataclass(frozen=True)
class Prepared:
    """What a run loaded before its first step."""

    task: Task
    device: Device
    data: data.Data
    encoder: encoders.Encoder
    network: torch.nn.Module
    encoded: Mapping[str, batches.Inputs]
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
    task = tasks.of(config)
    device = Device(targets.get(config.case.target))
    loaded = data.load(config.data, task, held_out=config.recipe.held_out, seed=config.case.seed)
    _check_rows_are_those_planned(config, task)
    encoder = load_network(config, task, loaded.splits["train"])
    longest, spare = config.recipe.max_length, encoder.spare
    fixed = batch_invariance.needs_fixed_length(
        config.model_directory or config.case.model, encoder.network, encoder.tokenizer, longest,
        spare=spare, pairs=len(task.text_columns) == 2,
    )  # fmt: skip
    tokens = {
        name: batches.encode(encoder.tokenizer, split.texts, longest, spare, fixed=fixed)
        for name, split in loaded.splits.items()
    }
    network = encoder.network.to(device.torch)
    encoded: Mapping[str, batches.Inputs] = tokens
    if isinstance(network, adapters.FrozenEncoder):
        encoded = {n: adapters.Features(split, network, device) for n, split in tokens.items()}
    weights = encoders.weights_sha256(network)
    seconds = time.perf_counter() - started
    return Prepared(task, device, loaded, encoder, network, encoded, weights, seconds)


def _check_rows_are_those_planned(config: RunConfig, task: Task) -> None:
    """Raise `DataError` where files have changed since the run was given its `cell_key`."""
    now = json.loads(json.dumps(data.fingerprint(config.data, task)))
    if now != config.identity["data"]:
        raise DataError(
            f"{task.name}: the rows have changed since this run was planned, and would be kept "
            "under the key of other rows. Mend: run it again"
        )


def load_network(config: RunConfig, task: Task, train: Split) -> encoders.Encoder:
    """The network of a run and its tokenizer: pretrained, or of the training rows' own words."""
    if config.network:
        return networks.load(config.network, task, train, config.case.seed, config.vectors)
    folder, seed = Path(str(config.model_directory)), config.case.seed
    encoder = encoders.load(folder, task, seed, scratch=config.scratch)
    return adapters.adapted(encoder, config.method, task, seed) if config.method else encoder
