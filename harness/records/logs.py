"""Logs of sessions, searched for records that could only be printed, a line at a time.

A log may be gigabytes long, of any encoding, damaged, or not a log at all. Only the current line is
held in memory.
"""

from __future__ import annotations

import codecs
import errno
import os
import stat
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from harness.errors import StorageError, UsageError
from harness.files import paths
from harness.records import codec
from harness.records.limits import MAX_RECORD_BYTES
from harness.records.schema import Record
from harness.text import log_marks
from harness.text.values import shown, shown_path

LONGEST_LINE = 4 * MAX_RECORD_BYTES
"""Bytes: a line spells letters out that a record's file holds as they are."""
MOST_UNBROKEN = 1024**3
"""Bytes without a line end, after which it is no log that is read."""
PIECE = 1024**2
STANDARD_INPUT = Path("-")
UTF16 = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
PACKED = {
    b"\x1f\x8b": ("gzip", "zcat"),
    b"PK\x03\x04": ("a zip archive", "unzip -p"),
    b"BZh": ("bzip2", "bzcat"),
    b"\xfd7zXZ\x00": ("xz", "xzcat"),
    b"\x28\xb5\x2f\xfd": ("zstd", "zstdcat"),
}
"""How packed files begin, what they are, and the command that unpacks them."""

Read = Callable[[], bytes]
"""Gives the next bytes; none at the end."""


class Line(NamedTuple):
    """A line of a log that holds a mark; None for the content of one that is too long."""

    number: int
    content: bytes | None


@contextmanager
def opened(file: Path) -> Generator[Read]:
    """A log, to be read in pieces; `-` is standard input. Raises `UsageError`.

    A pipe is read for as long as another program writes to it; a device is refused.
    """
    if file == STANDARD_INPUT:
        stream = sys.stdin.buffer
        yield lambda: stream.read(PIECE)
        return
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK)
    except (OSError, ValueError) as error:
        raise UsageError(f"{shown_path(file)}: {_why(file, error)}") from error
    try:
        mode = os.fstat(descriptor).st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode)):
            raise UsageError(
                f"{shown_path(file)}: it is {paths.kind(mode)}; expected a log. Fix: name the "
                "file that the session's output went to, or `-` for standard input"
            )
        os.set_blocking(descriptor, True)
        yield lambda: os.read(descriptor, PIECE)
    except OSError as error:
        raise UsageError(f"{shown_path(file)}: {_why(file, error)}") from error
    finally:
        os.close(descriptor)


def _why(file: Path, error: OSError | ValueError) -> str:
    fix = "name the file that the session's output went to, or `-` for standard input"
    if isinstance(error, ValueError):
        return f"a path holds no NUL character. Fix: {fix}"
    if error.errno == errno.ENOENT:
        dangling = file.is_symlink()
        why = "a symbolic link to what is not there" if dangling else "no such file"
        return f"{why}. Fix: {fix}"
    return f"cannot be read: {paths.reason(error)}. Fix: {fix}"


def records(read: Read, *, unannounced: bool = False) -> Iterator[Record | StorageError]:
    """The records of a log, in order; an error for each that is damaged or untrusted.

    A record is trusted if an earlier line announces its session. `unannounced` accepts all others
    too. Raises `UsageError` for a file that is not a log.
    """
    announced: set[str] = set()
    for number, line in lines(read):
        if line is None:
            yield StorageError(
                f"line {number}: longer than {LONGEST_LINE:,} bytes, and not read. "
                f"{codec.FIX_OF_LINE}"
            )
        elif session := log_marks.announced(line):
            announced.add(session)
        else:
            for found in codec.in_line(line, number):
                known = unannounced or not isinstance(found, Record) or found.session in announced
                yield found if known else _not_announced(found, number)


def _not_announced(record: Record, number: int) -> StorageError:
    session = f"session {shown(record.session)}" if record.session else "no session"
    return StorageError(
        f"line {number}: {shown(record.case.id)}: a record of {session}, which no line before it "
        "announces: the beginning of the log is missing, or something that the session printed "
        "looks like a record. Not stored. Fix: give the whole log; if it is of an older "
        "glue-bench, or you know where the line is from, say --unannounced"
    )


def lines(read: Read) -> Iterator[Line]:
    """The lines of a log that hold a mark, as UTF-8, and those that are too long to be searched.

    Raises `UsageError` for a file that is not a log.
    """
    number, begun, dropped = 1, b"", 0
    for piece in _decoded(read):
        whole = begun + piece
        if not dropped and len(whole) <= LONGEST_LINE and log_marks.BEGIN.encode() not in whole:
            number, begun = number + whole.count(b"\n"), whole.rpartition(b"\n")[2]
            continue  # the usual case: none of its lines is searched
        first, *others = piece.split(b"\n")
        begun, dropped = _joined(begun, dropped, first)
        for following in others:
            yield from _told(number, begun, dropped)
            number, begun, dropped = number + 1, following, 0
        if dropped > MOST_UNBROKEN:
            raise UsageError(
                f"line {number}: no end within {MOST_UNBROKEN:,} bytes; expected a log, which is "
                "text. Fix: name the file that the session's output went to"
            )
    yield from _told(number, begun, dropped)


def _joined(begun: bytes, dropped: int, more: bytes) -> tuple[bytes, int]:
    """A line so far, or how many of its bytes were dropped because it is too long."""
    size = len(begun) + len(more)
    return (b"", dropped + size) if dropped or size > LONGEST_LINE else (begun + more, 0)


def _told(number: int, content: bytes, dropped: int) -> Iterator[Line]:
    if dropped:
        yield Line(number, None)
    elif log_marks.BEGIN.encode() in content:
        yield Line(number, content)


def _decoded(read: Read) -> Iterator[bytes]:
    """The pieces of a log as UTF-8; bytes that are not text stay as they are."""
    head = b""
    while len(head) < 4 and (more := read()):
        head += more
    for magic, (packed, command) in PACKED.items():
        if head.startswith(magic):
            raise UsageError(
                f"the log is packed ({packed}); expected text. Fix: {command} FILE | glue-bench "
                "import RESULTS -"
            )
    encoding = _encoding(head)
    decode = codecs.getincrementaldecoder(encoding)("replace").decode if encoding else None
    while head:
        yield decode(head).encode() if decode else head
        head = read()


def _encoding(head: bytes) -> str | None:
    """UTF-16, as PowerShell writes it, told by its mark or its zero bytes; None: read as it is."""
    if name := UTF16.get(head[:2]):
        return name
    sample = head[:2048]
    for first, name in ((1, "utf-16-le"), (0, "utf-16-be")):
        ends, others = sample[first::2], sample[1 - first :: 2]
        if len(ends) > 8 and not others.count(0) and ends.count(0) > 0.9 * len(ends):
            return name
    return None
