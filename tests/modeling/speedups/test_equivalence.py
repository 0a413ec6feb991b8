"""With dropout on, scores have the same mean: two one-sided tests over ten seeds."""

from __future__ import annotations

import math
from dataclasses import replace
from statistics import fmean, stdev

import numpy as np
import pytest
from scipy.stats import t as student

from harness.catalog import recipes
from harness.catalog.speedups import ALL
from harness.execution.engine import InlineEngine
from harness.spec import Case, Recipe
from tests.support.configs import resolved

SEEDS = range(42, 52)
MARGIN = 0.02  # of a score: two points
ALPHA = 0.05
TOY = recipes.get("toy")


def largest_difference(one: list[float], other: list[float]) -> float:
    """How far apart the means may be: the larger end of a 90% interval (Welch's t).

    Means are equivalent within a margin that is larger (Schuirmann 1987, two one-sided tests).
    """
    errors = [stdev(scores) ** 2 / len(scores) for scores in (one, other)]
    degrees = sum(errors) ** 2 / sum(e**2 / (len(one) - 1) for e in errors)
    half = float(student.ppf(1 - ALPHA, degrees)) * math.sqrt(sum(errors))
    return abs(fmean(one) - fmean(other)) + half


def scores_of(task: str, recipe: Recipe, speedups: tuple[str, ...]) -> list[float]:
    found = []
    for seed in SEEDS:
        config = resolved(Case(task, "toy-bert", "cpu-fp32", seed), recipe=recipe, threads=2)
        run = InlineEngine().submit(replace(config, speedups=speedups), lambda *step: None)
        outcome = run.result().outcome
        assert outcome.score is not None, outcome.reason
        found.append(outcome.score)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("task", ["sst2", "cola"])
def test_scores_are_those_without_speed_ups_and_with_torchs_dropout(
    task: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.catalog.speedups.LEAST_WIDTH", 1)
    whole = replace(TOY, epochs=TOY.epochs_of[task], epochs_of={})
    plain = scores_of(task, whole, ())
    for how, recipe in (("torch's", whole), ("fast", replace(whole, fast_dropout=True))):
        fast = scores_of(task, recipe, ALL)
        apart = largest_difference(plain, fast)
        print(
            f"{task}, {how} dropout: {100 * fmean(plain):.2f} ±{100 * stdev(plain):.2f} without, "
            f"{100 * fmean(fast):.2f} ±{100 * stdev(fast):.2f} with all speed-ups; "
            f"at most {100 * apart:.2f} apart"
        )
        assert apart < MARGIN


def test_a_dropout_of_half_as_many_values_would_be_found() -> None:
    draw = np.random.default_rng(0)
    one, other = (draw.normal(mean, 0.01, 10).tolist() for mean in (0.92, 0.90))
    assert largest_difference(one, other) > MARGIN
    assert largest_difference(one, draw.normal(0.92, 0.01, 10).tolist()) < MARGIN
