"""The command `ab`: what it prints, its exit codes, and input that it refuses."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from harness.commands import ab
from harness.errors import UsageError
from tests.support.ab_sessions import Processes
from tests.support.pytest_project import glue_bench

Patch = pytest.MonkeyPatch


def test_the_same_code_twice(processes: Processes, capsys: Any, monkeypatch: Patch) -> None:
    words = ("ab", "--a", ".", "-k", "sst2", "--pairs", 6)
    code, printed, errors = glue_bench(capsys, monkeypatch, *words)
    assert code == 0
    assert printed.startswith("A: the working tree; B: the working tree; 12 processes in ")
    assert printed.endswith("verdicts: 1 not worse\n")
    assert "pair 6 of 6" in errors
    folder = re.search(r"glue-bench ab --stored (\S+)", errors)
    assert folder is not None
    code, again, _ = glue_bench(capsys, monkeypatch, "ab", "--stored", folder[1])
    assert (code, again.partition("\n")[2]) == (0, printed.partition("\n")[2])
    markdown = glue_bench(capsys, monkeypatch, "ab", "--stored", folder[1], "--format", "markdown")[
        1
    ]
    assert "| sst2-toy-bert-cpu-fp32 |" in markdown


@pytest.mark.parametrize(
    ("b", "more", "code"),
    [
        ([0.12], (), 1),
        ([0.12], ("--fail-on", "step_time:+50%"), 0),
        ([0.104], (), 0),
        ([0.104], ("--pinned",), 1),
        ([*[0.12] * 7, 0.1], (), 0),  # it cannot tell
        ([*[0.12] * 7, 0.1], ("--policy", "strict"), 3),
        ([0.12], ("--policy", "report"), 0),
    ],
)
def test_what_counts(
    b: list[float], more: tuple[str, ...], code: int, processes: Processes, capsys: Any,
    monkeypatch: Patch,
) -> None:  # fmt: skip
    processes.steps["b"] = b
    words = ("ab", "--a", ".", "--b", "option:recipe=toy", "--pairs", 6, *more)
    assert glue_bench(capsys, monkeypatch, *words)[0] == code


def test_a_stored_red_result_that_was_not_repeated_is_not_worse(
    processes: Processes, capsys: Any, monkeypatch: Patch, tmp_path: Path
) -> None:
    words = ("ab", "--a", ".", "--pairs", 6, "--results", tmp_path / "r")
    processes.steps["b"] = [0.104]
    assert glue_bench(capsys, monkeypatch, *words)[0] == 0
    (folder,) = (tmp_path / "r" / "ab").iterdir()
    again = ("ab", "--stored", folder, "--pinned")
    code, printed, _ = glue_bench(capsys, monkeypatch, *again)
    assert code == 0
    assert "worse, and it was not repeated" in printed
    assert "warning: 1 cannot tell: the policy normal lets them pass" in printed
    assert glue_bench(capsys, monkeypatch, *again, "--policy", "strict")[0] == 3


def test_nothing_selected(processes: Processes, capsys: Any, monkeypatch: Patch) -> None:
    processes.lacks = {"a"}
    processes.ended = type(processes.ended)(5, "")
    code, _, errors = glue_bench(capsys, monkeypatch, "ab", "--a", ".")
    assert code == 4
    assert "side A, the working tree: nothing was selected" in errors


def test_a_ctrl_c(processes: Processes, capsys: Any, monkeypatch: Patch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("harness.execution.other_code.run_session", interrupted)
    code, _, errors = glue_bench(capsys, monkeypatch, "ab", "--a", ".")
    assert code == 130
    assert "nothing was judged" in errors


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "--a: missing; expected a branch"),
        (("--a", "nope"), "no such commit, branch or tag"),
        (("--a", ".", "--tests", "nothing"), "--tests: 'nothing' is not here"),
        (("--a", ".", "--budget", "soon"), "--budget: found 'soon'; expected a time"),
        (("--a", ".", "--fail-on", "step_time:5"), "such as step_time:+5%"),
        (("--a", ".", "--pairs", "4"), "'--pairs': Input should be greater than or equal to 5"),
        (("--a", ".", "--", "--glue-epoch", "1"), "Did you mean --glue-epochs?"),
        (("--a", ".", "--max-pairs", "8"), "--max-pairs: found 8; expected 10 (--pairs) or more"),
        (("--stored", "nowhere"), "found no comparison.json"),
    ],
)
def test_bad_input(
    words: tuple[str, ...], message: str, processes: Processes, capsys: Any, monkeypatch: Patch
) -> None:
    code, _, errors = glue_bench(capsys, monkeypatch, "ab", *words)
    assert code == 2
    assert message in " ".join(errors.split())
    assert processes.started == []


@pytest.mark.parametrize(
    ("files", "fix"),
    [
        ({"test_mine.py": "glue_case", "test_other.py": "x, glue_cases"}, "mine"),
        ({"test_mine.py": "glue_case", "test_other.py": "x, glue_case"}, ""),
        ({"test_mine.py": "x", "conftest.py": "glue_case"}, ""),
    ],
)
def test_a_project_whose_tests_have_another_name(
    files: dict[str, str], fix: str, processes: Processes, tmp_path: Path, capsys: Any,
    monkeypatch: Patch,
) -> None:  # fmt: skip
    (tmp_path / "benchmarks" / "test_finetune.py").unlink()
    for name, takes in files.items():
        (tmp_path / "benchmarks" / name).write_text(f"def test_it({takes}):\n    pass\n")
    code, _, errors = glue_bench(capsys, monkeypatch, "ab", "--a", ".")
    assert code == 2
    named = "Fix: --tests benchmarks/test_mine.py, which uses glue_case"
    other = "Fix: name it, or run this in the project's folder"
    assert (named if fix else other) in " ".join(errors.split())
    assert processes.started == []


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("15m", 900), ("1h30m", 5400), ("2m5s", 125)]
)
def test_a_time(text: str, seconds: float) -> None:
    assert ab.seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "0s", "-5m", "1.5h", "9999h", "1s5"])
def test_no_time(text: str) -> None:
    with pytest.raises(UsageError, match="--budget"):
        ab.seconds(text)
