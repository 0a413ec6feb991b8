from __future__ import annotations

from pathlib import Path

import pytest

from fakes import record
from harness import codec, tasks
from harness.spec import Case
from harness.store import Store
from sessions import glue_bench


@pytest.mark.parametrize(
    "kind", ["tasks", "models", "targets", "recipes", "profiles", "references"]
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
    made = [record(Case(task, "toy-bert", "cpu-fp32", 42)) for task in ("sst2", "rte", "cola")]
    taken = Store(tmp_path / "r").save(made[0].model_copy(update={"profile": "other"}))
    lines = [codec.to_line(one) for one in made]
    (tmp_path / "log").write_text("\n".join([lines[0], lines[1][:-9], f"> {lines[2]}"]))
    code, out, err = glue_bench(capsys, monkeypatch, "import", tmp_path / "r", tmp_path / "log")
    assert (code, out) == (5, "cola-toy-bert-cpu-fp32-s42: stored\n")
    assert "holds another record" in err
    assert "line 2: not a record" in err
    assert Store(tmp_path / "r").load() == [taken, made[2]]
    (tmp_path / "empty").write_text("nothing here")
    assert glue_bench(capsys, monkeypatch, "import", tmp_path, tmp_path / "empty")[0] == 2
    assert glue_bench(capsys, monkeypatch, "import", tmp_path, tmp_path / "none")[0] == 2
