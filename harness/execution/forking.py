"""A warm server that forks workers, as the driver sees it.

It is started before it is needed, and again whenever it is gone. Nothing here waits for it: a
server that hangs is a worker without a pid, which whoever waits for it may give up.
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
from typing import IO, Any

from harness.execution.channel import Receiver
from harness.execution.workers import Worker, started

CAN_FORK = sys.platform == "linux"  # elsewhere a process with libraries like torch's may not be
SERVER = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from harness.execution import fork_server
fork_server.serve(*map(int, sys.argv[2:]))
"""
SEND_S = 5.0
"""A server that takes no request for so long hangs."""
FORK_S = 10.0
"""So does one that has done its imports and then does not fork."""
IMPORTS_S = 120.0
"""And one that is not done with them; from a slow disk torch alone takes 60 s."""


class _Forked(Worker):
    """A child of a fork server, which tells of it on a pipe."""

    def __init__(self, receiver: Receiver, told: int, server: _Server) -> None:
        super().__init__(receiver)
        os.set_blocking(told, False)
        self._told: int | None = told
        self._text = b""
        self._error = ""
        self._server = server

    def look(self) -> None:
        while self._told is not None:
            try:
                chunk = os.read(self._told, 4096)
            except BlockingIOError:
                return
            self._text += chunk
            *lines, self._text = self._text.split(b"\n")
            for line in lines:
                self._hear(*line.decode().split())
            if not chunk:
                os.close(self._told)
                self._told = None
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
        if self._told is not None:
            os.close(self._told)
            self._told = None

    def _told_by(self) -> list[Any]:
        return [] if self._told is None else [self._told]

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
    """Whether it is done with its imports: it has forked."""

    def last_words(self) -> str:
        """`: ` and the last line that it printed, if there is one, such as why it ended."""
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
    """The one of this process. Started by `start` or `fork`, whenever none is running."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # held for moments: never while the server is waited for
        self._server: _Server | None = None

    @property
    def pid(self) -> int | None:
        """Its process, if one was started."""
        return self._server.process.pid if self._server else None

    def start(self) -> None:
        """Make sure that one is running, or begins to; returns at once. Raises `OSError`."""
        with self._lock:
            self._running()

    def fork(self, task: IO[bytes], log: IO[bytes]) -> Worker:
        """A worker that will do what the file `task` says. Raises `OSError`."""
        told, tell = os.pipe()
        try:
            ours, theirs = socket.socketpair()
        except OSError:
            os.close(told)
            os.close(tell)
            raise
        try:
            server = self._ask([theirs.fileno(), task.fileno(), log.fileno(), tell])
        except BaseException:
            ours.close()
            os.close(told)
            raise
        finally:
            theirs.close()
            os.close(tell)
        return _Forked(Receiver(ours), told, server)

    def kill(self, server: _Server) -> None:
        """End a server, unless that was done already."""
        with self._lock:
            if self._server is server:
                server.end()
                self._server = None

    def end(self) -> None:
        """End the server, if there is one, and wait for it."""
        if self._server:
            self.kill(self._server)

    def forget(self) -> None:
        """For a process that was forked off: the server is its parent's, which alone ends it."""
        if self._server:
            self._server.process.returncode = 0  # so that nobody here waits for it
            self._server.requests.close()
        self._lock, self._server = threading.Lock(), None

    def _ask(self, descriptors: Sequence[int]) -> _Server:
        for is_last in (False, True):
            with self._lock:
                server = self._running()
                try:
                    socket.send_fds(server.requests, [b"w"], descriptors)
                    return server
                except OSError:  # it died a moment ago, or takes no more requests
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
                process = started(SERVER, [theirs.fileno()], output)
            opened.pop_all()  # they stay open
        ours.settimeout(SEND_S)
        self._server = _Server(process, ours, output, time.monotonic())
        return self._server


FORK_SERVER = ForkServer()
atexit.register(FORK_SERVER.end)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=FORK_SERVER.forget)
