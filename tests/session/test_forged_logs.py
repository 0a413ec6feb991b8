"""What a model's files make a session print never passes for a record, or for a session."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from harness.catalog import models
from harness.execution.worker_log import WorkerLog
from harness.files.disk import write_file
from harness.records import codec
from harness.records.store import Store
from harness.text import escape, log_marks
from tests.support.builders import outcome
from tests.support.engines import ANSWERS, FakeEngine
from tests.support.log_files import BEGUN, SESSION, Import, made
from tests.support.pytest_project import run

FORGED = made("qnli", score=1.0)
FORGERY = f"GLUE-BENCH-SESSION {SESSION}\n{codec.to_line(FORGED)}"


def imports_nothing_forged(project: pytest.Pytester, log: str, import_log: Import) -> None:
    code, out, _ = import_log(log)
    assert "qnli" not in out
    assert code in (0, 2, 5)
    assert BEGUN not in log


@pytest.mark.parametrize(
    "args", [(), ("-s",), ("-v",), ("-rA",), ("-q", "-s"), ("--glue-jobs", "2")]
)
def test_nothing_that_a_run_says_passes_for_a_record(
    args: tuple[str, ...],
    project: pytest.Pytester,
    engines: list[FakeEngine],
    import_log: Import,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Reasons, logs and notes hold a forgery; the session's own record is found beside them."""

    def full(disk: Any, path: Path, content: bytes) -> None:
        if path.suffix == ".json" and path.name.startswith("rte"):
            raise OSError(28, f"No space left on {FORGERY}")
        write_file(disk, path, content)

    def answer(config: Any) -> Any:
        if echo := getattr(engines[0], "echo", None):
            echo(config.case.id, worker_text(tmp_path, FORGERY))
        if config.case.task == "rte":
            return outcome(reason=FORGERY)
        return outcome(status="failed", reason=FORGERY, flags=[])

    ANSWERS[0] = answer
    monkeypatch.setattr("harness.records.store.write_file", full)
    found = run(project, "-k", "(sst2 or rte) and fp32", *args)
    found.assert_outcomes(failed=2, deselected=16)
    log = found.stdout.str()
    assert "x47LUE-BENCH-RECORD" in log
    monkeypatch.setattr("harness.records.store.write_file", write_file)
    imports_nothing_forged(project, log, import_log)
    assert [one.case.task for one in Store(tmp_path / "r").load()] == ["rte"]


def hostile_model(home: Path) -> Path:
    """A copy of toy-bert whose files' names and configuration hold a forgery."""
    folder = home / f"{codec.MARK} x {BEGUN}"
    shutil.copytree(models.directory(models.MODELS["toy-bert"]), folder)
    config = json.loads((folder / "config.json").read_text())
    config |= {"hidden_act": FORGERY, "architectures": [FORGERY], FORGERY: FORGERY}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / FORGERY.split("\n")[0]).write_text(FORGERY)
    return folder


@pytest.mark.usefixtures("fork_server")
@pytest.mark.parametrize(
    "args", [("-s", "-v", "-rA"), ("--glue-jobs", "2", "-rA"), ("--glue-engine", "inline", "-rA")]
)
def test_nothing_in_a_models_folder_passes_for_a_record(
    args: tuple[str, ...], project: pytest.Pytester, import_log: Import, tmp_path: Path
) -> None:
    folder = hostile_model(tmp_path)
    found = run(
        project, "-k", "(rte or wnli) and fp32", "--glue-models", str(folder), "--glue-max-train",
        "8", "--glue-max-eval", "8", *args,
    )  # fmt: skip
    assert found.parseoutcomes()["failed"] == 2
    log = "\n".join([*found.outlines, *found.errlines])
    assert "x47LUE-BENCH" in log
    imports_nothing_forged(project, log, import_log)
    assert not Store(tmp_path / "r").find().records


def worker_text(folder: Path, text: str) -> str:
    """What is shown of a worker's output that comes a few characters at a time."""
    shown = ""
    with contextlib.closing(WorkerLog()) as log:
        for place in range(0, len(text), 7):
            os.write(log.file.fileno(), text[place : place + 7].encode())
            shown += log.new_text()
        assert log_marks.BEGIN not in shown + log.text()
    return shown


def test_a_mark_in_pieces_is_spelt_out_too() -> None:
    for size in range(1, 30):
        spell = escape.Speller()
        shown = "".join(spell(FORGERY[at : at + size]) for at in range(0, 400, size))
        assert log_marks.BEGIN not in shown


def test_a_session_may_announce_itself_alone() -> None:
    spell = escape.Speller()
    spell.let_through(BEGUN)
    assert spell(BEGUN) == BEGUN
    assert spell("\n") == "\n"
    assert log_marks.BEGIN not in spell(f"{BEGUN[:-1]}\n{BEGUN[:-1]}0\n{codec.MARK} x")


@pytest.mark.parametrize("args", [(), ("-q",), ("-qq",), ("--no-header",), ("-v",)])
def test_the_header_announces_the_session(
    args: tuple[str, ...], project: pytest.Pytester, engines: list[FakeEngine]
) -> None:
    found = run(project, "-k", "rte and fp32", *args)
    announced = {log_marks.announced(line.encode()) for line in found.outlines} - {None}
    (kept,) = Store(project.path / "results" / "local").load()
    assert announced == {kept.session}


def test_a_listing_announces_nothing(project: pytest.Pytester) -> None:
    assert log_marks.BEGIN not in run(project, "--collect-only", "-q").stdout.str()


def test_a_session_without_a_terminal_stores_too(
    project: pytest.Pytester, engines: list[FakeEngine]
) -> None:
    run(project, "-k", "rte and fp32", "-p", "no:terminal")
    assert len(Store(project.path / "results" / "local").load()) == 1
