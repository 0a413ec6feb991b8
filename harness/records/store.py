"""Records on disk: one immutable file per run, written so that no crash can lose or damage it.

    RESULTS/runs/<case id>-<uuid8>.json              the record; its last key is a checksum
    RESULTS/predictions/<case id>-<uuid8>.parquet    its predictions, written first; in older
                                                     folders <uuid>.parquet

A file is written under another name, flushed to the disk and renamed; then the folder is flushed.
After a power cut a file is complete or absent.
"""

from __future__ import annotations

import contextlib
import errno
import gc
import hashlib
import re
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from harness.errors import NotStored, StorageError
from harness.files.disk import DISK, Disk, make_folders, names_in, read_file, write_file
from harness.files.outputs import cannot_write, make_folder
from harness.records import codec, limits
from harness.records.limits import MAX_RECORD_BYTES
from harness.records.predictions import MAX_PREDICTION_BYTES, from_parquet, to_parquet
from harness.records.schema import PredictionsFile, PredictionTable, Record, revised
from harness.text.values import shown, shown_path


@dataclass(frozen=True)
class Found:
    """The content of a results folder: the records that can be read, and errors for the others."""

    records: list[Record]  # oldest first
    damaged: list[StorageError]


class Store:
    """A results folder. Creating the object touches no file; the first write makes the folders."""

    def __init__(self, root: Path, disk: Disk = DISK, option: str = "--glue-results") -> None:
        self.root, self.disk = root, disk
        self.option = option  # the option by which a user can name another folder
        self.runs = root / "runs"
        self.predictions = root / "predictions"
        self.journal = root / "journal"
        self._made: set[Path] = set()

    def prepare(self) -> None:
        """Make the folders, and check that they can be written to. Raises `StorageError`."""
        for folder in (self.runs, self.predictions, self.journal):
            make_folder(folder, disk=self.disk)
            self._made.add(folder)

    def save(self, record: Record, predictions: PredictionTable | None = None) -> Record:
        """Store a run; returns the record as stored. Raises `NotStored`, which holds the record.

        If the record is too large to be read back, its long lists of names are cut.
        """
        if predictions is not None:
            name = Path(file_name(record)).with_suffix(".parquet").name
            content = to_parquet(predictions)
            self._write(self.predictions / name, content, record)
            file = PredictionsFile(
                name=name,
                sha256=hashlib.sha256(content).hexdigest(),
                rows=len(predictions["row"]),
            )
            record = revised(record, predictions=file)
        try:
            content, stored = _sealed(record)
        except StorageError:
            record = limits.shortened(record)
            try:
                content, stored = _sealed(record)
            except StorageError as error:
                lines = codec.to_lines(record)
                raise NotStored(str(error), lines, can_import=False) from error
        self._write(self.runs / file_name(record), content, record)
        return stored

    def take(self, record: Record) -> bool:
        """Copy a record of another folder; False if it is here already. Raises `StorageError`.

        A record is refused if it could not be read back, or if another run has its id.
        """
        name = file_name(record)
        content, _ = _sealed(record)
        for other in names_in(self.disk, self.runs, f"-{record.id[:8]}.json", codec.FIX):
            there = read(self.runs / other, self.disk)
            if there == record:
                return False
            if other == name or there.id == record.id:
                raise StorageError(
                    f"{shown_path(self.runs / other)}: holds another record than the one to be "
                    "stored, and was not changed. Fix: compare the two, and import the new one "
                    "into another folder if it is to be kept"
                )
        self._write(self.runs / name, content, record)
        return True

    def find(self) -> Found:
        """Every record that can be read, and an error for each file that cannot be.

        A copy under another name is an error too, so that each run counts once. Raises
        `StorageError` if the folder cannot be read.
        """
        records: dict[str, tuple[str, Record]] = {}
        damaged = []
        with _no_garbage_collection():
            for name in names_in(self.disk, self.runs, ".json", codec.FIX):
                try:
                    record = read(self.runs / name, self.disk)
                    first, _ = records.setdefault(record.id, (name, record))
                    if first != name:
                        raise StorageError(
                            f"{shown_path(self.runs / name)}: holds the same run as {first!a}. "
                            "Fix: move one of them away"
                        )
                except StorageError as error:
                    damaged.append(error)
            found = [record for _, record in records.values()]
            return Found(sorted(found, key=lambda record: (record.created, record.id)), damaged)

    def load(self) -> list[Record]:
        """Every record, oldest first. Raises `StorageError` for the first that cannot be read."""
        found = self.find()
        if found.damaged:
            raise found.damaged[0]
        return found.records

    def has_predictions(self, record: Record) -> bool:
        """Whether the predictions file of a record exists and has the recorded sha256."""
        if record.predictions is None:
            return False
        try:
            content = self.disk.read(
                self.predictions / record.predictions.name, MAX_PREDICTION_BYTES
            )
        except OSError:
            return False
        return hashlib.sha256(content).hexdigest() == record.predictions.sha256

    def read_predictions(self, record: Record, *columns: str) -> PredictionTable:
        """A run's predictions, as given to `save`: all columns, or those named.

        Raises `StorageError` if the run has none, or if the file has another sha256 than the record
        says.
        """
        if record.predictions is None:
            raise StorageError(f"{record.case.id}: this run holds no predictions ({record.status})")
        path = self.predictions / record.predictions.name
        content = read_file(self.disk, path, MAX_PREDICTION_BYTES, codec.FIX)
        if hashlib.sha256(content).hexdigest() != record.predictions.sha256:
            raise StorageError(
                f"{shown_path(path)}: its sha256 is not the one that the record of "
                f"{record.case.id} names: it was changed after it was written. {codec.FIX}"
            )
        with naming(path):
            return from_parquet(content, columns, record.predictions.rows)

    def _write(self, path: Path, content: bytes, record: Record) -> None:
        if path.parent not in (self.runs, self.predictions) or path.name in ("", "..", "."):
            raise StorageError(f"{shown_path(path)}: not in {shown_path(self.root)}: not written")
        limit = MAX_RECORD_BYTES if path.parent == self.runs else MAX_PREDICTION_BYTES
        try:
            if len(content) > limit:  # it could not be read again
                raise OSError(errno.EFBIG, f"a file here has at most {limit:,} bytes")
            if path.parent not in self._made or not path.parent.exists():
                make_folders(self.disk, path.parent)
                self._made.add(path.parent)
            if self._is_second_try(path, content):
                self.disk.flush_folder(path.parent)
            else:
                write_file(self.disk, path, content)
        except OSError as error:
            said = cannot_write(path, error, self.option, len(content))
            raise NotStored(said, codec.to_lines(record)) from error

    def _is_second_try(self, path: Path, content: bytes) -> bool:
        """Whether these predictions were stored before, when storing their record failed."""
        if path.parent != self.predictions or not path.exists():
            return False
        return self.disk.read(path, len(content) + 1) == content


@contextlib.contextmanager
def _no_garbage_collection() -> Generator[None]:
    """Records hold no cycles; looking for some among 100,000 takes longer than reading them."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def file_name(record: Record) -> str:
    """`<case id>-<uuid8>.json`, with only characters that every file system allows."""
    slug, run = (re.sub(r"[^a-z0-9.+_-]+", "_", s.lower()) for s in (record.case.id, record.id))
    return f"{slug[:120].lstrip('.')}-{run[:8]}.json"


def _sealed(record: Record) -> tuple[bytes, Record]:
    """The content of a record's file, and the record as it is read back from it.

    Raises `StorageError` for a record that could not be read back: text or numbers that JSON cannot
    hold, too deep nesting, or too many bytes.
    """
    try:
        content = codec.to_bytes(record)
        stored = codec.from_bytes(content)
    except (ValueError, RecursionError, StorageError) as error:
        raise StorageError(
            f"{record.case.id}: the record {record.id} could not be read again, so it is not "
            f"stored: {shown(str(error))}. Fix: run its case again"
        ) from error
    if len(content) > MAX_RECORD_BYTES:
        raise StorageError(
            f"{record.case.id}: the record {record.id} takes {len(content):,} bytes; expected "
            f"at most {MAX_RECORD_BYTES:,}, so it is not stored. Fix: run its case again"
        )
    return content, stored


def read(path: Path, disk: Disk = DISK) -> Record:
    """One record. Raises `StorageError` with the file and what is wrong with it."""
    content = read_bytes(path, disk)
    with naming(path):
        return codec.from_bytes(content)


def read_bytes(path: Path, disk: Disk = DISK) -> bytes:
    """The bytes of a record's file. Raises `StorageError`."""
    return read_file(disk, path, MAX_RECORD_BYTES, codec.FIX)


@contextlib.contextmanager
def naming(path: Path) -> Generator[None]:
    """Put the file's name before the message of a `StorageError` about its content."""
    try:
        yield
    except StorageError as error:
        raise StorageError(f"{shown_path(path)}: {error}") from error
