"""The command `selftest`, and where its result is shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.records.store import Store
from tests.support.ab_sessions import Processes, timed
from tests.support.pytest_project import glue_bench

Patch = pytest.MonkeyPatch


def test_the_noise_is_stored_and_shown(
    processes: Processes, capsys: Any, monkeypatch: Patch, tmp_path: Path
) -> None:
    code, printed, errors = glue_bench(capsys, monkeypatch, "selftest", "--processes", 12)
    assert code == 0
    assert len(processes.started) == 14
    assert processes.started[0][1][:3] == [
        "benchmarks/test_finetune.py",
        "-k",
        "sst2-toy-bert-cpu-fp32",
    ]
    assert "6 pairs take about" in errors
    assert "as long again" not in errors
    said = " ".join(printed.split())
    assert "sst2-toy-bert-cpu-fp32: two processes of the same code differ by 0." in said
    assert "false alarms: 0 of 8 labelings; 10 to 30 pairs find +5." in said
    assert "stored: results/local/selftest/" in said
    line = said.partition(" stored: ")[0]
    store = Store(tmp_path / "results" / "local")
    store.prepare()
    store.save(timed(), None)
    report = glue_bench(capsys, monkeypatch, "report", "results/local")[1]
    assert line.removesuffix(".") in " ".join(report.replace("\\", "").split())
    again = glue_bench(capsys, monkeypatch, "ab", "--a", ".", "--pairs", 6)[1]
    assert line in " ".join(again.split())


def test_a_project_without_the_usual_cell_runs_its_first_one(
    processes: Processes, capsys: Any, monkeypatch: Patch
) -> None:
    Path("pyproject.toml").write_text('[tool.glue-bench]\ntasks = "rte"\n')
    glue_bench(capsys, monkeypatch, "selftest", "--processes", 12)
    assert processes.started[0][1][2] == "rte-toy-bert-cpu-fp32"
    processes.started.clear()
    words = ("--", "--glue-models", "cnn")
    glue_bench(capsys, monkeypatch, "selftest", "--processes", 12, *words)
    assert processes.started[0][1][2] == "rte-cnn-cpu-fp32"


def test_a_machine_on_which_equal_code_looks_worse_exits_with_1(
    processes: Processes, capsys: Any, monkeypatch: Patch
) -> None:
    # Every third block has processes 2 and 3 slower: as if code differed.
    slow = [0.1, 0.13, 0.13, 0.1]
    processes.steps = {"a": [slow[0], slow[3]] * 3, "b": [slow[1], slow[2]] * 3}
    processes.steps = {side: [values[0], *values] for side, values in processes.steps.items()}
    assert glue_bench(capsys, monkeypatch, "selftest", "--processes", 12)[0] == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--processes", "13"), "--processes: found 13; expected a multiple of 4"),
        (("--processes", "8"), "greater than or equal to 12"),
        (("--tests", "nothing"), "--tests: 'nothing' is not here"),
    ],
)
def test_bad_input(
    words: tuple[str, ...], message: str, processes: Processes, capsys: Any, monkeypatch: Patch
) -> None:
    code, _, errors = glue_bench(capsys, monkeypatch, "selftest", *words)
    assert code == 2
    assert message in " ".join(errors.split())


def test_nothing_selected(processes: Processes, capsys: Any, monkeypatch: Patch) -> None:
    processes.lacks = {"a"}
    processes.ended = type(processes.ended)(5, "")
    assert glue_bench(capsys, monkeypatch, "selftest", "-k", "nothing")[0] == 4
