"""Two sides that take turns until it can be told which one is slower."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.compare import speed_cells, speed_measures, speed_store
from harness.compare.verdicts import Verdict
from harness.execution import ab
from harness.execution.ab_sides import SideName
from tests.support.ab_sessions import Processes

UNSTEADY = [0.1, 0.112, 0.09, 0.108, 0.094, 0.1]
VERY_UNSTEADY = [0.1, 0.13, 0.08, 0.12, 0.09, 0.11]
TREE = SideName(".")


def run(project: Path, **changed: object) -> tuple[ab.Result, list[str]]:
    """A comparison of 6 to 18 pairs, and what it said meanwhile."""
    said: list[str] = []
    request = {
        "a": TREE, "b": TREE, "project": project, "arguments": ["benchmarks", "-k", "sst2"],
        "results": project / "results", "effects": speed_measures.default_effects(0.05),
        "pairs": 6, "max_pairs": 18,
    }  # fmt: skip
    return ab.run(ab.Request(**request | changed), said.append), said


def stages(result: ab.Result) -> list[int]:
    """How many pairs each stage has."""
    found = [session.stage for session in result.sessions]
    return [found.count(stage) // 2 for stage in sorted(set(found))]


def verdict(result: ab.Result) -> Verdict:
    (cell,) = result.comparison.verdicts
    return cell.verdict


def test_a_steady_machine_needs_no_more_pairs(processes: Processes, tmp_path: Path) -> None:
    result, said = run(tmp_path)
    assert stages(result) == [6]
    assert any("; up to 18 are run while a cell cannot tell; " in line for line in said)


def test_more_pairs_are_run_until_it_can_be_told(processes: Processes, tmp_path: Path) -> None:
    processes.steps["b"] = [0.1, *UNSTEADY, 0.1]
    result, said = run(tmp_path)
    assert stages(result) == [18]
    assert verdict(result) is Verdict.NOT_WORSE
    assert "cannot tell after 6 pairs: sst2-toy-bert-cpu-fp32; running more" in said
    assert any(line.startswith("pair 7 of 12: ") for line in said)


def test_the_limit_ends_it(processes: Processes, tmp_path: Path) -> None:
    processes.steps["b"] = [0.1, *VERY_UNSTEADY * 3]
    result, said = run(tmp_path)
    assert stages(result) == [18]
    assert verdict(result) is Verdict.CANNOT_TELL
    assert not [line for line in said if line.startswith("cannot tell after 18")]


def test_a_repetition_has_more_pairs_too(processes: Processes, tmp_path: Path) -> None:
    processes.steps["b"] = [0.12] * 7 + [0.02 + step for step in VERY_UNSTEADY] + [0.12]
    result, _ = run(tmp_path)
    assert stages(result) == [6, 12]
    assert verdict(result) is Verdict.WORSE


def test_the_budget_ends_it(
    processes: Processes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ab, "time", SimpleNamespace(monotonic=processes.clock))
    processes.steps["b"] = [0.1, *VERY_UNSTEADY * 3]
    result, said = run(tmp_path, budget_s=20 + 2 * 200.0)
    assert stages(result) == [10]
    assert "stopped after 10 pairs: the budget allows no more" in said


def test_it_is_judged_again_at_the_level_of_its_looks(processes: Processes, tmp_path: Path) -> None:
    result, _ = run(tmp_path)
    info, sessions, _ = speed_store.load(result.folder)
    assert 0.001 < info.alpha < 0.005
    rule = info.effects, info.differing, info.alpha
    assert speed_cells.compare(sessions, *rule) == result.comparison
    alone, _ = run(tmp_path, max_pairs=6)
    assert speed_store.load(alone.folder)[0].alpha == 0.01
