"""A change of runs that have the same seeds on both sides, compared seed by seed where that helps.

Two runs of one seed have the same first head and the same order of rows. If a change of the code is
small, their scores go up and down together, and the differences of the pairs vary less than the
scores do. If they do not go together, pairing wastes half of the runs: so the scores decide.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import StatisticsError, correlation, fmean, stdev
from typing import TYPE_CHECKING

from harness.compare import stats
from harness.compare.stats import ALPHA, Change

if TYPE_CHECKING:
    import numpy as np

FEWEST_PAIRS = 5
DOUBT = 0.5
"""The chance that scores which do not go together are compared seed by seed, in parts of `alpha`.

The choice looks at the scores, so it adds to the false alarms: 0.05 points to the 1% where runs do
not go together, nothing where they do. docs/error-rates.md has the figures, and
tests/compare/test_pairing.py simulates them.
"""


def change(
    base: Mapping[int, float],
    new: Mapping[int, float],
    least_sd: float = 0.0,
    alpha: float = ALPHA,
) -> Change | None:
    """The change of the mean, from values by seed: seed by seed if that helps, else of all runs.

    It helps if the values of the seeds that both sides have go together with certainty: if their
    correlation is above `least_correlation`. None as in `stats.change`, whose arguments these are.
    """
    of_all = stats.change([*base.values()], [*new.values()], least_sd, alpha)
    pairs = [(base[seed], value) for seed, value in new.items() if seed in base]
    if of_all is None or len(pairs) < FEWEST_PAIRS:
        return of_all
    try:
        together = correlation(*zip(*pairs, strict=True))
    except StatisticsError:  # all values of a side are equal
        return of_all
    if together <= least_correlation(len(pairs), len(base), len(new), alpha):
        return of_all
    differences = [now - then for then, now in pairs]
    found = paired_change(differences, least_sd, alpha)
    if found.high - found.low > of_all.high - of_all.low:
        return of_all
    return replace(found, base_runs=len(base), new_runs=len(new), correlation=min(together, 1.0))


def least_correlation(pairs: int, base_runs: int, new_runs: int, alpha: float = ALPHA) -> float:
    """The correlation above which the pairs are compared, and not the means of all runs.

    It is the larger of two: the one that is above 0 with a certainty of 99.5% (the t-test of
    Pearson's r, at half of `alpha`), and the one at which the bounds of the pairs are as narrow as
    those of all runs.
    """
    t = stats.t_quantile(1 - DOUBT * alpha, pairs - 2)
    certain = t / math.sqrt(pairs - 2 + t * t)
    all_runs = stats.t_quantile(1 - alpha, base_runs + new_runs - 2)
    all_runs *= math.sqrt(1 / base_runs + 1 / new_runs)
    by_pairs = stats.t_quantile(1 - alpha, pairs - 1) * math.sqrt(2 / pairs)
    return max(certain, 1 - (all_runs / by_pairs) ** 2)


def paired_change(
    differences: Sequence[float], least_sd: float = 0.0, alpha: float = ALPHA
) -> Change:
    """The mean of the pairs' differences, with its bounds. It takes two pairs or more.

    The bounds are those of the sign-flip permutation test: if the true change is d, each difference
    less d is as likely to be above 0 as as far below it. With too few patterns of signs (fewer than
    10 pairs at an `alpha` of 1%), they are those of Student's t on the differences.

    `least_sd`: each side's standard deviation is taken to be at least this, as in `stats.change`.
    """
    pairs, centre, sd = len(differences), fmean(differences), stdev(differences)
    least = math.sqrt(2) * least_sd  # of a difference of two runs
    per_sd = stats.t_quantile(1 - alpha, pairs - 1) / math.sqrt(pairs)
    if stats.has_enough(2**pairs, alpha):
        low, high = by_sign_flips(differences, alpha)
    else:
        low, high = centre - sd * per_sd, centre + sd * per_sd
    low, high = min(low, centre - least * per_sd), max(high, centre + least * per_sd)
    return Change(centre, low, high, max(sd, least), pairs, pairs, alpha, pairs)


def by_sign_flips(differences: Sequence[float], alpha: float = ALPHA) -> tuple[float, float]:
    """Bounds of the mean difference: between them are the changes that the test does not reject.

    Turn the signs of some of the differences less d. Their mean is then above the observed one
    exactly if the mean of those that were turned is below d. So each bound is one of the means of
    all subsets, sorted: the one with a share `alpha` of them beyond it (Hartigan, Journal of the
    American Statistical Association 64, 1969). If subsets are drawn, they are always the same.
    """
    import numpy as np

    values = np.array(sorted(differences))  # the order of the seeds does not matter
    if values.sum() > 0:  # nor does which side is called the new one
        low, high = by_sign_flips((-values).tolist(), alpha)
        return 0.0 - high, 0.0 - low
    return stats.bounds_among(_subsets(len(values)) @ values, alpha)


@functools.lru_cache(maxsize=16)
def _subsets(pairs: int) -> np.ndarray:
    """Weights, one row per subset of at least one pair: a row times values gives their mean."""
    import numpy as np

    if 2**pairs <= stats.MOST_DIVISIONS:
        chosen = np.array([*itertools.product((0.0, 1.0), repeat=pairs)])
    else:
        draws = np.random.default_rng(0).random((stats.MOST_DIVISIONS - 1, pairs))
        chosen = (draws < 0.5).astype(float)
    count = chosen.sum(axis=1, keepdims=True)
    return chosen[count[:, 0] > 0] / count[count[:, 0] > 0]
