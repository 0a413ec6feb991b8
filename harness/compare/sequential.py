"""More seeds while a verdict is open: at which level each look decides, and which seeds come next.

Looking at the runs several times gives several chances of a false alarm. So each look decides at a
nominal level below `ALPHA`, the same for all looks (Pocock, Biometrika 64, 1977), at which the
chance that any of them is wrong is `ALPHA`. The runs of the base are in every look, so looks are
more alike than in Pocock's tables: the level follows from the information that each look has.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from harness.compare import averaged_runs, stats
from harness.compare.comparison import CellVerdict
from harness.compare.gate import Finding
from harness.compare.stats import ALPHA
from harness.compare.verdicts import Verdict
from harness.records.cells import Cell

if TYPE_CHECKING:
    import numpy as np

MOST_LOOKS = 20
FOR_ESTIMATED_SD = 0.85
"""The part of `alpha` that the looks share. The levels are those of statistics whose sd is known.
Student's t and permutations of few runs go together less from look to look: with all of it, 1.04 to
1.14% of simulated comparisons of unchanged code were called worse where 1% is stated.
"""
STEPS = 600  # of the grid on which the density of the statistic is computed
LOWEST = -6.5  # in standard deviations: all below is left out, less than 1e-10


def looks(planned: int, most: int) -> tuple[int, ...]:
    """The number of new seeds at each look: `planned` more at a time, up to `most`.

    With more than `MOST_LOOKS` looks, the steps are larger.
    """
    step = max(planned, math.ceil((most - planned) / (MOST_LOOKS - 1)))
    return (*range(planned, most, step), most) if most > planned else (planned,)


def level(base_runs: int, planned: int, most: int, alpha: float = ALPHA) -> float:
    """The nominal level of each look at `planned` to `most` new runs beside those of the base.

    The variance of the difference of means is (1/m + 1/n) sd^2, so the information of a look at n
    runs is 1 / (1/m + 1/n).
    """
    counts = looks(planned, most)
    if base_runs < 1 or planned < 1:
        return alpha
    return level_by_information([1 / (1 / base_runs + 1 / count) for count in counts], alpha)


def level_by_information(information: Sequence[float], alpha: float = ALPHA) -> float:
    """The nominal level of looks that have so much information, rising; one look has all of it."""
    if len(information) == 1:
        return alpha
    fractions = tuple(each / information[-1] for each in information)
    return nominal_level(fractions, FOR_ESTIMATED_SD * alpha)


@functools.lru_cache(maxsize=64)
def nominal_level(fractions: tuple[float, ...], alpha: float = ALPHA) -> float:
    """The one-sided level at which all looks together are wrong with a chance of `alpha`.

    `fractions`: the information of each look as a part of the last one's, rising to 1.
    """
    from scipy.optimize import brentq
    from scipy.stats import norm

    def excess(bound: float) -> float:
        return chance_of_crossing(fractions, bound) - alpha

    alone = float(norm.isf(alpha))
    all_apart = float(norm.isf(alpha / len(fractions)))  # Bonferroni's: too strict
    return float(norm.sf(brentq(excess, alone, all_apart, xtol=1e-6)))


def chance_of_crossing(fractions: Sequence[float], bound: float) -> float:
    """The chance that the standard normal statistic of some look is above `bound`.

    The statistic times the root of its information is a sum with independent normal steps. The
    density of the sums that have not crossed is carried from look to look by numerical integration
    (Armitage, McPherson and Rowe, Journal of the Royal Statistical Society A 132, 1969).
    """
    import numpy as np

    def grid(fraction: float) -> tuple[np.ndarray, np.ndarray]:
        """Places of the sum below the bound, and their weights by the trapezoidal rule."""
        places = math.sqrt(fraction) * np.linspace(LOWEST, bound, STEPS)
        weights = np.full(STEPS, places[1] - places[0])
        weights[[0, -1]] /= 2
        return places, weights

    places, weights = grid(fractions[0])
    density = _normal(places, math.sqrt(fractions[0]))
    for before, after in itertools.pairwise(fractions):
        reached, reached_weights = grid(after)
        steps = _normal(reached[:, None] - places[None, :], math.sqrt(after - before))
        density = steps @ (weights * density)
        places, weights = reached, reached_weights
    return 1.0 - float(weights @ density)


def _normal(places: np.ndarray, sd: float) -> np.ndarray:
    """The density of the normal distribution of mean 0."""
    import numpy as np

    return np.exp(-0.5 * (places / sd) ** 2) / (sd * math.sqrt(2 * math.pi))


def next_seeds(base: Collection[int], new: Collection[int], count: int) -> list[int]:
    """The seeds to run next: first those that only the base has, then ones that no side has."""
    candidates: Iterator[int] = itertools.chain(
        sorted(set(base) - set(new)), itertools.count(1 + max((*base, *new), default=-1))
    )
    return list(itertools.islice(candidates, count))


def level_of(base: Cell, new: Cell, most: int) -> float:
    """The level of each look at a cell, of which `new` is the first."""
    return level(len(averaged_runs.runs(base)), len(new.records), most)


def can_be_decided(cell: CellVerdict) -> bool:
    """Whether more new seeds may decide a cell that "cannot tell"."""
    if cell.verdict is not Verdict.CANNOT_TELL or cell.base is None or cell.new is None:
        return False
    ignores_seeds = cell.base.ignores_its_seed or cell.new.ignores_its_seed
    return bool(averaged_runs.runs(cell.base)) and not ignores_seeds


def at_its_end(cell: CellVerdict, most: int) -> CellVerdict:
    """The verdict on a cell whose seeds are used up, with the number of base seeds it lacks."""
    return replace(cell, findings=tuple(_explain_end(f, most) for f in cell.findings))


def _explain_end(finding: Finding, most: int) -> Finding:
    change, margin = finding.change, finding.margin
    if finding.verdict is not Verdict.CANNOT_TELL or change is None or margin is None:
        return finding
    used_up = f"{change.new_runs} new seeds do not decide, and --glue-max-seeds is {most}"
    if change.pairs:
        return replace(finding, why=f"{used_up}; {finding.why}")
    needed = stats.base_runs_needed(change.sd, margin, change.new_runs, change.alpha)
    if needed is None:
        fix = f"no number of base seeds would decide about {finding.threshold} with so many"
    elif needed <= change.base_runs:
        fix = (
            f"{change.base_runs} base seeds are enough four times in five; this is one of the rest"
        )
    else:
        fix = f"with {needed} base seeds, so many would decide about {finding.threshold}"
    return replace(finding, why=f"{used_up}: {fix}; {finding.why}")
