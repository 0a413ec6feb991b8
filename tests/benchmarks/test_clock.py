"""The clock of all sides: which steps it counts, which ids, and what it says of the machine."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import pytest
import torch
from torch.nn import functional

from benchmarks.peers import clock
from benchmarks.peers.clock import MachineWatch, StepClock, TokenCounter
from harness.system.counters import MachineTicks


@pytest.mark.usefixtures("one_thread")
def test_the_first_steps_of_each_epoch_are_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    ends: Iterator[float] = iter([1.0, 2.0, 2.5, 3.5, 10.0, 11.0, 11.25, 11.5])
    cpu = iter([0.0, 1.0, 1.5, 4.0, 9.0, 20.0, 20.25, 21.0])
    monkeypatch.setattr(clock, "time", SimpleNamespace(perf_counter=lambda: next(ends)))
    monkeypatch.setattr(clock, "cpu_seconds", lambda: next(cpu))
    waits: list[int] = []
    steps = StepClock(4, lambda: waits.append(steps.steps))
    for _ in range(8):
        steps.after_step()
    assert steps.seconds == [0.5, 1.0, 0.25, 0.25]
    assert steps.cpu_s == 3.0 + 1.0
    assert (steps.steps, steps.threads) == (8, 1)
    assert waits == [2, 4, 6, 8]  # where counting begins and ends


def test_ids_are_counted_in_training_and_in_the_word_embedding_alone() -> None:
    words, others = torch.nn.Embedding(30, 4), torch.nn.Embedding(2, 4)
    counter = TokenCounter(30)
    ids = torch.zeros(3, 5, dtype=torch.long)
    with counter.counting():
        words(ids)
        others(ids)
        with torch.no_grad():
            words(ids)
    words(ids)
    assert counter.computed == 15
    assert functional.embedding.__name__ == "embedding"


@pytest.mark.usefixtures("one_thread")
def test_stolen_time_and_a_change_of_speed_are_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter([MachineTicks(10, 1000), MachineTicks(35, 1500)])
    monkeypatch.setattr(clock, "machine_ticks", lambda: next(ticks))
    watch = MachineWatch("cpu", threads=1)
    with watch.running():
        pass
    assert watch.steal_share == 0.05
    assert min(watch.calibration_s) > 0
