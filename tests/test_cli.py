from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.catalog import tasks
from harness.records import codec
from harness.records.store import Store
from harness.spec import Case
from harness.text import log_marks
from tests.support.builders import record
from tests.support.locations import ROOT
from tests.support.pytest_project import glue_bench

SESSION = "20260102T030405-1a2b3c4d"


@pytest.mark.parametrize(
    "kind", ["tasks", "models", "targets", "recipes", "profiles", "speedups", "references"]
)
def test_lists(kind: str, capsys, monkeypatch) -> None:
    code, out, _ = glue_bench(capsys, monkeypatch, "list", kind)
    assert code == 0
    assert max(map(len, out.splitlines())) <= 80
    if kind == "tasks":
        assert [line.split()[0] for line in out.splitlines()[2:]] == list(tasks.TASKS)


def test_report_of_nothing_says_so(tmp_path: Path, capsys, monkeypatch) -> None:
    assert glue_bench(capsys, monkeypatch, "report", str(tmp_path / "none"))[0] == 2
    code, _, err = glue_bench(capsys, monkeypatch, "report", str(tmp_path))
    assert code == 4
    assert "holds no run" in err


def test_a_damaged_record_is_one_line_and_exit_5(tmp_path: Path, capsys, monkeypatch) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "x.json").write_text("{")
    code, _, err = glue_bench(capsys, monkeypatch, "report", str(tmp_path))
    assert code == 5
    assert err.startswith("glue-bench: ")
    assert "x.json: not a record" in err


def test_import_stores_all_that_it_can(tmp_path: Path, capsys, monkeypatch) -> None:
    made = [
        record(Case(task, "toy-bert", "cpu-fp32", 42)).model_copy(update={"session": SESSION})
        for task in ("sst2", "rte", "cola")
    ]
    taken = Store(tmp_path / "r").save(made[0].model_copy(update={"threads": 1}))
    lines = [codec.to_line(one) for one in made]
    begun = log_marks.announcement(SESSION)
    (tmp_path / "log").write_text("\n".join([begun, lines[0], lines[1][:-9], f"> {lines[2]}"]))
    code, out, err = glue_bench(capsys, monkeypatch, "import", tmp_path / "r", tmp_path / "log")
    assert (code, out) == (5, "cola-toy-bert-cpu-fp32-s42: stored\n")
    assert "holds another record" in err
    assert "line 3: not a record" in err
    assert Store(tmp_path / "r").load() == [taken, made[2]]
    (tmp_path / "empty").write_text("nothing here")
    assert glue_bench(capsys, monkeypatch, "import", tmp_path, tmp_path / "empty")[0] == 2
    assert glue_bench(capsys, monkeypatch, "import", tmp_path, tmp_path / "none")[0] == 2


@pytest.mark.cases
def test_ctrl_c_while_it_is_imported_is_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text("raise KeyboardInterrupt\n")
    found = subprocess.run(
        [sys.executable, "-m", "harness", "list"],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (found.returncode, found.stdout, found.stderr) == (130, "", "")
