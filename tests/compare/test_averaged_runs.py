"""Runs that went wrong are counted on both sides alike, so that chance alone is seldom worse."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from harness.compare import averaged_runs, stats, thresholds
from harness.compare.comparison import compare
from harness.compare.selection import select
from harness.compare.verdicts import Verdict
from harness.records.schema import Record
from tests.support import scoreboard
from tests.support.cell_runs import NOW, cell, failed, judged, run, side, spread
from tests.support.verdict_rates import chance_that_failures_are_worse, is_likely

CELL = "sst2-toy-bert-cpu-fp32"
SHARES = (0.05, 0.1, 0.2, 0.3, 0.5)
SIDES = ((10, 20), (5, 10), (10, 10))  # new runs, and the base's
LATER = NOW + timedelta(hours=1)


def verdict(base: list[Record], new: list[Record]) -> Verdict:
    (found,) = compare(base, new, thresholds.from_option(["score:-0.2pt"])).verdicts
    return found.verdict


@pytest.mark.cases
@pytest.mark.parametrize("runs", SIDES)
@pytest.mark.parametrize("share", SHARES)
def test_unchanged_code_that_often_fails_is_seldom_called_worse(
    share: float, runs: tuple[int, int]
) -> None:
    assert chance_that_failures_are_worse(share, *runs, kept=True) <= stats.ALPHA / 2


def test_without_the_bases_failures_it_would_be() -> None:
    found = [
        chance_that_failures_are_worse(share, *runs, kept=False)
        for share, runs in ((0.2, (10, 20)), (0.5, (5, 10)), (0.5, (10, 20)))
    ]
    assert found == pytest.approx([0.121, 0.1875, 0.828], abs=0.001)


@pytest.mark.cases
@pytest.mark.parametrize(("share", "tries"), [(0.2, 400)])
def test_simulated_sessions_that_fail_and_the_baseline_that_was_saved_of_one(
    share: float, tries: int
) -> None:
    random = np.random.default_rng(5)
    worse = 0

    def session(runs: int, first: int) -> list[Record]:
        bad = random.random(runs) < share
        scores = random.normal(0.9, 0.005, runs).tolist()
        return [
            failed([first + i])[0] if bad[i] else side([score], first=first + i)[0]
            for i, score in enumerate(scores)
        ]

    for _ in range(tries):
        base, new = cell(select(session(20, 42)).records), cell(session(10, 900))
        counts = [(len(averaged_runs.went_wrong(side)), len(side.records)) for side in (new, base)]
        worse += stats.fisher_exact(*counts[0], *counts[1]) <= stats.ALPHA
    row = f"simulated, {share:.0%} of the runs fail, 10 beside 20"
    scoreboard.add(row, comparisons=tries, worse=worse)
    assert is_likely(worse, tries, chance_that_failures_are_worse(share, 10, 20, kept=True))


def test_a_run_that_failed_counts_though_it_was_run_again_by_the_same_code() -> None:
    base = side(spread(0.9, 10))
    first = failed(range(60, 65))
    again = side(spread(0.9), first=60, created=LATER)
    assert len(averaged_runs.went_wrong(cell(first + again))) == 5
    assert verdict(base, first + again) is Verdict.WORSE
    assert verdict(base, again) is Verdict.NOT_WORSE
    for other in ({"commit": "b" * 40, "dirty": False}, {"commit": "a" * 40, "dirty": True}):
        old = failed(range(60, 65), environment=run(1).environment | other)
        assert averaged_runs.went_wrong(cell(old + again)) == []
        assert verdict(base, old + again) is Verdict.NOT_WORSE
    late = [one.model_copy(update={"created": LATER}) for one in first]
    assert averaged_runs.went_wrong(cell(late + side(spread(0.9), first=60))) == []


def test_what_the_base_keeps_of_failures_leaves_as_many_new_ones_alone() -> None:
    base = side(spread(0.9, 8)) + failed([70, 71])
    new = side(spread(0.9, 4)) + failed([80])
    assert judged(base, new)["score"].verdict is Verdict.NOT_WORSE
