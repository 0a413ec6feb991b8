"""The sha256 of files, remembered until a file changes."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

from harness.files import reading


def sha256(path: Path) -> str:
    """The sha256 of a file's bytes, read now. Raises `OSError`, also if it is no file."""
    with reading.opened(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def remembered(path: Path) -> str:
    """The sha256 of a file's bytes, read again only if its `stamp` changed. Raises `OSError`."""
    return _of_stamp(path, stamp(path))


def stamp(path: Path) -> tuple[int, ...]:
    """Facts of which one changes with every write to a file, even if its times are set back.

    They are device, inode, size in bytes, and the times in ns of the last change of the content and
    of the inode. Raises `OSError`.
    """
    facts = path.stat()
    return facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns


@functools.cache
def _of_stamp(path: Path, stamp: tuple[int, ...]) -> str:
    return sha256(path)
