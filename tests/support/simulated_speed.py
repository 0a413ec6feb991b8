"""Processes of two sides on simulated machines, and how often each verdict is given."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from harness.compare import speed
from harness.compare.speed import Pair
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
    disturb: Disturb = nothing,
) -> tuple[Counter[Verdict], Counter[Verdict]]:
    """The verdicts of one stage, and those after a red one was repeated."""
    draw = np.random.default_rng(25)
    once, twice = Counter[Verdict](), Counter[Verdict]()
    for _ in range(comparisons):
        first = speed.judge(pairs(draw, noise, change, count, disturb), effect)
        once[first.verdict] += 1
        if first.verdict is Verdict.WORSE:
            first = speed.confirm(
                first, speed.judge(pairs(draw, noise, change, count, disturb), effect)
            )
        twice[first.verdict] += 1
    return once, twice
