"""Ctrl-C while cases run.

A `KeyboardInterrupt` can strike anywhere: also between the end of a run and its record reaching the
disk, or inside a hook of pytest, which may take it for a fault of its own. While a case is handled
it is therefore let through where a run is waited for, and elsewhere kept until the case is done.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Generator
from types import FrameType


class _Keeper:
    """A handler of SIGINT that keeps the first one, unless somebody waits."""

    def __init__(self) -> None:
        self.waiting = self.kept = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if self.waiting or self.kept:  # a second one is never kept
            raise KeyboardInterrupt
        self.kept = True


@contextlib.contextmanager
def deferred() -> Generator[None]:
    """Keep a Ctrl-C until the end of the block, outside of `allowed`.

    Does nothing inside another such block, in other threads than the main one, and where SIGINT is
    not Python's own affair: ignored, or handled by somebody else.
    """
    in_main = threading.current_thread() is threading.main_thread()
    if not in_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    keeper = _Keeper()
    signal.signal(signal.SIGINT, keeper)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if keeper.kept:
        raise KeyboardInterrupt


@contextlib.contextmanager
def allowed() -> Generator[None]:
    """Let a Ctrl-C through inside the block, one that was kept before at its beginning."""
    keeper = signal.getsignal(signal.SIGINT)
    if not isinstance(keeper, _Keeper):
        yield
        return
    try:
        keeper.waiting = True
        if keeper.kept:
            raise KeyboardInterrupt
        yield
    finally:
        keeper.waiting = False
