"""What pytest shows of a session with benchmark cases: harmless, whoever says it."""

from __future__ import annotations

import contextlib
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.errors import DataError, NotStored, WorkerCrashed
from harness.execution.engine import Finished
from harness.records.schema import ModelRecord, Outcome
from tests.support import tiny_models
from tests.support.builders import outcome
from tests.support.engines import ANSWERS, FakeEngine, died
from tests.support.pytest_project import run
from tests.support.terminal_texts import FORGED, TEXTS, glue_bench, unruly

TEXT = "x\x1b]0;t\x07\x1b[2J\x9b31m\r::error::y\n::error::z ##[error]a ##vso[b] \u202e\u2028::c::"
MODEL = ModelRecord(
    parameters=1, new_parameters=[TEXT], dtype=TEXT, notes=[TEXT], unused=[TEXT]
)  # fmt: skip


def failed(config: object) -> Outcome:
    return outcome(status="failed", reason=TEXT, score=None)


def noted(config: object) -> Outcome:
    return outcome(model=MODEL)


def crashed(config: object) -> Finished:
    return died(WorkerCrashed(TEXT), f"{TEXT}\n{FORGED}\n")


def refused(config: object) -> Outcome:
    raise DataError(TEXT)


def broken(config: object) -> Outcome:
    raise ValueError(TEXT)


def printed(config: object) -> Outcome:
    print(TEXT, FORGED, sep="\n")
    print(TEXT, file=sys.stderr)
    return failed(config)


def warned(config: object) -> Outcome:
    warnings.warn(TEXT, stacklevel=1)
    return outcome()


@pytest.mark.parametrize("arguments", [(), ("-s",), ("-vv", "-rA", "-l"), ("--tb=native", "-q")])
@pytest.mark.parametrize("answer", [failed, noted, crashed, refused, broken, printed, warned])
def test_what_runs_say(
    answer: Callable[[Any], Any],
    arguments: tuple[str, ...],
    project: pytest.Pytester,
    engines: list[FakeEngine],
    capsys: pytest.CaptureFixture[str],
) -> None:
    ANSWERS[0] = answer
    found = run(project, "-k", "sst2 and fp32", "-W", "default", *arguments)
    shown = f"{found.stdout.str()}\n{found.stderr.str()}"
    assert not unruly(shown)
    assert "\\x1b]0;t" in shown or answer is noted


def test_colours_stay(project: pytest.Pytester, engines: list[FakeEngine]) -> None:
    ANSWERS[0] = failed
    shown = run(project, "-k", "sst2 and fp32", "--color=yes").stdout.str()
    assert "\x1b[31m" in shown
    assert "\x1b]" not in shown
    assert "\x1b[2J" not in shown
    assert "\\x1b[2J" in shown


def test_a_foreign_session_is_left_alone(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_x(capsys): print('\\x1b[35mmine'); assert 0")
    assert "\x1b[35mmine" in pytester.runpytest_inprocess("-p", "no:cacheprovider").stdout.str()


@pytest.mark.parametrize("text", [TEXT, *TEXTS[:6]], ids=range(7))
def test_what_options_say(text: str, project: pytest.Pytester, engines: list[FakeEngine]) -> None:
    for option in ("--glue-models", "--glue-engine", "--glue-task-file", "--glue-data"):
        found = run(project, option, text)
        assert found.ret == pytest.ExitCode.USAGE_ERROR
        assert not unruly(f"{found.stdout.str()}\n{found.stderr.str()}")


def test_only_a_record_of_ours_can_be_imported(
    project: pytest.Pytester, engines: list[FakeEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object) -> None:
        raise NotStored(f"disk full {FORGED}", FORGED)

    monkeypatch.setattr("harness.records.store.Store.save", full)
    shown = run(project, "-k", "sst2 and fp32").stdout.str()
    assert unruly(shown) == ["import: a record"]


def test_what_a_worker_prints_is_harmless_in_parts() -> None:
    from harness.execution.worker_log import WorkerLog

    content = f"{TEXT}\n{FORGED}\n 5%\r10%\r\n::error::x\n".encode()
    told = ""
    with contextlib.closing(WorkerLog()) as log:
        for place in range(0, len(content), 7):
            os.write(log.file.fileno(), content[place : place + 7])
            told += log.new_text()
        assert not unruly(told)
        assert not unruly(log.text())
    assert " 5%\n10%\n" in told


def test_labels_of_a_model_are_harmless(tmp_path: Path) -> None:
    labels = [TEXT, FORGED, "::error::x", *TEXTS[:20]]
    whole = [label.encode(errors="replace").decode() for label in labels]
    folder = tiny_models.classifier(tmp_path / "m", "bert", whole)
    said = glue_bench("predict", str(folder), "the film")
    assert not said.error
    assert not unruly(f"{said.out}\n{said.err}")
