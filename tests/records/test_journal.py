"""What a session planned, began and ended, and what `glue-bench status` makes of it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.errors import StorageError
from harness.files.disk import Disk
from harness.records import journal, sessions
from harness.records.journal import Journal
from harness.records.store import Store
from harness.spec import Case
from tests.support.builders import outcome, record
from tests.support.engines import ANSWERS, FakeEngine
from tests.support.pytest_project import glue_bench, run

CASES = [Case("rte", "toy-bert", target, 42) for target in ("cpu-fp32", "cpu-bf16")]
NOW = "2026-01-02T03:04:05+00:00"
FP32, BF16 = (case.id for case in CASES)


def begun(folder: Path, max_train: int | None = None) -> Journal:
    """A journal of two planned cases, the first of which has begun."""
    made = Journal(folder / "journal")
    made.note("planned", cases=[FP32, BF16], settings={"data": "toy", "max_train": max_train})
    made.note("started", case=FP32)
    return made


def test_every_event_is_on_disk_when_it_is_noted(tmp_path: Path) -> None:
    made = begun(tmp_path)
    ((session,), _) = journal.sessions(tmp_path / "journal")
    assert (session.planned, session.started) == ([FP32, BF16], [FP32])
    assert session.is_running
    assert session.cut_off == []
    made.close()
    ((session,), _) = journal.sessions(tmp_path / "journal")
    assert not session.is_running
    assert (session.cut_off, session.never_began) == ([FP32], [BF16])


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_a_torn_line_takes_no_other_along(tmp_path: Path, cut: int) -> None:
    made = begun(tmp_path)
    made.close()
    content = made.path.read_bytes()
    again = journal.to_line({"event": "started", "time": NOW, "case": BF16})
    made.path.write_bytes(content[:-cut] + again)
    session = journal.read(made.path)
    assert session.started[-1] == BF16
    assert len(session.damaged) == (cut > 1)  # a line's own end may be missing


@pytest.mark.parametrize(
    "line", [b"[1]", b"{", b'{"crc32": 1, "event": []}', b"[" * 100_000, b"\xff", b'{"event": 1}']
)
def test_a_foreign_line_is_numbered(tmp_path: Path, line: bytes) -> None:
    made = begun(tmp_path)
    made.close()
    with made.path.open("ab") as file:
        file.write(line + b"\n")
    session = journal.read(made.path)
    assert [*session.damaged] == [5]
    assert session.started == [FP32]


def test_an_event_that_was_changed_is_not_believed(tmp_path: Path) -> None:
    made = begun(tmp_path)
    made.close()
    made.path.write_bytes(made.path.read_bytes().replace(b'"case": "rte', b'"case": "sst'))
    assert journal.read(made.path).damaged.keys() == {4}


def test_a_session_writes_what_became_of_each_case(
    project: pytest.Pytester, engines: list[FakeEngine], capsys: Any, monkeypatch: Any
) -> None:
    answers = {
        "cpu-fp32": outcome(),
        "cpu-bf16": outcome(status="skipped", reason="no bf16 " + 9 * "at all "),
    }
    ANSWERS[0] = lambda config: answers[config.case.target]
    run(project, "-k", "rte").assert_outcomes(passed=1, skipped=1, deselected=16)
    folder = project.path / "results" / "local"
    (path,) = (folder / "journal").iterdir()
    events = [json.loads(line)["event"] for line in path.read_text().split("\n") if line]
    assert [(event["event"], event.get("case")) for event in events] == [
        ("planned", None),
        ("started", FP32), ("finished", FP32), ("tested", FP32),
        ("started", BF16), ("skipped", BF16), ("tested", BF16),
        ("ended", None),
    ]  # fmt: skip
    assert events[0]["cases"] == [FP32, BF16]
    assert events[-1]["exit_status"] == 0
    assert [event["outcome"] for event in events if "outcome" in event] == ["passed", "skipped"]
    assert {record.session for record in Store(folder).load()} == {path.stem}
    code, out, _ = glue_bench(capsys, monkeypatch, "status", folder)
    assert code == 0
    assert max(map(len, out.splitlines())) <= 80
    assert out.splitlines()[3].split()[1:] == ["2", "1", "0", "1", "0", "0", "ended,", "exit", "0"]
    assert f"{BF16}: skipped: no bf16 at all" in out


def test_status_says_what_was_cut_off_until_it_is_done(
    tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = begun(tmp_path)
    running = glue_bench(capsys, monkeypatch, "status", tmp_path)[1]
    assert running.rstrip().endswith("running")
    assert "not finished, or failed" not in running
    made.close()
    out = glue_bench(capsys, monkeypatch, "status", tmp_path)[1]
    assert "not finished, or failed: 2" in out
    assert f"{FP32}: cut off" in out
    assert f"{BF16}: never began" in out
    monkeypatch.setattr("harness.commands.status.MOST_SHOWN", 1)
    cut = glue_bench(capsys, monkeypatch, "status", tmp_path)[1]
    assert f"{FP32}: cut off\n  ... and 1 more" in cut
    later = begun(tmp_path)
    later.note("finished", case=FP32, record="x", status="ok")
    later.note("reused", case=BF16, record="y")
    later.close()
    assert "not finished, or failed" not in glue_bench(capsys, monkeypatch, "status", tmp_path)[1]


def test_status_counts_the_seeds_that_the_gate_added(
    tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = begun(tmp_path)
    for case in (FP32, BF16, f"{FP32}0", f"{FP32}1"):
        made.note("finished", case=case, record="x", status="ok")
    made.close()
    out = glue_bench(capsys, monkeypatch, "status", tmp_path)[1]
    assert out.splitlines()[3].split()[1:3] == ["2+2", "4"]


@pytest.mark.cases
def test_status_says_interrupted_after_ctrl_c(
    tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = begun(tmp_path)
    made.note("ended", exit_status=2)
    made.close()
    out = glue_bench(capsys, monkeypatch, "status", tmp_path)[1]
    assert out.splitlines()[3].endswith(" interrupted")


def test_a_case_is_the_same_only_under_the_same_settings(tmp_path: Path) -> None:
    begun(tmp_path).close()
    later = begun(tmp_path, max_train=100)
    later.note("finished", case=FP32, record="x", status="ok")
    later.note("finished", case=BF16, record="y", status="ok")
    later.close()
    assert sessions.read(tmp_path).open_cases == {FP32: "cut off", BF16: "never began"}


def test_what_once_ended_well_is_not_open_again(tmp_path: Path) -> None:
    for ended in ("ok", "failed"):
        made = begun(tmp_path)
        made.note("finished", case=FP32, record="x", status=ended)
        made.note("finished", case=BF16, record="y", status=ended)
        made.close()
    assert sessions.read(tmp_path).open_cases == {}


def test_a_skip_whose_journal_was_cut_off_is_a_skip(tmp_path: Path) -> None:
    made = begun(tmp_path)
    made.close()
    skipped = record(CASES[0], status="skipped", reason="no bf16")
    Store(tmp_path).save(skipped.model_copy(update={"session": made.session}))
    assert sessions.read(tmp_path).open_cases[FP32] == "skipped: no bf16"


def test_a_record_counts_though_its_journal_was_cut_off(tmp_path: Path) -> None:
    made = begun(tmp_path)
    made.close()
    Store(tmp_path).save(record(CASES[0]).model_copy(update={"session": made.session}))
    assert sessions.read(tmp_path).open_cases == {BF16: "never began"}


def test_a_failed_test_is_told_though_its_run_is_ok(tmp_path: Path) -> None:
    made = begun(tmp_path)
    made.note("finished", case=FP32, record="x", status="ok")
    made.note("tested", case=FP32, outcome="failed")
    made.close()
    assert sessions.read(tmp_path).open_cases[FP32] == "its run is ok, its test failed"


def test_status_names_what_it_could_not_read(
    tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = begun(tmp_path)
    made.close()
    with made.path.open("ab") as file:
        file.write(b"{\n")
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "x.json").write_text("{")
    code, out, err = glue_bench(capsys, monkeypatch, "status", tmp_path)
    assert code == 5
    assert "line 5: found an event that is torn" in err
    assert "x.json: not a record" in err
    assert FP32 in out
    (tmp_path / "journal" / "x.jsonl").mkdir()
    code, out, err = glue_bench(capsys, monkeypatch, "status", tmp_path)
    assert (code, FP32 in out, "x.jsonl: cannot be read" in err) == (5, True, True)
    assert glue_bench(capsys, monkeypatch, "status", tmp_path / "none")[0] == 2
    (tmp_path / "empty").mkdir()
    assert glue_bench(capsys, monkeypatch, "status", tmp_path / "empty")[0] == 4


@pytest.mark.parametrize("event", ["started", "ended"])
def test_a_journal_that_fails_costs_no_run_and_is_told_once(
    project: pytest.Pytester,
    engines: list[FakeEngine],
    monkeypatch: pytest.MonkeyPatch,
    event: str,
) -> None:
    write = Disk.write

    def fails(disk: Disk, descriptor: int, content: bytes) -> int:
        if f'"event": "{event}"'.encode() in content:
            raise OSError(5, "Input/output error")
        return write(disk, descriptor, content)

    monkeypatch.setattr(Disk, "write", fails)
    found = run(project, "-k", "rte and fp32")
    found.assert_outcomes(passed=1, deselected=17)
    assert found.ret == 5
    said = " ".join(found.outlines)
    assert said.count(f"could not write the event {event}: Input/output error") == 1
    assert len(Store(project.path / "results" / "local").load()) == 1


def test_a_session_killed_in_mid_case_is_told_from_one_that_runs(tmp_path: Path) -> None:
    program = (
        "import sys, os, signal; from pathlib import Path\n"
        "from harness.records.journal import Journal\n"
        "made = Journal(Path(sys.argv[1]))\n"
        "made.note('planned', cases=['a', 'b'], settings={})\n"
        "made.note('started', case='a')\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        ((session,), _) = journal.sessions(tmp_path)
        assert session.is_running
        child.communicate("\n")
    ((session,), _) = journal.sessions(tmp_path)
    assert (session.is_running, session.cut_off, session.never_began) == (False, ["a"], ["b"])


def test_a_folder_that_takes_no_journal_is_known_before_the_first_case(
    project: pytest.Pytester, engines: list[FakeEngine]
) -> None:
    (project.path / "results" / "local").mkdir(parents=True)
    (project.path / "results" / "local" / "journal").write_text("in the way")
    found = run(project, "-k", "rte")
    assert found.ret == pytest.ExitCode.USAGE_ERROR
    assert engines[0].submitted == []


def test_a_journal_refuses_what_is_no_json(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        begun(tmp_path).note("ended", exit_status=float("nan"))
    with pytest.raises(StorageError, match="cannot be read"):
        journal.read(tmp_path / "none.jsonl")
