"""Loads what a run needs before its first step: rows, model and tokens."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch

from harness.catalog import weights
from harness.data import load as data
from harness.data import word_vectors
from harness.errors import DataError, IntegrityError, ModelError
from harness.metrics import Labels
from harness.modeling import adapters, batch_invariance, pretrained, scratch, tokenization
from harness.modeling.adapters import FrozenEncoder
from harness.modeling.speedups.apply import SpedUp, speed_up
from harness.modeling.tokenization import Batch, Encoded, OfEncoded, Rows
from harness.spec import Recipe, RunConfig, Split, Task
from harness.training import batches
from harness.training.device import Device


@dataclass(frozen=True)
class RunInputs:
    """The rows, the model and the tokens of a run."""

    config: RunConfig
    device: Device
    data: data.Data
    model: pretrained.LoadedModel
    network: torch.nn.Module  # the model's, on the device
    encoded: Mapping[str, tokenization.Inputs]
    notes: tuple[str, ...]  # for the user, on how texts and weights were read
    weights_sha256: str  # before the first step
    sped_up: SpedUp
    seconds: float

    @property
    def task(self) -> Task:
        return self.config.task

    def labels(self, name: str) -> Labels:
        """The labels of a split that is scored. Raises `IntegrityError` where it has none."""
        labels = self.data.splits[name].labels
        if labels is None:
            raise IntegrityError(f"{name}: a split that is scored has no labels")
        return labels

    def train_batches(self, recipe: Recipe) -> batches.TrainBatches:
        """The training rows in the order of the run's seed, in the batches of `recipe`."""
        return batches.TrainBatches(
            self.encoded["train"], self.data.splits["train"], recipe, self.config.case.seed
        )


def prepare(config: RunConfig) -> RunInputs:
    """Load rows, weights and tokens. Raises `GlueBenchError`."""
    started = time.perf_counter()
    task = config.task
    device = Device(config.target)
    loaded = data.load(config.data, task, held_out=config.recipe.held_out, seed=config.case.seed)
    _check_rows_are_those_planned(config)
    with _from_the_files_planned(config):
        model = load_model(config, loaded.splits["train"])
    longest = config.recipe.max_length
    fixed = batch_invariance.needs_fixed_length(
        config.model_directory or config.case.model,
        model.network,
        model.tokenizer,
        longest,
        extra_padding=model.extra_padding,
        pairs=len(task.text_columns) == 2,
        known_ids=model.known_ids,
    )
    tokens = {
        name: model.encode(name, split, longest, fixed=fixed)
        for name, split in loaded.splits.items()
    }
    network = model.network.to(device.torch)
    weights_sha256 = pretrained.weights_sha256(network)
    sped_up = speed_up(
        network,
        tokens,
        config.speedups,
        fast_dropout=config.recipe.fast_dropout,
        autocast=device.dtype is not None,
    )
    encoded = sped_up.splits
    if isinstance(network, adapters.FrozenEncoder):
        encoded = {n: Features(split, network, device) for n, split in tokens.items()}
    return RunInputs(
        config,
        device,
        loaded,
        model,
        network,
        encoded,
        notes=(*model.notes, *_length_note(model, longest, tokens.values())),
        weights_sha256=weights_sha256,
        sped_up=sped_up,
        seconds=time.perf_counter() - started,
    )


def _length_note(
    model: pretrained.LoadedModel, longest: int, splits: Iterable[tokenization.Encoded]
) -> Iterator[str]:
    """A note if the model cuts texts shorter than the recipe does."""
    most = model.tokenizer.model_max_length - model.extra_padding
    if most < longest and any(split.truncated for split in splits):
        yield (
            f"it reads at most {most} tokens, and the recipe's max_length is {longest}: longer "
            f"texts were cut to {most}"
        )


def _check_rows_are_those_planned(config: RunConfig) -> None:
    """Raise `DataError` if the files have changed since the `cell_key` of the run was computed."""
    now = json.loads(json.dumps(data.fingerprint(config.data, config.task)))
    if now != config.identity["data"]:
        raise DataError(
            f"{config.task.name}: the rows have changed since this run was planned, and it would "
            "be kept under the key of other rows. Fix: run it again"
        )


@contextlib.contextmanager
def _from_the_files_planned(config: RunConfig) -> Generator[None]:
    """Raise `ModelError` if the files read inside are not those that the `cell_key` is made of.

    Every byte is hashed again before, and once more after if a file was changed meanwhile.
    """
    before = _stamps(config)
    _check_files_are_those_planned(config)
    yield
    if _stamps(config) != before:
        _check_files_are_those_planned(config)


def _stamps(config: RunConfig) -> tuple[object, ...]:
    """A value that changes with every write to a file of the model."""
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
            f"({', '.join(names)}), and it would be kept under the key of other ones. Fix: run it "
            "again"
        )


def load_model(config: RunConfig, train: Split) -> pretrained.LoadedModel:
    """The network of a run and its tokenizer: from a folder, or made for the words of `train`."""
    task, seed = config.task, config.case.seed
    if config.network:
        return scratch.load(config.network, task, train, seed, config.vectors)
    model = pretrained.load(Path(str(config.model_directory)), task, seed, scratch=config.scratch)
    return adapters.adapt(model, config.method, task, seed) if config.method else model


@dataclass
class Features(OfEncoded):
    """A tokenized split for a network that reads features of a frozen encoder, each computed once.

    A row's features are computed when the row is first asked for, so their time counts as training
    or evaluation.
    """

    encoded: Encoded
    network: FrozenEncoder
    device: Device
    known: torch.Tensor = field(init=False)  # (rows,), bool
    stored: torch.Tensor = field(init=False)  # (rows, hidden), float32, on the CPU

    def __post_init__(self) -> None:
        self.known = torch.zeros(len(self.encoded), dtype=torch.bool)
        self.stored = torch.empty(len(self.encoded), self.network.classifier.in_features)

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
