"""What runs of two sides say of a change: intervals, what they could show, what it would take.

One run is one observation. The dev rows are fixed and the same for both sides, so it is the seed
that varies; tests that take rows for a sample (McNemar's) call up to 26% of unchanged code worse.
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
"""Chance that one comparison calls worse, or better, what is the same."""
POWER = 0.80
"""How often the smallest effect that is named would be found."""
MOST_RUNS = 10_000
ENOUGH_DIVISIONS = 1_000
"""Ways to divide the runs into two sides, from which on the bounds are those of permutation."""
MOST_DIVISIONS = 10_000
"""Of more ways, as many are drawn at random, always the same ones."""


@dataclass(frozen=True)
class Change:
    """How far the mean of the new runs is from that of the base, in the values' own unit.

    `low` and `high` are bounds of the true change, each wrong with a chance of at most `ALPHA`:
    see `change` for what that takes.
    """

    change: float
    low: float
    high: float
    sd: float  # between runs, pooled over both sides
    base_runs: int
    new_runs: int

    @property
    def smallest(self) -> float:
        """The smallest effect that this many runs find with a chance of `POWER`."""
        return minimum_detectable_effect(self.sd, self.base_runs, self.new_runs)


def change(base: Sequence[float], new: Sequence[float], least_sd: float = 0.0) -> Change | None:
    """How far the new runs are from the base's, and the bounds of that.

    None where it takes more runs: an empty side, or one run on each. The bounds are those of the
    permutation test of the difference of means: if both sides' runs have one distribution, of
    whatever shape, each is wrong at most as often as `ALPHA` says. With fewer ways to divide the
    runs than `ENOUGH_DIVISIONS` they are Student's t's, with one standard deviation for both sides,
    which are right for normal scores: of very skewed ones, or where few seeds are far below the
    others, they are wrong in up to 2.1% (3 runs beside 10), 5.4% (2 beside 10) or 7.1% (1 beside
    20), and more where tails are heavier. docs/gate.md has what other spreads do.

    Runs that agree by chance look more certain than they are; `least_sd` is what their standard
    deviation is taken for at least.
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
    """Bounds of the change of the mean: those changes that the permutation test does not refuse.

    Were a change d the true one, then the new runs less d would be as the base's are, and each way
    to divide all runs into two sides of these sizes as likely as the one that was seen. A way that
    exchanges some of the new runs for as many of the base's has a difference of means below the
    one seen just where the mean of those new runs, less that of those of the base, is above d. So
    each bound is one of these differences: in both directions, a share `ALPHA` of all ways counted
    from the outermost. Pitman, Supplement to the Journal of the Royal Statistical Society 4, 1937.
    Where ways are drawn, the one seen is counted with them (Phipson and Smyth, arXiv:1603.05766).
    """
    import numpy as np

    sides = sorted(base), sorted(new)
    if (len(base), sides[0]) > (len(new), sides[1]):  # so that either order of sides says the same
        low, high = by_permutation(new, base)
        return 0.0 - high, 0.0 - low
    start = sides[0][0]  # equal values have a difference of 0 to the last bit
    values = np.array([value - start for side in sides for value in side])
    found = _exchanges(len(base), len(new)) @ values
    found[np.abs(found) <= ROUNDING * np.abs(values).max()] = 0.0
    place = math.floor(ALPHA * (len(found) + 1))
    low, high = np.partition(found, [place - 1, len(found) - place])[[place - 1, -place]]
    if sides[0] == sides[1]:  # then no order of them is the first one either
        low, high = min(low, -high), max(high, -low)
    return float(low), float(high)


ROUNDING = 1e-9  # relative; far below the share of one row


@functools.lru_cache(maxsize=16)
def _exchanges(base: int, new: int) -> np.ndarray:
    """A row per way to exchange runs, but for exchanging none: the base's are the first columns.

    Times the runs' values it is the mean of the new ones that are exchanged, less the base's.
    """
    import numpy as np

    runs = base + new
    if math.comb(runs, new) <= MOST_DIVISIONS:
        chosen = np.array([*itertools.combinations(range(runs), new)])
    else:
        order = np.random.default_rng(0).random((MOST_DIVISIONS - 1, runs))
        chosen = np.argpartition(order, new, axis=1)[:, :new]
    is_new = np.zeros((len(chosen), runs), dtype=bool)
    np.put_along_axis(is_new, chosen, True, axis=1)
    was_new = np.arange(runs) >= base
    weights = np.where(was_new, ~is_new, 0.0) - np.where(was_new, 0.0, is_new)
    count = weights[:, was_new].sum(axis=1, keepdims=True)
    return weights[count[:, 0] > 0] / count[count[:, 0] > 0]


def minimum_detectable_effect(sd: float, base_runs: int, new_runs: int) -> float:
    """The change that a one-sided t at `ALPHA` finds with a chance of `POWER`.

    By the noncentral t (Cohen 1988, section 2.2).
    """
    degrees_of_freedom = base_runs + new_runs - 2
    return sd * math.sqrt(1 / base_runs + 1 / new_runs) * _noncentrality(degrees_of_freedom)


def runs_needed(sd: float, effect: float) -> int | None:
    """Runs on each side with which `effect` is the smallest that is found; None: too many.

    With as many, an unchanged mean is also shown to be within `effect`, with the same chance.
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


@functools.cache
def fisher_exact(new: int, new_runs: int, base: int, base_runs: int) -> float:
    """Fisher's exact test: the chance of at least `new` of `new_runs` if both sides are alike."""
    from scipy.stats import fisher_exact

    table = [[new, new_runs - new], [base, base_runs - base]]
    return float(fisher_exact(table, alternative="greater").pvalue)


def mcnemar(gained: int, lost: int) -> float:
    """McNemar's exact test, two-sided: the chance of so uneven a split if both were as likely.

    It takes rows for a sample and knows nothing of seeds. McNemar, Psychometrika 12, 1947.
    """
    from scipy.stats import binomtest

    return float(binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0


@functools.cache
def t_quantile(share: float, degrees_of_freedom: int) -> float:
    """The value that Student's t stays under with a chance of `share`."""
    from scipy.stats import t

    return float(t.ppf(share, degrees_of_freedom))


@functools.cache
def _noncentrality(degrees_of_freedom: int) -> float:
    """How many standard errors an effect must be of to be found with a chance of `POWER`."""
    from scipy.optimize import brentq
    from scipy.stats import nct

    least = t_quantile(1 - ALPHA, degrees_of_freedom)
    return float(
        brentq(lambda shift: nct.sf(least, degrees_of_freedom, shift) - POWER, 0.0, 20 * least)
    )
