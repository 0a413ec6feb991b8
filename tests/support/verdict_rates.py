"""The chance of each verdict on simulated runs, in closed form."""

from __future__ import annotations

import math

import numpy as np
from scipy import stats

from harness.compare.stats import ALPHA, fisher_exact


def is_likely(count: int, tries: int, *chances: float) -> bool:
    """Whether a count is what it is in 99.9% of all cases, for a chance between those given."""
    least = stats.binom.ppf(0.0005, tries, max(0, min(chances)))
    most = stats.binom.ppf(0.9995, tries, min(1, max(chances)))
    return bool(least <= count <= most)


SHAPES = ("normal", "a long tail of low scores", "one seed in ten bad")


def draw_pairs(
    random: np.random.Generator, shape: str, correlation: float, base: int, new: int
) -> tuple[dict[int, float], dict[int, float]]:
    """Scores by seed: the first seeds are on both sides, and go together as `correlation` says.

    Both sides have the same distribution. The tail is that of an exponential distribution, whose
    normal scores have the correlation; bad seeds are six standard deviations low.
    """
    shared = min(base, new)
    first, other, third = random.normal(size=(3, max(base, new)))
    together = first.copy()
    share = math.sqrt(correlation)
    together[:shared] = share * third[:shared] + math.sqrt(1 - correlation) * first[:shared]
    other[:shared] = share * third[:shared] + math.sqrt(1 - correlation) * other[:shared]
    sides = np.array([together, other])
    if shape == "a long tail of low scores":
        sides = stats.norm.logcdf(sides)
    if shape == "one seed in ten bad":
        bad, same = random.random((2, max(base, new))) < 0.1, random.random(max(base, new))
        bad[1, :shared] = np.where(same[:shared] < correlation, bad[0, :shared], bad[1, :shared])
        sides = sides - 6 * bad
    return (
        dict(enumerate(sides[0, :base].tolist())),
        dict(enumerate(sides[1, :new].tolist())),
    )


def chance_of_worse(drop: float, margin: float, runs: tuple[int, int], sd: float) -> float:
    """That Student's t calls a true drop worse: over all that the sd between runs may be taken for.

    The mean difference is normal, and independent of the pooled sd, which is a chi.
    """
    freedom, per_run = sum(runs) - 2, math.sqrt(1 / runs[0] + 1 / runs[1])
    even = (np.arange(20_000) + 0.5) / 20_000
    found = sd * np.sqrt(stats.chi2.ppf(even, freedom) / freedom)
    needed = np.maximum(margin, stats.t.ppf(0.99, freedom) * found * per_run)
    return float(stats.norm.cdf((drop - needed) / (sd * per_run)).mean())


def chance_that_failures_are_worse(share: float, new: int, base: int, *, kept: bool) -> float:
    """That Fisher's test calls unchanged code worse, a `share` of whose runs goes wrong.

    Of `base` runs those that went wrong are in the baseline; or, not `kept`, they were left out and
    others run until as many were sound.
    """
    news = stats.binom.pmf(range(new + 1), new, share)
    bases = stats.binom.pmf(range(base + 1), base, share) if kept else [1.0]
    return sum(
        a * b
        for bad, a in enumerate(news)
        for bad_before, b in enumerate(bases)
        if fisher_exact(bad, new, bad_before, base) <= ALPHA
    )
