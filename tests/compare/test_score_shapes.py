"""How often verdicts are wrong where scores are skewed, or one side's seeds are farther apart."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from harness.compare import stats
from tests.support import scoreboard
from tests.support.verdict_rates import is_likely

COMPARISONS = 2_000
FIRST, FRESH = (10, 5), (10, 10)  # runs of the base and new ones: stage 1, stage 2
Random = np.random.Generator


def _with_bad_seeds(random: Random, runs: int) -> np.ndarray:
    return random.normal(size=runs) - 4 * (random.random(runs) < 0.1)


def _in_two_groups(random: Random, runs: int, low: float) -> np.ndarray:
    return 0.3 * random.normal(size=runs) - 10 * (random.random(runs) < low)


SHAPES: dict[str, Callable[[Random, int], np.ndarray]] = {
    "a tail of low scores": lambda random, runs: -random.exponential(size=runs),
    "a tail of high scores": lambda random, runs: random.exponential(size=runs),
    "scores near a ceiling": lambda random, runs: random.beta(20, 1, runs),
    "one seed in ten bad": _with_bad_seeds,
    "one seed in ten far below": lambda random, runs: _in_two_groups(random, runs, 0.1),
    "half of the seeds far below": lambda random, runs: _in_two_groups(random, runs, 0.5),
    "symmetric": lambda random, runs: random.normal(size=runs),
    "heavy tails": lambda random, runs: random.standard_t(3, runs),
}


def _called(shape: str, runs: tuple[int, int], spread: float = 1.0, seed: int = 11) -> int:
    """How many comparisons call the new runs worse, whose mean is the base's."""
    random, draw, worse = np.random.default_rng(seed), SHAPES[shape], 0
    mean = draw(random, 200_000).mean() if spread != 1 else 0.0
    for _ in range(COMPARISONS):
        base, new = (draw(random, count) - mean for count in runs)
        found = stats.change(base.tolist(), (spread * new).tolist())
        assert found
        worse += found.high < 0
    return worse


QUICK = ("a tail of low scores", "scores near a ceiling", "one seed in ten bad", "heavy tails")


@pytest.mark.cases
@pytest.mark.parametrize(
    "shape", [*QUICK, *(pytest.param(s, marks=pytest.mark.slow) for s in SHAPES if s not in QUICK)]
)
def test_unchanged_code_is_called_worse_once_in_a_hundred_whatever_its_scores_shape(
    shape: str,
) -> None:
    worse = _called(shape, FIRST)
    scoreboard.add(f"simulated, unchanged code, {shape}", comparisons=COMPARISONS, worse=worse)
    assert is_likely(worse, COMPARISONS, stats.ALPHA)


@pytest.mark.cases
@pytest.mark.parametrize(
    ("shape", "runs", "stated"),
    [
        ("a tail of low scores", (10, 3), 0.021), ("a tail of low scores", (10, 2), 0.027),
        ("a tail of low scores", (10, 1), 0.049), ("a tail of low scores", (5, 5), 0.01),
        ("a tail of low scores", (20, 1), 0.045), ("a tail of low scores", (20, 2), 0.033),
        ("one seed in ten far below", (10, 1), 0.046),
        ("one seed in ten far below", (10, 2), 0.055),
        ("one seed in ten far below", (20, 1), 0.072),
        ("half of the seeds far below", (2, 2), 0.066),
    ],
)  # fmt: skip
def test_few_runs_are_wrong_as_often_as_is_stated(
    shape: str, runs: tuple[int, int], stated: float
) -> None:
    assert is_likely(_called(shape, runs), COMPARISONS, stated - 0.004, stated)


@pytest.mark.cases
@pytest.mark.parametrize(
    ("shape", "runs", "spread", "stated"),
    [
        ("symmetric", FIRST, 3, 0.038), ("symmetric", FIRST, 1 / 3, 0.004),
        ("symmetric", FRESH, 3, 0.0145), ("a tail of low scores", FIRST, 3, 0.0126),
        ("a tail of low scores", FIRST, 1 / 3, 0.021),
    ],
)  # fmt: skip
def test_seeds_that_spread_otherwise_are_called_worse_as_often_as_is_stated(
    shape: str, runs: tuple[int, int], spread: float, stated: float
) -> None:
    """The mean is as before; the new runs' standard deviation is `spread` times the base's."""
    worse = _called(shape, runs, spread)
    row = f"simulated, {spread:.2g} x the spread, {shape}, {runs[0]} and {runs[1]} runs"
    scoreboard.add(row, comparisons=COMPARISONS, worse=worse)
    assert is_likely(worse, COMPARISONS, 0.85 * stated, 1.15 * stated)
