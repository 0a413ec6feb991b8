"""The driver's side of the fork server, which forks workers that need no imports.

It is started before it is needed, and again whenever it has ended. Nothing here waits for it: if it
hangs, its worker has no pid, and whoever waits for the worker may give up.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO

from harness.execution.channel import Receiver
from harness.execution.workers import LAUNCHER, Worker

CAN_FORK = sys.platform == "linux"  # elsewhere a process that has loaded torch may not be forked
SERVER = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from harness.execution import fork_server
fork_server.serve(*map(int, sys.argv[2:]))
"""
SEND_S = 5.0
"""A server that accepts no request for so long hangs."""
FORK_S = 10.0
"""A server that has done its imports and does not fork for so long hangs."""
IMPORTS_S = 120.0
"""A server whose imports take so long hangs; from a slow disk torch alone takes 60 s."""


class _Forked(Worker):
    """A worker forked by a server, which reports its pid and its exit code on a pipe."""

    def __init__(self, receiver: Receiver, pipe: int, server: _Server) -> None:
        super().__init__(receiver)
        os.set_blocking(pipe, False)
        self._pipe: int | None = pipe
        self._text = b""
        self._error = ""
        self._server = server

    def look(self) -> None:
        while self._pipe is not None:
            try:
                chunk = os.read(self._pipe, 4096)
            except BlockingIOError:
                return
            self._text += chunk
            *lines, self._text = self._text.split(b"\n")
            for line in lines:
                self._hear(*line.decode().split())
            if not chunk:
                os.close(self._pipe)
                self._pipe = None
                self.is_lost = self.exit_code is None

    def server_hangs(self, waited_s: float) -> bool:
        server = self._server
        if self.pid is not None:
            return False
        if server.is_warm:
            return waited_s >= FORK_S
        return time.monotonic() - server.began >= IMPORTS_S

    def kill_server(self) -> None:
        FORK_SERVER.kill(self._server)

    def why_lost(self) -> str:
        return self._error or f"the fork server was lost{self._server.last_words()}"

    def close(self) -> None:
        super().close()
        if self._pipe is not None:
            os.close(self._pipe)
            self._pipe = None

    def _end_signals(self) -> list[int]:
        return [] if self._pipe is None else [self._pipe]

    def _hear(self, what: str, number: str) -> None:
        self._server.is_warm = True
        if what == "pid":
            self.pid = int(number)
        elif what == "exit":
            self.exit_code = int(number)
        else:
            self._error = f"the fork server could not fork: {os.strerror(int(number))}"


@dataclass
class _Server:
    process: subprocess.Popen[bytes]
    requests: socket.socket
    output: IO[bytes]
    began: float
    is_warm: bool = False
    """Whether its imports are done, as is known once it has forked."""

    def last_words(self) -> str:
        """`: ` and the last line that it printed, which may say why it ended; "" without one."""
        if self.output.closed:
            return ""
        size = os.fstat(self.output.fileno()).st_size
        lines = os.pread(self.output.fileno(), 4096, max(0, size - 4096)).splitlines()
        return f": {lines[-1].decode(errors='replace')}" if lines else ""

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self.requests.close()
        self.output.close()


class ForkServer:
    """The fork server of this process; `start` and `fork` start it whenever it does not run."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # never held while the server is waited for
        self._server: _Server | None = None

    @property
    def pid(self) -> int | None:
        """Its process, if one was started."""
        return self._server.process.pid if self._server else None

    def start(self) -> None:
        """Start the server unless it runs; returns at once. Raises `OSError`."""
        with self._lock:
            self._running()

    def fork(self, task: IO[bytes], log: IO[bytes]) -> Worker:
        """A worker that does what the file `task` says. Raises `OSError`."""
        reading, writing = os.pipe()
        try:
            ours, theirs = socket.socketpair()
        except OSError:
            os.close(reading)
            os.close(writing)
            raise
        try:
            server = self._ask([theirs.fileno(), task.fileno(), log.fileno(), writing])
        except BaseException:
            ours.close()
            os.close(reading)
            raise
        finally:
            theirs.close()
            os.close(writing)
        return _Forked(Receiver(ours), reading, server)

    def kill(self, server: _Server) -> None:
        """End a server, unless it was ended already."""
        with self._lock:
            if self._server is server:
                server.end()
                self._server = None

    def end(self) -> None:
        """End the server, if there is one, and wait for it."""
        if self._server:
            self.kill(self._server)

    def forget(self) -> None:
        """In a forked process: the server belongs to its parent, which alone ends it."""
        if self._server:
            self._server.process.returncode = 0  # so that this process does not wait for it
            self._server.requests.close()
        self._lock, self._server = threading.Lock(), None

    def _ask(self, descriptors: Sequence[int]) -> _Server:
        for is_last in (False, True):
            with self._lock:
                server = self._running()
                try:
                    socket.send_fds(server.requests, [b"w"], descriptors)
                    return server
                except OSError:  # it ended a moment ago, or accepts no more requests
                    server.end()
                    self._server = None
                    if is_last:
                        raise
        raise AssertionError("unreachable")

    def _running(self) -> _Server:
        if self._server and self._server.process.poll() is None:
            return self._server
        if self._server:
            self._server.end()
            self._server = None
        with contextlib.ExitStack() as opened:
            output = opened.enter_context(tempfile.TemporaryFile())
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            opened.enter_context(ours)
            with theirs:
                process = LAUNCHER.start(SERVER, [theirs.fileno()], output)
            opened.pop_all()  # they stay open with the server
        ours.settimeout(SEND_S)
        self._server = _Server(process, ours, output, time.monotonic())
        return self._server


def start_ahead() -> None:
    """Start the fork server, if this system can have one: it imports while the caller goes on."""
    if CAN_FORK:
        with contextlib.suppress(OSError):  # the first run that needs it reports the error
            FORK_SERVER.start()


FORK_SERVER = ForkServer()
atexit.register(FORK_SERVER.end)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=FORK_SERVER.forget)
