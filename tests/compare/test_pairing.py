"""Changes compared seed by seed: their bounds against scipy's, and how often they are wrong."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from harness.compare import pairing, stats
from tests.support import scoreboard
from tests.support.verdict_rates import SHAPES, draw_pairs, is_likely

COMPARISONS = 2_000
CORRELATIONS = (0, 0.3, 0.5, 0.7, 0.9, 0.99)
SIZES = ((5, 5), (10, 5), (10, 10), (20, 10), (20, 20))  # runs of the base, new ones

differences_of = st.lists(st.floats(-0.1, 0.1).map(lambda x: round(x, 4)), min_size=2, max_size=11)


def rates(
    shape: str, correlation: float, runs: tuple[int, int], lost: float = 0.0, *, tries: int
) -> tuple[int, int]:
    """How many comparisons are worse, and how many were paired; `lost` is in a normal's sd."""
    random, worse, paired = np.random.default_rng(5), 0, 0
    for _ in range(tries):
        base, new = draw_pairs(random, shape, correlation, *runs)
        found = pairing.change(base, {seed: value - lost for seed, value in new.items()})
        assert found
        worse += found.high < 0
        paired += found.pairs > 0
    return worse, paired


QUICK = (
    ("normal", 0, (10, 5)), ("normal", 0.5, (10, 10)), ("normal", 0.9, (10, 10)),
    ("one seed in ten bad", 0.9, (10, 5)), ("a long tail of low scores", 0, (10, 10)),
)  # fmt: skip
ALL = [(shape, r, runs) for shape in SHAPES for r in CORRELATIONS for runs in SIZES]


@pytest.mark.cases
@pytest.mark.parametrize(
    ("shape", "correlation", "runs"),
    [*QUICK, *(pytest.param(*row, marks=pytest.mark.slow) for row in ALL if row not in QUICK)],
)
def test_unchanged_code_is_called_worse_once_in_a_hundred_paired_or_not(
    shape: str, correlation: float, runs: tuple[int, int]
) -> None:
    worse, paired = rates(shape, correlation, runs, tries=COMPARISONS)
    row = f"simulated, unchanged code, {shape}, {runs[0]} and {runs[1]} runs, correlation"
    scoreboard.add(f"{row} {correlation}", comparisons=COMPARISONS, paired=paired, worse=worse)
    assert is_likely(worse, COMPARISONS, 0, 1.1 * stats.ALPHA)


@pytest.mark.parametrize(
    ("correlation", "runs", "lost", "unpaired", "stated"),
    [
        (0, (10, 10), 1, 0.39, 0.39), (0.7, (10, 10), 1, 0.36, 0.62),
        (0.9, (10, 10), 1, 0.36, 0.99),
        pytest.param(0.99, (10, 5), 0.5, 0.02, 0.935, marks=pytest.mark.slow),
        pytest.param(0.9, (10, 5), 1, 0.20, 0.47, marks=pytest.mark.slow),
        pytest.param(0.5, (20, 20), 0.5, 0.13, 0.31, marks=pytest.mark.slow),
    ],
)  # fmt: skip
def test_pairing_finds_what_is_stated(
    correlation: float, runs: tuple[int, int], lost: float, unpaired: float, stated: float
) -> None:
    """A loss of so many standard deviations; `unpaired`: the share that all runs would find."""
    tries = 1_000
    worse, _ = rates("normal", correlation, runs, lost, tries=tries)
    scoreboard.add(
        f"simulated, {lost} sd lost, {runs[0]} and {runs[1]} runs, correlation {correlation}",
        comparisons=tries, worse=worse,
    )  # fmt: skip
    assert is_likely(worse, tries, stated - 0.015, stated + 0.015)
    assert stated >= unpaired


@pytest.mark.parametrize("pairs", [10, 11])
def test_bounds_are_those_of_scipys_sign_flip_test(pairs: int) -> None:
    random, found = np.random.default_rng(3), set()
    for lost in (0, 0.01, 0.02, -0.02):
        differences = np.round(random.normal(-lost, 0.01, pairs), 4)
        change = pairing.paired_change(differences.tolist())
        assert change.change == pytest.approx(differences.mean())
        for bound, alternative in ((change.high, "less"), (change.low, "greater")):
            outside = 1e-7 if alternative == "less" else -1e-7
            chances = [
                scipy_stats.permutation_test(
                    (differences - bound - by,), np.mean, permutation_type="samples",
                    n_resamples=np.inf, alternative=alternative,
                ).pvalue
                for by in (-outside, outside)
            ]  # fmt: skip
            assert chances[1] <= stats.ALPHA < chances[0]
        found |= {change.high < 0, change.low > 0}
    assert found == {True, False}


@pytest.mark.parametrize("pairs", [5, 9])
def test_few_pairs_have_students_t_on_their_differences(pairs: int) -> None:
    random = np.random.default_rng(4)
    base, new = random.normal(0.8, 0.01, (2, pairs))
    found = pairing.paired_change((new - base).tolist())
    both = scipy_stats.ttest_rel(new, base).confidence_interval(1 - 2 * stats.ALPHA)
    assert (found.low, found.high) == pytest.approx((both.low, both.high), abs=1e-9)
    assert found.smallest == pytest.approx(stats.detectable_by_pairs(found.sd, pairs))


@given(differences_of, st.randoms())
def test_neither_the_order_of_seeds_nor_that_of_sides_matters(differences, random) -> None:
    found = pairing.paired_change(differences)
    shuffled = random.sample(differences, len(differences))
    swapped = pairing.paired_change([-value for value in differences])
    for other, sign in ((pairing.paired_change(shuffled), 1), (swapped, -1)):
        bounds = sorted((sign * other.low, sign * other.high))
        assert bounds == pytest.approx([found.low, found.high], abs=1e-12)
        assert sign * other.change == pytest.approx(found.change, abs=1e-12)
    assert found.low <= found.high


@pytest.mark.parametrize(
    ("pairs", "runs", "least"),
    [(5, (10, 5), 0.96), (10, (10, 10), 0.76), (20, (20, 20), 0.56), (10, (100, 100), 0.93)],
)
def test_the_correlation_from_which_pairs_are_compared(
    pairs: int, runs: tuple[int, int], least: float
) -> None:
    found = pairing.least_correlation(pairs, *runs)
    assert found == pytest.approx(least, abs=0.005)
    t = found * math.sqrt((pairs - 2) / (1 - found**2))
    assert scipy_stats.t.sf(t, pairs - 2) <= pairing.DOUBT * stats.ALPHA * (1 + 1e-9)


def test_what_is_not_paired_is_compared_as_before() -> None:
    drawn = np.random.default_rng(6).normal(0.8, 0.01, 10).tolist()
    base = dict(enumerate(drawn))
    alike = {seed: value - 0.001 - 1e-5 * (seed % 3) for seed, value in base.items()}
    paired = pairing.change(base, alike)
    assert paired
    assert (paired.pairs, paired.base_runs, paired.new_runs) == (10, 10, 10)
    assert paired.correlation == pytest.approx(1, abs=0.01)
    for other in (
        {seed + 10: value for seed, value in alike.items()},  # no seed in common
        {seed: alike[seed] for seed in range(4)},  # too few
        {9 - seed: value for seed, value in alike.items()},  # they do not go together
        dict.fromkeys(alike, 0.8),  # no correlation is known
    ):
        found = pairing.change(base, other)
        assert found == stats.change([*base.values()], [*other.values()])
    wide = pairing.change(base, alike, least_sd=1.0)  # one row is far more than the spread
    assert wide == stats.change([*base.values()], [*alike.values()], least_sd=1.0)
    assert pairing.change({}, alike) is None
