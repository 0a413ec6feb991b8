from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import stat
import traceback
import zlib
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pydantic import ValidationError

from harness.errors import NotStored, StorageError
from harness.files.disk import Disk
from harness.records import codec
from harness.records.schema import SCHEMA, Record
from harness.records.store import MAX_RECORD_BYTES, Store, file_name, read
from harness.spec import Case
from tests.support import printed_records
from tests.support.builders import TABLE, record
from tests.support.locations import ROOT

CASE = Case("sst2", "toy-bert", "cpu-fp32", 42)


def saved(tmp_path: Path) -> tuple[Path, Record]:
    made = Store(tmp_path).save(record(CASE), TABLE)
    return tmp_path / "runs" / file_name(made), made


def test_a_record_reads_back_as_it_was(tmp_path: Path) -> None:
    path, made = saved(tmp_path)
    assert read(path) == made
    assert Store(tmp_path).load() == [made]
    assert path.name == f"sst2-toy-bert-cpu-fp32-s42-{made.id[:8]}.json"
    raw = json.loads(path.read_text())
    assert raw["schema"] == SCHEMA


def test_predictions_are_a_side_file_that_the_record_vouches_for(tmp_path: Path) -> None:
    _, made = saved(tmp_path)
    assert made.predictions is not None
    content = (tmp_path / "predictions" / made.predictions.name).read_bytes()
    assert hashlib.sha256(content).hexdigest() == made.predictions.sha256
    file = tmp_path / "predictions" / made.predictions.name
    assert list(pd.read_parquet(file).columns) == ["split", "row", "label", "prediction", "logits"]
    assert Store(tmp_path).read_predictions(made) == TABLE
    file.write_bytes(content[:-1] + b"x")
    with pytest.raises(StorageError, match="was changed after it was written"):
        Store(tmp_path).read_predictions(made)
    with pytest.raises(StorageError, match="holds no predictions"):
        Store(tmp_path).read_predictions(record(CASE))


def test_nothing_else_is_left_behind(tmp_path: Path) -> None:
    saved(tmp_path)
    assert not list(tmp_path.rglob("*.tmp"))
    assert not list(tmp_path.rglob(".*"))


def test_a_record_is_never_replaced(tmp_path: Path) -> None:
    path, made = saved(tmp_path)
    before = path.read_bytes()
    with pytest.raises(StorageError, match="could not write"):
        Store(tmp_path).save(made)
    assert path.read_bytes() == before


def test_a_short_write_goes_on_where_it_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, bytes(data)[:7]))
    path, made = saved(tmp_path)
    monkeypatch.undo()
    assert read(path) == made


def test_a_file_system_without_hard_links_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(source: object, target: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    path, made = saved(tmp_path)
    assert read(path) == made
    with pytest.raises(StorageError, match="the file exists"):
        Store(tmp_path).save(made)


def test_a_full_disk_is_said_and_leaves_nothing_torn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int, data: Any) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(StorageError, match=r"No space left on device.*--glue-results"):
        Store(tmp_path).save(record(CASE))
    monkeypatch.undo()
    assert Store(tmp_path).load() == []
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_whoever_lets_it_pass_sees_the_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "write", lambda descriptor, data: 0)
    with pytest.raises(NotStored) as caught:
        Store(tmp_path).save(record(CASE))
    assert caught.value.line in "".join(traceback.format_exception(caught.value))


def test_a_number_that_is_none_is_not_stored() -> None:
    with pytest.raises(ValueError, match="finite"):
        record(CASE, score=float("nan"))


def resealed(text: str) -> str:
    """A changed record with the checksum that its writer would have given it."""
    body, _, _ = text.rpartition(',\n "crc32"')
    return f'{body},\n "crc32": "{zlib.crc32(body.encode()):08x}"\n}}\n'


NOW, NEWER = (f'"schema": {number}' for number in (SCHEMA, SCHEMA + 1))
BROKEN = {
    "torn": (lambda text: text[: len(text) // 2], "not a record"),
    "empty": (lambda text: "", "not a record"),
    "nan": (lambda text: text.replace('"score": 0.9', '"score": NaN', 1), "NaN is not JSON"),
    "twice": (lambda text: text.replace("{", '{"schema": 2,', 1), "a key occurs twice"),
    "edited": (lambda text: text.replace('"score": 0.9', '"score": 0.8', 1), "was changed after"),
    "unsealed": (lambda text: text.rpartition(",")[0] + "}", "key crc32: missing"),
    "newer": (lambda text: resealed(text.replace(NOW, NEWER)), f"found '{SCHEMA + 1}'"),
    "no schema": (lambda text: resealed(text.replace('"schema"', '"schem"')), "key schema: found"),
    "no object": (lambda text: "[1]", "expected a JSON object"),
    "unknown key": (lambda text: resealed(text.replace('"profile"', '"profil"')), "profil"),
    "wrong type": (lambda text: resealed(text.replace('"seed": 42', '"seed": "x"')), "case.seed"),
    "no time zone": (lambda text: resealed(text.replace('Z",\n "case"', '",\n "case"')), "created"),
    "deep": (lambda text: "[" * 100_000, "not a record"),
    "deep inside": (
        lambda text: resealed(text.replace('"identity": {', '"identity": {"a":' + "[" * 100_000)),
        "not a record",
    ),
    "long number": (
        lambda text: resealed(text.replace('"seed": 42', '"seed": ' + "9" * 5000)),
        "not a record",
    ),
    "nan in a free part": (
        lambda text: resealed(text.replace('"name": "toy"', '"name": NaN')),
        "NaN is not JSON",
    ),
    "schema no number": (lambda text: '{"schema": [2]}', "'[2]'"),
    "long": (lambda text: '{"a": "' + "x" * 10_000_000 + '"}', "key schema"),
    "schema true": (lambda text: '{"schema": true}', "'True'"),
    "newer, with an old one inside": (
        lambda text: resealed(
            text.replace(NOW, NEWER).replace('"identity": {', '"identity": {"schema": 2')
        ),
        f"found '{SCHEMA + 1}'",
    ),
}


@pytest.mark.parametrize("damage", BROKEN)
def test_a_damaged_record_is_one_clear_error(tmp_path: Path, damage: str) -> None:
    path, _ = saved(tmp_path)
    change, words = BROKEN[damage]
    path.write_text(change(path.read_text()))
    other = Store(tmp_path).save(record(CASE))
    with pytest.raises(StorageError) as caught:
        Store(tmp_path).load()
    assert words in str(caught.value)
    assert str(path) in str(caught.value)
    assert "Fix" in str(caught.value)
    found = Store(tmp_path).find()
    assert found.records == [other]
    assert [str(error) for error in found.damaged] == [str(caught.value)]


NO_FILES = {
    "folder": lambda path: path.mkdir(),
    "pipe": os.mkfifo,  # opened for reading, it waits for a writer
    "dangling link": lambda path: path.symlink_to("nowhere"),
    "link to itself": lambda path: path.symlink_to(path),
    "device": lambda path: path.symlink_to("/dev/zero"),
    "large": lambda path: path.write_bytes(b" " * (MAX_RECORD_BYTES + 1)),
    "rubbish": lambda path: path.write_bytes(bytes(range(256)) * 100),
}


@pytest.mark.parametrize("kind", NO_FILES)
@pytest.mark.timeout(60)
def test_what_is_no_record_file_is_one_clear_error(tmp_path: Path, kind: str) -> None:
    _, made = saved(tmp_path)
    path = tmp_path / "runs" / "x\x1b[31m.json"
    NO_FILES[kind](path)
    found = Store(tmp_path).find()
    assert found.records == [made]
    (error,) = found.damaged
    assert str(error).startswith(f"{str(path)!a}: ")
    assert "Fix: " in str(error)


def test_a_file_that_may_not_be_read_is_one_clear_error(tmp_path: Path) -> None:
    path, _ = saved(tmp_path)
    other = Store(tmp_path).save(record(CASE))

    class Locked(Disk):
        def read(self, place: Path, limit: int) -> bytes:
            if place == path:
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            return super().read(place, limit)

    found = Store(tmp_path, Locked()).find()
    assert found.records == [other]
    assert str(found.damaged[0]).startswith(f"{path}: cannot be read: Permission denied. Fix: ")


def test_a_copy_under_another_name_does_not_count_twice(tmp_path: Path) -> None:
    path, made = saved(tmp_path)
    shutil.copy(path, path.with_name("z.json"))
    found = Store(tmp_path).find()
    assert found.records == [made]
    assert f"z.json: holds the same run as '{path.name}'" in str(found.damaged[0])


def test_a_second_look_sees_what_has_become_of_the_files(tmp_path: Path) -> None:
    looking = Store(tmp_path)
    kept, changed, removed = (Store(tmp_path).save(record(CASE)) for _ in range(3))
    assert looking.load() == [kept, changed, removed]
    path = looking.runs / file_name(changed)
    before = path.stat()
    path.write_text(path.read_text().replace('"score": 0.9', '"score": 0.8', 1))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    (looking.runs / file_name(removed)).unlink()
    added = Store(tmp_path).save(record(CASE))
    found = looking.find()
    assert found.records == [kept, added]
    (error,) = found.damaged
    assert str(error).startswith(f"{path}: key crc32: ")


def test_times_of_other_zones_keep_their_order(tmp_path: Path) -> None:
    first, second = (
        Store(tmp_path).save(
            record(CASE).model_copy(update={"created": datetime.fromisoformat(at)})
        )
        for at in ("2026-01-01T12:00:00+02:00", "2026-01-01T11:00:00+00:00")
    )
    assert Store(tmp_path).load() == [first, second]
    assert first.created.utcoffset() == timedelta(hours=2)


def test_a_folder_that_cannot_be_listed_is_no_empty_one(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(StorageError, match=r"runs: cannot be read: a part of it is a file"):
        Store(tmp_path).find()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800"])
@pytest.mark.parametrize("part", ["identity", "recipe"])
def test_what_would_not_read_back_is_refused_at_once(part: str, value: object) -> None:
    with pytest.raises(ValidationError):
        Record(**record(CASE).model_dump(by_alias=True) | {part: {"value": value}})


def test_a_file_system_that_cannot_flush_folders_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync = os.fsync

    def refuse(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", refuse)
    path, made = saved(tmp_path)
    assert read(path) == made


def test_records_are_found_in_any_text() -> None:
    first, second = record(CASE), record(CASE, status="failed", reason=f"{codec.MARK} {{}}")
    line = codec.to_line(first)
    text = (
        f"12:01 |{line} and\n{line[:300]}{codec.to_line(second)}\udcff\n{codec.MARK} \udcff\n{line}"
    )
    found = printed_records.records_in(text)
    assert [one for one in found if isinstance(one, Record)] == [first, second, first]
    errors = [str(one) for one in found if isinstance(one, StorageError)]
    assert [error.partition(":")[0] for error in errors] == ["line 2", "line 3"]


@pytest.mark.parametrize("model", ["../../evil", "a/b", "x" * 400, "a\nb", "."])
def test_names_stay_in_the_folder(tmp_path: Path, model: str) -> None:
    made = Store(tmp_path).save(record(Case("sst2", model, "cpu-fp32", 1)))
    (path,) = (tmp_path / "runs").iterdir()
    assert path.name == file_name(made)
    assert read(path) == made


def test_records_hold_no_trace_of_user_or_machine(tmp_path: Path) -> None:
    from harness.system import environment

    text = json.dumps(environment.facts())
    for secret in (str(Path.home()), os.uname().nodename, str(Path.cwd())):
        assert secret not in text


def test_published_runs_are_whole() -> None:
    found = Store(ROOT / "results" / "published").find()
    assert not found.damaged
    assert {record.status for record in found.records} == {"ok"}
