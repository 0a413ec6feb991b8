"""Faults in the training code, found by the verdicts on real runs; unchanged code, left alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.compare import thresholds
from harness.compare.comparison import Comparison, compare, confirm
from harness.compare.verdicts import Verdict
from tests.support import scoreboard
from tests.support.planted_faults import FAULTS, HEALTHY, Runs

BASE, FRESH = range(42, 62), range(500, 520)
A_A = [range(100 + 10 * i, 110 + 10 * i) for i in range(10)]
MARGIN = "score:-0.2pt"


class Campaign:
    """Every comparison in two stages; the second only where the first says worse."""

    def __init__(self, runs: Runs) -> None:
        self.runs, self.thresholds = runs, thresholds.from_option([MARGIN])
        self.base = runs.get(HEALTHY, BASE)

    def red(self, fault: str, seeds: range, fresh: range) -> list[str]:
        """What of the new runs is worse in both stages, as lines of the transcript."""
        first = compare(self.base, self.runs.get(fault, seeds), self.thresholds)
        if not _worse(first):
            return []
        again = self.runs.get(HEALTHY, FRESH), self.runs.get(fault, fresh)
        second = compare(*again, self.thresholds)
        cells = [confirm(cell, second.of(cell.name)) for cell in first.verdicts]
        red = [cell.name for cell in cells if cell.verdict is Verdict.WORSE]
        return [*red, *(["all cells together"] if _down(first) and _down(second) else [])]


def _down(found: Comparison) -> bool:
    return found.pooled is not None and found.pooled.high < 0


def _worse(found: Comparison) -> bool:
    return _down(found) or any(cell.verdict is Verdict.WORSE for cell in found.verdicts)


def campaign(runs: Runs) -> tuple[dict[str, list[str]], list[list[str]]]:
    """What is red of each planted fault, and of each comparison of unchanged code."""
    of = Campaign(runs)
    same = [
        of.red(HEALTHY, seeds, range(700 + 20 * i, 720 + 20 * i)) for i, seeds in enumerate(A_A)
    ]
    found = {fault: of.red(fault, range(300, 310), range(600, 620)) for fault in FAULTS}
    return found, same


def check(runs: Runs) -> None:
    found, same = campaign(runs)
    for fault, red in found.items():
        scoreboard.add(f"planted, {fault}", **{f"worse ({', '.join(red)})": len(red)})
    scoreboard.add("planted faults", planted=len(found), found=sum(map(bool, found.values())))
    scoreboard.add("unchanged code", comparisons=len(same), red=sum(map(bool, same)))
    assert all(found.values()), found
    assert not any(same), same


def test_planted_faults_are_found_in_recorded_scores() -> None:
    check(Runs())


@pytest.mark.gate
def test_planted_faults_are_found_in_runs(tmp_path: Path) -> None:
    runs = Runs(tmp_path / "runs.json", may_run=True)
    check(runs)
    scoreboard.add("runs on toy data", runs=len(runs.known))
