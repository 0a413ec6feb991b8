"""Measure compressed files of rows before `datasets` unpacks them to the disk."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zipfile
import zlib
from pathlib import Path
from typing import Protocol

from harness.files import reading
from harness.files.lines import at, error
from harness.files.reading import MB, ROWS

STREAMS = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\0": lzma.open}
ZIP = b"PK\x03\x04"
OTHERS = {  # `datasets` would unpack these, but their unpacked size cannot be measured here
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\x04\x22\x4d\x18": "lz4",
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"Rar!": "rar",
}
TAR = (257, b"ustar")  # where its signature stands
DAMAGED = (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, RuntimeError)


def check(path: Path) -> None:
    """Raise `DataError` for a file that unpacks to more bytes than `reading.ROWS` allows.

    Raises `OSError` where it cannot be read.
    """
    with reading.opened(path, ROWS) as stream:
        start = stream.read(TAR[0] + len(TAR[1]))
    name = next((name for mark, name in OTHERS.items() if start.startswith(mark)), None)
    if name or start[TAR[0] :] == TAR[1]:
        raise error(
            at(path),
            f"{name or 'tar'} data",
            "plain rows, or gzip, bzip2, xz or zip data",
            "unpack it, and name the folder as data",
        )
    try:
        size = _unpacked_size(path, start)
    except DAMAGED as cause:
        found = f"cannot be unpacked: {type(cause).__name__}"
        raise error(at(path), found, "a whole file", "fetch it again") from cause
    if size > ROWS.most:
        found = f"{path.stat().st_size:,} bytes that unpack to more than {ROWS.most:,}"
        raise error(at(path), found, "fewer", "use a part of it")


def _unpacked_size(path: Path, start: bytes) -> int:
    """How many bytes a file unpacks to; 0 if it is not compressed. `start` are its first bytes."""
    if start.startswith(ZIP):
        with zipfile.ZipFile(path) as archive:
            return sum(member.file_size for member in archive.infolist())
    unpack = next((unpack for mark, unpack in STREAMS.items() if start.startswith(mark)), None)
    if unpack is None:
        return 0
    with unpack(path) as stream:
        return _length(stream)


class Stream(Protocol):
    """Bytes that are unpacked as they are read."""

    def read(self, size: int, /) -> bytes: ...


def _length(stream: Stream) -> int:
    """How many bytes a stream gives. It stops counting where they are too many."""
    size = 0
    while size <= ROWS.most and (part := stream.read(MB)):
        size += len(part)
    return size
