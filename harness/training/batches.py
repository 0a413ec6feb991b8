"""Batches of a split: each training step's rows, in the order of a seed; and evaluation's."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import chain, islice

import numpy as np
import torch

from harness.modeling.tokenization import Batch, Inputs, Rows
from harness.spec import Recipe, Split


class TrainBatches:
    """The training rows, in a new order each epoch that depends on seed and epoch alone."""

    def __init__(self, encoded: Inputs, split: Split, recipe: Recipe, seed: int) -> None:
        self.encoded, self.seed = encoded, seed
        # Whole numbers become int64 classes, scores become float32 regression targets.
        self.labels = torch.tensor(split.labels)
        self.batch_size = recipe.batch_size
        self.micro_batch = recipe.micro_batch
        self.group_by_length = recipe.group_by_length

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps in one epoch; the last may see fewer rows."""
        return -(-len(self.encoded) // self.batch_size)

    def epoch(self, epoch: int) -> Iterator[list[Batch]]:
        """Each optimizer step's rows, as the micro-batches it is computed in."""
        random = np.random.default_rng([self.seed, epoch])
        order = random.permutation(len(self.encoded))
        steps = parts(order, self.batch_size)
        if self.group_by_length:
            steps = by_length(steps, self.encoded.lengths)
            random.shuffle(steps)
        for rows in steps:
            yield [self.encoded.batch(self.labels, part) for part in parts(rows, self.micro_batch)]


class FirstSteps(TrainBatches):
    """Training rows that end after so many steps, whatever the epoch.

    An epoch has as many steps as ever, so that the learning rate is what it was.
    """

    def __init__(
        self, encoded: Inputs, split: Split, recipe: Recipe, seed: int, steps: int
    ) -> None:
        super().__init__(encoded, split, recipe, seed)
        self.left = steps

    def epoch(self, epoch: int) -> Iterator[list[Batch]]:
        """Each step's rows, while there are steps left."""
        for step in islice(super().epoch(epoch), self.left):
            self.left -= 1
            yield step


def order_sha256(batches: TrainBatches, epochs: int, steps: int) -> str:
    """sha256 over the row numbers of a run's first steps, in the order the network sees them.

    The numbers are those of `Batch.rows`, as little-endian int64.
    """
    found = hashlib.sha256()
    every = chain.from_iterable(batches.epoch(epoch) for epoch in range(epochs))
    for batch in chain.from_iterable(islice(every, steps)):
        found.update(batch.rows.astype("<i8").tobytes())
    return found.hexdigest()


def parts(rows: Rows, size: int) -> list[Rows]:
    """The rows in parts of this size; the last may be smaller."""
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def by_length(steps: list[Rows], lengths: Rows) -> list[Rows]:
    """The same rows, each step's now of like length: of 50 steps at a time, as transformers does.

    Which rows meet still differs from epoch to epoch, but a batch is hardly padded.
    """
    grouped: list[Rows] = []
    for start in range(0, len(steps), 50):
        rows = np.concatenate(steps[start : start + 50])
        grouped += parts(rows[np.argsort(lengths[rows], kind="stable")], len(steps[0]))
    return grouped


def eval_batches(encoded: Inputs, size: int) -> Iterator[Batch]:
    """Every row once, without labels. Sorted by length, so that little is padded."""
    order = np.argsort(encoded.lengths, kind="stable")
    for start in range(0, len(order), size):
        yield encoded.batch(None, order[start : start + size])
