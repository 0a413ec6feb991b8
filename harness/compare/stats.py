"""Statistics of a change between two sides' runs: its bounds, and how many runs would show it.

One run is one observation: both sides have the same dev rows, and what varies is the seed. Tests
that treat the rows as a sample, such as McNemar's, call up to 26% of unchanged code worse.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence
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
ENOUGH_DIVISIONS = 1_000
"""With at least so many ways to divide the runs into two sides, the permutation test is used."""
MOST_DIVISIONS = 10_000
"""If there are more ways, so many are drawn at random, always the same ones."""


@dataclass(frozen=True)
class Change:
    """The mean of the new runs less that of the base, in the values' own unit.

    `low` and `high` are bounds of the true change. Each is wrong with a chance of at most `ALPHA`,
    under the conditions that `change` names.
    """

    change: float
    low: float
    high: float
    sd: float  # between runs, pooled over both sides
    base_runs: int
    new_runs: int

    @property
    def smallest(self) -> float:
        """The minimum detectable effect of this many runs, in the values' unit."""
        return minimum_detectable_effect(self.sd, self.base_runs, self.new_runs)

    @property
    def in_sd(self) -> float:
        """The minimum detectable effect in standard deviations: by the numbers of runs alone."""
        return minimum_detectable_effect(1.0, self.base_runs, self.new_runs)


def change(base: Sequence[float], new: Sequence[float], least_sd: float = 0.0) -> Change | None:
    """The change of the mean, with its bounds; None with an empty side or one run on each.

    The bounds are those of a permutation test of the difference of means. If both sides' runs have
    the same distribution, whatever its shape, each bound is wrong at most as often as `ALPHA` says.

    With fewer ways to divide the runs than `ENOUGH_DIVISIONS`, the bounds are those of Student's t
    with one standard deviation for both sides, which fit normal scores. If scores are very skewed,
    or few seeds are far below the others, these bounds are wrong in up to 2.1% (3 runs against 10),
    5.4% (2 against 10) or 7.1% (1 against 20) of comparisons, and in more if tails are heavier.
    docs/gate.md has the rates for other spreads.

    `least_sd`: the standard deviation is taken to be at least this. Runs that agree by chance would
    otherwise look too certain.
    """
    m, k = len(base), len(new)
    if not base or not new or m + k < 3:
        return None
    squares = sum((len(side) - 1) * variance(side) for side in (base, new) if len(side) > 1)
    sd = math.sqrt(squares / (m + k - 2))
    centre = fmean(new) - fmean(base)
    per_sd = t_quantile(1 - ALPHA, m + k - 2) * math.sqrt(1 / m + 1 / k)
    if math.comb(m + k, k) < ENOUGH_DIVISIONS:
        low, high = centre - sd * per_sd, centre + sd * per_sd
    else:
        low, high = by_permutation(base, new)
    low, high = min(low, centre - least_sd * per_sd), max(high, centre + least_sd * per_sd)
    return Change(centre, low, high, max(sd, least_sd), m, k)


def by_permutation(base: Sequence[float], new: Sequence[float]) -> tuple[float, float]:
    """Bounds of the change of the mean: between them are the changes that the test does not reject.

    If the true change is d, then the new runs less d have the base's distribution, and all ways to
    divide the runs into two sides of these sizes are equally likely. Take a way that exchanges some
    new runs for as many of the base's. Its difference of means is below the observed one exactly if
    the mean of the exchanged new runs, less the mean of the exchanged base runs, is above d. So
    each bound is one of these differences, sorted: the one with a share `ALPHA` of all ways beyond
    it. Pitman, Supplement to the Journal of the Royal Statistical Society 4, 1937. If ways are
    drawn, the observed one is counted with them (Phipson and Smyth, arXiv:1603.05766).
    """
    import numpy as np

    sides = sorted(base), sorted(new)
    if (len(base), sides[0]) > (
        len(new),
        sides[1],
    ):  # the order does not matter
        low, high = by_permutation(new, base)
        return 0.0 - high, 0.0 - low
    start = sides[0][0]  # so that equal values differ by exactly 0
    values = np.array([value - start for side in sides for value in side])
    differences = _exchanges(len(base), len(new)) @ values
    differences[np.abs(differences) <= ROUNDING * np.abs(values).max()] = 0.0
    place = math.floor(ALPHA * (len(differences) + 1))
    bounds = np.partition(differences, [place - 1, len(differences) - place])
    low, high = bounds[[place - 1, -place]]
    if sides[0] == sides[1]:  # equal sides cannot be put in order: make the bounds symmetric
        low, high = min(low, -high), max(high, -low)
    return float(low), float(high)


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


def minimum_detectable_effect(sd: float, base_runs: int, new_runs: int) -> float:
    """The change that a one-sided t-test at `ALPHA` finds with a chance of `POWER`.

    `sd` is the standard deviation between runs, in the unit of the result. Computed from the
    noncentral t distribution (Cohen 1988, section 2.2).
    """
    degrees_of_freedom = base_runs + new_runs - 2
    return sd * math.sqrt(1 / base_runs + 1 / new_runs) * _noncentrality(degrees_of_freedom)


def runs_needed(sd: float, effect: float) -> int | None:
    """The runs on each side that it takes to find `effect`; None: more than `MOST_RUNS`.

    With so many, an unchanged mean is also shown to be within `effect`, with the same chance.
    """
    low, high = 1, 2
    while minimum_detectable_effect(sd, high, high) > effect:
        low, high = high, 2 * high
        if low >= MOST_RUNS:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        if minimum_detectable_effect(sd, middle, middle) > effect:
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
def _noncentrality(degrees_of_freedom: int) -> float:
    """The minimum detectable effect in standard errors."""
    from scipy.optimize import brentq
    from scipy.stats import nct

    least = t_quantile(1 - ALPHA, degrees_of_freedom)
    return float(
        brentq(lambda shift: nct.sf(least, degrees_of_freedom, shift) - POWER, 0.0, 20 * least)
    )
