"""What one process of a side measured, and the arithmetic of the rounds in which sides take turns.

A round runs every side once, with one seed, one after the other.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median, stdev

from benchmarks.peers.sides import OURS

MOST_STEAL = 0.02  # of the machine's CPU time; a round with more is dropped
MOST_DRIFT = 1.25  # ratio of the calibration times before and after: the flag `noisy` has it too


@dataclass(frozen=True)
class Measured:
    """One process. `step_seconds` are those of the counted steps, all of whole batches."""

    side: str
    seed: int
    batch_size: int
    steps: int
    step_seconds: list[float]
    cpu_s: float  # of all threads, in the counted steps
    threads: int
    eval_s: float
    eval_rows: int
    tokens: int  # real ones, of training
    computed_tokens: int  # with padding; 0: not counted
    weights_sha256: str  # before the first step
    rows_sha256: Mapping[str, str]  # of each split
    is_finite: bool  # losses and logits
    score: float
    steal_share: float | None
    calibration_s: Sequence[float]  # before and after

    @property
    def examples_per_s(self) -> float:
        """Training examples of the counted steps, by their seconds."""
        return self.batch_size * len(self.step_seconds) / sum(self.step_seconds)

    @property
    def cpu_per_example_s(self) -> float:
        """CPU time of the counted steps by their examples; other programs hardly change it."""
        return self.cpu_s / (self.batch_size * len(self.step_seconds))

    @property
    def rows_per_s(self) -> float:
        """Rows of evaluation by its seconds."""
        return self.eval_rows / self.eval_s

    @property
    def fill(self) -> float | None:
        """The share of real tokens among those that training computed; None: not counted."""
        return self.tokens / self.computed_tokens if self.computed_tokens else None

    @property
    def disturbance(self) -> str | None:
        """Why its times do not count; None: the machine was quiet."""
        if self.steal_share is not None and self.steal_share > MOST_STEAL:
            return "steal"
        if max(self.calibration_s) > MOST_DRIFT * min(self.calibration_s):
            return "noisy"
        return None


@dataclass(frozen=True)
class Round:
    """The processes of one round, by the names of their sides, in the order in which they ran."""

    sides: Mapping[str, Measured]

    @property
    def disturbance(self) -> str | None:
        """Why the round is dropped: the first disturbance of a side; None: it is kept."""
        return next(filter(None, (side.disturbance for side in self.sides.values())), None)


@dataclass(frozen=True)
class Spread:
    """A figure of several rounds: the median, or the ratio of two medians, and its range."""

    value: float
    low: float
    high: float


def spread(values: Sequence[float]) -> Spread | None:
    """The median and the range of one figure; None without any."""
    return Spread(median(values), min(values), max(values)) if values else None


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Spread | None:
    """Our median by theirs, with the range of the ratios of each pair; None without any pair."""
    pairs = [a / b for a, b in zip(ours, theirs, strict=True)]
    return Spread(median(ours) / median(theirs), min(pairs), max(pairs)) if pairs else None


@dataclass(frozen=True)
class Scores:
    """The dev scores of a side: one for each seed, their mean and its standard error."""

    of_seeds: Mapping[int, float]

    @property
    def mean(self) -> float:
        return fmean(self.of_seeds.values())

    @property
    def standard_error(self) -> float | None:
        """None for a single seed."""
        count = len(self.of_seeds)
        return stdev(self.of_seeds.values()) / math.sqrt(count) if count > 1 else None


@dataclass(frozen=True)
class SideFigures:
    """What all rounds say of a side. The times are of the rounds that are kept."""

    side: str
    training: Spread | None  # examples per second
    training_ratio: Spread | None  # ours by this side's; None of ours
    evaluation: Spread | None  # rows per second
    evaluation_ratio: Spread | None
    cpu_per_example_s: float  # the median of all rounds, also of those that are dropped
    fill: float | None
    scores: Scores


def figures_of(rounds: Sequence[Round], side: str) -> SideFigures:
    """The figures of a side. A disturbed round has no times here; its scores are as good."""
    kept = [round.sides for round in rounds if round.disturbance is None]
    every = [round.sides[side] for round in rounds]
    training = [sides[side].examples_per_s for sides in kept]
    evaluation = [sides[side].rows_per_s for sides in kept]
    fills = [fill for run in every if (fill := run.fill) is not None]
    is_peer = side != OURS
    return SideFigures(
        side,
        spread(training),
        ratio([s[OURS].examples_per_s for s in kept], training) if is_peer else None,
        spread(evaluation),
        ratio([s[OURS].rows_per_s for s in kept], evaluation) if is_peer else None,
        median(run.cpu_per_example_s for run in every),
        fmean(fills) if fills else None,
        Scores({run.seed: run.score for run in every}),
    )


def dropped(rounds: Sequence[Round]) -> Counter[str]:
    """How many rounds are dropped, by the reason."""
    return Counter(why for round in rounds if (why := round.disturbance))


def faults(rounds: Sequence[Round], steps: int, threads: int) -> list[str]:
    """In what the sides did not do the same, each once; none if the comparison is honest."""
    return [*dict.fromkeys(fault for round in rounds for fault in _faults(round, steps, threads))]


def _faults(round: Round, steps: int, threads: int) -> Iterator[str]:
    ours = round.sides[OURS]
    for name, run in round.sides.items():
        if not run.is_finite:
            yield f"{name}: a loss or a logit is not finite"
        if run.steps != steps:
            yield f"{name}: made {run.steps} steps; expected {steps}"
        if run.threads != threads:
            yield f"{name}: computed with {run.threads} threads; expected {threads}"
        if run.rows_sha256 != ours.rows_sha256:
            yield f"{name}: its rows are not those of {OURS}"
        if run.weights_sha256 != ours.weights_sha256:
            yield f"{name}: did not start from the weights of {OURS}"
        if run.tokens != ours.tokens:
            yield f"{name}: read {run.tokens} tokens, and {OURS} {ours.tokens}"
        if run.eval_rows != ours.eval_rows:
            yield f"{name}: evaluated {run.eval_rows} rows, and {OURS} {ours.eval_rows}"
