"""What runs of two sides say of a change: intervals, what they could show, what it would take.

One run is one observation. The dev rows are fixed and the same for both sides, so it is the seed
that varies; tests that take rows for a sample (McNemar's) call up to 26% of unchanged code worse.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, variance

ALPHA = 0.01
"""Chance that one comparison calls worse, or better, what is the same."""
POWER = 0.80
"""How often the smallest effect that is named would be found."""
MOST_RUNS = 10_000


@dataclass(frozen=True)
class Change:
    """How far the mean of the new runs is from that of the base, in the values' own unit.

    `low` and `high` are bounds of the true change, each wrong with a chance of at most `ALPHA`.
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
        return smallest_effect(self.sd, self.base_runs, self.new_runs)


def change(base: Sequence[float], new: Sequence[float], least_sd: float = 0.0) -> Change | None:
    """Student's t for two samples, with one standard deviation pooled over both.

    None where it takes more runs: an empty side, or one run on each. Runs that agree by chance look
    more certain than they are; `least_sd` is what their standard deviation is taken for at least.
    """
    m, k = len(base), len(new)
    if not base or not new or m + k < 3:
        return None
    squares = sum((len(side) - 1) * variance(side) for side in (base, new) if len(side) > 1)
    sd = max(math.sqrt(squares / (m + k - 2)), least_sd)
    centre = fmean(new) - fmean(base)
    reach = t_quantile(1 - ALPHA, m + k - 2) * sd * math.sqrt(1 / m + 1 / k)
    return Change(centre, centre - reach, centre + reach, sd, m, k)


def smallest_effect(sd: float, base_runs: int, new_runs: int) -> float:
    """The change that a one-sided t at `ALPHA` finds with a chance of `POWER`.

    By the noncentral t (Cohen 1988, section 2.2).
    """
    freedom = base_runs + new_runs - 2
    return sd * math.sqrt(1 / base_runs + 1 / new_runs) * _noncentrality(freedom)


def runs_needed(sd: float, effect: float) -> int | None:
    """Runs on each side with which `effect` is the smallest that is found; None: too many.

    With as many, an unchanged mean is also shown to be within `effect`, with the same chance.
    """
    low, high = 1, 2
    while smallest_effect(sd, high, high) > effect:
        low, high = high, 2 * high
        if low >= MOST_RUNS:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        if smallest_effect(sd, middle, middle) > effect:
            low = middle
        else:
            high = middle
    return high if high <= MOST_RUNS else None


@functools.cache
def more_often(new: int, new_runs: int, base: int, base_runs: int) -> float:
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
def t_quantile(share: float, freedom: int) -> float:
    """The value that Student's t stays under with a chance of `share`."""
    from scipy.stats import t

    return float(t.ppf(share, freedom))


@functools.cache
def _noncentrality(freedom: int) -> float:
    """How many standard errors an effect must be of to be found with a chance of `POWER`."""
    from scipy.optimize import brentq
    from scipy.stats import nct

    least = t_quantile(1 - ALPHA, freedom)
    return float(brentq(lambda shift: nct.sf(least, freedom, shift) - POWER, 0.0, 20 * least))
