"""What training takes: the seconds of its steps, CPU time, steal and instructions."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.spec import Case, DataRequest
from harness.system.counters import MachineTicks
from harness.training import runner, usage
from harness.training.usage import UsageMeter
from tests.support.configs import resolved


class Machine:
    """Clocks and counters that move only when a test says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, counts: bool = True) -> None:
        self.now = self.cpu = self.stolen = self.ticks = self.instructions = 0
        monkeypatch.setattr(usage.time, "perf_counter", lambda: self.now)
        monkeypatch.setattr(usage.counters, "cpu_seconds", lambda: self.cpu)
        monkeypatch.setattr(
            usage.counters, "machine_ticks", lambda: MachineTicks(self.stolen, self.ticks)
        )
        machine = self

        class Counter:
            @property
            def count(self) -> int | None:
                return machine.instructions if counts else None

            def close(self) -> None:
                machine.closed = True

        self.closed = False
        monkeypatch.setattr(usage, "PerfCounter", Counter)

    def work(self, seconds: int) -> None:
        self.now += seconds
        self.cpu += 2 * seconds
        self.stolen += seconds
        self.ticks += 10 * seconds
        self.instructions += 1000 * seconds


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    made = Machine(monkeypatch)
    yield made
    assert made.closed


def train(machine: Machine, *epochs: tuple[int, ...]) -> UsageMeter:
    """Epochs of steps that take these seconds, each with an evaluation of 100 s after it."""
    meter = UsageMeter()
    steps = []
    with meter.running():
        after_step = meter.after_step(lambda step, planned: steps.append(step))
        after_epoch = meter.after_epoch(lambda epoch, loss: machine.work(100))
        for epoch in epochs:
            for seconds in epoch:
                machine.work(seconds)
                after_step(len(steps) + 1, 99)
            after_epoch(0, 0.5)
    assert steps == [*range(1, sum(map(len, epochs)) + 1)]
    return meter


def test_evaluation_and_the_first_step_are_left_out(machine: Machine) -> None:
    meter = train(machine, (50, 2, 3), (4, 3))
    assert meter.step_seconds == [50, 2, 3, 4, 3]
    assert meter.step_s == 3
    assert meter.cpu_s == 2 * 62
    assert meter.steal_share == 0.1
    assert meter.instructions == 62_000


def test_a_single_step_is_the_median(machine: Machine) -> None:
    assert train(machine, (7,)).step_s == 7


def test_instructions_that_cannot_be_counted_are_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    assert train(Machine(monkeypatch, counts=False), (1, 2)).instructions is None


def test_a_machine_without_ticks_has_no_steal(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage.counters, "machine_ticks", lambda: None)
    assert train(machine, (1, 2)).steal_share is None


def test_the_counter_is_closed_after_an_error(machine: Machine) -> None:
    with pytest.raises(ZeroDivisionError), UsageMeter().running():
        raise ZeroDivisionError


def test_a_run_records_them() -> None:
    case = Case("rte", "toy-bert", "cpu-fp32", 42)
    outcome, _ = runner.run(resolved(case, DataRequest("toy", 64, 16), epochs=2))
    timing = outcome.timing
    assert timing is not None
    assert timing.step_s is not None
    assert 0 < timing.step_s < timing.train_s
    assert timing.cpu_s is not None
    assert timing.cpu_s > 0
