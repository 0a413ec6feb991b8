"""Batches of a split: the rows of each training step, and those of evaluation."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import chain, islice

import numpy as np
import torch

from harness.modeling.tokenization import Batch, Inputs, Rows
from harness.spec import Recipe, Split


class TrainBatches:
    """The training rows, shuffled anew each epoch; the order depends on seed and epoch alone."""

    def __init__(self, encoded: Inputs, split: Split, recipe: Recipe, seed: int) -> None:
        self.encoded, self.seed = encoded, seed
        # Whole numbers become int64 classes, scores become float32 regression targets.
        self.labels = torch.tensor(split.labels)
        self.batch_size = recipe.batch_size
        self.micro_batch = recipe.micro_batch
        self.group_by_length = recipe.group_by_length

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps in one epoch; the last may have fewer rows."""
        return -(-len(self.encoded) // self.batch_size)

    def epoch(self, epoch: int) -> Iterator[list[Batch]]:
        """The micro-batches of each optimizer step."""
        random = np.random.default_rng([self.seed, epoch])
        order = random.permutation(len(self.encoded))
        steps = parts(order, self.batch_size)
        if self.group_by_length:
            steps = by_length(steps, self.encoded.lengths)
            random.shuffle(steps)
        for rows in steps:
            yield [self.encoded.batch(self.labels, part) for part in parts(rows, self.micro_batch)]


class FirstSteps(TrainBatches):
    """The training rows of the first steps of a run, in the same batches.

    `steps_per_epoch` stays that of the whole run, so that the learning rate stays the same.
    """

    def __init__(
        self, encoded: Inputs, split: Split, recipe: Recipe, seed: int, steps: int
    ) -> None:
        super().__init__(encoded, split, recipe, seed)
        self.left = steps

    def epoch(self, epoch: int) -> Iterator[list[Batch]]:
        """The micro-batches of each step, while there are steps left."""
        for step in islice(super().epoch(epoch), self.left):
            self.left -= 1
            yield step


def order_sha256(batches: TrainBatches, epochs: int, steps: int) -> str:
    """The sha256 of the row numbers of a run's first steps, in the order the network sees them.

    The numbers are those of `Batch.rows`, as little-endian int64.
    """
    digest = hashlib.sha256()
    every = chain.from_iterable(batches.epoch(epoch) for epoch in range(epochs))
    for batch in chain.from_iterable(islice(every, steps)):
        digest.update(batch.rows.astype("<i8").tobytes())
    return digest.hexdigest()


def parts(rows: Rows, size: int) -> list[Rows]:
    """The rows cut into parts of `size`; the last may be smaller."""
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def by_length(steps: list[Rows], lengths: Rows) -> list[Rows]:
    """Steps whose rows are of similar length: the rows of each 50 steps, sorted by length.

    So little is padded, and which rows share a step still differs from epoch to epoch. 50 is what
    `LengthGroupedSampler` of transformers has.
    """
    grouped: list[Rows] = []
    for start in range(0, len(steps), 50):
        rows = np.concatenate(steps[start : start + 50])
        grouped += parts(rows[np.argsort(lengths[rows], kind="stable")], len(steps[0]))
    return grouped


def eval_batches(encoded: Inputs, size: int) -> Iterator[Batch]:
    """Every row once, without labels, sorted by length so that little is padded."""
    order = np.argsort(encoded.lengths, kind="stable")
    for start in range(0, len(order), size):
        yield encoded.batch(None, order[start : start + size])
