"""The speed of the machine, as a run measures it before and after training."""

from __future__ import annotations

from itertools import accumulate

import pytest

from harness.catalog import targets
from harness.spec import Case, DataRequest
from harness.training import device, probe, runner
from tests.support.configs import resolved


def measured(monkeypatch: pytest.MonkeyPatch, *rounds: float) -> tuple[float, int]:
    """What is measured if the rounds take so long, one after another; and how many there were."""
    took = [0.001] * probe.WARM_UP + [*rounds]  # a wrong clock in the warm-up would show
    readings = [*accumulate(second for each in took for second in (1.0, each))]
    left = iter(readings)
    monkeypatch.setattr(device.time, "perf_counter", lambda: next(left))
    found = probe.calibration_seconds(device.Device(targets.get("cpu-fp32")))
    return found, (len(readings) - len([*left])) // 2 - probe.WARM_UP


def test_it_is_that_of_the_fastest_round_once_three_are_alike(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found, rounds = measured(monkeypatch, 0.03, 0.0202, 0.05, 0.02, 0.0201, 0.001)
    assert (found, rounds) == (pytest.approx(0.02), 5)


def test_slow_rounds_that_are_alike_settle_nothing_once_one_was_faster(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found, rounds = measured(monkeypatch, 0.03, 0.01, 0.03, 0.03, 0.03, 0.0101, 0.0102)
    assert (found, rounds) == (pytest.approx(0.01), 7)


def test_rounds_that_never_settle_come_to_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    falling = [0.9**place for place in range(2 * probe.MOST_ROUNDS)]
    found, rounds = measured(monkeypatch, *falling)
    assert (found, rounds) == (pytest.approx(min(falling[: probe.MOST_ROUNDS])), probe.MOST_ROUNDS)


def test_a_machine_that_slowed_down_makes_a_run_noisy(monkeypatch: pytest.MonkeyPatch) -> None:
    measured = iter((0.010, 0.013))
    monkeypatch.setattr(runner, "calibration_seconds", lambda device: next(measured))
    config = resolved(Case("rte", "toy-bert", "cpu-fp32", 42), DataRequest("toy", 32, 16), epochs=1)
    outcome, _ = runner.run(config)
    assert outcome.observed is not None
    assert outcome.observed.calibration_s == (0.010, 0.013)
    assert "noisy" in outcome.flags
