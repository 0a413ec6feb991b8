"""Suites run only when they are named, by --glue-suite or by the path of their file."""

from __future__ import annotations

import dataclasses

import pytest

from benchmarks.peers import comparison
from benchmarks.peers.child import Job
from benchmarks.peers.figures import Measured
from tests.support.engines import FakeEngine
from tests.support.peer_runs import FakeProcesses
from tests.support.pytest_project import ARGS, run

PEERS = ("--glue-suite", "peers")
QUICK = (*PEERS, "--glue-pairs", "1")


@pytest.fixture
def processes(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> FakeProcesses:
    made = FakeProcesses()
    monkeypatch.setattr(comparison, "run_process", made)
    return made


def collected(project: pytest.Pytester, *args: str) -> list[str]:
    found = project.runpytest_inprocess(*ARGS, "--collect-only", "-q", *args)
    return [line for line in found.outlines if "::" in line]


def test_a_suite_is_not_run_unless_it_is_named(
    project: pytest.Pytester, processes: FakeProcesses
) -> None:
    for words in ([], ["-k", "sst2"], ["-k", "peers"]):
        assert not any("test_peers" in line for line in collected(project, "benchmarks", *words))


def test_a_suite_that_is_named_runs_alone(
    project: pytest.Pytester, processes: FakeProcesses
) -> None:
    project.makepyfile(**{"benchmarks/test_mine": "def test_mine():\n    pass\n"})
    expected = ["benchmarks/test_peers.py::test_peers[sst2-toy-bert-cpu-fp32]"]
    assert collected(project, "benchmarks", *PEERS) == expected
    assert collected(project, "benchmarks/test_peers.py") == expected
    assert collected(project, expected[0]) == expected
    assert len(collected(project, "benchmarks", "--glue-suite", "finetune")) == 18


def test_options_and_a_profile_decide_what_a_suite_runs(
    project: pytest.Pytester, processes: FakeProcesses
) -> None:
    named = collected(project, "benchmarks", *PEERS, "--glue-tasks", "rte,mrpc")
    assert [line.partition("[")[2] for line in named] == [
        "rte-toy-bert-cpu-fp32]",
        "mrpc-toy-bert-cpu-fp32]",
    ]
    assert len(collected(project, "benchmarks", *PEERS, "--glue-profile", "toy")) == 18


def test_an_unknown_suite_is_refused(project: pytest.Pytester, processes: FakeProcesses) -> None:
    found = run(project, "--glue-suite", "peer")
    assert found.ret == pytest.ExitCode.USAGE_ERROR
    found.stderr.fnmatch_lines(["*--glue-suite: unknown suite 'peer'. Did you mean 'peers'?*"])


def test_a_wrong_setting_of_the_project_is_reported(
    project: pytest.Pytester, processes: FakeProcesses
) -> None:
    project.makefile(".toml", pyproject="[tool.glue-bench]\npairs = 0\n")
    found = run(project)
    found.stdout.fnmatch_lines(["*pairs: found '0'; expected a whole number above zero*"])


def test_its_tables_end_the_session_and_a_file_is_stored(
    project: pytest.Pytester, processes: FakeProcesses
) -> None:
    found = run(project, *QUICK)
    found.assert_outcomes(passed=1)
    found.stdout.fnmatch_lines([
        "*peers: sst2-toy-bert-cpu-fp32: pair 1 of 1: *",
        "*= GLUE peers, in turns =*",
        "Training: sst2-toy-bert-cpu-fp32, recipe toy, 992 rows, 4 epochs",
        "Evaluation: sst2-toy-bert-cpu-fp32, recipe toy, 250 rows",
    ])  # fmt: skip
    assert len([*(project.path / "results" / "local" / "peers").iterdir()]) == 1


def test_a_folder_that_cannot_be_written_fails_before_any_work(
    project: pytest.Pytester, processes: FakeProcesses
) -> None:
    project.path.joinpath("results", "local").mkdir(parents=True)
    project.path.joinpath("results", "local", "peers").write_text("a file")
    found = run(project, *QUICK)
    found.assert_outcomes(failed=1)
    assert processes.jobs == []


def test_sides_that_did_not_do_the_same_fail(
    project: pytest.Pytester, processes: FakeProcesses
) -> None:
    def change(job: Job, run: Measured) -> Measured:
        is_peer = job.side == "run_glue"
        return dataclasses.replace(run, weights_sha256="00") if is_peer else run

    processes.change = change
    found = run(project, *QUICK)
    found.assert_outcomes(failed=1)
    found.stdout.fnmatch_lines(["*run_glue: did not start from the weights of glue-bench*"])


def test_without_accelerate_it_is_skipped_and_the_session_is_not_green(
    project: pytest.Pytester, processes: FakeProcesses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparison, "find_spec", lambda name: None)
    found = run(project, *QUICK, "-rs")
    found.assert_outcomes(skipped=1)
    found.stdout.fnmatch_lines(["*SKIPPED*Trainer needs accelerate. Fix: *"])
    assert found.ret == pytest.ExitCode.NO_TESTS_COLLECTED


def test_the_matrix_runs_as_before(
    project: pytest.Pytester, engines: list[FakeEngine], processes: FakeProcesses
) -> None:
    found = run(project, "-k", "sst2")
    found.assert_outcomes(passed=2, deselected=16)
    assert processes.jobs == []
