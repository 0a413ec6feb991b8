"""Worker processes as the driver sees them, and those that are started alone.

`forking` has those that a warm server forks.
"""

from __future__ import annotations

import contextlib
import errno
import functools
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
from typing import IO

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
    """A process that runs one configuration; it was asked for and may not exist yet."""

    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver
        self.pid: int | None = None
        """None until the process exists."""
        self.exit_code: int | None = None
        """None until it is known how it ended; negative: the number of the signal that ended it."""
        self.is_lost = False
        """Whether no process is left that could tell how it ended."""

    def wait(self, seconds: float) -> None:
        """Return once the worker has sent something or ended, or after `seconds`."""
        messages = [] if self.receiver.is_over else [self.receiver.fileno()]
        self._wait([*messages, *self._end_signals()], seconds)

    def wait_for_end(self, seconds: float) -> None:
        """Return once the worker may have ended, or after `seconds`."""
        ends = self._end_signals()
        self._wait(ends, seconds if ends else min(seconds, POLL_S))

    def look(self) -> None:
        """Update `pid`, `exit_code` and `is_lost`, without waiting."""
        raise NotImplementedError  # a forked process is asked in another way than a child

    def kill(self) -> None:
        """Send SIGKILL to the process and all of its group."""
        if self.pid is None or self.exit_code is not None:
            return
        for send in (os.killpg, os.kill):  # it may not have its own group yet
            with contextlib.suppress(ProcessLookupError, PermissionError):
                send(self.pid, signal.SIGKILL)

    def server_hangs(self, waited_s: float) -> bool:
        """Whether the server that was asked for this worker `waited_s` ago will never fork it."""
        return False

    def kill_server(self) -> None:
        """End the server that was asked for this worker, and so all workers that it forked."""

    def why_lost(self) -> str:
        """The reason that a lost worker is reported with."""
        return "the worker is lost"

    def close(self) -> None:
        """Stop listening; a worker that still runs then ends itself."""
        self.receiver.close()

    def _end_signals(self) -> list[int]:
        """The descriptors to wait on, to learn that the process ended."""
        return []

    def _wait(self, ends: list[int], seconds: float) -> None:
        seconds = max(0.0, seconds)
        if ends:
            connection.wait(ends, seconds)
        else:
            time.sleep(seconds)
        self.look()


class _Alone(Worker):
    """A worker that is a child of this process."""

    def __init__(self, receiver: Receiver, process: subprocess.Popen[bytes]) -> None:
        super().__init__(receiver)
        self._process = process
        self.pid = process.pid

    def look(self) -> None:
        if self.exit_code is None:
            self.exit_code = self._process.returncode = fork_server.reaped(self._process.pid)


def alone(task: IO[bytes], log: IO[bytes]) -> Worker:
    """A worker started without the fork server: it imports for seconds. Raises `OSError`."""
    ours, theirs = socket.socketpair()
    with theirs:
        try:
            process = LAUNCHER.start(ALONE, [theirs.fileno(), task.fileno()], log)
        except BaseException:
            ours.close()
            raise
    return _Alone(Receiver(ours), process)


class Launcher:
    """Starts processes in a thread of its own: the kernel kills them when it ends (prctl(2)).

    So that thread stays. A forked process has none of its parent's threads, and gets a new one.
    """

    def __init__(self) -> None:
        self._renew()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._renew)

    def start(
        self, code: str, descriptors: Sequence[int], output: IO[bytes]
    ) -> subprocess.Popen[bytes]:
        """A process of its own group that runs `code` with these descriptors; ends with this one.

        Raises `OSError`.
        """
        numbers = [str(number) for number in (*descriptors, os.getpid())]
        start = functools.partial(
            subprocess.Popen[bytes],
            [sys.executable, "-c", code, json.dumps(module_folders()), *numbers],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=descriptors,
            process_group=0,
            env={**UNLESS_SET, **os.environ, **OFFLINE},
        )
        try:
            return self._thread.submit(start).result()
        except RuntimeError as error:  # no thread can be started, or the interpreter is ending
            raise OSError(errno.EAGAIN, str(error)) from error

    def _renew(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="glue-launch")


LAUNCHER = Launcher()
