"""The lines of a text file: UTF-8, ended by a line feed, and what can be wrong with them.

A byte order mark before the first line and a carriage return before a line feed are no text.
"""

from __future__ import annotations

import errno
import itertools
import stat
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Protocol

from harness.errors import DataError, shown, shown_path

MAX_LINE = 1 << 20  # bytes, line end included

SIGNATURES = (
    (b"\x1f\x8b", "gzip-compressed data", "decompress it with gunzip"),
    (b"PK\x03\x04", "a zip archive", "unpack it with unzip"),
    (b"\xff\xfe", "UTF-16 text (little-endian)", "convert it with iconv -f UTF-16 -t UTF-8"),
    (b"\xfe\xff", "UTF-16 text (big-endian)", "convert it with iconv -f UTF-16 -t UTF-8"),
)


class Digest(Protocol):
    """A hash of `hashlib`."""

    def update(self, data: bytes, /) -> None: ...


@dataclass(frozen=True)
class Form:
    """What a file is meant to be, in the words of its errors."""

    file: str  # "a tab-separated file"
    line: str  # what a line holds
    again: str  # what brings a sound copy
    too_long: str  # what mends a line that is too long


def read(path: Path, form: Form, digest: Digest | None = None) -> Iterator[tuple[int, str]]:
    """Number (from 1) and text of each line; `digest` gets the raw bytes on the way.

    Raises `DataError`; `FileNotFoundError` and `NotADirectoryError` are left to the caller, who
    knows what to look for.
    """
    offset = 0
    with opened(path, form) as stream:
        for number in itertools.count(1):
            raw = stream.readline(MAX_LINE + 1)
            if not raw:
                return
            if digest:
                digest.update(raw)
            if number == 1:
                refuse_signature(path, raw)
            if len(raw) > MAX_LINE:
                found = f"a line of more than {MAX_LINE} bytes, starting with {_start(raw)}"
                raise error(at(path, number), found, form.line, form.too_long)
            if b"\0" in raw:
                found = f"a NUL byte (byte {offset + raw.index(0)} of the file)"
                mend = f"save it as UTF-8, or {form.again}"
                raise error(at(path, number), found, "UTF-8 text", mend)
            try:
                line = raw.removesuffix(b"\n").removesuffix(b"\r").decode()
            except UnicodeDecodeError as cause:
                byte = raw[cause.start]
                found = f"byte 0x{byte:02x} (byte {offset + cause.start} of the file) is not UTF-8"
                mend = f"convert it (Latin-1: iconv -f LATIN1 -t UTF-8), or {form.again}"
                raise error(at(path, number), found, "UTF-8 text", mend) from cause
            yield number, line.removeprefix("\ufeff") if number == 1 else line
            offset += len(raw)


@contextmanager
def opened(path: Path, form: Form) -> Generator[BufferedReader, None, None]:
    """Open a file; what goes wrong then or while it is read is a `DataError`, but a missing one."""
    try:
        # Before it is opened: opening a named pipe would wait for a writer.
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            found = "a directory" if stat.S_ISDIR(mode) else "neither a file nor a directory"
            raise error(at(path), found, form.file, f"put the file there; {form.again}")
        with path.open("rb") as stream:
            yield stream
    except (FileNotFoundError, NotADirectoryError):
        raise
    except OSError as cause:
        raise _unreadable(path, cause) from cause


def error(where: str, found: str, expected: str, mend: str) -> DataError:
    """What is wrong with a file, and where."""
    return DataError(f"{where}: {found}; expected {expected}; {mend}")


def at(path: Path, line: int | None = None) -> str:
    """A file, or a line of it, as an error names it."""
    return shown_path(path) if line is None else f"{shown_path(path)}:{line}"


def refuse_signature(path: Path, start: bytes) -> None:
    """Raise `DataError` for a file that is no text, by how it starts."""
    for signature, name, mend in SIGNATURES:
        if start.startswith(signature):
            raise error(at(path), f"the file is {name}", "UTF-8 text", mend)


def _unreadable(path: Path, cause: OSError) -> DataError:
    mend = "check the disk and the mount"
    if cause.errno == errno.ELOOP:
        mend = "replace the symbolic link, which leads to itself"
    elif isinstance(cause, PermissionError):
        mend = "give yourself read permission for it and search permission for its folders"
    return error(at(path), f"cannot be read: {cause.strerror}", "a readable file", mend)


def _start(raw: bytes) -> str:
    return shown(raw[:400].decode(errors="replace"))
