"""What a run loads before its first step."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from harness.catalog import weights
from harness.data import load as data
from harness.data import word_vectors
from harness.errors import DataError, ModelError
from harness.modeling import adapters, batch_invariance, pretrained, scratch, tokenization
from harness.modeling.adapters import FrozenEncoder
from harness.modeling.tokenization import Batch, Encoded, Rows
from harness.spec import Recipe, RunConfig, Split, Task
from harness.training import batches
from harness.training.device import Device


@dataclass(frozen=True)
class RunInputs:
    """What a run loaded before its first step."""

    task: Task
    device: Device
    data: data.Data
    encoder: pretrained.LoadedModel
    network: torch.nn.Module
    encoded: Mapping[str, tokenization.Inputs]
    notes: tuple[str, ...]  # what a user should know of how texts and weights were read
    weights_sha256: str  # before the first step
    seconds: float

    def train_batches(self, config: RunConfig, recipe: Recipe) -> batches.TrainBatches:
        """The training rows, in the run's own order."""
        return batches.TrainBatches(
            self.encoded["train"], self.data.splits["train"], recipe, config.case.seed
        )


def prepare(config: RunConfig) -> RunInputs:
    """Load rows, weights and tokens. Raises `GlueBenchError`."""
    started = time.perf_counter()
    task = config.task
    device = Device(config.target)
    loaded = data.load(config.data, task, held_out=config.recipe.held_out, seed=config.case.seed)
    _check_rows_are_those_planned(config, task)
    with _from_the_files_planned(config):
        encoder = load_network(config, task, loaded.splits["train"])
    longest = config.recipe.max_length
    fixed = batch_invariance.needs_fixed_length(
        config.model_directory or config.case.model, encoder.network, encoder.tokenizer, longest,
        extra_padding=encoder.extra_padding, pairs=len(task.text_columns) == 2,
        known_ids=encoder.known_ids,
    )  # fmt: skip
    tokens = {
        name: encoder.encode(name, split, longest, fixed=fixed)
        for name, split in loaded.splits.items()
    }
    network = encoder.network.to(device.torch)
    encoded: Mapping[str, tokenization.Inputs] = tokens
    if isinstance(network, adapters.FrozenEncoder):
        encoded = {n: Features(split, network, device) for n, split in tokens.items()}
    sha256 = pretrained.weights_sha256(network)
    seconds = time.perf_counter() - started
    notes = (*encoder.notes, *_length_note(encoder, longest, tokens.values()))
    return RunInputs(task, device, loaded, encoder, network, encoded, notes, sha256, seconds)


def _length_note(
    encoder: pretrained.LoadedModel, longest: int, splits: Iterable[tokenization.Encoded]
) -> Iterator[str]:
    """Say where the model, not the recipe, cuts texts."""
    most = encoder.tokenizer.model_max_length - encoder.extra_padding
    if most < longest and any(split.truncated for split in splits):
        yield (
            f"it reads at most {most} tokens, and the recipe's max_length is {longest}: longer "
            f"texts were cut to {most}"
        )


def _check_rows_are_those_planned(config: RunConfig, task: Task) -> None:
    """Raise `DataError` where files have changed since the run was given its `cell_key`."""
    now = json.loads(json.dumps(data.fingerprint(config.data, task)))
    if now != config.identity["data"]:
        raise DataError(
            f"{task.name}: the rows have changed since this run was planned, and would be kept "
            "under the key of other rows. Mend: run it again"
        )


@contextlib.contextmanager
def _from_the_files_planned(config: RunConfig) -> Generator[None]:
    """Raise `ModelError` where what is loaded inside is not what the run's `cell_key` says.

    Every byte is read once more, and again if a file was touched meanwhile.
    """
    before = _stamps(config)
    _check_files_are_those_planned(config)
    yield
    if _stamps(config) != before:
        _check_files_are_those_planned(config)


def _stamps(config: RunConfig) -> tuple[Any, ...]:
    """What changes with every write to one of the files that a network is made of."""
    folder, vectors = config.model_directory, config.vectors
    return (
        folder and weights.stamps(Path(folder), tensors=not config.scratch),
        vectors and word_vectors.stamped(Path(vectors)),
    )


def _check_files_are_those_planned(config: RunConfig) -> None:
    planned: dict[str, str] = dict(config.identity["model_files"])
    now: dict[str, str] = {}
    if config.model_directory:
        folder = Path(config.model_directory)
        now |= weights.fingerprint(folder, tensors=not config.scratch, anew=True)
    if config.vectors:
        planned["word vectors"] = config.identity["adaptation"]["vectors"]
        now["word vectors"] = word_vectors.fingerprint(Path(config.vectors), anew=True)
    if now != planned:
        names = sorted(n for n in {*now, *planned} if now.get(n) != planned.get(n))
        raise ModelError(
            f"{config.case.model}: its files have changed since this run was planned "
            f"({', '.join(names)}), and it would be kept under the key of other ones. Mend: run it "
            "again"
        )


def load_network(config: RunConfig, task: Task, train: Split) -> pretrained.LoadedModel:
    """The network of a run and its tokenizer: pretrained, or of the training rows' own words."""
    if config.network:
        return scratch.load(config.network, task, train, config.case.seed, config.vectors)
    folder, seed = Path(str(config.model_directory)), config.case.seed
    encoder = pretrained.load(folder, task, seed, scratch=config.scratch)
    return adapters.adapt(encoder, config.method, task, seed) if config.method else encoder


@dataclass
class Features:
    """A tokenized split of which a network reads features: each row's are computed once.

    They are when the row is first asked for, so their time is training's or evaluation's own.
    """

    encoded: Encoded
    network: FrozenEncoder
    device: Device
    known: torch.Tensor = field(init=False)  # (rows,), bool
    stored: torch.Tensor = field(init=False)  # (rows, hidden), float32, on the CPU

    def __post_init__(self) -> None:
        self.known = torch.zeros(len(self.encoded), dtype=torch.bool)
        self.stored = torch.empty(len(self.encoded), self.network.classifier.in_features)

    def __len__(self) -> int:
        return len(self.encoded)

    @property
    def lengths(self) -> Rows:
        return self.encoded.lengths

    @property
    def truncated(self) -> int:
        return self.encoded.truncated

    def batch(self, labels: torch.Tensor | None, rows: Rows) -> Batch:
        """The batch of these rows, whose one input is their features."""
        tokens = self.encoded.batch(labels, rows)
        places = torch.from_numpy(rows)
        if not self.known[places].all():
            self.stored[places] = self._computed(tokens)
            self.known[places] = True
        inputs: Mapping[str, torch.Tensor] = {"features": self.stored[places]}
        return Batch(inputs, tokens.labels, rows, tokens.tokens)

    @torch.no_grad()
    def _computed(self, batch: Batch) -> torch.Tensor:
        self.network.encoder.eval()
        with self.device.autocast():
            return self.network.features(**self.device.move(batch).inputs).cpu()
