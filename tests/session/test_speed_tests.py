"""Sessions with `--glue-ab`: a test per cell, one comparison for all of them."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import pytest

from harness.execution.other_code import Ended
from tests.support.ab_sessions import SST2, Processes
from tests.support.engines import FakeEngine
from tests.support.pytest_project import run

AB = ("--glue-ab", "option:recipe=toy", "--glue-targets", "cpu-fp32")
RTE = dataclasses.replace(SST2, task="rte")


@pytest.fixture
def processes(
    project: pytest.Pytester, engines: list[FakeEngine], monkeypatch: pytest.MonkeyPatch
) -> Processes:
    made = Processes([0.1], [0.1])
    monkeypatch.setattr("harness.execution.ab.time", SimpleNamespace(monotonic=made.clock))
    monkeypatch.setattr("harness.execution.other_code.run_session", made)
    return made


def test_there_are_no_tests_of_speed_without_a_side(
    project: pytest.Pytester, processes: Processes
) -> None:
    result = run(project, "-k", "sst2", "--collect-only", "-q")
    result.stdout.no_fnmatch_line("*test_speed*")


def test_all_cells_are_judged_by_one_comparison(
    project: pytest.Pytester, processes: Processes
) -> None:
    for side in "ab":
        processes.cases[side] = [SST2, RTE]
    result = run(project, "-k", "sst2 or rte", "--glue-seeds", "7,8", "--glue-epochs", "1", *AB)
    result.assert_outcomes(passed=4 + 2)
    assert len(processes.started) == 2 + 20
    checkout, words, _ = processes.started[0]
    assert checkout.folder == project.path
    assert words[:1] == ["benchmarks/test_finetune.py::test_finetune"]
    assert words[words.index("-m") + 1] == (
        "glue(task='rte', model='toy-bert', target='cpu-fp32', seed=7) or "
        "glue(task='sst2', model='toy-bert', target='cpu-fp32', seed=7)"
    )
    assert words[words.index("--glue-seeds") + 1] == "7,"
    assert words[words.index("--glue-epochs") + 1] == "1"
    assert "--glue-ab" not in words
    result.stdout.fnmatch_lines([
        "glue-ab: pair 10 of 10: *", "*GLUE speed, A and B in turns*",
        "A: option:recipe=toy; B: the working tree", "verdicts: 2 not worse",
    ])  # fmt: skip


def test_a_slower_cell_fails_and_one_that_cannot_be_told_is_skipped(
    project: pytest.Pytester, processes: Processes
) -> None:
    processes.steps["b"] = [0.12]
    result = run(project, "-k", "sst2", *AB)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*worse; step time, ms: * -> *, change +* in *"])
    processes.steps["b"] = [*[0.12] * 12, 0.1]
    result = run(project, "-k", "sst2", "-rs", *AB)
    result.assert_outcomes(passed=1, skipped=1)
    result.stdout.fnmatch_lines(["*cannot tell; *worse at first*"])
    for policy, failed in (("strict", 1), ("report", 0)):
        processes.steps["b"] = [*[0.12] * 12, 0.1]
        result = run(project, "-k", "sst2", *AB, "--glue-policy", policy)
        result.assert_outcomes(passed=1, failed=failed, skipped=1 - failed)


def test_an_error_of_the_comparison_fails_every_cell_once(
    project: pytest.Pytester, processes: Processes
) -> None:
    processes.lacks, processes.ended = {"a"}, Ended(1, "SyntaxError")
    result = run(project, "-k", "sst2 or rte", *AB)
    result.assert_outcomes(passed=2, failed=2)
    assert len(processes.started) == 1
    result.stdout.fnmatch_lines(["side A, option:recipe=toy: ran no case*"])


def test_a_cell_that_no_side_ran_cannot_be_compared(
    project: pytest.Pytester, processes: Processes
) -> None:
    result = run(project, "-k", "sst2 or rte", *AB)
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(["*incomparable; no session of the two sides ran it*"])


def test_a_session_that_compared_nothing_does_not_pass(
    project: pytest.Pytester, processes: Processes
) -> None:
    (project.path / "benchmarks" / "test_speed.py").unlink()
    result = run(project, "-k", "sst2", *AB)
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED
    result.stdout.fnmatch_lines(["--glue-ab: no test of speed was selected*"])


def test_the_budget_is_an_option(project: pytest.Pytester, processes: Processes) -> None:
    result = run(project, "-k", "sst2", *AB, "--glue-ab-budget", "soon")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--glue-ab-budget: found 'soon'; expected a time*"])
    result = run(project, "-k", "sst2", *AB, "--glue-ab-budget", "10h")
    result.assert_outcomes(passed=2)
    processes.seconds = 30.0
    result = run(project, "-k", "sst2", *AB, "--glue-ab-budget", "9m")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["--glue-ab-budget 9m: 6 pairs * Fix: --glue-ab-budget 13m or*"])
