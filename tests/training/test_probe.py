"""The speed of the machine, as a run measures it before and after training."""

from __future__ import annotations

from itertools import accumulate

import pytest

from harness.catalog import targets
from harness.spec import Case, DataRequest
from harness.training import device, probe, runner
from tests.support.configs import resolved


def test_it_is_that_of_the_fastest_round_after_the_warm_up(monkeypatch: pytest.MonkeyPatch) -> None:
    rounds = [0.001] * probe.WARM_UP + [0.03] * (probe.ROUNDS - 2) + [0.02, 0.05]
    readings = accumulate(second for took in rounds for second in (1.0, took))
    monkeypatch.setattr(device.time, "perf_counter", lambda: next(readings))
    found = probe.calibration_seconds(device.Device(targets.get("cpu-fp32")))
    assert found == pytest.approx(0.02)


def test_a_machine_that_slowed_down_makes_a_run_noisy(monkeypatch: pytest.MonkeyPatch) -> None:
    measured = iter((0.010, 0.013))
    monkeypatch.setattr(runner, "calibration_seconds", lambda device: next(measured))
    config = resolved(Case("rte", "toy-bert", "cpu-fp32", 42), DataRequest("toy", 32, 16), epochs=1)
    outcome, _ = runner.run(config)
    assert outcome.observed is not None
    assert outcome.observed.calibration_s == (0.010, 0.013)
    assert "noisy" in outcome.flags
