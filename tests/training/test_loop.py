"""The training loop: what stops it, what it counts and times, and the order of its rows."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
import torch

from harness.catalog import tasks
from harness.errors import TrainingDiverged
from harness.training import loop
from harness.training.batches import TrainBatches, eval_batches
from tests.support.training_rows import CPU, RECIPE, ROWS, rows_of, tiny_network

pytestmark = pytest.mark.usefixtures("one_thread")


def test_a_loss_that_is_not_finite_stops_the_run_at_once() -> None:
    task = tasks.TASKS["rte"]
    encoded, split = rows_of(task, pairs=True)
    network = tiny_network(task)
    steps: list[int] = []

    def poison(step: int, total: int) -> None:
        steps.append(step)
        if step == 4:
            torch.nn.init.constant_(network.classifier.bias, math.nan)

    with pytest.raises(TrainingDiverged, match=r"nan at step 5 of 21"):
        loop.fine_tune(
            network, task, RECIPE, TrainBatches(encoded, split, RECIPE, 0), CPU, 0,
            after_step=poison,
        )  # fmt: skip
    assert steps == [1, 2, 3, 4]


def test_logits_that_are_not_finite_are_no_predictions() -> None:
    task = tasks.TASKS["rte"]
    encoded, _ = rows_of(task, pairs=True)
    network = tiny_network(task)
    torch.nn.init.constant_(network.classifier.bias, math.nan)
    with pytest.raises(TrainingDiverged, match="64 of 64 rows"):
        loop.predict(network, eval_batches(encoded, 8), CPU)


def test_counts_are_of_real_rows_and_tokens() -> None:
    task = tasks.TASKS["rte"]
    encoded, split = rows_of(task, pairs=True)
    batches = TrainBatches(encoded, split, RECIPE, 0)
    done = loop.fine_tune(tiny_network(task), task, RECIPE, batches, CPU, 0)
    assert done.examples == 3 * ROWS
    assert done.tokens == 3 * encoded.starts[-1]
    assert len(done.losses) == 3 * batches.steps_per_epoch == 21
    assert sum(done.epoch_seconds) == pytest.approx(done.seconds)


def test_evaluation_is_outside_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks: Iterator[int] = iter(range(1000))
    now = [0.0]
    monkeypatch.setattr(
        "harness.training.device.time.perf_counter", lambda: now[0] + 0 * next(ticks)
    )

    def evaluate(epoch: int, loss: float) -> None:
        now[0] += 100.0

    def step(done: int, total: int) -> None:
        now[0] += 1.0

    task = tasks.TASKS["rte"]
    encoded, split = rows_of(task, pairs=True)
    done = loop.fine_tune(
        tiny_network(task), task, RECIPE, TrainBatches(encoded, split, RECIPE, 0), CPU, 0,
        after_epoch=evaluate, after_step=step,
    )  # fmt: skip
    assert done.epoch_seconds == [7.0, 7.0, 7.0]


def test_rows_are_shuffled_by_seed_and_epoch() -> None:
    encoded, split = rows_of(tasks.TASKS["rte"], pairs=True)

    def order(seed: int, epoch: int) -> list[int]:
        steps = TrainBatches(encoded, split, RECIPE, seed).epoch(epoch)
        return [int(row) for step in steps for batch in step for row in batch.rows]

    orders = [order(seed, epoch) for seed in (0, 1) for epoch in (0, 1)]
    assert all(sorted(found) == list(range(ROWS)) for found in orders)
    assert len({tuple(found) for found in orders}) == 4
    assert order(1, 1) == orders[-1]


def test_same_seed_gives_the_same_bits() -> None:
    task = tasks.TASKS["rte"]
    encoded, split = rows_of(task, pairs=True)
    runs = [
        loop.fine_tune(
            tiny_network(task), task, RECIPE, TrainBatches(encoded, split, RECIPE, 5), CPU, 5
        ).losses
        for _ in range(2)
    ]
    assert runs[0] == runs[1]


@pytest.mark.parametrize("size", [1, 7, 64])
def test_predictions_come_in_row_order_whatever_the_batch(size: int) -> None:
    task = tasks.TASKS["mnli"]
    encoded, _ = rows_of(task, pairs=True)
    network = tiny_network(task)
    one = loop.predict(network, eval_batches(encoded, 1), CPU)
    assert torch.allclose(loop.predict(network, eval_batches(encoded, size), CPU), one, atol=1e-6)
