"""Ctrl-C while cases run.

A `KeyboardInterrupt` can strike anywhere: also between the end of a run and its record reaching the
disk, or inside a hook of pytest, which may take it for a fault of its own. While a case is handled
it is therefore let through where a run is waited for, and elsewhere kept until the case is done.
Once one has ended a session, those that follow it at once (a hand that is impatient) do nothing.
"""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Generator
from types import FrameType

GRACE_S = 15.0
"""How long a session that is being interrupted may take to end, before a Ctrl-C cuts it off."""


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


class _Ending:
    """A handler of SIGINT for a session that ends because of an earlier one."""

    def __init__(self) -> None:
        self.until = time.monotonic() + GRACE_S

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if time.monotonic() >= self.until:
            raise KeyboardInterrupt


def begin_to_end() -> None:
    """From now on a Ctrl-C strikes only after `GRACE_S`: the first one is being obeyed.

    Does nothing where `deferred` does nothing.
    """
    in_main = threading.current_thread() is threading.main_thread()
    if in_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _Ending())


def have_ended() -> None:
    """Undo `begin_to_end`."""
    if isinstance(signal.getsignal(signal.SIGINT), _Ending):
        signal.signal(signal.SIGINT, signal.default_int_handler)
