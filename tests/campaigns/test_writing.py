"""Each place a user can name for writing, and logs of every kind, counted: `tox -e faults`."""

from __future__ import annotations

import itertools
import random
from pathlib import Path
from typing import Any

import pytest

from harness.errors import GlueBenchError, StorageError, UsageError
from harness.planning import option_sources
from harness.records import codec, logs
from harness.records.schema import Record
from harness.records.store import Store
from harness.reports.report import NAMES
from harness.spec import Case
from harness.text import log_marks
from tests.commands.test_import_log import BAD
from tests.support import scoreboard, special_paths
from tests.support.builders import record
from tests.support.log_files import BEGUN, SESSION, made, raw_line
from tests.support.pytest_project import glue_bench
from tests.support.special_paths import everything
from tests.support.submission_runs import run

pytestmark = pytest.mark.faults

FILES = [("submit", "r", "-o", "PLACE", "--fill", "all")]
FOLDERS = [
    ("report", "r", "-o", "PLACE"),
    ("import", "PLACE", "log"),
    ("baseline", "save", "PLACE", "--reason", "why", "b"),
    ("baseline", "save", "main", "--baselines", "PLACE", "--reason", "why", "b"),
    ("baseline", "promote", "PLACE", "--reason", "why", "b"),
    ("baseline", "accept", "PLACE", "rte-toy-bert-cpu-fp32", "--reason", "why", "b"),
]
SETTINGS = ("results", "save_models")


@pytest.fixture
def project_of_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with runs to submit and to report, with a log, and with odd places."""
    monkeypatch.chdir(tmp_path)
    run(Store(tmp_path / "r"), "wnli")
    environment = {"commit": "a1" + "0" * 38, "dirty": False}
    Store(tmp_path / "b").save(
        record(Case("rte", "toy-bert", "cpu-fp32", 42), environment=environment)
    )
    (tmp_path / "log").write_text(f"{BEGUN}\n{codec.to_line(made())}")
    return tmp_path


@pytest.mark.usefixtures("on_main")
def test_outputs(project_of_runs: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = {"tried": 0, "refused": 0, "harmed": 0}
    files = special_paths.not_for_files(project_of_runs / "files")
    folders = special_paths.not_for_folders(project_of_runs / "folders")
    for commands, places in ((FILES, files), (FOLDERS, folders)):
        for words, (name, place) in itertools.product(commands, places.items()):
            before = everything(project_of_runs)
            said = [str(place) if word == "PLACE" else word for word in words]
            code, _, err = glue_bench(capsys, monkeypatch, *said) if name != "NUL" else (2, "", "")
            counts["tried"] += 1
            counts["refused"] += code in (2, 5) and "Traceback" not in err
            counts["harmed"] += everything(project_of_runs) != before
    for key, place in itertools.product(SETTINGS, folders.values()):
        before = everything(project_of_runs)
        counts["tried"] += 1
        counts["refused"] += is_refused(key, str(place))
        counts["harmed"] += everything(project_of_runs) != before
    for name, (what, place) in itertools.product(NAMES, files.items()):
        if what not in ("NUL", "too long", "no folder above") and "below" not in what:
            counts = {key: counts[key] + n for key, n in in_a_report(name, place, capsys).items()}
    assert counts["tried"] == counts["refused"] > 200
    assert counts["harmed"] == 0
    scoreboard.add("outputs", **counts)


def in_a_report(name: str, place: Path, capsys: Any) -> dict[str, int]:
    """A report whose file of that name has something odd in its place."""
    out = Path("out")
    out.mkdir(exist_ok=True)
    kept = place.parent / "kept"
    place.rename(kept)
    kept.rename(out / name)
    before = everything(Path())
    with pytest.MonkeyPatch.context() as patch:
        code, _, err = glue_bench(capsys, patch, "report", "r", "-o", "out")
    harmed = everything(Path()) != before
    (out / name).rename(place)
    return {"tried": 1, "refused": code in (2, 5) and "Fix" in err, "harmed": harmed}


def is_refused(key: str, folder: str) -> bool:
    """Whether an option of pytest's refuses a folder."""
    try:
        option_sources.merge({key: folder}, Path(), Path())
    except GlueBenchError:
        return True
    return False


def damaged_log(drawn: random.Random) -> tuple[bytes, int]:
    """A log of records and of lines that are none, and how many records stand in it whole."""
    lines, whole = [BEGUN], 0
    bad = [line for name, line in BAD.items() if len(line) < 100_000 and "sealed" not in name]
    for _ in range(drawn.randint(1, 8)):
        kind = drawn.choice(["whole", "bad", "text", "cut", "unannounced", "announced"])
        line = codec.to_line(made(id=f"{drawn.getrandbits(128):032x}"))
        if kind == "whole":
            whole += 1
        elif kind == "bad":
            line = drawn.choice(bad)
        elif kind == "text":
            line = "".join(map(chr, drawn.choices(range(32, 0x3000), k=80)))
        elif kind == "cut":
            line = line[: drawn.randrange(len(codec.MARK) + 2, len(line) - 1)]
        elif kind == "unannounced":
            line = raw_line(session="20990101T000000-deadbeef")
        else:
            line = log_marks.announcement(SESSION)
        lines.append(line)
    log = "\n".join(lines)
    way = drawn.choice(["utf-8", "utf-16", "crlf", "colour", "time"])
    if way == "utf-16":
        return log.encode("utf-16", "replace"), whole
    log = {
        "crlf": log.replace("\n", "\r\n"),
        "colour": log.replace("\n", "\x1b[0m\n\x1b[1m"),
        "time": log.replace("\n", "\n2026-01-02T03:04:05Z "),
    }.get(way, log)
    return log.encode("utf-8", "replace"), whole


def test_imported_logs(tmp_path: Path) -> None:
    drawn = random.Random(0)
    counts = {"logs": 0, "records_stored": 0, "lines_named": 0, "crashes": 0, "written_outside": 0}
    for number in range(400):
        folder = tmp_path / str(number)
        content, whole = damaged_log(drawn)
        if number % 5 == 4:  # anything else: bytes changed, cut off, or no text
            place = drawn.randrange(len(content))
            content = content[:place] + drawn.randbytes(drawn.randint(0, 50)) + content[place:]
            whole = -1
        stored = taken(content, Store(folder), drawn, counts)
        counts["logs"] += 1
        if whole >= 0:
            assert stored == whole, number
        outside = {path for path in everything(tmp_path) if is_outside(path, tmp_path)}
        counts["written_outside"] += len(outside)
    assert counts["logs"] == 400
    assert counts["records_stored"] > 100
    assert counts["lines_named"] > 100
    assert (counts["crashes"], counts["written_outside"]) == (0, 0)
    scoreboard.add("imported logs", **counts)


def is_outside(path: Path, home: Path) -> bool:
    """Whether a path is in no folder `runs` of a numbered folder."""
    number, *rest = path.relative_to(home).parts
    return not number.isdecimal() or (rest[:1] not in ([], ["runs"])) or len(rest) > 2


def taken(content: bytes, store: Store, drawn: random.Random, counts: dict[str, int]) -> int:
    """How many records of a log, read in pieces of any size, are stored and can be read again."""
    size = drawn.choice([1, 100, 5000, 1_000_000])
    pieces = iter([*(content[at : at + size] for at in range(0, len(content), size)), b""])
    stored: set[str] = set()
    try:
        for found in logs.records(pieces.__next__):
            try:
                if not isinstance(found, Record):
                    raise found
                store.take(found)
                stored.add(found.id)
            except StorageError as error:
                assert str(error).isprintable()
                counts["lines_named"] += 1
    except UsageError:
        counts["lines_named"] += 1
    except Exception:  # noqa: BLE001  (counted: any other is a crash)
        counts["crashes"] += 1
    found = store.find()
    assert not found.damaged
    assert {one.id for one in found.records} == stored
    counts["records_stored"] += len(stored)
    return len(stored)
