"""Statistics of a change between two sides' runs: its bounds, and how many runs would show it.

One run is one observation: both sides have the same dev rows, and what varies is the seed. Tests
that treat the rows as a sample, such as McNemar's, call up to 26% of unchanged code worse.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean, variance
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

ALPHA = 0.01
"""The chance that one comparison calls unchanged code worse; the same again for better."""
POWER = 0.80
"""The share of comparisons that find the minimum detectable effect."""
MOST_RUNS = 10_000
FEWEST_BEYOND = 10
"""A permutation test is used if at least so many ways are expected beyond each bound by chance."""
MOST_DIVISIONS = 10_000
"""If there are more ways, so many are drawn at random, always the same ones."""


@dataclass(frozen=True)
class Change:
    """The mean of the new runs less that of the base, in the values' own unit.

    `low` and `high` are bounds of the true change. Each is wrong with a chance of at most `alpha`,
    under the conditions that `change` and `pairing.paired_change` name.
    """

    change: float
    low: float
    high: float
    sd: float  # between runs, pooled over both sides; of pairs: of their differences
    base_runs: int
    new_runs: int
    alpha: float = ALPHA
    pairs: int = 0  # the seeds that were compared one by one; 0: the means of all runs were
    correlation: float | None = None  # of the pairs' scores

    @property
    def smallest(self) -> float:
        """The minimum detectable effect of this many runs, in the values' unit."""
        return self.sd * self.in_sd

    @property
    def in_sd(self) -> float:
        """The minimum detectable effect in units of `sd`: by the numbers of runs alone."""
        if self.pairs:
            return detectable_by_pairs(1.0, self.pairs, self.alpha)
        return minimum_detectable_effect(1.0, self.base_runs, self.new_runs, self.alpha)

    def runs_needed(self, effect: float) -> int | None:
        """The runs on each side that it takes to find `effect`; None: more than `MOST_RUNS`."""
        return runs_needed(self.sd, effect, self.alpha, are_paired=self.pairs > 0)


def change(
    base: Sequence[float], new: Sequence[float], least_sd: float = 0.0, alpha: float = ALPHA
) -> Change | None:
    """The change of the mean, with its bounds; None with an empty side or one run on each.

    The bounds are those of a permutation test of the difference of means. If both sides' runs have
    the same distribution, whatever its shape, each bound is wrong at most as often as `alpha` says.

    With too few ways to divide the runs (at an `alpha` of 1%: fewer than 1,000), the bounds are
    those of Student's t with one standard deviation for both sides, which fit normal scores. If
    scores are very skewed, or few seeds are far below the others, these bounds are wrong in up to
    2.1% (3 runs against 10), 5.4% (2 against 10) or 7.1% (1 against 20) of comparisons, and in more
    if tails are heavier. docs/error-rates.md has the rates for other spreads.

    `least_sd`: the standard deviation is taken to be at least this. Runs that agree by chance would
    otherwise look too certain.
    """
    m, k = len(base), len(new)
    if not base or not new or m + k < 3:
        return None
    squares = sum((len(side) - 1) * variance(side) for side in (base, new) if len(side) > 1)
    sd = math.sqrt(squares / (m + k - 2))
    centre = fmean(new) - fmean(base)
    per_sd = t_quantile(1 - alpha, m + k - 2) * math.sqrt(1 / m + 1 / k)
    if has_enough(math.comb(m + k, k), alpha):
        low, high = by_permutation(base, new, alpha)
    else:
        low, high = centre - sd * per_sd, centre + sd * per_sd
    low, high = min(low, centre - least_sd * per_sd), max(high, centre + least_sd * per_sd)
    return Change(centre, low, high, max(sd, least_sd), m, k, alpha)


def has_enough(ways: int, alpha: float) -> bool:
    """Whether so many ways to exchange runs are enough for bounds at `alpha`."""
    return alpha * ways >= FEWEST_BEYOND


def by_permutation(
    base: Sequence[float], new: Sequence[float], alpha: float = ALPHA
) -> tuple[float, float]:
    """Bounds of the change of the mean: between them are the changes that the test does not reject.

    If the true change is d, then the new runs less d have the base's distribution, and all ways to
    divide the runs into two sides of these sizes are equally likely. Take a way that exchanges some
    new runs for as many of the base's. Its difference of means is below the observed one exactly if
    the mean of the exchanged new runs, less the mean of the exchanged base runs, is above d. So
    each bound is one of these differences, sorted: the one with a share `alpha` of all ways beyond
    it. Pitman, Supplement to the Journal of the Royal Statistical Society 4, 1937. If ways are
    drawn, the observed one is counted with them (Phipson and Smyth, arXiv:1603.05766).
    """
    import numpy as np

    sides = sorted(base), sorted(new)
    if (len(base), sides[0]) > (
        len(new),
        sides[1],
    ):  # the order does not matter
        low, high = by_permutation(new, base, alpha)
        return 0.0 - high, 0.0 - low
    start = sides[0][0]  # so that equal values differ by exactly 0
    values = np.array([value - start for side in sides for value in side])
    differences = _exchanges(len(base), len(new)) @ values
    differences[np.abs(differences) <= ROUNDING * np.abs(values).max()] = 0.0
    low, high = bounds_among(differences, alpha)
    if sides[0] == sides[1]:  # equal sides cannot be put in order: make the bounds symmetric
        low, high = min(low, -high), max(high, -low)
    return low, high


def bounds_among(differences: np.ndarray, alpha: float) -> tuple[float, float]:
    """The values with a share `alpha` of all ways beyond them; the observed way is one more."""
    import numpy as np

    place = math.floor(alpha * (len(differences) + 1))
    ordered = np.partition(differences, [place - 1, len(differences) - place])
    return float(ordered[place - 1]), float(ordered[-place])


ROUNDING = 1e-9  # relative; far below what one row changes


@functools.lru_cache(maxsize=16)
def _exchanges(base: int, new: int) -> np.ndarray:
    """Weights, one row per way to exchange at least one run; the first columns are the base's runs.

    A row times the runs' values gives the mean of the exchanged new runs, less that of the base's.
    """
    import numpy as np

    runs = base + new
    if math.comb(runs, new) <= MOST_DIVISIONS:
        new_side = np.array([*itertools.combinations(range(runs), new)])
    else:
        order = np.random.default_rng(0).random((MOST_DIVISIONS - 1, runs))
        new_side = np.argpartition(order, new, axis=1)[:, :new]
    is_new = np.zeros((len(new_side), runs), dtype=bool)
    np.put_along_axis(is_new, new_side, True, axis=1)
    was_new = np.arange(runs) >= base
    weights = np.where(was_new, ~is_new, 0.0) - np.where(was_new, 0.0, is_new)
    count = weights[:, was_new].sum(axis=1, keepdims=True)
    return weights[count[:, 0] > 0] / count[count[:, 0] > 0]


def minimum_detectable_effect(
    sd: float, base_runs: int, new_runs: int, alpha: float = ALPHA
) -> float:
    """The change that a one-sided t-test at `alpha` finds with a chance of `POWER`.

    `sd` is the standard deviation between runs, in the unit of the result. Computed from the
    noncentral t distribution (Cohen 1988, section 2.2).
    """
    degrees_of_freedom = base_runs + new_runs - 2
    return sd * math.sqrt(1 / base_runs + 1 / new_runs) * _noncentrality(degrees_of_freedom, alpha)


def detectable_by_pairs(sd: float, pairs: int, alpha: float = ALPHA) -> float:
    """The same for pairs of runs, where `sd` is that of their differences."""
    return sd / math.sqrt(pairs) * _noncentrality(pairs - 1, alpha)


def runs_needed(
    sd: float, effect: float, alpha: float = ALPHA, *, are_paired: bool = False
) -> int | None:
    """The runs on each side that it takes to find `effect`; None: more than `MOST_RUNS`.

    With so many, an unchanged mean is also shown to be within `effect`, with the same chance.
    `are_paired`: both sides run the same seeds, and `sd` is that of the differences.
    """

    def show_too_little(runs: int) -> bool:
        if are_paired:
            return detectable_by_pairs(sd, runs, alpha) > effect
        return minimum_detectable_effect(sd, runs, runs, alpha) > effect

    return _fewest(show_too_little)


def base_runs_needed(sd: float, effect: float, new_runs: int, alpha: float = ALPHA) -> int | None:
    """The runs of the base that it takes beside `new_runs`; None: no number is enough."""

    def show_too_little(runs: int) -> bool:
        return minimum_detectable_effect(sd, runs, new_runs, alpha) > effect

    return _fewest(show_too_little)


def _fewest(show_too_little: Callable[[int], bool]) -> int | None:
    """The smallest number of runs, of at least 2, that show enough; None: beyond `MOST_RUNS`."""
    low, high = 1, 2
    while show_too_little(high):
        low, high = high, 2 * high
        if low >= MOST_RUNS:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        if show_too_little(middle):
            low = middle
        else:
            high = middle
    return high if high <= MOST_RUNS else None


def seeds_as_strong(base_runs: int, new_runs: int) -> int:
    """The runs on each side whose minimum detectable effect is no larger than that of these runs.

    Both are in standard deviations of one cell, so they follow from the numbers alone. Raises
    `ValueError` for fewer than three runs, which are no test.
    """
    if min(base_runs, new_runs) < 1 or base_runs + new_runs < 3:
        raise ValueError(f"{base_runs} and {new_runs} runs are no test; expected three or more")
    smaller = min(base_runs, new_runs)
    effect = minimum_detectable_effect(1.0, base_runs, new_runs)
    while minimum_detectable_effect(1.0, max(2, smaller), max(2, smaller)) > effect:
        smaller += 1  # it ends where both sides have as many as the larger one
    return max(2, smaller)


@functools.cache
def fisher_exact(new: int, new_runs: int, base: int, base_runs: int) -> float:
    """Fisher's exact test: the chance of at least `new` of `new_runs` if both sides are equal.

    `base` is the same count among `base_runs`.
    """
    from scipy.stats import fisher_exact

    table = [[new, new_runs - new], [base, base_runs - base]]
    return float(fisher_exact(table, alternative="greater").pvalue)


def mcnemar(gained: int, lost: int) -> float:
    """McNemar's exact test: the two-sided p of gains and losses that are equally likely.

    It treats the rows as a sample and takes no account of seeds. McNemar, Psychometrika 12, 1947.
    """
    from scipy.stats import binomtest

    return float(binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0


@functools.cache
def t_quantile(share: float, degrees_of_freedom: int) -> float:
    """The quantile of Student's t distribution at `share`."""
    from scipy.stats import t

    return float(t.ppf(share, degrees_of_freedom))


@functools.cache
def _noncentrality(degrees_of_freedom: int, alpha: float) -> float:
    """The minimum detectable effect in standard errors."""
    from scipy.optimize import brentq
    from scipy.stats import nct

    least = t_quantile(1 - alpha, degrees_of_freedom)
    return float(
        brentq(lambda shift: nct.sf(least, degrees_of_freedom, shift) - POWER, 0.0, 20 * least)
    )
