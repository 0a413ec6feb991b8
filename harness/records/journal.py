"""What a session planned, began and ended: one file of JSON lines per process, appended to.

A record says how a run ended. The journal also knows the cases without a record: those that never
began, and those that were cut off.

    RESULTS/journal/<session>.jsonl

Each line holds an event and its checksum, and is flushed to the disk before the session goes on.
Only the last line can be incomplete, which its checksum shows. `events` checks what a line says.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import uuid
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from harness.errors import StorageError
from harness.files.disk import DISK, Disk, make_folders, names_in, read_file, write_all
from harness.records import events
from harness.records.events import EventName
from harness.spec import JsonObject
from harness.text.values import shown_path

MAX_JOURNAL_BYTES = 256 * 1024 * 1024
MAX_LINE_BYTES = 16 * 1024 * 1024  # a plan of 100,000 cases takes about 6 MB
MOST_DAMAGED = 1000  # lines of a file that still counts as a journal
START = b'{"crc32": "'
TORN = "found an event that is torn or was changed; expected a line that ends as it was written"
FIX = "Fix: bring back an undamaged copy, or move it away; records are not affected"


class Journal:
    """Appends the events of one session. The first event creates the file."""

    def __init__(self, folder: Path, disk: Disk = DISK) -> None:
        self.session = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:8]}"
        self.path, self.disk = folder / f"{self.session}.jsonl", disk
        self._descriptor: int | None = None
        self._is_safe = False  # the file's name is on disk

    def note(self, name: EventName, **about: object) -> None:
        """Write an event; on disk when this returns. Raises `StorageError`."""
        event = {"event": name, "time": datetime.now(UTC).isoformat(), **about}
        try:
            if self._descriptor is None:
                make_folders(self.disk, self.path.parent)
                self._descriptor = self.disk.create(self.path)
                _lock(self._descriptor)
            if not self._is_safe:
                self.disk.flush_folder(self.path.parent)
                self._is_safe = True
            write_all(self.disk, self._descriptor, to_line(event))
            self.disk.flush(self._descriptor)
        except OSError as error:
            raise StorageError(
                f"{shown_path(self.path)}: could not write the event {name}: "
                f"{error.strerror or error}. Fix: make room; `glue-bench status` lacks what this "
                "session does from here on"
            ) from error

    @property
    def is_open(self) -> bool:
        """Whether an event was noted and the file is still open."""
        return self._descriptor is not None

    def close(self) -> None:
        """Close the file; every noted event is already on the disk."""
        if self._descriptor is not None:
            with contextlib.suppress(OSError):
                self.disk.close(self._descriptor)
            self._descriptor = None


def _lock(descriptor: int) -> None:
    """Hold a lock on the file for as long as it is open, where the file system has locks."""
    with contextlib.suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_EX)  # a reader holds it only for a moment


def to_line(event: dict[str, object]) -> bytes:
    """An event as a line with its checksum.

    It also starts with a newline, so that an incomplete line before it damages nothing else.
    """
    body = json.dumps(event, sort_keys=True, allow_nan=False)
    return f'\n{{"crc32": "{zlib.crc32(body.encode()):08x}", "event": {body}}}\n'.encode()


@dataclass
class Session:
    """What one journal says of a session. Cases are named by their ids."""

    path: Path
    began: str = ""
    planned: list[str] = field(default_factory=list)
    started: list[str] = field(default_factory=list)
    finished: dict[str, str] = field(default_factory=dict)  # case -> status
    skipped: dict[str, str] = field(default_factory=dict)  # case -> reason
    settings: str = ""  # what the cases were planned with, as JSON
    reused: set[str] = field(default_factory=set)
    tested: dict[str, str] = field(default_factory=dict)  # case -> pytest's outcome
    ended: bool = False
    exit_status: int | None = None
    is_running: bool = False
    damaged: dict[int, str] = field(default_factory=dict)  # line that was left out -> why

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def cut_off(self) -> list[str]:
        """Cases that began and did not end, unless the session still runs."""
        over = {*self.finished, *self.skipped}
        return [] if self.is_running else [case for case in self.started if case not in over]

    @property
    def never_began(self) -> list[str]:
        """Planned cases that did not begin, unless the session still runs."""
        known = {*self.started, *self.finished, *self.skipped, *self.reused}
        return [case for case in self.planned if case not in known]

    def take(self, event: JsonObject) -> None:
        """Add what one event says; `events` has found no problem with it."""
        name, case = event["event"], event.get("case", "")
        self.began = self.began or event["time"]
        if name == "planned":
            self.planned = list(event["cases"])
            self.settings = json.dumps(event["settings"], sort_keys=True)
        elif name == "started":
            self.started.append(case)
        elif name == "finished":
            self.finished[case] = event["status"]
        elif name == "skipped":
            self.skipped[case] = event["reason"] or ""
        elif name == "reused":
            self.reused.add(case)
        elif name == "tested":
            self.tested[case] = event["outcome"]
        elif name == "ended":
            self.ended, self.exit_status = True, event["exit_status"]


def sessions(folder: Path, disk: Disk = DISK) -> tuple[list[Session], list[StorageError]]:
    """The sessions in a folder's journals, oldest first; and what could not be read."""
    found, damaged = [], []
    try:
        names = names_in(disk, folder, ".jsonl", FIX)
    except StorageError as error:
        return [], [error]
    for name in names:
        try:
            found.append(read(folder / name, disk))
        except StorageError as error:
            damaged.append(error)
    damaged += [
        StorageError(
            f"{shown_path(session.path)}: line {number}: {why}. The line was left out. {FIX}"
        )
        for session in found
        for number, why in session.damaged.items()
    ]
    return sorted(found, key=lambda session: session.began), damaged


def read(path: Path, disk: Disk = DISK) -> Session:
    """The session that one journal tells of. Damaged lines are numbered and left out.

    Raises `StorageError` for a file that cannot be read, and for one with more than `MOST_DAMAGED`
    damaged lines.
    """
    content = read_file(disk, path, MAX_JOURNAL_BYTES, FIX)
    session = Session(path, is_running=_is_held(path))
    for number, line in _lines(content):
        event = from_line(line)
        if why := TORN if event is None else events.problem(event):
            session.damaged[number] = why
            if len(session.damaged) > MOST_DAMAGED:
                raise StorageError(
                    f"{shown_path(path)}: line {number}: more than {MOST_DAMAGED:,} lines are no "
                    f"events; expected a journal. {FIX}"
                )
        elif event:
            session.take(event)
    return session


def _is_held(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a file system without locks
        return False
    finally:
        os.close(descriptor)
    return False


def _lines(content: bytes) -> Iterator[tuple[int, bytes]]:
    """The lines that are not empty, with their numbers."""
    number = end = 0
    for found in re.finditer(rb"[^\n]+", content):
        number += content.count(b"\n", end, found.start())
        end = found.start()
        yield number + 1, found[0]


def from_line(line: bytes) -> JsonObject | None:
    """The event of a line; None if the line is incomplete, was changed or holds no event."""
    if not line.startswith(START) or len(line) > MAX_LINE_BYTES:
        return None
    try:
        whole = json.loads(line)
        body = json.dumps(whole["event"], sort_keys=True, allow_nan=False)
        intact = whole["crc32"] == f"{zlib.crc32(body.encode()):08x}"
        return whole["event"] if intact and isinstance(whole["event"], dict) else None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
