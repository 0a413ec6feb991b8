"""Processes of two sides on simulated machines, and how often each verdict is given."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from harness.compare import speed
from harness.compare.speed import Pair, SpeedChange
from harness.compare.verdicts import Verdict

ROUNDS = 5  # timed in each process; its value is their median
Disturb = Callable[[np.random.Generator, int], np.ndarray]


@dataclass(frozen=True)
class Noise:
    """How log times vary: sd of a process's start and of a round, drift over all processes.

    `spikes` is the share of rounds that take up to half as long again.
    """

    start: float
    round: float
    drift: float
    spikes: float


SHARED = Noise(start=0.015, round=0.03, drift=0.03, spikes=0.08)
PINNED = Noise(start=0.005, round=0.008, drift=0.005, spikes=0.01)
NOISY = Noise(start=0.045, round=0.03, drift=0.03, spikes=0.08)
"""A shared machine on which processes start less alike, as on small virtual machines."""


@dataclass
class Rates:
    """How often each verdict was given by one stage, and in the end; pairs that it took, mean."""

    once: Counter[Verdict] = field(default_factory=Counter)
    twice: Counter[Verdict] = field(default_factory=Counter)
    pairs: float = 0.0


def nothing(draw: np.random.Generator, count: int) -> np.ndarray:
    """A machine without a neighbour: no log time is added to any process."""
    return np.zeros(count)


def busy_neighbour(draw: np.random.Generator, count: int) -> np.ndarray:
    """Another load on the machine in a random stretch: all that runs then takes 1.3 to 3 times."""
    first, last = np.sort(draw.uniform(0, count, 2))
    covered = np.clip(
        np.minimum(np.arange(count) + 1, last) - np.maximum(np.arange(count), first), 0, 1
    )
    return np.log1p(covered * draw.uniform(0.3, 2))


def pairs(
    draw: np.random.Generator, noise: Noise, change: float, count: int, disturb: Disturb = nothing
) -> list[Pair]:
    """Times of `count` pairs of processes in their order; B takes `change` more than A."""
    processes = 2 * count
    log = draw.normal(0, noise.start, processes) + disturb(draw, processes)
    log += np.linspace(0, noise.drift, processes) * draw.choice([-1, 1])
    rounds = log[:, None] + draw.normal(0, noise.round, (processes, ROUNDS))
    spiked = draw.random(rounds.shape) < noise.spikes
    rounds += spiked * np.log1p(draw.uniform(0, 0.5, rounds.shape))
    sides = np.array([*speed.order(count)])
    values = np.exp(np.median(rounds, axis=1) + (sides == "b") * math.log1p(change)).tolist()
    return [
        (values[p], values[p + 1]) if sides[p] == "a" else (values[p + 1], values[p])
        for p in range(0, processes, 2)
    ]


def verdicts(
    noise: Noise,
    change: float,
    effect: float,
    *,
    comparisons: int,
    count: int = speed.PAIRS,
    most: int | None = None,
    disturb: Disturb = nothing,
) -> Rates:
    """The verdicts of one stage, and those after a red one was repeated.

    A stage has `count` pairs, and up to `most` (three times as many) while it cannot tell.
    """
    draw, most = np.random.default_rng(25), most or speed.LOOKS * count
    rates = Rates()

    def stage() -> SpeedChange:
        found = speed.judge_in_looks(pairs(draw, noise, change, most, disturb), effect, first=count)
        rates.pairs += found.change.count / comparisons if found.change else 0
        return found

    for _ in range(comparisons):
        found = stage()
        rates.once[found.verdict] += 1
        if found.verdict is Verdict.WORSE:
            found = speed.confirm(found, stage())
        rates.twice[found.verdict] += 1
    return rates
