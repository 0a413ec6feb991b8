"""Verdicts of two stages: what a second stage confirms, what it clears, and what it cannot see."""

from __future__ import annotations

import dataclasses

import pytest

from harness.compare import stages, stats
from harness.compare.verdicts import Verdict
from tests.support.cell_runs import judged, low, side, spread

GOOD, BAD = spread(0.9, 10), spread(0.8, 5)
WORSE, _, APART, CANNOT_TELL, _, NOT_WORSE, BETTER = Verdict
GATED = ("score:1pt", "step_time:10%")


@pytest.mark.parametrize("name", ["score", "step_time"])
@pytest.mark.parametrize(
    ("first", "second", "both", "why"),
    [
        (WORSE, WORSE, WORSE, "Worse in both stages. so"),
        (WORSE, NOT_WORSE, NOT_WORSE, "Worse in stage 1, not in stage 2. so"),
        (WORSE, BETTER, BETTER, "Worse in stage 1, not in stage 2. so"),
        (WORSE, CANNOT_TELL, CANNOT_TELL, "Worse in stage 1, not in stage 2. so"),
        (WORSE, APART, WORSE, "Worse in stage 1. Stage 2 could not see such a loss: "),
        (WORSE, None, WORSE, "as it was"),
        (NOT_WORSE, WORSE, NOT_WORSE, "as it was"),
        (CANNOT_TELL, WORSE, CANNOT_TELL, "as it was"),
    ],
)
def test_worse_is_what_both_stages_say(
    name: str, first: Verdict, second: Verdict | None, both: Verdict, why: str
) -> None:
    like = judged(side(GOOD), side(GOOD), *GATED)[name]
    one = dataclasses.replace(like, verdict=first, why="as it was")
    two = dataclasses.replace(like, verdict=second, why="so") if second else None
    found = stages.confirm(one, two)
    assert found.verdict is both
    assert found.is_gated
    assert found.why.startswith(why)


def test_a_second_stage_of_too_few_seeds_does_not_clear_a_loss() -> None:
    """RTE, 68.08 -> 59.60: worse with 10 and 5 seeds; 3 and 3 fresh ones cannot see it."""
    first = judged(side(spread(0.6808, 10, 0.025)), side(spread(0.5960, 5, 0.025), first=80))
    fresh = [side(spread(mean, 3, 0.04), first=90) for mean in (0.6808, 0.5960)]
    unpaired = [fresh[0], side(spread(0.5960, 3, 0.04), first=95)]
    second = judged(*unpaired)
    assert (first["score"].verdict, second["score"].verdict) == (WORSE, CANNOT_TELL)
    found = stages.confirm(first["score"], second["score"])
    assert found.verdict is WORSE
    assert found.why == (
        "Worse in stage 1. Stage 2 could not see such a loss: it compared 3 and 3 runs, which show "
        "a change of 3.98 sd or more; the 10 and 5 runs of stage 1 show 1.94 sd."
    )


@pytest.mark.parametrize(
    ("base", "new", "verdict"),
    [
        (10, 10, CANNOT_TELL), (7, 7, CANNOT_TELL), (6, 6, WORSE), (10, 3, WORSE),
        (1, 1, WORSE),
    ],
)  # fmt: skip
def test_a_second_stage_that_lost_runs_clears_nothing(
    base: int, new: int, verdict: Verdict
) -> None:
    first = judged(side(GOOD), side(BAD, first=60))["score"]
    sides = [side(spread(0.9, runs, 0.05), first=at) for runs, at in ((base, 70), (new, 90))]
    second = judged(*sides)["score"]
    assert second.verdict is CANNOT_TELL
    assert stages.confirm(first, second).verdict is verdict


def test_a_second_stage_whose_runs_collapsed_or_ignored_their_seeds_clears_nothing() -> None:
    first = judged(side(GOOD), side(BAD))["score"]
    collapsed = judged(low(side(GOOD), 10), low(side(GOOD), 10))["score"]
    same = judged(side(GOOD), side(GOOD, first=90, first_losses=[0.7, 0.6]))["score"]
    for second, verdict in ((collapsed, CANNOT_TELL), (same, APART)):
        assert second.verdict is verdict
        assert stages.confirm(first, second).verdict is WORSE


@pytest.mark.parametrize(
    ("base", "new", "needed"),
    [(10, 5, 7), (10, 3, 6), (20, 5, 9), (20, 10, 14), (5, 5, 5), (1, 2, 2), (2, 1, 2)],
)
def test_the_seeds_of_a_second_stage_that_is_no_weaker(base: int, new: int, needed: int) -> None:
    effect = stats.minimum_detectable_effect(1.0, base, new)
    assert stats.seeds_as_strong(base, new) == needed
    assert stats.minimum_detectable_effect(1.0, needed, needed) <= effect
    if needed > 2:
        assert stats.minimum_detectable_effect(1.0, needed - 1, needed - 1) > effect


@pytest.mark.parametrize("runs", [(1, 1), (0, 5), (5, 0)])
def test_runs_that_are_no_test_have_no_equal(runs: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="are no test; expected three or more"):
        stats.seeds_as_strong(*runs)


@pytest.mark.cases
def test_collapses_that_both_stages_prove_together_are_not_cleared() -> None:
    base, new = side(spread(0.9, 10) * 2), side(spread(0.9, 10), first=70)
    first = judged(base, low(new, 4), "score:1pt")["score"]
    assert first.verdict is WORSE
    again = side((spread(0.9, 10) * 2)[:14], first=100), side((spread(0.9, 10) * 2)[:14], first=200)
    second = judged(again[0], low(again[1], 5), "score:1pt")["score"]
    assert second.verdict is CANNOT_TELL
    found = stages.confirm(first, second)
    assert found.verdict is WORSE
    assert "Worse in both stages together: 9 of 24 runs failed or collapsed, and 0 of" in found.why
    healthy = judged(again[0], again[1], "score:1pt")["score"]
    assert stages.confirm(first, healthy).verdict is not WORSE
