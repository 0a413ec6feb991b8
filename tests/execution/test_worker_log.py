"""What a worker prints, a learner's `print` in the training loop: shown live, or with a failure."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import harness
from harness.execution.engine import InlineEngine
from harness.execution.process import ProcessEngine
from harness.execution.worker_log import LONGEST_BYTES, WorkerLog, prefixed
from harness.spec import Case, DataRequest
from tests.support import printing_workers
from tests.support.builders import outcome
from tests.support.configs import resolved
from tests.support.engines import ANSWERS, FakeEngine
from tests.support.pytest_project import run

CONFIG = resolved(Case("rte", "toy-bert", "cpu-fp32", 42), DataRequest("toy", 8, 8), threads=1)


@pytest.fixture
def engine() -> Iterator[ProcessEngine]:
    made = ProcessEngine(timeout_s=60)
    made.start()
    yield made
    made.close()


@pytest.mark.cases
def test_a_print_is_heard_while_the_worker_still_runs(
    engine: ProcessEngine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(engine, "work", "tests.support.printing_workers:work")
    heard = []

    def echo(case_id: str, text: str) -> None:
        heard.append(text)
        (tmp_path / "go").touch()  # the worker waits for that

    engine.echo = echo
    config = dataclasses.replace(CONFIG, save_to=str(tmp_path / "go"))
    finished = engine.submit(config, lambda *step: None).result(60)
    assert "".join(heard) == finished.log == f"{printing_workers.FIRST}\n{printing_workers.LAST}"


@pytest.mark.cases
def test_the_last_print_of_a_worker_that_dies_is_kept(
    engine: ProcessEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ProcessEngine, "work", "tests.support.printing_workers:dying_work")
    heard: list[str] = []
    engine.echo = lambda case_id, text: heard.append(text)
    finished = engine.submit(CONFIG, lambda *step: None).result(60)
    assert finished.outcome.status == "crashed"
    assert finished.log == "".join(heard) == f"{printing_workers.FIRST}\n"


def test_an_inline_run_prints_by_itself() -> None:
    assert InlineEngine().echo is None


@pytest.mark.parametrize(
    ("args", "shown"),
    [
        (("-s",), "loss 0.69\n"),
        (("--capture=tee-sys",), "loss 0.69\n"),
        (("-s", "--glue-jobs", "2"), "[sst2-toy-bert-cpu-fp32-s42] loss 0.69\n"),
        ((), None),
        (("--capture=sys",), None),
    ],
)
@pytest.mark.cases
def test_dash_s_shows_what_workers_print(
    project: pytest.Pytester, engines: list[FakeEngine], args: tuple[str, ...], shown: str | None
) -> None:
    def answer(config: object) -> object:
        if echo := getattr(engines[0], "echo", None):
            echo("sst2-toy-bert-cpu-fp32-s42", "loss 0.69\n")
        return outcome(status="diverged", reason="nan")

    ANSWERS[0] = answer
    found = run(project, "-k", "sst2", *args)
    found.assert_outcomes(failed=2, deselected=16)
    assert ("loss 0.69" in found.stdout.str()) is (shown is not None)
    assert (shown or "") in found.stdout.str()
    told_afterwards = "what the worker printed" in found.stdout.str()
    assert told_afterwards is (shown is None)  # else it would stand there twice


def test_a_log_is_read_in_whole_characters() -> None:
    with contextlib.closing(WorkerLog()) as log:
        assert log.new_text() == ""
        content = "1 é\n2".encode()
        os.write(log.file.fileno(), content[:3])
        assert log.new_text() == "1 "
        os.write(log.file.fileno(), content[3:])
        assert log.new_text() == "é\n2"
        assert log.text() == "1 é\n2"
        os.write(log.file.fileno(), b"\xff")
        assert log.text() == "1 é\n2\ufffd"


def test_of_a_very_long_log_the_end_is_kept() -> None:
    with contextlib.closing(WorkerLog()) as log:
        os.write(log.file.fileno(), b"a" * 1000 + b"b" * LONGEST_BYTES)
        first, kept = log.text().split("\n")
        assert first == "(1,000 bytes before this are left out)"
        assert kept == "b" * LONGEST_BYTES
        assert len(log.new_text() + log.new_text()) == LONGEST_BYTES + 1000


def test_lines_of_several_runs_are_told_apart() -> None:
    assert prefixed("a\nb", "sst2") == "[sst2] a\n[sst2] b\n"


def test_harness_run_prints_what_its_run_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ProcessEngine, "work", "tests.support.printing_workers:dying_work")
    record = harness.run("rte", max_train=8, max_eval=8, results=tmp_path)
    assert record.status == "crashed"
    assert capsys.readouterr().out == f"{printing_workers.FIRST}\n"
