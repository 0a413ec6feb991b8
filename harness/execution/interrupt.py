"""Ctrl-C while cases run.

A `KeyboardInterrupt` can be raised anywhere: between the end of a run and the writing of its
record, or inside a hook of pytest, which would report it as an internal error. So while a case is
handled, it is raised where a run is waited for, and elsewhere only when the case is done. Once a
Ctrl-C ends the session, further ones have no effect for `GRACE_S`.
"""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Generator
from types import FrameType

GRACE_S = 15.0
"""How long an interrupted session may take to end before another Ctrl-C stops that too."""


class _Deferring:
    """A handler of SIGINT that remembers the first one, and raises while a run is waited for."""

    def __init__(self) -> None:
        self.waiting = self.received = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if self.waiting or self.received:  # a second one is never deferred
            raise KeyboardInterrupt
        self.received = True


@contextlib.contextmanager
def deferred() -> Generator[None]:
    """Raise a Ctrl-C of this block only at its end, or inside `allowed`.

    Does nothing inside another such block, in threads other than the main one, and where SIGINT is
    ignored or has a handler other than Python's.
    """
    in_main = threading.current_thread() is threading.main_thread()
    if not in_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    handler = _Deferring()
    signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if handler.received:
        raise KeyboardInterrupt


@contextlib.contextmanager
def allowed() -> Generator[None]:
    """Raise a Ctrl-C at once inside the block; one that was deferred, at its beginning."""
    handler = signal.getsignal(signal.SIGINT)
    if not isinstance(handler, _Deferring):
        yield
        return
    try:
        handler.waiting = True
        if handler.received:
            raise KeyboardInterrupt
        yield
    finally:
        handler.waiting = False


class _Ending:
    """A handler of SIGINT for a session that is ending because of an earlier one."""

    def __init__(self) -> None:
        self.until = time.monotonic() + GRACE_S

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if time.monotonic() >= self.until:
            raise KeyboardInterrupt


def begin_to_end() -> None:
    """From now on a Ctrl-C has an effect only after `GRACE_S`: the session is ending already.

    Does nothing where `deferred` does nothing.
    """
    in_main = threading.current_thread() is threading.main_thread()
    if in_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _Ending())


def have_ended() -> None:
    """Undo `begin_to_end`."""
    if isinstance(signal.getsignal(signal.SIGINT), _Ending):
        signal.signal(signal.SIGINT, signal.default_int_handler)
