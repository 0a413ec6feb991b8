"""The arithmetic of rounds: rates, ratios of medians, dropped rounds, and what is not honest."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from benchmarks.peers import figures
from benchmarks.peers.figures import Measured, Round, Spread
from benchmarks.peers.sides import OURS
from tests.support.peer_runs import QUIET


def measured(step_s: float, **changes: Any) -> Measured:
    return dataclasses.replace(QUIET, step_seconds=[step_s] * 4, **changes)


def pair(ours: Measured, theirs: Measured) -> Round:
    return Round({OURS: ours, "trainer": dataclasses.replace(theirs, side="trainer")})


def test_rates_count_whole_batches_by_the_counted_seconds_alone() -> None:
    run = measured(0.5, eval_s=2.0, eval_rows=500)
    assert run.examples_per_s == pytest.approx(32 / 0.5)
    assert run.rows_per_s == 250
    assert measured(0.5, cpu_s=3.2).cpu_per_example_s == pytest.approx(0.025)
    assert run.fill == pytest.approx(0.75)
    assert measured(0.5, computed_tokens=0).fill is None


def test_a_ratio_is_that_of_the_medians_and_its_range_is_that_of_the_pairs() -> None:
    assert figures.ratio([10, 30, 20], [10, 10, 20]) == Spread(2.0, 1.0, 3.0)
    assert figures.ratio([], []) is None


def test_disturbed_rounds_have_no_times_but_scores_and_are_counted() -> None:
    stolen, unsteady = {"steal_share": 0.03}, {"calibration_s": [0.002, 0.003]}
    rounds = [
        pair(measured(0.1, seed=42, score=0.8), measured(0.2, seed=42)),
        pair(measured(0.9, seed=43, score=0.9), measured(0.1, seed=43, **stolen)),
        pair(measured(0.9, seed=44, score=1.0, **unsteady), measured(0.1, seed=44)),
        pair(measured(0.1, seed=42, score=0.8, steal_share=None), measured(0.4, seed=42)),
    ]
    assert figures.dropped(rounds) == {"steal": 1, "noisy": 1}
    peer = figures.figures_of(rounds, "trainer")
    assert peer.training == Spread(pytest.approx(120), pytest.approx(80), pytest.approx(160))
    assert peer.training_ratio is not None
    assert peer.training_ratio.value == pytest.approx(320 / 120)
    assert (peer.training_ratio.low, peer.training_ratio.high) == pytest.approx((2, 4))
    ours = figures.figures_of(rounds, OURS)
    assert ours.training_ratio is None
    assert ours.scores.of_seeds == {42: 0.8, 43: 0.9, 44: 1.0}
    assert ours.scores.mean == pytest.approx(0.9)
    assert ours.scores.standard_error == pytest.approx(0.1 / 3**0.5)


def test_no_round_is_left_to_time() -> None:
    rounds = [pair(measured(0.1, steal_share=0.5), measured(0.1))]
    found = figures.figures_of(rounds, "trainer")
    assert (found.training, found.training_ratio, found.evaluation) == (None, None, None)
    assert found.scores.standard_error is None


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"is_finite": False}, "trainer: a loss or a logit is not finite"),
        ({"steps": 123}, "trainer: made 123 steps; expected 124"),
        ({"threads": 2}, "trainer: computed with 2 threads; expected 1"),
        ({"rows_sha256": {"train": "00"}}, "trainer: its rows are not those of glue-bench"),
        ({"weights_sha256": "00"}, "trainer: did not start from the weights of glue-bench"),
        ({"tokens": 7}, "trainer: read 7 tokens, and glue-bench 48036"),
        ({"eval_rows": 7}, "trainer: evaluated 7 rows, and glue-bench 1000"),
    ],
)
def test_what_a_side_did_otherwise_is_said_once(changes: dict[str, Any], fault: str) -> None:
    honest = pair(QUIET, QUIET)
    assert figures.faults([honest], steps=124, threads=1) == []
    other = pair(QUIET, dataclasses.replace(QUIET, **changes))
    assert figures.faults([honest, other, other], steps=124, threads=1) == [fault]
