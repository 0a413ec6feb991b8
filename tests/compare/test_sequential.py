"""More seeds while a verdict is open: levels against the tables, error rates by simulation."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import multivariate_normal, norm

from harness.compare import pairing, sequential, stats
from harness.compare.comparison import compare
from harness.compare.gate import decide
from harness.compare.thresholds import from_option
from harness.compare.verdicts import Verdict
from tests.support import scoreboard
from tests.support.cell_runs import failed, side, spread
from tests.support.verdict_rates import SHAPES, draw_pairs, is_likely

WORSE, CANNOT_TELL, NOT_WORSE = Verdict.WORSE, Verdict.CANNOT_TELL, Verdict.NOT_WORSE


@pytest.mark.parametrize(
    ("looks", "bound"), [(2, 2.178), (3, 2.289), (4, 2.361), (5, 2.413), (10, 2.555)]
)
def test_the_level_of_equal_steps_is_pococks(looks: int, bound: float) -> None:
    """Jennison and Turnbull 2000, table 2.1: two-sided at 5%, so one-sided at 2.5%."""
    fractions = tuple((look + 1) / looks for look in range(looks))
    assert norm.isf(sequential.nominal_level(fractions, 0.025)) == pytest.approx(bound, abs=1e-3)


@pytest.mark.parametrize("counts", [(10, 5, 20), (20, 10, 30), (5, 5, 15)])
def test_the_chance_of_crossing_is_that_of_the_multivariate_normal(
    counts: tuple[int, int, int],
) -> None:
    base, planned, most = counts
    looks = sequential.looks(planned, most)
    information = [1 / (1 / base + 1 / new) for new in looks]
    fractions = [each / information[-1] for each in information]
    covariance = [[math.sqrt(min(a, b) / max(a, b)) for a in fractions] for b in fractions]
    bound = float(norm.isf(sequential.level(*counts)))
    none = multivariate_normal.cdf(
        np.full(len(looks), bound), np.zeros(len(looks)), np.array(covariance),
        abseps=1e-6, releps=1e-6, rng=1,
    )  # fmt: skip
    shared = sequential.FOR_ESTIMATED_SD * 0.01
    assert sequential.chance_of_crossing(fractions, bound) == pytest.approx(shared, abs=1e-6)
    assert 1 - none == pytest.approx(shared, abs=1e-4)


@given(st.integers(1, 50), st.integers(1, 30), st.integers(1, 10_000))
def test_looks_rise_from_the_planned_seeds_to_the_most(base: int, planned: int, most: int) -> None:
    looks = sequential.looks(planned, most)
    assert looks[0] == planned
    assert looks[-1] == max(planned, most)
    assert len(looks) <= sequential.MOST_LOOKS
    assert all(before < after for before, after in itertools.pairwise(looks))


def test_a_single_look_has_the_whole_level_and_more_looks_have_less() -> None:
    assert sequential.level(10, 5, 5) == stats.ALPHA
    levels = [sequential.level(10, 5, most) for most in (10, 15, 20, 40)]
    assert levels == sorted(levels, reverse=True)
    assert all(stats.ALPHA / 8 < level < stats.ALPHA for level in levels)


def test_seeds_of_the_base_come_first() -> None:
    assert sequential.next_seeds({42, 43, 44, 45}, {42, 43}, 4) == [44, 45, 46, 47]
    assert sequential.next_seeds({42, 43}, {60, 61}, 4) == [42, 43, 62, 63]
    assert sequential.next_seeds({42}, {42}, 0) == []


class Simulated:
    """Comparisons with a base of so many runs, looked at until they are decided."""

    def __init__(
        self,
        counts: tuple[int, int, int],
        lost: float,
        margin: float,
        shape: str = "normal",
        correlation: float = 0.0,
        tries: int = 2_000,
        *,
        at_once: bool = False,
    ) -> None:
        base_runs, planned, most = counts
        random, alpha = np.random.default_rng(7), sequential.level(*counts)
        self.verdicts: Counter[Verdict] = Counter()
        self.of_all: Counter[Verdict] = Counter()  # with all seeds, looked at once
        seeds = 0
        for _ in range(tries):
            base, new = draw_pairs(random, shape, correlation, base_runs, most)
            new = {seed: value - lost for seed, value in new.items()}
            verdict, looked = CANNOT_TELL, 0
            for looked in sequential.looks(planned, most):
                first = {seed: new[seed] for seed in range(looked)}
                verdict = self.decide(base, first, alpha, margin)
                if verdict is not CANNOT_TELL:
                    break
            seeds += looked
            self.verdicts[verdict] += 1
            if at_once:
                self.of_all[self.decide(base, new, stats.ALPHA, margin)] += 1
        self.mean_seeds = seeds / tries
        row = f"simulated, {planned} to {most} seeds beside {base_runs}, {lost} sd lost, {shape}"
        scoreboard.add(
            f"{row}, correlation {correlation}, margin {margin} sd", comparisons=tries,
            worse=self.verdicts[WORSE], not_worse=self.verdicts[NOT_WORSE],
            seeds_on_average=self.mean_seeds,
        )  # fmt: skip

    @staticmethod
    def decide(
        base: dict[int, float], new: dict[int, float], alpha: float, margin: float
    ) -> Verdict:
        found = pairing.change(base, new, alpha=alpha)
        assert found
        return decide(found, margin)


QUICK = ((10, 5, 10), "normal", 0)
ALL = [
    (counts, shape, correlation)
    for counts in ((10, 5, 20), (10, 5, 10), (20, 5, 20), (10, 10, 40))
    for shape in SHAPES
    for correlation in (0, 0.5, 0.9)
]


@pytest.mark.cases
@pytest.mark.parametrize(
    ("counts", "shape", "correlation"),
    [QUICK, *(pytest.param(*row, marks=pytest.mark.slow) for row in ALL if row != QUICK)],
)
def test_unchanged_code_is_called_worse_once_in_a_hundred_by_all_looks_together(
    counts: tuple[int, int, int], shape: str, correlation: float
) -> None:
    found = Simulated(counts, 0, 0.1, shape, correlation)
    assert is_likely(found.verdicts[WORSE], 2_000, 0, 1.1 * stats.ALPHA)
    assert is_likely(found.verdicts[Verdict.BETTER], 2_000, 0, 1.1 * stats.ALPHA)


@pytest.mark.slow
def test_a_loss_of_the_margin_is_called_not_worse_once_in_a_hundred() -> None:
    found = Simulated((10, 5, 20), 2, 2)
    assert is_likely(found.verdicts[NOT_WORSE], 2_000, 0, 1.1 * stats.ALPHA)


@pytest.mark.parametrize(
    ("lost", "margin", "verdict", "stated", "seeds"),
    [
        (2, 0.5, WORSE, 0.99, 7.5),
        pytest.param(1.5, 0.5, WORSE, 0.86, 11.3, marks=pytest.mark.slow),
        pytest.param(1, 0.5, WORSE, 0.46, 16.3, marks=pytest.mark.slow),
        pytest.param(0, 2, NOT_WORSE, 0.99, 7.3, marks=pytest.mark.slow),
        pytest.param(0, 1.5, NOT_WORSE, 0.86, 11.0, marks=pytest.mark.slow),
    ],
)
def test_it_finds_nearly_what_all_seeds_find_with_fewer(
    lost: float, margin: float, verdict: Verdict, stated: float, seeds: float
) -> None:
    tries = 500
    found = Simulated((10, 5, 20), lost, margin, tries=tries, at_once=True)
    assert is_likely(found.verdicts[verdict], tries, stated - 0.01, stated + 0.01)
    assert found.of_all[verdict] - found.verdicts[verdict] < 0.12 * tries
    assert found.mean_seeds == pytest.approx(seeds, abs=0.8)


LIMITS = from_option(["score:-0.2pt"])


def test_what_more_seeds_cannot_decide_is_left_as_it_is() -> None:
    base = side(spread(0.9, 10, 0.02))
    open_one = side(spread(0.9, 5, 0.03), first=70)
    for then, now, can in (
        (base, open_one, True),
        (base, side(spread(0.8), first=70), False),  # worse
        (base, side(spread(0.9, 5, 0.02), first=70, first_losses=[0.7, 0.6]), False),
        ([run.model_copy(update={"flags": ["collapsed"]}) for run in base], open_one, False),
        (base, failed(range(70, 75)), False),
    ):
        (cell,) = compare(then, now, LIMITS).verdicts
        assert sequential.can_be_decided(cell) is can


@pytest.mark.parametrize(
    ("sd", "words"),
    [
        (0.003, "5 new seeds do not decide, and --glue-max-seeds is 5: no number of base seeds "
                "would decide about -0.2pt with so many; 10 and 5 runs show"),
        (0.0012, "5 new seeds do not decide, and --glue-max-seeds is 5: with 14 base seeds, so "
                 "many would decide about -0.2pt; 10 and 5 runs show"),
    ],
)  # fmt: skip
def test_seeds_that_are_used_up_say_how_many_base_seeds_would_decide(sd: float, words: str) -> None:
    base = side(spread(0.9, 10, sd))
    new = side(spread(0.899, 5, sd), first=70)
    (cell,) = compare(base, new, LIMITS, level=lambda base, new: 0.005).verdicts
    assert cell.verdict is CANNOT_TELL
    found = sequential.at_its_end(cell, 5)
    assert found.reasons[0].startswith(words)
    assert found.verdict is CANNOT_TELL
