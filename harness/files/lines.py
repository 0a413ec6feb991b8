"""Reads the lines of a UTF-8 text file, and says what is wrong with them.

A byte order mark before the first line, and a carriage return before a line feed, are dropped.
"""

from __future__ import annotations

import codecs
import errno
import itertools
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Protocol

from harness.errors import DataError
from harness.files import reading
from harness.text.values import shown, shown_path

MAX_LINE = 1 << 20  # bytes, with the line end

UTF_16 = "convert it with iconv -f UTF-16 -t UTF-8"
UTF_32 = "convert it with iconv -f UTF-32 -t UTF-8"
SIGNATURES = (  # the first match counts: UTF-32's mark begins with UTF-16's
    (
        b"version https://git-lfs.github.com/spec/",
        "a git-lfs pointer, not the data itself",
        "run `git lfs pull` in its folder",
    ),
    (b"\x1f\x8b", "gzip-compressed data", "decompress it with gunzip"),
    (b"BZh", "bzip2-compressed data", "decompress it with bunzip2"),
    (b"\xfd7zXZ\0", "xz-compressed data", "decompress it with unxz"),
    (b"\x28\xb5\x2f\xfd", "zstd-compressed data", "decompress it with unzstd"),
    (
        b"PK\x03\x04",
        "a zip archive",
        "unzip it, or save a workbook as CSV in UTF-8",
    ),
    (b"\xd0\xcf\x11\xe0", "an Excel workbook or Word document", "save it as CSV in UTF-8"),
    (b"PAR1", "Parquet data", "give the file the ending .parquet"),
    (b"ARROW1", "Arrow data", "save it as Parquet: pandas.read_feather(...).to_parquet(...)"),
    (b"\xff\xfe\0\0", "UTF-32 text (little-endian)", UTF_32),
    (b"\0\0\xfe\xff", "UTF-32 text (big-endian)", UTF_32),
    (b"\xff\xfe", "UTF-16 text (little-endian)", UTF_16),
    (b"\xfe\xff", "UTF-16 text (big-endian)", UTF_16),
)
WINDOWS_ONLY = frozenset(range(0x80, 0xA0))  # bytes that are control characters in Latin-1
UNDEFINED = frozenset((0x81, 0x8D, 0x8F, 0x90, 0x9D))  # bytes without meaning in Windows-1252


class Digest(Protocol):
    """A hash of `hashlib`."""

    def update(self, data: bytes, /) -> None: ...


@dataclass(frozen=True)
class Form:
    """What a file should be, in words for error messages."""

    file: str  # such as "a tab-separated file"
    line: str  # the content of a line
    again: str  # how to get an undamaged copy
    too_long: str  # how to fix a line that is too long
    kind: reading.Kind = reading.ROWS


def read(path: Path, form: Form, digest: Digest | None = None) -> Iterator[tuple[int, str]]:
    """The number (from 1) and text of each line; `digest` is updated with the raw bytes.

    Raises `DataError`. `FileNotFoundError` and `NotADirectoryError` pass: the caller knows which
    file to ask for.
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
                fix = f"save it as UTF-8, or {form.again}"
                raise error(at(path, number), found, "UTF-8 text", fix)
            try:
                line = raw.removesuffix(b"\n").removesuffix(b"\r").decode()
            except UnicodeDecodeError as cause:
                byte = raw[cause.start]
                found = f"byte 0x{byte:02x} (byte {offset + cause.start} of the file) is not UTF-8"
                fix = f"{from_another_encoding(raw)}, or {form.again}"
                raise error(at(path, number), found, "UTF-8 text", fix) from cause
            yield number, line.removeprefix("\ufeff") if number == 1 else line
            offset += len(raw)


@contextmanager
def opened(path: Path, form: Form) -> Generator[BufferedReader, None, None]:
    """Open a file. An error now, or while it is read, is a `DataError`, unless it is missing."""
    try:
        with reading.opened(path, form.kind) as stream:
            yield stream
    except (FileNotFoundError, NotADirectoryError):
        raise
    except reading.Refused as cause:
        found, expected, fix = str(cause.strerror).split(";")[0], form.file, form.again
        if cause.errno == errno.EFBIG:
            expected, fix = f"at most {form.kind.most:,}", "name a smaller file"
        elif cause.errno == errno.EISDIR:
            fix = "name a file in it, or another one"
        else:
            fix = f"put the file there; {fix}"
        raise error(at(path), found, expected, fix) from cause
    except OSError as cause:
        raise _unreadable(path, cause) from cause


def error(where: str, found: str, expected: str, fix: str) -> DataError:
    """An error about a file: where, what was found, what was expected, and how to fix it."""
    return DataError(f"{where}: {found}; expected {expected}; {fix}")


def at(path: Path, line: int | None = None) -> str:
    """A file, or a line of it, as an error names it."""
    return shown_path(path) if line is None else f"{shown_path(path)}:{line}"


def refuse_signature(path: Path, start: bytes) -> None:
    """Raise `DataError` if a file starts like one that is no UTF-8 text."""
    for signature, name, fix in SIGNATURES:
        if start.startswith(signature):
            raise error(at(path), f"the file is {name}", "UTF-8 text", fix)


def from_another_encoding(raw: bytes) -> str:
    """How to fix bytes that are not UTF-8, from a guess at their encoding."""
    if any(char > "\x7f" and char != "\ufffd" for char in raw.decode(errors="replace")):
        return "correct the text there: the other characters are UTF-8"
    guess = "Latin-1: iconv -f LATIN1 -t UTF-8"
    if not UNDEFINED.isdisjoint(raw):
        guess = "iconv -f ENCODING -t UTF-8"
    elif not WINDOWS_ONLY.isdisjoint(raw):
        guess = "Western Windows: iconv -f WINDOWS-1252 -t UTF-8"
    return f"convert it from the encoding that it was saved in ({guess})"


def decoded(path: Path, raw: bytes) -> str:
    """A whole file as text, without a byte order mark. Raises `DataError`."""
    refuse_signature(path, raw)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as cause:
        # The decoder does not count the byte order mark.
        start = cause.start + 3 * raw.startswith(codecs.BOM_UTF8)
        found = f"byte 0x{raw[start]:02x} is not UTF-8"
        line = 1 + raw[:start].count(b"\n")
        raise error(at(path, line), found, "UTF-8 text", from_another_encoding(raw)) from cause
    if "\0" in text:
        line = 1 + text[: text.index("\0")].count("\n")
        raise error(at(path, line), "a NUL byte", "UTF-8 text", _without_nul(raw))
    return text


def _without_nul(raw: bytes) -> str:
    """How to fix a NUL byte. In UTF-16 text that is mostly ASCII, every second byte is NUL."""
    first, second = (raw[start::2].count(0) for start in (0, 1))
    if max(first, second) < len(raw) // 4:
        return "remove it, or save the file again"
    return f"convert it with iconv -f UTF-16{'BE' if first > second else 'LE'} -t UTF-8"


def _unreadable(path: Path, cause: OSError) -> DataError:
    fix = "check the disk and the mount"
    if cause.errno == errno.ELOOP:
        fix = "replace the symbolic link, which points to itself"
    elif isinstance(cause, PermissionError):
        fix = "give yourself read permission for it and search permission for its folders"
    return error(at(path), f"cannot be read: {cause.strerror}", "a readable file", fix)


def _start(raw: bytes) -> str:
    return shown(raw[:400].decode(errors="replace"))
