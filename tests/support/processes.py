"""The processes of this machine, and a wait for what they will do."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path


def commands() -> list[bytes]:
    """The command lines of all processes but this one, a NUL after each word."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        if path.parent.name != str(os.getpid()):
            with contextlib.suppress(OSError):
                found.append(path.read_bytes())
    return found


def until(is_so: Callable[[], bool]) -> None:
    """Wait for something that has to come."""
    for _ in range(3000):
        if is_so():
            return
        time.sleep(0.01)
    raise AssertionError("it did not come within 30 s")
