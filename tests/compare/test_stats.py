"""Intervals against scipy's own; how often verdicts on simulated runs are wrong, and right."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from harness.compare import stats
from harness.compare.gate import Verdict, decide
from harness.compare.stats import Change
from tests.support import scoreboard
from tests.support.cell_runs import judged, side
from tests.support.verdict_rates import chance_of_worse, is_likely

COMPARISONS = 2_000
SD, MARGIN = 0.01, 0.002
COST = 0.02  # of the chance to find a loss, by bounds that hold for scores of any shape
FIRST, FRESH = (10, 5), (10, 10)  # runs of the base and new ones: stage 1, stage 2

scores = st.floats(0, 1).map(lambda x: round(x, 4))
several = st.lists(scores, min_size=2, max_size=12)
sides = st.tuples(several, several)


class Stages:
    """Comparisons of runs of two normal distributions, the second stage where the first is red."""

    def __init__(self, seed: int, drop: float, margin: float) -> None:
        self.random, self.drop, self.margin = np.random.default_rng(seed), drop, margin
        self.first = [self.stage(FIRST) for _ in range(COMPARISONS)]
        self.red = sum(verdict is Verdict.WORSE for verdict in self.first)
        self.both = sum(self.stage(FRESH) is Verdict.WORSE for _ in range(self.red))

    def stage(self, runs: tuple[int, int]) -> Verdict:
        base = self.random.normal(0.8, SD, runs[0]).tolist()
        new = self.random.normal(0.8 - self.drop, SD, runs[1]).tolist()
        found = stats.change(base, new)
        assert found
        return decide(found, self.margin)


@pytest.mark.parametrize(
    ("seed", "drop", "margin", "stated"),
    [
        (1, 0, 0.002, 0.00009), (2, 2, 0.002, 0.79), (6, 2, 0.02, 0.25),
        # These lie between the three above: the same code, farther from where it decides.
        *(pytest.param(*row, marks=pytest.mark.slow) for row in (
            (3, 3, 0.002, 0.99), (4, 4, 0.002, 1.0), (5, 0, 0.02, None), (7, 4, 0.02, 1.0),
        )),
    ],
)  # fmt: skip
def test_simulated_rates(seed: int, drop: int, margin: float, stated: float | None) -> None:
    """A change of `drop` sd: how often one stage, and both, call it worse.

    Bounds by permutation find as much as Student's t, but for two comparisons in a hundred.
    """
    found = Stages(seed, drop * SD, margin)
    one, two = (chance_of_worse(drop * SD, margin, runs, SD) for runs in (FIRST, FRESH))
    row = f"simulated, {drop} sd lost, margin {100 * margin:g} pt"
    scoreboard.add(row, comparisons=COMPARISONS, worse=found.red, worse_in_both_stages=found.both)
    assert is_likely(found.red, COMPARISONS, one - COST, one)
    assert is_likely(found.both, COMPARISONS, one * two - COST, one * two)
    if stated is not None:
        assert one * two == pytest.approx(stated, abs=0.012)  # the figure, to its two digits
        assert is_likely(found.both, COMPARISONS, stated - COST - 0.005, stated + 0.005)
    if drop == 0:
        assert one <= stats.ALPHA
        assert is_likely(found.red, COMPARISONS, 0, stats.ALPHA)
        assert found.both <= 2


def test_the_chance_of_worse_is_the_noncentral_ts_where_no_margin_matters() -> None:
    for drop in (0, 1, 2, 3):
        shift = drop / math.sqrt(1 / 10 + 1 / 5)
        least = scipy_stats.t.ppf(0.99, 13)
        expected = scipy_stats.nct.sf(least, 13, shift)
        assert chance_of_worse(drop * SD, 0, FIRST, SD) == pytest.approx(expected, abs=1e-4)


def test_a_drop_of_the_margin_is_seldom_called_not_worse() -> None:
    found = Stages(8, 2 * SD, 2 * SD).first
    wrong = sum(verdict in (Verdict.NOT_WORSE, Verdict.BETTER) for verdict in found)
    scoreboard.add("simulated, the margin lost", comparisons=COMPARISONS, called_not_worse=wrong)
    assert is_likely(wrong, COMPARISONS, stats.ALPHA)


@pytest.mark.parametrize(("seed", "gain"), [(9, 0), (10, 3)])
def test_better_is_said_as_often_as_worse(seed: int, gain: int) -> None:
    found = Stages(seed, -gain * SD, MARGIN).first
    expected = chance_of_worse(gain * SD, MARGIN, FIRST, SD)
    assert is_likely(found.count(Verdict.BETTER), COMPARISONS, expected - COST, expected)
    assert is_likely(found.count(Verdict.WORSE), COMPARISONS, 0, stats.ALPHA)


@pytest.mark.parametrize(("seed", "drop"), [pytest.param(1, 0, marks=pytest.mark.slow), (2, 2)])
def test_simulated_runs_that_collapse(seed: int, drop: int) -> None:
    """3% of all runs are 15 points low: with their flag, and as if they had none."""
    random, tries = np.random.default_rng(seed), 1_000
    counts = {"worse": 0, "worse_if_averaged": 0}
    like = [side([0.8] * runs, first=first) for runs, first in ((10, 42), (5, 60))]
    for _ in range(tries):
        scores = [random.normal(0.8 - by, SD, runs) for by, runs in ((0, 10), (drop * SD, 5))]
        fell = [random.random(len(side)) < 0.03 for side in scores]
        sides = [
            [
                r.model_copy(update={"score": s - 0.15 * f, "flags": ["collapsed"] * int(f)})
                for r, s, f in zip(runs, drawn.tolist(), fallen.tolist(), strict=True)
            ]
            for runs, drawn, fallen in zip(like, scores, fell, strict=True)
        ]
        counts["worse"] += judged(*sides)["score"].verdict is Verdict.WORSE
        found = stats.change(*([r.score or 0.0 for r in side] for side in sides))
        assert found
        counts["worse_if_averaged"] += decide(found, MARGIN) is Verdict.WORSE
        if not any(map(any, fell)):  # records and their bare scores say the same
            assert judged(*sides)["score"].verdict is decide(found, MARGIN)
    scoreboard.add(f"simulated, 3% collapse, {drop} sd lost", comparisons=tries, **counts)
    whole, least = (chance_of_worse(drop * SD, MARGIN, runs, SD) for runs in ((10, 5), (9, 4)))
    assert is_likely(counts["worse"], tries, least - COST if drop else 0, whole)
    assert drop == 0 or counts["worse_if_averaged"] < 0.85 * counts["worse"]


@pytest.mark.parametrize("runs", [(10, 5), (5, 10), (10, 4), (7, 6)])
def test_bounds_are_those_of_scipys_permutation_test(runs: tuple[int, int]) -> None:
    random, found = np.random.default_rng(3), set()
    for drop in (0, 0.01, 0.02, -0.02):
        base, new = (np.round(random.normal(0.8, SD, count), 3) for count in runs)
        new = np.round(new - drop, 3)  # on the grid that scores are on: many ways tie
        change = stats.change(base.tolist(), new.tolist())
        assert change
        for alternative, is_certain in (("less", change.high < 0), ("greater", change.low > 0)):
            again = scipy_stats.permutation_test(
                (new, base), _apart, n_resamples=np.inf, vectorized=True, alternative=alternative
            )
            assert is_certain == (again.pvalue <= stats.ALPHA)
            found.add(bool(is_certain))
        for bound, alternative in ((change.high, "less"), (change.low, "greater")):
            # As far as the bound, a change is not refused; a little farther, it is.
            farther = 1e-6 if alternative == "less" else -1e-6
            chances = [
                scipy_stats.permutation_test(
                    (new - bound - by, base), _apart, n_resamples=np.inf, vectorized=True,
                    alternative=alternative,
                ).pvalue
                for by in (-farther, farther)
            ]  # fmt: skip
            assert chances[1] <= stats.ALPHA < chances[0]
    assert found == {True, False}


def _apart(new: np.ndarray, base: np.ndarray, axis: int) -> np.ndarray:
    return new.mean(axis=axis) - base.mean(axis=axis)


few = st.tuples(st.lists(scores, min_size=2, max_size=5), st.lists(scores, min_size=2, max_size=5))


@settings(max_examples=60)
@given(few)
def test_few_runs_have_students_t_with_a_pooled_sd(sides: tuple[list[float], list[float]]) -> None:
    base, new = sides
    assume(len({*base}) > 1 and len({*new}) > 1)  # else scipy warns
    found = stats.change(base, new)
    assert found
    again = scipy_stats.ttest_ind(new, base)  # two-sided: one side of 98% is wrong 1% of the time
    both = again.confidence_interval(1 - 2 * stats.ALPHA)
    assert (found.low, found.high) == pytest.approx((both.low, both.high), abs=1e-9)
    assert found.change == pytest.approx(np.mean(new) - np.mean(base), abs=1e-12)
    if abs(again.pvalue - 2 * stats.ALPHA) > 1e-6:
        is_certain = again.pvalue < 2 * stats.ALPHA
        assert (found.low > 0, found.high < 0) == (
            is_certain and again.statistic > 0,
            is_certain and again.statistic < 0,
        )
    assert (found.base_runs, found.new_runs) == (len(base), len(new))


@settings(max_examples=40)
@given(sides, st.randoms())
def test_neither_the_order_of_runs_nor_that_of_sides_matters(sides, random) -> None:
    base, new = (list(side) for side in sides)
    found, swapped = stats.change(base, new), stats.change(new, base)
    random.shuffle(base)
    random.shuffle(new)
    assert found
    assert swapped
    assert stats.change(base, new) == found
    assert (swapped.change, swapped.low, swapped.high) == (-found.change, -found.high, -found.low)


@pytest.mark.parametrize("runs", [([], [0.5, 0.6]), ([0.5, 0.6], []), ([0.5], [0.6]), ([], [])])
def test_too_few_runs_have_no_change(runs: tuple[list[float], list[float]]) -> None:
    assert stats.change(*runs) is None


def test_one_run_beside_several_is_judged_by_their_sd() -> None:
    found = stats.change([0.80, 0.82], [0.85])
    assert found
    assert found.sd == pytest.approx(np.std([0.80, 0.82], ddof=1))
    assert found.high - found.change == pytest.approx(31.82 * found.sd * math.sqrt(1.5), rel=1e-3)


def test_runs_that_agree_by_chance_are_not_certain() -> None:
    base, new = [0.9] * 5, [0.88] * 5
    found, floored = stats.change(base, new), stats.change(base, new, least_sd=0.05)
    assert found
    assert floored
    assert (found.low, found.change, found.high, found.sd) == pytest.approx(
        (-0.02, -0.02, -0.02, 0)
    )
    assert floored.sd == 0.05
    assert floored.low < -0.02 < 0 < floored.high
    assert stats.change(base, base) == Change(0, 0, 0, 0, 5, 5)
    wide = stats.change([0.1, 0.9], [0.2, 0.8], least_sd=0.05)
    assert wide == stats.change([0.1, 0.9], [0.2, 0.8])  # their own sd is larger


@pytest.mark.parametrize("runs", [(10, 5), (2, 2), (20, 5), (1, 2)])
def test_the_smallest_effect_is_found_four_times_in_five(runs: tuple[int, int]) -> None:
    effect = stats.minimum_detectable_effect(SD, *runs)
    assert chance_of_worse(effect, 0, runs, SD) == pytest.approx(stats.POWER, abs=1e-3)
    assert stats.minimum_detectable_effect(2 * SD, *runs) == pytest.approx(2 * effect)


def test_what_five_runs_beside_ten_could_show_is_the_textbooks_two_sd() -> None:
    found = stats.change(list(np.linspace(0, 1, 10)), list(np.linspace(0, 1, 5)))
    assert found
    assert found.smallest / found.sd == pytest.approx(1.94, abs=0.01)
    many = stats.minimum_detectable_effect(
        1, 500, 500
    )  # by the normal: (z of 0.99 + z of 0.80) x sqrt(2/n)
    assert many == pytest.approx((2.3263 + 0.8416) * math.sqrt(2 / 500), rel=5e-3)


@given(st.floats(0.05, 20))
def test_the_runs_needed_are_the_least_that_do(effect: float) -> None:
    found = stats.runs_needed(1.0, effect)
    assert found
    assert stats.minimum_detectable_effect(1.0, found, found) <= effect
    assert found == 2 or stats.minimum_detectable_effect(1.0, found - 1, found - 1) > effect


def test_more_runs_than_anyone_makes_are_not_named() -> None:
    effects = [
        stats.minimum_detectable_effect(1.0, runs, runs) for runs in (9_999, 10_000, 10_001, 12_000)
    ]
    found = [stats.runs_needed(1.0, effect * (1 + 1e-9)) for effect in effects]
    assert found == [9_999, 10_000, None, None]
    assert stats.runs_needed(1.0, 0.0) is None
    assert stats.runs_needed(0.0, 0.1) == 2
    assert all(more < less for less, more in pairwise(effects))


@given(st.integers(1, 12), st.integers(1, 12), st.data())
def test_more_often_is_fishers_exact_test(new_runs: int, base_runs: int, data) -> None:
    new, base = (data.draw(st.integers(0, runs)) for runs in (new_runs, base_runs))
    among_all = scipy_stats.hypergeom(new_runs + base_runs, new + base, new_runs)
    expected = pytest.approx(among_all.sf(new - 1), abs=1e-12)
    assert stats.fisher_exact(new, new_runs, base, base_runs) == expected
