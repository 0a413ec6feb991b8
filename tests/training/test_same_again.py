"""The same seed and threads give the same bits: here, in another process, after foreign code."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from harness.execution.process import ProcessEngine
from harness.records.schema import Outcome, PredictionTable
from harness.spec import Case, DataRequest, RunConfig
from harness.training import runner
from tests.support.builders import numbers
from tests.support.configs import resolved
from tests.support.torch_switches import everything_changed

Ran = tuple[Outcome, PredictionTable | None]
ROWS = DataRequest("toy", max_train=64, max_eval=16)
BOTH = pytest.mark.parametrize("target", ["cpu-fp32", "cpu-bf16"])


def configuration(target: str, seed: int = 42, threads: int = 1) -> RunConfig:
    case = Case("rte", "toy-bert", target, seed)
    return resolved(case, ROWS, epochs=1, threads=threads)


def bits(ran: Ran) -> dict[str, Any]:
    """All of a run that the clock and the memory have no part in."""
    outcome, predictions = ran
    assert outcome.status == "ok", outcome.reason
    assert predictions is not None
    return {**numbers(outcome), "predictions": predictions}


@pytest.fixture(scope="module")
def once() -> dict[str, dict[str, Any]]:
    return {t: bits(runner.run(configuration(t))) for t in ("cpu-fp32", "cpu-bf16")}


@pytest.fixture(scope="module")
def engine() -> Iterator[ProcessEngine]:
    made = ProcessEngine()
    made.start()
    yield made
    made.close()


@BOTH
def test_in_the_same_process(target: str, once: dict[str, dict[str, Any]]) -> None:
    assert bits(runner.run(configuration(target))) == once[target]


@BOTH
def test_in_other_processes(
    target: str, once: dict[str, dict[str, Any]], engine: ProcessEngine
) -> None:
    def apart(threads: int) -> dict[str, Any]:
        config = configuration(target, threads=threads)
        done = engine.submit(config, lambda *step: None).result(120)
        return bits((done.outcome, done.predictions))

    assert apart(threads=1) == once[target]
    assert apart(threads=2) == apart(threads=2)


@BOTH
def test_after_code_that_changed_every_switch(target: str, once: dict[str, dict[str, Any]]) -> None:
    with everything_changed():
        ran = runner.run(configuration(target))
    assert bits(ran) == once[target]


def test_another_seed_gives_others(once: dict[str, dict[str, Any]]) -> None:
    other = bits(runner.run(configuration("cpu-fp32", seed=43)))
    for name in ("weights_sha256", "order_sha256"):
        assert other["observed"][name] != once["cpu-fp32"]["observed"][name]
    assert other["first_losses"] != once["cpu-fp32"]["first_losses"]
