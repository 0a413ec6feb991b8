"""Opens files from elsewhere so that none of them can block or flood the reader.

Only a regular file, or a link to one, is opened: a named pipe waits for a writer, a device such as
/dev/zero has no end, and opening some devices has an effect. Each kind of file has a largest size.
A larger file is refused before a byte is read.
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
    """A kind of file, and its largest size in bytes."""

    name: str
    most: int


SETTINGS = Kind("a file of settings", MB)  # pyproject.toml, tasks, thresholds
JSON = Kind("a model's JSON", 16 * MB)  # config.json, the index of shards, a model's card
DATA_CARD = Kind("a data set's card", 16 * MB)
TOKENIZER = Kind("a file of a tokenizer", GB)  # the largest published ones are near 40 MB
WEIGHTS = Kind("a file of weights", 100 * GB)  # 25 billion fp32 numbers
ROWS = Kind("a file of rows", 4 * GB)  # GLUE's largest has 80 MB
VECTORS = Kind("a file of word vectors", 32 * GB)  # GloVe's largest has 6 GB
ANY = WEIGHTS
"""For a file whose kind was checked before: the largest size of all."""

SYSTEM = ("/proc/", "/sys/")
"""Folders of Linux whose files claim to be regular, but may block or have no end."""
DEVICES = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a disk"),
)


class Refused(OSError):
    """Something that is no file, or is too large; `strerror` says which, for a message."""


def kind_of(mode: int) -> str:
    """What is at a path, if it is no regular file, by its mode in the system."""
    return next((name for is_it, name in DEVICES if is_it(mode)), "neither a file nor a directory")


@contextmanager
def opened(path: Path, kind: Kind = ANY) -> Generator[BufferedReader]:
    """Open a regular file for reading. Raises `OSError`, of which `Refused` is one."""
    check(path, path.stat(), kind)  # before, since opening a device can have an effect
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as stream:
        check(path, os.fstat(descriptor), kind)  # again, since the file may have been replaced
        yield stream


def read(path: Path, kind: Kind) -> bytes:
    """A whole file. Raises `OSError`, also if it turns out to be larger than its kind allows."""
    with opened(path, kind) as stream:
        content = stream.read(kind.most + 1)
    if len(content) > kind.most:  # it grew, or is a file of /proc with size 0
        raise too_large(path, len(content), kind)
    return content


def check(path: Path, status: os.stat_result, kind: Kind) -> None:
    """Raise `Refused` if this is no regular file, or is larger than its kind allows."""
    if not stat.S_ISREG(status.st_mode):
        number = errno.EISDIR if stat.S_ISDIR(status.st_mode) else errno.EINVAL
        problem = f"it is {kind_of(status.st_mode)}; expected a file"
        raise Refused(number, problem, str(path))
    if os.path.realpath(path).startswith(SYSTEM):
        raise Refused(errno.EINVAL, "it is part of the system; expected a file", str(path))
    if status.st_size > kind.most:
        raise too_large(path, status.st_size, kind)


def too_large(path: Path, size: int, kind: Kind) -> Refused:
    """The error for a file of `size` bytes."""
    problem = f"it holds {size:,} bytes or more; {kind.name} may hold {kind.most:,}"
    return Refused(errno.EFBIG, problem, str(path))
