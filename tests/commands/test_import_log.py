"""`glue-bench import`: logs as they come, damaged and forged ones; all that can be stored is."""

from __future__ import annotations

import gzip
import io
import json
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.errors import NotStored, StorageError, UsageError
from harness.records import codec, limits, logs, store
from harness.records.schema import Record
from harness.records.store import Store
from harness.text import escape, log_marks
from tests.support import special_paths
from tests.support.builders import outcome
from tests.support.engines import ANSWERS, FakeEngine
from tests.support.log_files import BEGUN, Import, made, raw_line
from tests.support.pytest_project import glue_bench, run


def around(log: str, before: str, after: str = "") -> bytes:
    """A log with something before and after each line."""
    return "".join(f"{before}{line}{after}\n" for line in log.split("\n")).encode()


@pytest.mark.parametrize(
    "written",
    [
        lambda log: log.replace("\n", "\r\n").encode(),
        lambda log: b"\xef\xbb\xbf" + log.encode(),
        lambda log: log.encode("utf-16"),
        lambda log: log.encode("utf-16-le"),
        lambda log: log.encode("utf-16-be"),
        lambda log: around(log, "2026-01-02T03:04:05.1234567Z "),
        lambda log: around(log, "\x1b[36;1m", "\x1b[0m"),
        lambda log: around(log, "[build] | "),
        lambda log: b"\xff\x00\xfe binary\n" + log.encode() + b"\n\x00\x00\xff",
        lambda log: b"x" * 3_000_000 + b"\n" + log.encode(),
    ],
    ids=["CRLF", "BOM", "UTF-16", "UTF-16LE", "UTF-16BE", "times", "colours", "prefix", "binary",
         "a long line"],
)  # fmt: skip
def test_logs_as_ci_delivers_them(
    written: Callable[[str], bytes], import_log: Import, tmp_path: Path
) -> None:
    first, second = made("rte"), made("cola")
    log = f"{BEGUN}\nsome text\n{codec.to_line(first)} {codec.to_line(second)}\nmore text"
    assert import_log(written(log))[0] == 0
    assert sorted(one.case.task for one in Store(tmp_path / "r").load()) == ["cola", "rte"]
    assert {one.id for one in Store(tmp_path / "r").load()} == {first.id, second.id}


NESTED = '{"a":' * 3000 + "1" + "}" * 3000
BAD = {
    "an id that leaves the folder": raw_line(id="/../../x"),
    "an id of dots": raw_line(id=".." * 16),
    "a short id": raw_line(id="0"),
    "an id in capitals": raw_line(id="A" * 32),
    "an id with a line end": raw_line(id="a" * 32 + "\n"),
    "an id with NUL": raw_line(id="a" * 31 + "\0"),
    "a reason that is too large": raw_line(reason="x" * 17_000_000),
    "a lone surrogate": raw_line(reason="\ud800"),
    "a lone surrogate in the recipe": raw_line(recipe={"name": "\udfff"}),
    "deep nesting": raw_line().replace('"identity": {}', f'"identity": {NESTED}'),
    "deep nesting, sealed": raw_line(identity=json.loads('{"a":' * 500 + "1" + "}" * 500)),
    "a number without end": raw_line().replace('"seed": 42', f'"seed": {"9" * 5000}'),
    "another schema": raw_line(schema=99),
    "no object": f"{codec.MARK} []",
    "nothing": codec.MARK,
    "cut": codec.to_line(made())[:200],
    "one bit": codec.to_line(made()).replace("0.9", "0.8"),
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_line_is_told_and_the_others_are_stored(
    what: str, import_log: Import, tmp_path: Path
) -> None:
    before, after = made("rte"), made("cola")
    log = "\n".join([BEGUN, codec.to_line(before), BAD[what], codec.to_line(after)])
    code, out, err = import_log(log)
    if what == "deep nesting, sealed" and code == 0:
        assert len(Store(tmp_path / "r").load()) == 3  # it can be read again, so it may be stored
        return
    assert code == 5
    assert out.splitlines() == [
        "rte-toy-bert-cpu-fp32-s42: stored", "cola-toy-bert-cpu-fp32-s42: stored",
    ]  # fmt: skip
    assert err.startswith("glue-bench: ")
    assert len(err.splitlines()) == 1
    assert len(err) < 1000
    assert "line 3" in err or "rte-toy-bert" in err
    assert (err.count(". Fix: "), err.count("Fix: ")) == (1, 1)
    assert {one.id for one in Store(tmp_path / "r").load()} == {before.id, after.id}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log", "r"]


def test_only_what_a_session_announced_is_stored(import_log: Import, tmp_path: Path) -> None:
    known, other, none = made(), made("cola", session="x"), made("sst2", session=None)
    late = made("mrpc", session="20260102T030405-ffffffff")
    lines = [codec.to_line(one) for one in (known, other, none, late)]
    log = "\n".join([BEGUN, *lines, log_marks.announcement(str(late.session))])
    code, out, err = import_log(log)
    assert (code, out) == (5, "rte-toy-bert-cpu-fp32-s42: stored\n")
    assert [line.split(":")[1].strip() for line in err.splitlines()] == [
        "line 3", "line 4", "line 5",
    ]  # fmt: skip
    assert err.count("--unannounced") == 3
    code, out, _ = import_log(log, "--unannounced")
    assert code == 0
    assert out.count(": stored\n") == 3
    assert len(Store(tmp_path / "r").load()) == 4


@pytest.mark.parametrize(
    "line",
    [
        f"{BEGUN} and more",
        BEGUN[:-1],
        BEGUN + "0",
        f"{BEGUN} {codec.MARK} {{}}",
        escape.harmless(BEGUN),
        BEGUN.lower(),
        codec.to_line(made(reason=BEGUN)),
        raw_line(reason=BEGUN),
    ],
)
def test_what_is_no_announcement(line: str) -> None:
    assert log_marks.announced(line.encode()) is None


def test_an_id_that_another_run_has_is_refused(import_log: Import, tmp_path: Path) -> None:
    mine = Store(tmp_path / "r").save(made())
    for forged in (made("cola", id=mine.id), made(id=mine.id, threads=1)):
        code, out, err = import_log(f"{BEGUN}\n{codec.to_line(forged)}")
        assert (code, out) == (5, "")
        assert "and was not changed" in err
    assert Store(tmp_path / "r").load() == [mine]


def test_a_store_writes_nothing_outside(tmp_path: Path) -> None:
    store = Store(tmp_path / "r")
    evil = made(id="/../../../x")
    for act in (store.take, store.save):
        with pytest.raises(StorageError, match="not stored"):
            act(evil)
    with pytest.raises(StorageError, match="not written"):
        store._write(store.runs / "../../x.json", b"", made())
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_log_is_read_a_piece_at_a_time() -> None:
    """Hundreds of megabytes in the memory of a line; lines are cut anywhere."""
    one = made()
    log = f"{BEGUN}\n{codec.to_line(one)}\n".encode()
    pieces = [bytes([byte]) for byte in log] + [b"x" * 1_000_000 + b"\n"] * 300 + [log]
    found = list(logs.records(iter([*pieces, b""]).__next__))
    assert found == [one, one]


def test_a_line_without_end_is_left_out_or_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "LONGEST_LINE", 100_000)
    monkeypatch.setattr(logs, "MOST_UNBROKEN", 1_000_000)
    log = f"{BEGUN}\n{codec.to_line(made())}\n".encode()
    pieces = [log, *[bytes(50_000)] * 10, b"\n", log, b""]
    kinds = [type(one) for one in logs.records(iter(pieces).__next__)]
    assert kinds == [Record, StorageError, Record]
    with pytest.raises(UsageError, match=r"line 1: no end within .* Fix: "):
        list(logs.records(lambda: bytes(50_000)))


@pytest.mark.parametrize("magic", logs.PACKED)
def test_a_packed_log_names_what_unpacks_it(magic: bytes, import_log: Import) -> None:
    code, _, err = import_log(magic + b"more")
    assert code == 2
    assert f"Fix: {logs.PACKED[magic][1]} FILE | glue-bench import RESULTS -" in err
    assert import_log(gzip.compress(b"x"))[0] == 2


def test_what_is_no_log(tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    places = special_paths.not_for_files(tmp_path / "odd")
    before = special_paths.everything(tmp_path)
    for name, path in places.items():
        if name == "NUL":
            continue
        code, out, err = glue_bench(capsys, monkeypatch, "import", tmp_path / "r", path)
        assert (code, out) == (2, ""), name
        assert "Fix: " in err
        assert len(err.splitlines()) == 1
    assert special_paths.everything(tmp_path) == before


def test_a_pipe_is_read_to_its_end(
    tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    with (tmp_path / "pipe").open("w") as writer:
        writer.write(f"{BEGUN}\n{codec.to_line(made())}\n")
        writer.flush()
        ending = threading.Timer(0.2, writer.close)
        ending.start()
        code, out, _ = glue_bench(capsys, monkeypatch, "import", tmp_path / "r", tmp_path / "pipe")
        ending.join()
    os.close(reader)
    assert (code, out) == (0, "rte-toy-bert-cpu-fp32-s42: stored\n")


def test_standard_input(tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    log = io.BytesIO(f"{BEGUN}\n{codec.to_line(made())}\n".encode())
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(log))
    assert glue_bench(capsys, monkeypatch, "import", tmp_path / "r")[0] == 0
    assert len(Store(tmp_path / "r").load()) == 1


def test_a_folder_that_is_not_the_one_meant(
    tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Store(Path("results/local")).save(made())
    Path("log").write_text(BEGUN)
    for args, words in {
        ("report", "results"): "Fix: name results/local",
        ("status", "results"): "Fix: name results/local",
        ("compare", "./results", "./results"): "Fix: name results/local",
        ("report", "results/local/runs"): "Fix: name results/local",
        ("import", "results", "log"): "Fix: name results/local",
        ("import", "log"): "Fix: glue-bench import results/local log",
        ("import", "results/local", "nolog"): "nolog: no such file. Fix: name the file",
        ("import", "log/x", "log"): "log: it is a file; expected a results folder. Fix: ",
    }.items():
        code, _, err = glue_bench(capsys, monkeypatch, *args)
        assert code in (2, 4), args
        assert words in err, args
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    code, _, err = glue_bench(capsys, monkeypatch, "import", "nolog")
    assert code == 2
    assert "no such folder, and no log is named. Fix: glue-bench import results/local" in err


@pytest.fixture
def small_records(monkeypatch: pytest.MonkeyPatch) -> None:
    """A record holds 256 kB in place of 16 MB, so that one that is too large is soon written."""
    assert store.MAX_RECORD_BYTES == 16 << 20
    monkeypatch.setattr(store, "MAX_RECORD_BYTES", 256 << 10)


def test_a_reason_without_end_is_cut_and_stored(
    project: pytest.Pytester, engines: list[FakeEngine], small_records: None
) -> None:
    said = "begin " + "x" * 300_000 + " end"
    ANSWERS[0] = lambda config: outcome(status="failed", reason=said)
    run(project, "-k", "rte and fp32", "-q", "--no-summary", "--tb=no").assert_outcomes(
        failed=1, deselected=17
    )
    (kept,) = Store(project.path / "results" / "local").load()
    assert kept.reason is not None
    assert kept.reason.startswith("begin x")
    assert kept.reason.endswith("x end")
    assert "characters left out" in kept.reason
    assert len(kept.reason) < 20_000


def test_a_record_of_too_many_names_keeps_its_score(tmp_path: Path, small_records: None) -> None:
    whole = made()
    assert whole.model is not None
    names = [f"layer.{number}.weight" for number in range(20_000)]
    model = whole.model.model_copy(update={"unused": names})
    kept = Store(tmp_path).save(whole.model_copy(update={"model": model}))
    assert kept.model is not None
    assert kept.score == whole.score
    assert kept.model.unused[-1] == "(19,800 more, for which there was no room)"
    assert Store(tmp_path).load() == [kept]


def test_a_record_that_could_not_be_read_again_is_not_called_stored(
    tmp_path: Path, small_records: None
) -> None:
    large = made(identity={"labels": ["x" * 300_000]})
    with pytest.raises(NotStored, match=r"takes 30\d,\d+ bytes; expected at most 262,144"):
        Store(tmp_path).save(large)
    with pytest.raises(NotStored, match="could not be read again") as caught:
        Store(tmp_path).save(made(reason="\ud800"))
    assert not caught.value.can_import
    assert not Store(tmp_path).find().records


def test_a_task_whose_labels_fill_a_record_is_refused_before_it_runs() -> None:
    from harness.errors import DataError

    with pytest.raises(DataError, match=r"most of them for 'labels'.* Fix: "):
        limits.check_identity("x-s42", {"labels": ["label" * 10] * 100_000, "task": "x"})
