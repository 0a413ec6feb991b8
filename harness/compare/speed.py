"""The verdict on the speed of two sides that took turns on one machine.

One process is one observation. Sides alternate as A B B A A B B A ..., so that both see the same
machine. Two neighbours make a pair, and what is judged is the log ratio B/A of each pair. Steps of
one process are not observations: they share its start, its memory layout and its moment. While the
verdict is "cannot tell", more pairs are run, up to a limit; each look decides at a level below 1%.

Kalibera and Jones, "Rigorous benchmarking in reasonable time" (ISMM 2013), for processes as
observations; docs/speed.md has the error rates of this rule.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import fmean, geometric_mean, stdev

from harness.compare import sequential
from harness.compare.stats import ALPHA, POWER, t_quantile
from harness.compare.verdicts import Verdict

LEAST_PAIRS = 5
PAIRS = 10  # at the first look
LOOKS = 3  # unless the user names the most pairs
MOST_PAIRS = 500
SHARED_EFFECT, PINNED_EFFECT = 0.05, 0.03
"""The smallest relative change that counts: on machines that others use too, and on one of its own
with fixed clocks."""
HEALTH_ALPHA = ALPHA / 2
"""The chance, each way, that a steady machine is taken for one whose speed drifts."""

Pair = tuple[float, float]
"""A value of A and one of B, of neighbouring processes; both above 0."""
Pairs = Sequence[Pair | None]
"""In the order in which they ran; None where a process of the pair has no value."""


def looks(pairs: int, most: int) -> tuple[int, ...]:
    """After how many pairs a stage is judged: `pairs`, and as many more each time, up to `most`."""
    return sequential.looks(pairs, most)


def level(pairs: int, most: int) -> float:
    """The chance of a wrong bound at each look, so that all looks together have `ALPHA`."""
    return sequential.level_by_information(looks(pairs, most))


def order(pairs: int) -> str:
    """The sides of the processes, in their order: "abbaabba..."."""
    return "".join("ab" if pair % 2 == 0 else "ba" for pair in range(pairs))


@dataclass(frozen=True)
class LogRatio:
    """The mean of log ratios, and bounds of the true one by Student's t."""

    count: int
    mean: float
    low: float
    high: float
    sd: float
    alpha: float  # the chance that a bound is wrong, each

    @property
    def error(self) -> float:
        """The standard error of the mean."""
        return self.sd / math.sqrt(self.count)

    @property
    def differs(self) -> bool:
        """Whether no change is ruled out."""
        return self.low > 0 or self.high < 0


def log_ratio(ratios: Sequence[float], alpha: float = ALPHA) -> LogRatio:
    """The mean of at least two log ratios; each bound is wrong with the chance `alpha`."""
    mean, sd = fmean(ratios), stdev(ratios)
    width = t_quantile(1 - alpha, len(ratios) - 1) * sd / math.sqrt(len(ratios))
    return LogRatio(len(ratios), mean, mean - width, mean + width, sd, alpha)


@dataclass(frozen=True)
class SpeedChange:
    """What became of one measure. `change` and `same_side` are None with too few pairs.

    `same_side` has the log ratios of neighbours with the same code: the second B of a block by the
    first, and the first A of a block by the last A of the block before.
    """

    a: float | None  # geometric mean, so that b / a is the change
    b: float | None
    change: LogRatio | None
    same_side: LogRatio | None
    verdict: Verdict
    why: str = ""


def judge(
    pairs: Pairs, effect: float, sides: str | None = None, alpha: float = ALPHA
) -> SpeedChange:
    """The verdict on one measure, of which less is better, where a relative `effect` counts.

    `sides` has the side of each process in their order; the default is that of `order`. `alpha` is
    the level of this look.

    Worse: the true change is above 0 with certainty, and the mean is at least the effect. Not
    worse: the true change is below the effect with certainty.
    """
    complete = [pair for pair in pairs if pair]
    a, b = map(geometric_mean, zip(*complete, strict=True)) if complete else (None, None)
    if len(complete) < LEAST_PAIRS:
        why = f"{len(complete)} pairs of processes; expected {LEAST_PAIRS} or more"
        return SpeedChange(a, b, None, None, Verdict.CANNOT_TELL, why)
    change = log_ratio([math.log(b / a) for a, b in complete], alpha)
    neighbours = same_side_ratios(pairs, sides or order(len(pairs)))
    same_side = log_ratio(neighbours, HEALTH_ALPHA) if len(neighbours) > 1 else None
    verdict, why = _verdict(change, same_side, math.log1p(effect))
    return SpeedChange(a, b, change, same_side, verdict, why)


def judge_in_looks(
    pairs: Pairs, effect: float, sides: str | None = None, first: int = PAIRS
) -> SpeedChange:
    """What a stage finds that looks at the first pairs, and at more until it can tell."""
    sides, alpha = sides or order(len(pairs)), level(first, len(pairs))
    for count in looks(first, len(pairs)):
        found = judge(pairs[:count], effect, sides[: 2 * count], alpha)
        if found.verdict is not Verdict.CANNOT_TELL:
            break
    return found


def same_side_ratios(pairs: Pairs, sides: str) -> list[float]:
    """Log ratios of neighbouring processes of one side, the later by the earlier."""
    ratios = []
    for place, (pair, following) in enumerate(pairwise(pairs)):
        last, first = sides[2 * place + 1], sides[2 * place + 2]
        if pair and following and last == first:
            side = "ab".index(first)
            ratios.append(math.log(following[side] / pair[side]))
    return ratios


def _verdict(change: LogRatio, same_side: LogRatio | None, effect: float) -> tuple[Verdict, str]:
    if same_side and same_side.differs and abs(same_side.mean) >= effect / 2:
        drift = percent(same_side.mean)
        return Verdict.CANNOT_TELL, f"the machine's speed changed: {drift} from process to process"
    if change.low > 0 and change.mean >= effect:
        return Verdict.WORSE, ""
    if change.high < 0 and change.mean <= -effect:
        return Verdict.BETTER, ""
    if change.high < effect:
        return Verdict.NOT_WORSE, ""
    smallest = percent(detectable(change, effect))
    return (
        Verdict.CANNOT_TELL,
        f"with this noise, {change.count} pairs find {smallest} four times in five",
    )


def detectable(change: LogRatio, effect: float) -> float:
    """The log ratio that so many pairs with this noise call worse four times in five.

    Of the two conditions of "worse", the harder one decides; both use the sd that was observed.
    """
    per_sd = t_quantile(1 - change.alpha, change.count - 1) + t_quantile(POWER, change.count - 1)
    at_least_the_effect = effect + t_quantile(POWER, change.count - 1) * change.error
    return max(per_sd * change.error, at_least_the_effect)


def percent(log: float) -> str:
    """A log ratio as a change in percent."""
    return f"{100 * math.expm1(log):+.1f}%"


def confirm(first: SpeedChange, second: SpeedChange) -> SpeedChange:
    """The verdict after a red measure was repeated with fresh processes.

    Both red: worse. Otherwise it cannot be told, since the repetition is no stronger than what it
    repeats, and so does not refute it.
    """
    if first.verdict is not Verdict.WORSE or second.verdict is Verdict.WORSE:
        return second if first.verdict is Verdict.WORSE else first
    change = percent(first.change.mean) if first.change else "?"
    why = f"worse at first ({change}), {second.verdict} when repeated"
    return replace(second, verdict=Verdict.CANNOT_TELL, why=why)
