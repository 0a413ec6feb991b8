"""The process that workers are forked from: it imports, forks, and reports how each child ended.

It never computes. It has imported what each worker would need seconds to import. It shares one
socket with the driver. A request is one byte and four descriptors: a channel, a file that holds the
task, the log, and a pipe for the answer. The answer is lines: `pid 123` and later `exit -9`, or
`error 11` if the system would not fork. If the pipe ends without an `exit`, the server is gone.

The kernel kills the server when its driver ends, and each worker when the server ends, also workers
that are stopped or hold the interpreter's lock (`PR_SET_PDEATHSIG`, prctl(2)).
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import select
import signal
import socket
import traceback

from harness.execution import worker
from harness.system.supervisor import PR_SET_PDEATHSIG, prctl

PRELOAD = (
    "torch.optim",
    "transformers.models.auto.modeling_auto",
    "transformers.models.auto.tokenization_auto",
    "transformers.models.bert.modeling_bert",
    "transformers.models.bert.tokenization_bert",
    "harness.planning.resolve",
    "harness.training.library_tables",
    "harness.training.runner",
)
DESCRIPTORS = 4


def die_with(parent: int) -> None:
    """Have the kernel kill this process when the thread of `parent` that started it ends.

    Linux only. Ends at once if the parent has ended already.
    """
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def reaped(pid: int) -> int | None:
    """The exit code of a child of this process; None while it runs.

    Kills the rest of its group before it waits for the child: until then no other process can get
    the child's number.
    """
    try:
        if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            return None
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    except ChildProcessError:  # other code waited for it: its exit code is lost
        return 255


def serve(descriptor: int, driver: int) -> None:
    """Fork a worker for each request that comes over the socket `descriptor`, until it ends."""
    die_with(driver)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    preload()
    with socket.socket(fileno=descriptor) as requests:
        _Server(requests).run()


def preload() -> None:
    """Import the modules of `PRELOAD`.

    Nearly all objects that imports make stay for ever. To look for garbage among them takes a
    quarter of the time, and would again in each worker: so nothing is collected meanwhile, and what
    is there afterwards is left out of all collections to come.
    """
    gc.disable()
    for name in PRELOAD:
        try:
            importlib.import_module(name)
        except Exception:  # noqa: BLE001  (a worker that needs the module reports the error)
            traceback.print_exc()
    gc.freeze()
    gc.enable()


class _Server:
    def __init__(self, requests: socket.socket) -> None:
        self.requests = requests
        self.answers: dict[int, int] = {}  # a child's pid -> the pipe for its exit code
        self.woken, self._wake = os.pipe()
        for end in (self.woken, self._wake):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self._wake)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)

    def run(self) -> None:
        while True:
            ready, _, _ = select.select([self.requests, self.woken], [], [])
            if self.woken in ready:
                os.read(self.woken, 4096)
                self._report_ended()
            if self.requests in ready:
                message, descriptors, _, _ = socket.recv_fds(self.requests, 1, DESCRIPTORS)
                if not message:
                    return
                self._fork(descriptors)

    def _report_ended(self) -> None:
        for pid in list(self.answers):
            if (code := reaped(pid)) is not None:
                _answer(self.answers[pid], f"exit {code}")
                os.close(self.answers.pop(pid))

    def _fork(self, descriptors: list[int]) -> None:
        if len(descriptors) < DESCRIPTORS:  # this process can open no more files
            for descriptor in descriptors:
                os.close(descriptor)
            return
        *channel_task_log, answer = descriptors
        server = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:
            _answer(answer, f"error {error.errno}")
            os.close(answer)
        else:
            if not pid:
                self._be_worker(server, answer, *channel_task_log)
            _answer(answer, f"pid {pid}")
            self.answers[pid] = answer
        for descriptor in channel_task_log:
            os.close(descriptor)

    def _be_worker(self, server: int, answer: int, channel: int, task: int, log: int) -> None:
        die_with(server)
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        self.requests.close()
        for descriptor in (self.woken, self._wake, answer, *self.answers.values()):
            os.close(descriptor)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.close(log)
        worker.main(channel, task)


def _answer(pipe: int, line: str) -> None:
    with contextlib.suppress(BrokenPipeError):  # the driver no longer waits for it
        os.write(pipe, f"{line}\n".encode())
