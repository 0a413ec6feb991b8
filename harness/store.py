"""Records on disk: one immutable file per run, written so that no crash can lose or tear it.

    RESULTS/runs/<case id>-<uuid8>.json      the record
    RESULTS/predictions/<uuid>.parquet       its predictions, written first

Files are written beside their place, flushed to the disk and moved into it; then the folder is
flushed too. After a power cut a file is there whole, or not there.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import tempfile
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from harness.errors import StorageError, shown
from harness.records import SCHEMA, PredictionsFile, PredictionTable, Record

MAX_RECORD_BYTES = 16 * 1024 * 1024


def make_folder(folder: Path, option: str = "--glue-results") -> None:
    """Make the folder that an option names, and try to write there. Raises `StorageError`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise StorageError(_cannot(folder, error, option)) from error


class Store:
    """A results folder. Creating the object touches nothing; the first write makes the folders."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.runs = root / "runs"
        self.predictions = root / "predictions"

    def prepare(self) -> None:
        """Make the folders, and try to write there. Raises `StorageError`."""
        for folder in (self.runs, self.predictions):
            make_folder(folder)

    def save(self, record: Record, predictions: PredictionTable | None = None) -> Record:
        """Write a run; returns the record as stored. Raises `StorageError`."""
        if predictions is not None:
            name = f"{record.id}.parquet"
            content = _parquet(predictions)
            self._write(self.predictions / name, content)
            record = record.model_copy(
                update={
                    "predictions": PredictionsFile(
                        name=name,
                        sha256=hashlib.sha256(content).hexdigest(),
                        rows=len(predictions["row"]),
                    )
                }
            )
        text = record.model_dump_json(by_alias=True, indent=1) + "\n"
        self._write(self.runs / file_name(record), text.encode())
        return record

    def load(self) -> list[Record]:
        """Every record, oldest first. Raises `StorageError` naming the first unreadable file."""
        if not self.runs.is_dir():
            return []
        records = [read(path) for path in sorted(self.runs.glob("*.json"))]
        return sorted(records, key=lambda record: (record.created, record.id))

    def _write(self, path: Path, content: bytes) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_durably(path, content)
        except OSError as error:
            raise StorageError(_cannot(path, error)) from error


def _cannot(path: Path, error: OSError, option: str = "--glue-results") -> str:
    room = "make room, or " if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
    return (
        f"{path}: could not write: {error.strerror or error}. Mend: {room}choose another folder "
        f"with {option}"
    )


def file_name(record: Record) -> str:
    """`<case id>-<uuid8>.json`, with nothing in it that a file system could take amiss."""
    slug = re.sub(r"[^a-z0-9.+_-]+", "_", record.case.id.lower())[:120].lstrip(".")
    return f"{slug}-{record.id[:8]}.json"


def write_durably(path: Path, content: bytes) -> None:
    """Put `content` at `path`, whole and flushed to the disk; refuses to replace a file."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    try:
        try:
            left = memoryview(content)
            while left:  # a full disk may take a part without an error
                left = left[os.write(descriptor, left) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        try:
            os.link(temporary, path)  # unlike a rename, fails where `path` exists
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.ENOSYS):
                raise
            if path.exists():
                raise FileExistsError(errno.EEXIST, "the file exists", str(path)) from error
            temporary.rename(path)  # a file system without hard links
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def read(path: Path) -> Record:
    """One record. Raises `StorageError` with the file and what is wrong with it."""
    try:
        if path.stat().st_size > MAX_RECORD_BYTES:
            raise StorageError(f"{path}: larger than {MAX_RECORD_BYTES} bytes; no record is")
        raw = json.loads(path.read_bytes(), parse_constant=_refuse, object_pairs_hook=_once)
    except OSError as error:
        raise StorageError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise StorageError(
            f"{path}: not a record: {shown(str(error))}; expected strict JSON as glue-bench writes "
            "it. Mend: move the file away"
        ) from error
    found = raw.get("schema") if isinstance(raw, dict) else None
    if found != SCHEMA:
        raise StorageError(
            f"{path}: key schema: found {shown(found)}; this glue-bench reads {SCHEMA}. Mend: "
            "install the glue-bench that wrote it, or a newer one"
        )
    try:
        return Record.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise StorageError(
            f"{path}: key {key}: {first['msg']}, found {shown(first['input'])}. Mend: move the "
            "file away"
        ) from error


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not JSON")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key occurs twice")
    return found


def _parquet(table: PredictionTable) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(table), sink)
    return sink.getvalue().to_pybytes()
