"""What all threads of a process share, changed for as long as a worker is being started.

One lock is for all of it, since two threads may start workers at once.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import sys
import tempfile
import threading
from collections.abc import Generator, Mapping

LONGEST_TEMPORARY = 107 - len("/pymp-12345678/listener-12345678")
"""Bytes: a socket's path has at most 107 (unix(7)), and multiprocessing adds the rest."""
SHORT = ("/tmp", "/var/tmp", "/dev/shm")

_lock = threading.RLock()


def _renew_lock() -> None:
    """A forked process has none of the threads that may have held the lock."""
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


@contextlib.contextmanager
def environment(values: Mapping[str, str]) -> Generator[None]:
    """Set variables that a process started inside will inherit."""
    with _lock:
        before = {name: os.environ.get(name) for name in values}
        os.environ.update(values)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value


@contextlib.contextmanager
def short_temporary_folder() -> Generator[None]:
    """Let multiprocessing put its socket where the socket's path is short enough."""
    with _lock:
        before = tempfile.tempdir
        if len(os.fsencode(tempfile.gettempdir())) > LONGEST_TEMPORARY:
            usable = (folder for folder in SHORT if os.access(folder, os.W_OK | os.X_OK))
            tempfile.tempdir = next(usable, before)
        try:
            yield
        finally:
            tempfile.tempdir = before


@contextlib.contextmanager
def may_start_worker() -> Generator[None]:
    """Let a process start a worker also where multiprocessing is in the way.

    A child would run the script that is `__main__`, or import pytest: it is hidden. A daemonic
    process, as a pool's worker is, may have no children, which would outlive it: ours end with it.
    """
    with _lock:
        main, process = sys.modules["__main__"], multiprocessing.current_process()
        hidden = {key: vars(main)[key] for key in ("__spec__", "__file__") if key in vars(main)}
        main.__spec__ = None
        vars(main).pop("__file__", None)
        is_daemonic = process.daemon
        if is_daemonic:
            process.daemon = False
        try:
            yield
        finally:
            if is_daemonic:
                process.daemon = True
            vars(main).update(hidden)
