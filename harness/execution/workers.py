"""Worker processes as the driver sees them, and those that are started alone.

`forking` has those that a warm server forks.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import connection
from typing import IO, Any

from harness.execution import fork_server
from harness.execution.channel import Receiver
from harness.execution.worker import OFFLINE, UNLESS_SET, module_folders

ALONE = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
channel, task, driver = map(int, sys.argv[2:])
from harness.execution import fork_server, worker
fork_server.die_with(driver)
worker.main(channel, task)
"""
POLL_S = 0.05


class Worker:
    """A process that runs one configuration; asked for, but maybe not there yet."""

    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver
        self.pid: int | None = None
        """None until the process is there."""
        self.exit_code: int | None = None
        """None until it is known how it ended; minus the signal's number if one ended it."""
        self.is_lost = False
        """Whether nobody is left who could tell how it ends."""

    def wait(self, seconds: float) -> None:
        """Return once the worker has said something or ended, or after `seconds`."""
        heard = [] if self.receiver.is_over else [self.receiver]
        self._wait([*heard, *self._told_by()], seconds)

    def wait_for_end(self, seconds: float) -> None:
        """Return once the worker may have ended, or after `seconds`."""
        told = self._told_by()
        self._wait(told, seconds if told else min(seconds, POLL_S))

    def look(self) -> None:
        """Learn what has become of the process, without waiting."""
        raise NotImplementedError  # a forked process is asked otherwise than one started alone

    def kill(self) -> None:
        """Send SIGKILL to the process and all of its group."""
        if self.pid is None or self.exit_code is not None:
            return
        for send in (os.killpg, os.kill):  # it may have made no group yet
            with contextlib.suppress(ProcessLookupError, PermissionError):
                send(self.pid, signal.SIGKILL)

    def server_hangs(self, waited_s: float) -> bool:
        """Whether the server that was asked for this worker, `waited_s` ago, will not fork it."""
        return False

    def kill_server(self) -> None:
        """End the server that was asked for this worker, and so all workers that it forked."""

    def why_lost(self) -> str:
        """What to say where the worker is lost."""
        return "the worker is lost"

    def close(self) -> None:
        """Hear no more of it; if it still runs it ends itself."""
        self.receiver.close()

    def _told_by(self) -> list[Any]:
        """What can be waited for, to learn that the process ended."""
        return []

    def _wait(self, ends: list[Any], seconds: float) -> None:
        seconds = max(0.0, seconds)
        if ends:
            connection.wait(ends, seconds)
        else:
            time.sleep(seconds)
        self.look()


class _Alone(Worker):
    """A child of this process."""

    def __init__(self, receiver: Receiver, process: subprocess.Popen[bytes]) -> None:
        super().__init__(receiver)
        self._process = process
        self.pid = process.pid

    def look(self) -> None:
        if self.exit_code is None:
            self.exit_code = self._process.returncode = fork_server.reaped(self._process.pid)


def alone(task: IO[bytes], log: IO[bytes]) -> Worker:
    """A worker that no server was needed for; imports for seconds. Raises `OSError`."""
    ours, theirs = socket.socketpair()
    with theirs:
        try:
            process = started(ALONE, [theirs.fileno(), task.fileno()], log)
        except BaseException:
            ours.close()
            raise
    return _Alone(Receiver(ours), process)


def started(code: str, descriptors: Sequence[int], output: IO[bytes]) -> subprocess.Popen[bytes]:
    """A process of its own group that runs `code` with these descriptors; ends with this one."""
    numbers = [str(number) for number in (*descriptors, os.getpid())]

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-c", code, json.dumps(module_folders()), *numbers],
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, pass_fds=descriptors,
            process_group=0, env={**UNLESS_SET, **os.environ, **OFFLINE},
        )  # fmt: skip

    try:
        return _launcher.submit(start).result()
    except RuntimeError as error:  # no thread can be started, or the interpreter is ending
        raise OSError(errno.EAGAIN, str(error)) from error


_launcher = ThreadPoolExecutor(1, thread_name_prefix="glue-launch")
"""The thread that starts processes: the kernel kills them when it ends (prctl(2)), so it stays."""


def _renew_launcher() -> None:
    """A forked process has none of its parent's threads."""
    global _launcher
    _launcher = ThreadPoolExecutor(1, thread_name_prefix="glue-launch")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_launcher)
