"""Forged records, journals and predictions with right checksums, by the thousand: counted."""

from __future__ import annotations

import itertools
import json
import random
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from harness.errors import Exit
from harness.records.store import Store
from tests.support import (
    board_runs,
    cell_runs,
    forged_journals,
    forged_predictions,
    forger,
    scoreboard,
)
from tests.support.folder_readers import Readers, command, filled, good, raw_of
from tests.support.locations import GOLDEN, ROOT

pytestmark = pytest.mark.faults
DRIVEN = 1_200  # forged records that were read soundly and go through every reader
TOGETHER = 60  # of them in one folder


def bases() -> Iterator[tuple[str, forger.Raw]]:
    """Real records of each kind: made today, of schema 1 and 2, of MNLI, of a run that crashed."""
    yield "made", raw_of(cell_runs.run(50))
    published = sorted((ROOT / "results/published/runs").glob("mrpc-minilm-*.json"))[0]
    for path in (published, GOLDEN / "schema1.json"):
        raw = json.loads(path.read_text())
        raw.pop("crc32", None)
        yield path.name, raw
    yield "mnli", raw_of(board_runs.scored("mnli", 0.8))
    yield "dead", raw_of(board_runs.dead("rte"))


@pytest.fixture
def sound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("harness.system.git.why_not_on", lambda *where: None)
    good(tmp_path / "sound")
    return tmp_path / "sound"


def test_forged_records(tmp_path: Path, sound: Path) -> None:
    counts = Counter(tried=0, named=0, read_soundly=0, crashes=0)
    soundly: list[forger.Forged] = []
    place = filled(tmp_path / "one", sound, [])
    path = place / "runs" / "forged.json"
    sound_runs = {one.id for one in Store(sound).load()}
    drawn = random.Random(0)
    for number, (name, raw) in enumerate(bases()):
        one_in_three = itertools.islice(forger.changes(raw), number % 3, None, 3)
        for said, made in (*one_in_three, *forger.pairs(raw, drawn, 300)):
            if made.get("id") == raw["id"]:
                made = made | {"id": f"{counts['tried']:032x}"}
            path.write_bytes(forger.sealed(made))
            found = Store(place).find() if counts["tried"] % 20 == 0 else None
            counts["tried"] += 1
            if found is not None:
                assert {one.id for one in found.records} >= sound_runs
                assert len(found.records) + len(found.damaged) == len(sound_runs) + 1
            error = forger.refused(path)
            if error is None:
                soundly.append(forger.Forged(f"{name}: {said}", path.read_bytes()))
                counts["read_soundly"] += 1
            else:
                assert str(path) in error, (said, error)
                assert "Fix: " in error, (said, error)
                assert error.isprintable(), (said, error)
                counts["named"] += 1
    chosen = drawn.sample(soundly, min(DRIVEN, len(soundly)))
    crashes: list[str] = []
    for start in range(0, len(chosen), TOGETHER):
        crashes += _crashes(tmp_path, sound, chosen[start : start + TOGETHER])
    counts.update(crashes=len(crashes), through_every_reader=len(chosen))
    scoreboard.add("forged records", **counts)
    assert not crashes, crashes
    assert counts["tried"] >= 2_206


def _crashes(tmp_path: Path, sound: Path, forged: Sequence[forger.Forged]) -> Iterator[str]:
    """Which reader fell over which file."""
    folder = filled(tmp_path / "many", sound, forged)
    found = list(Readers(folder, sound, tmp_path).crashes())
    if found and len(forged) > 1:
        part = max(1, len(forged) // 4)
        before = len(found)
        for start in range(0, len(forged), part):
            for crash in _crashes(tmp_path, sound, forged[start : start + part]):
                before = 0
                yield crash
        if before:
            yield f"only together: {found[0]}"
    elif found:
        yield from (f"{forged[0].said}: {name}: {error!r}" for name, error in found)


def test_what_a_forged_record_makes_of_a_report(tmp_path: Path, sound: Path) -> None:
    raw = raw_of(cell_runs.run(50)) | {"score": 0.99}
    folder = filled(tmp_path / "x", sound, [forger.Forged("score", forger.sealed(raw))])
    before = command("report", sound)
    for words in (("report", folder), ("compare", folder, sound), ("status", folder)):
        program = "from harness.cli import main; main()"
        ended = subprocess.run(
            [sys.executable, "-c", program, *map(str, words)],
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert "Traceback" not in ended.stderr
        if words[0] == "report":
            assert ended.returncode == Exit.STORAGE
            assert ended.stdout == before.out.replace(str(sound), str(folder))
            assert ended.stderr.count("forged-00000000.json: key score: found '0.99'") == 1


def test_forged_journals(tmp_path: Path, sound: Path) -> None:
    counts = Counter(tried=0, named=0, read_soundly=0, crashes=0)
    folder = filled(tmp_path / "x", sound, [])
    for said, content, lines in forged_journals.forged():
        path = folder / "journal" / "20260101T000000-00000000.jsonl"
        shutil.rmtree(path, ignore_errors=True)
        path.parent.mkdir(exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_bytes(content)
        counts["tried"] += 1
        ended = command("status", folder)
        named = ended.err.count(f"{path}: line ")
        assert "Traceback" not in ended.err, said
        assert ended.code in (Exit.FINE, Exit.STORAGE), said
        assert (named > 0) == (ended.code == Exit.STORAGE), (said, ended)
        assert named <= lines, said
        assert "20260101T000000-00000000" in ended.out or named, said
        counts["named" if named else "read_soundly"] += 1
    scoreboard.add("forged journals", **counts)
    assert counts["tried"] >= 901


def test_forged_predictions(tmp_path: Path, sound: Path) -> None:
    counts = Counter(tried=0, named=0, read_soundly=0, crashes=0)
    for said, content, rows in forged_predictions.forged():
        counts["tried"] += 1
        folder = filled(tmp_path / "x", sound, [])
        run = forged_predictions.put(folder, content, rows)
        for words in (
            ("report", folder, "--check"),
            ("flips", run, next((sound / "runs").glob("rte*"))),
            ("submit", folder, "-o", tmp_path / "s.zip", "--fill", "all"),
        ):
            ended = command(*words)
            assert "Traceback" not in ended.err, (said, words)
            if words[0] == "report":
                named = ended.code == Exit.STORAGE
                assert ended.err.count(f"{folder}") == named, (said, ended.err)
        table = next((folder / "predictions").glob("forged*"))
        labels = tmp_path / "labels"
        labels.write_text("index\tlabel\n" + "".join(f"{n}\t{n % 2}\n" for n in range(20)))
        ended = command("score", table, "--task", "rte", "--labels", labels)
        assert "Traceback" not in ended.err
        counts["named" if named else "read_soundly"] += 1
    scoreboard.add("forged predictions", **counts)
    assert counts["tried"] >= 60
