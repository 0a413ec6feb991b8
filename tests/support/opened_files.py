"""The files of a folder that any code opened, as the kernel reports them."""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

IN_OPEN, IN_ISDIR = 0x20, 0x40000000
EVENT = struct.Struct("iIII")  # man 7 inotify: watch, mask, cookie, length of the name

needs_inotify = pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")


@contextlib.contextmanager
def opened(folder: Path) -> Iterator[set[str]]:
    """The files that are opened inside, by their names from the folder on; full at its end."""
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    assert descriptor >= 0, os.strerror(ctypes.get_errno())
    folders = {}
    for below in [folder, *(path for path in folder.rglob("*") if path.is_dir())]:
        folders[libc.inotify_add_watch(descriptor, os.fsencode(below), IN_OPEN)] = below
    assert -1 not in folders, os.strerror(ctypes.get_errno())
    seen: set[str] = set()
    try:
        yield seen
        with contextlib.suppress(BlockingIOError):
            while events := os.read(descriptor, 1 << 16):
                for watch, name in _events(events):
                    seen.add((folders[watch] / name).relative_to(folder).as_posix())
    finally:
        os.close(descriptor)


def _events(buffer: bytes) -> Iterator[tuple[int, str]]:
    place = 0
    while place < len(buffer):
        watch, mask, _, length = EVENT.unpack_from(buffer, place)
        name = buffer[place + EVENT.size : place + EVENT.size + length].rstrip(b"\0")
        place += EVENT.size + length
        if name and not mask & IN_ISDIR:
            yield watch, os.fsdecode(name)
