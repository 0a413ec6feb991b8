"""Files that others wrote, opened so that none of them can stop or flood the reader.

Only a regular file is opened, or a link that leads to one: a named pipe waits for a writer, a
device such as /dev/zero has no end, and opening some devices does something. Each kind of file has
a size above which it is refused, from its size alone, before a byte is read.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

KB, MB, GB = 1 << 10, 1 << 20, 1 << 30


@dataclass(frozen=True)
class Kind:
    """A kind of file, and the most bytes that one may have."""

    name: str
    most: int


SETTINGS = Kind("a file of settings", MB)  # pyproject.toml, tasks, thresholds
JSON = Kind("a model's JSON", 16 * MB)  # config.json, the index of shards, a model's card
DATA_CARD = Kind("a data set's card", 16 * MB)
TOKENIZER = Kind("a file of a tokenizer", GB)  # the largest published ones are near 40 MB
WEIGHTS = Kind("a file of weights", 100 * GB)  # of 25 thousand million fp32 numbers
ROWS = Kind("a file of rows", 4 * GB)  # GLUE's largest has 80 MB
VECTORS = Kind("a file of word vectors", 32 * GB)  # GloVe's largest has 6 GB
ANY = WEIGHTS
"""Of a file whose kind was checked before: as much as any kind may have."""

SYSTEM = ("/proc/", "/sys/")
"""Folders of Linux whose files say that they are regular, and may wait or never end."""
DEVICES = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a disk"),
)


class Refused(OSError):
    """Something that is no file, or is too large; `strerror` says which in words of a message."""


def kind_of(mode: int) -> str:
    """What a path leads to that is no regular file, by the mode that `stat` gave."""
    return next((name for is_it, name in DEVICES if is_it(mode)), "neither a file nor a directory")


@contextmanager
def opened(path: Path, kind: Kind = ANY) -> Generator[BufferedReader]:
    """Open a regular file for reading. Raises `OSError`, of which `Refused` is one."""
    check(path, path.stat(), kind)  # first, for opening a device can have an effect
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as stream:
        check(path, os.fstat(descriptor), kind)  # of what was opened: it may be another by now
        yield stream


def read(path: Path, kind: Kind) -> bytes:
    """A whole file. Raises `OSError`, also where it turns out larger than its kind allows."""
    with opened(path, kind) as stream:
        content = stream.read(kind.most + 1)
    if len(content) > kind.most:  # it grew, or is one of /proc, whose size is 0
        raise too_large(path, len(content), kind)
    return content


def check(path: Path, status: os.stat_result, kind: Kind) -> None:
    """Raise `Refused` for what is no regular file, or is larger than its kind allows."""
    if not stat.S_ISREG(status.st_mode):
        number = errno.EISDIR if stat.S_ISDIR(status.st_mode) else errno.EINVAL
        said = f"it is {kind_of(status.st_mode)}; expected a file"
        raise Refused(number, said, str(path))
    if os.path.realpath(path).startswith(SYSTEM):
        raise Refused(errno.EINVAL, "it is a part of the system; expected a file", str(path))
    if status.st_size > kind.most:
        raise too_large(path, status.st_size, kind)


def too_large(path: Path, size: int, kind: Kind) -> Refused:
    """The error to raise for a file of `size` bytes."""
    said = f"it holds {size:,} bytes or more; {kind.name} may hold {kind.most:,}"
    return Refused(errno.EFBIG, said, str(path))
