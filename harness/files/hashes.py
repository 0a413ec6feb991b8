"""sha256 of files, and when one must be read again."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

from harness.files import reading


def sha256(path: Path) -> str:
    """Of a file's bytes, all of them read now. Raises `OSError`, also for what is no file."""
    with reading.opened(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def remembered(path: Path) -> str:
    """Of a file's bytes, read again where its `stamp` is another. Raises `OSError`."""
    return _of_stamp(path, stamp(path))


def stamp(path: Path) -> tuple[int, ...]:
    """What changes with every write to a file, whatever time it is given afterwards.

    Device, inode, size in bytes, and the times of the last change of content and of inode in ns.
    Raises `OSError`.
    """
    facts = path.stat()
    return facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns


@functools.cache
def _of_stamp(path: Path, stamp: tuple[int, ...]) -> str:
    return sha256(path)
