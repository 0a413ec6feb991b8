"""What a pytest session does with its cases: real sessions, whose engine trains nothing."""

from __future__ import annotations

import json
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from harness.errors import WorkerCrashed, WorkerTimeout
from harness.files.disk import write_file
from harness.records import journal
from harness.records.schema import Record
from harness.records.store import Store
from tests.support.builders import outcome
from tests.support.engines import ANSWERS, FakeEngine, died
from tests.support.printed_records import records_in
from tests.support.pytest_project import ARGS, glue_bench, run


def stored(project: pytest.Pytester) -> list[Any]:
    return Store(project.path / "results" / "local").load()


def test_exact_node_id(project: pytest.Pytester, engines: list[FakeEngine]) -> None:
    name = "benchmarks/test_finetune.py::test_finetune[sst2-toy-bert-cpu-fp32-s42]"
    found = project.runpytest_inprocess(name, *ARGS)
    found.assert_outcomes(passed=1)


def test_a_session_ends_with_a_table_and_where_things_are(
    project: pytest.Pytester, engines: list[FakeEngine]
) -> None:
    found = run(project, "-k", "sst2 or rte")
    found.assert_outcomes(passed=4, deselected=14)
    assert found.ret == 0
    found.stdout.fnmatch_lines([
        "glue-bench: profile toy, data toy, recipe each model's own",
        "  models toy-bert; targets cpu-fp32, cpu-bf16; seeds 42",
        "  4 of 18 cases, 1 at a time; results in results/local",
        "*= GLUE results =*",
        "Results on toy data (generated, no GLUE scores), toy-bert, recipe toy",
        "task  target    score  n  floor  train s  ex/s   MB  status",
        "sst2  cpu-fp32  90.00  1  50.00      3.0   213  400  ok",
        "Scores x 100 on toy data (generated, no GLUE scores)",
        "results: results/local (this session's runs: 4)",
        "report:  glue-bench report results/local",
    ])  # fmt: skip
    ours = found.outlines[
        next(i for i, line in enumerate(found.outlines) if "GLUE results" in line) :
    ]
    assert max(map(len, ours)) <= 80
    assert engines[0].closed


@pytest.mark.cases
def test_what_a_worker_noted_of_a_model_is_said_once_at_the_end(
    project: pytest.Pytester, engines: list[FakeEngine]
) -> None:
    model = outcome().model
    assert model is not None
    noted = outcome(model=model.model_copy(update={"notes": ["text is lower-cased, and so on"]}))
    ANSWERS[0] = lambda config: noted
    found = run(project, "-k", "sst2 or rte")
    said = [line for line in found.outlines if line.startswith("note on")]
    assert said == ["note on toy-bert: text is lower-cased, and so on"]


def test_the_record_is_on_disk_before_the_test_reports(
    project: pytest.Pytester, engines: list[FakeEngine]
) -> None:
    project.makepyfile(
        conftest="""
        from pathlib import Path
        pytest_plugins = ["harness.plugin"]
        def pytest_runtest_logreport(report):
            if report.when == "call":
                print("RECORDS", len(list(Path("results/local/runs").glob("*.json"))))
        """
    )
    found = run(project, "-k", "sst2", "-s")
    told = [line[line.index("RECORDS") :] for line in found.outlines if "RECORDS" in line]
    assert told == ["RECORDS 1", "RECORDS 2"]


def test_failures_are_told_without_a_traceback(
    project: pytest.Pytester, engines: list[FakeEngine]
) -> None:
    said = {
        "cola": outcome(status="diverged", reason="the loss is nan at step 3 of 9"),
        "sst2": died(WorkerCrashed("the worker was killed by SIGKILL"), "last words", 5 << 20),
        "mrpc": WorkerTimeout("stopped after 5 s. Fix: a longer --glue-timeout"),
        "stsb": outcome(status="failed", reason="x.tsv:3: found; expected; fix"),
        "qqp": outcome(status="oom", reason="MemoryError: no message"),
        "rte": outcome(score=0.5, flags=["at_floor"]),
    }
    ANSWERS[0] = lambda config: said.get(config.case.task, outcome())
    found = run(project, "-k", "fp32")
    found.assert_outcomes(passed=3, failed=6, deselected=9)
    assert found.ret == 1
    text = found.stdout.str()
    for words in (
        "diverged: the loss is nan", "crashed: the worker was killed by SIGKILL", "last words",
        "timeout: stopped after 5 s", "failed: x.tsv:3:", "oom: MemoryError",
        "ended at its floor: score 50.00", "what the worker printed",
    ):  # fmt: skip
        assert words in text
    assert "Traceback" not in text
    assert "harness/plugin.py" not in text
    crashed = next(record for record in stored(project) if record.status == "crashed")
    assert crashed.memory is not None
    assert crashed.memory.peak_memory_bytes == 5 << 20
    statuses = {record.case.task: record.status for record in stored(project)}
    assert statuses | {"x": ""} == {
        "cola": "diverged", "sst2": "crashed", "mrpc": "timeout", "stsb": "failed", "qqp": "oom",
        "rte": "ok", "mnli": "ok", "qnli": "ok", "wnli": "ok", "x": "",
    }  # fmt: skip


def test_what_the_profile_brought_is_skipped_and_what_the_user_named_fails(
    project: pytest.Pytester, engines: list[FakeEngine]
) -> None:
    lacking = outcome(status="skipped", reason="torch finds no cuda device")
    ANSWERS[0] = lambda config: lacking if "bf16" in config.case.target else outcome()
    found = run(project, "-k", "sst2", "-rs")
    found.assert_outcomes(passed=1, skipped=1, deselected=16)
    found.stdout.fnmatch_lines(["SKIPPED*torch finds no cuda device"])
    named = run(project, "-k", "sst2", "--glue-targets", "cpu-fp32,cpu-bf16")
    named.assert_outcomes(passed=1, failed=1, deselected=16)
    assert sorted(record.status for record in stored(project)) == ["failed", "ok", "ok", "skipped"]


def test_naming_a_model_does_not_name_its_targets(
    project: pytest.Pytester, engines: list[FakeEngine]
) -> None:
    lacking = outcome(status="skipped", reason="torch finds no cuda device")
    ANSWERS[0] = lambda config: lacking if "bf16" in config.case.target else outcome()
    found = run(project, "-k", "sst2", "--glue-models", "toy-bert")
    found.assert_outcomes(passed=1, skipped=1, deselected=16)


def test_a_model_that_is_not_installed(
    project: pytest.Pytester, engines: list[FakeEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    from harness.catalog import models

    monkeypatch.setattr(models.importlib.util, "find_spec", lambda name: None)
    found = run(project, "-k", "sst2 and fp32", "--glue-models", "minilm")
    found.assert_outcomes(failed=1, deselected=17)
    assert "pip install" in found.stdout.str()
    assert engines[0].submitted == []


def test_what_ran_ahead_is_kept_when_the_session_stops(
    project: pytest.Pytester, engines: list[FakeEngine]
) -> None:
    ANSWERS[0] = lambda config: (
        outcome(status="oom", reason="full") if config.case.task == "cola" else outcome()
    )
    found = run(project, "-x", "-k", "fp32", "--glue-jobs", "2")
    found.assert_outcomes(failed=1, deselected=9)
    assert [record.status for record in stored(project)] == ["oom", "ok"]


def test_what_ran_ahead_and_cannot_be_kept_is_printed(
    project: pytest.Pytester, engines: list[FakeEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(disk: object, path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("harness.records.store.write_file", full)
    found = run(project, "-x", "-k", "fp32", "--glue-jobs", "2")
    assert found.ret == 5
    lost = records_in("\n".join(found.outlines))
    assert [one.case.task for one in lost if isinstance(one, Record)] == ["cola", "sst2"]
    (session,), _ = journal.sessions(project.path / "results" / "local" / "journal")
    assert session.exit_status == 5


AFTER_THE_RUN = """
import signal
import pytest

@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    yield
    if call.when == "call":
        signal.raise_signal(signal.SIGINT)
"""


@pytest.mark.usefixtures("pythons_own_sigint")
def test_ctrl_c_in_a_hook_ends_the_session_and_loses_nothing(
    project: pytest.Pytester, engines: list[FakeEngine]
) -> None:
    project.makeconftest(AFTER_THE_RUN)
    found = project.runpytest_inprocess(
        "benchmarks", "-k", "sst2", *ARGS, "-W", "error", no_reraise_ctrlc=True
    )
    found.assert_outcomes(passed=1, deselected=16)
    assert found.ret == pytest.ExitCode.INTERRUPTED
    assert len(stored(project)) == 1


IMPATIENT = """
import signal

def pytest_keyboard_interrupt():
    signal.raise_signal(signal.SIGINT)

def pytest_sessionfinish():
    signal.raise_signal(signal.SIGINT)
"""


@pytest.mark.usefixtures("pythons_own_sigint")
def test_a_second_and_a_third_ctrl_c_do_not_cut_off_the_end(
    project: pytest.Pytester, engines: list[FakeEngine]
) -> None:
    project.makeconftest(AFTER_THE_RUN + IMPATIENT)
    found = project.runpytest_inprocess(
        "benchmarks", "-k", "sst2", *ARGS, "-W", "error", no_reraise_ctrlc=True
    )
    found.assert_outcomes(passed=1, deselected=16)
    assert found.ret == pytest.ExitCode.INTERRUPTED
    (session,), _ = journal.sessions(project.path / "results" / "local" / "journal")
    assert session.exit_status == 2


def test_a_run_that_ended_as_ctrl_c_struck_is_kept(
    project: pytest.Pytester, engines: list[FakeEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    def struck(futures: list[Future[Any]], **how: Any) -> None:
        assert all(future.done() for future in futures)
        raise KeyboardInterrupt

    monkeypatch.setattr("harness.execution.driver.wait", struck)
    found = project.runpytest_inprocess(
        "benchmarks", "-k", "sst2", *ARGS, "--glue-jobs", "2", no_reraise_ctrlc=True
    )
    assert found.ret == pytest.ExitCode.INTERRUPTED
    assert [record.status for record in stored(project)] == ["ok", "ok"]


def test_a_session_that_measured_nothing_is_not_green(
    project: pytest.Pytester, engines: list[FakeEngine]
) -> None:
    ANSWERS[0] = lambda config: outcome(status="skipped", reason="no such device")
    found = run(project, "-k", "sst2")
    assert found.ret == pytest.ExitCode.NO_TESTS_COLLECTED
    found.stdout.fnmatch_lines(["no run ended ok: nothing was measured*"])


def test_benchmark_json_has_the_workers_times_and_scores(
    project: pytest.Pytester, engines: list[FakeEngine]
) -> None:
    ANSWERS[0] = lambda config: (
        outcome() if config.case.target == "cpu-fp32" else outcome(status="oom", reason="full")
    )
    found = run(project, "-k", "sst2", "--benchmark-json=out.json")
    found.assert_outcomes(passed=1, failed=1, deselected=16)
    (case,) = json.loads((project.path / "out.json").read_text())["benchmarks"]
    assert case["stats"]["data"] == [1.0, 2.0]
    assert case["options"]["timer"] == "worker_clock"
    assert case["extra_info"]["score"] == 0.9
    assert case["extra_info"]["record"]


@pytest.mark.parametrize(
    ("flag", "passed", "skipped"),
    [("--benchmark-only", 2, 0), ("--benchmark-disable", 2, 0), ("--benchmark-skip", 0, 2)],
)
def test_pytest_benchmarks_own_switches(
    project: pytest.Pytester, engines: list[FakeEngine], flag: str, passed: int, skipped: int
) -> None:
    found = run(project, "-k", "sst2", flag)
    found.assert_outcomes(passed=passed, skipped=skipped, deselected=16)
    assert len(stored(project)) == passed


def test_maxfail_and_junit_keep_their_meaning(
    project: pytest.Pytester, engines: list[FakeEngine]
) -> None:
    ANSWERS[0] = lambda config: outcome(status="oom", reason="full")
    found = run(project, "-x", "--junitxml=junit.xml")
    found.assert_outcomes(failed=1)
    assert len(stored(project)) == 1
    assert 'failures="1"' in (project.path / "junit.xml").read_text()


def test_jobs_submits_ahead_and_keeps_order(
    project: pytest.Pytester, engines: list[FakeEngine]
) -> None:
    found = run(project, "-k", "sst2 or rte", "--glue-jobs", "2")
    found.assert_outcomes(passed=4, deselected=14)
    submitted = [config.case.id for config in engines[0].submitted]
    assert len(submitted) == len(set(submitted)) == 4
    assert {config.jobs for config in engines[0].submitted} == {2}


def test_a_results_folder_that_cannot_be_is_known_before_the_first_run(
    project: pytest.Pytester, engines: list[FakeEngine]
) -> None:
    (project.path / "results").mkdir()
    (project.path / "results" / "local").write_text("in the way")
    found = run(project, "-k", "sst2 and fp32")
    assert found.ret == pytest.ExitCode.USAGE_ERROR
    assert "could not write" in found.stderr.str() + found.stdout.str()
    assert engines[0].submitted == []
    assert Path("results/local").read_text() == "in the way"


def test_a_disk_that_fills_up_costs_no_result(
    project: pytest.Pytester,
    engines: list[FakeEngine],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def full(disk: object, path: Path, content: bytes) -> None:
        if path.suffix == ".json" and path.name.startswith("sst2"):
            raise OSError(28, "No space left on device")
        write_file(disk, path, content)

    monkeypatch.setattr("harness.records.store.write_file", full)
    found = run(project, "-k", "(sst2 or rte) and fp32")
    found.assert_outcomes(failed=1, passed=1, deselected=16)
    assert found.ret == 5
    assert [record.case.task for record in stored(project)] == ["rte"]
    said = " ".join(found.outlines)
    assert "No space left on device. Fix: make room, or choose another folder" in said
    monkeypatch.setattr("harness.records.store.write_file", write_file)
    (project.path / "log").write_text("\n".join(f"12:00:01 {line}" for line in found.outlines))
    for answer in ("stored", "was there already"):
        code, out, _ = glue_bench(capsys, monkeypatch, "import", "results/local", "log")
        assert (code, out) == (0, f"sst2-toy-bert-cpu-fp32-s42: {answer}\n")
    (back,) = [record for record in stored(project) if record.case.task == "sst2"]
    assert back.score == 0.9
    assert Store(project.path / "results" / "local").has_predictions(back)
