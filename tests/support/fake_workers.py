"""Workers that do one thing instead of training, and a driver that prints its processes' pids.

`python -m tests.support.fake_workers KIND` starts a driver whose only worker calls the function
KIND.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from pathlib import Path

from harness.execution import forking
from harness.execution.channel import Sender
from harness.execution.process import ProcessEngine
from harness.spec import Case, DataRequest, RunConfig
from tests.support import builders
from tests.support.configs import resolved

LONG_S = 600


def server_that_imports(*modules: str) -> str:
    """The program of a fork server that imports these alone; with none it is warm at once."""
    return forking.SERVER.replace(
        "fork_server.serve", f"fork_server.PRELOAD = {modules!r}\nfork_server.serve"
    )


def server_that_also_imports(module: str) -> str:
    """The program of a fork server that imports `module` after all others."""
    return forking.SERVER.replace(
        "fork_server.serve", f"fork_server.PRELOAD += ({module!r},)\nfork_server.serve"
    )


def configuration() -> RunConfig:
    """A run that trains for a moment, where it is one that trains."""
    small = DataRequest("toy", max_train=32, max_eval=32)
    return resolved(Case("rte", "toy-bert", "cpu-fp32", 42), small, epochs=1, threads=1)


def done(sender: Sender, config_json: str) -> None:
    """End well at once."""
    sender.send("result", [builders.outcome().model_dump_json(), builders.TABLE])


def asleep(sender: Sender, config_json: str) -> None:
    """Wait for something, as Python does: other threads go on."""
    _begin(sender)
    time.sleep(LONG_S)


def deaf(sender: Sender, config_json: str) -> None:
    """Hold the interpreter's lock: no other thread of the worker ever runs."""
    _begin(sender)
    ctypes.PyDLL(None).sleep(LONG_S)


def stopped(sender: Sender, config_json: str) -> None:
    """Be stopped, as by SIGSTOP of somebody else."""
    _begin(sender)
    os.kill(os.getpid(), signal.SIGSTOP)


def half_said(sender: Sender, config_json: str) -> None:
    """Stop in the middle of a message."""
    _begin(sender)
    sender._end.sendall((1000).to_bytes(8, "big") + b"[")
    os.kill(os.getpid(), signal.SIGSTOP)


def nonsense(sender: Sender, config_json: str) -> None:
    """Say what is no message."""
    sender._end.sendall((4).to_bytes(8, "big") + b"\xff\xff\xff\xff")
    time.sleep(LONG_S)


def with_a_child(sender: Sender, config_json: str) -> None:
    """Start a process, print its pid, and end well without waiting for it."""
    child = os.fork()
    if not child:
        time.sleep(LONG_S)
        os._exit(0)
    print(child)
    done(sender, config_json)


def environment(sender: Sender, config_json: str) -> None:
    """Print what the server was started with."""
    print(os.environ["GOMP_SPINCOUNT"], os.environ["HF_HUB_OFFLINE"])
    done(sender, config_json)


def _begin(sender: Sender) -> None:
    sender.send("ready", None)
    print("began")


def is_alive(pid: int) -> bool:
    """Whether there is such a process, that has not ended."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def left_of(pids: list[int], seconds: float = 20.0) -> list[int]:
    """Those of `pids` that still live after `seconds`; returns as soon as none does."""
    until = time.monotonic() + seconds
    while (left := [pid for pid in pids if is_alive(pid)]) and time.monotonic() < until:
        time.sleep(0.05)
    return left


if __name__ == "__main__":
    forking.SERVER = server_that_imports()
    engine = ProcessEngine()
    engine.work = f"tests.support.fake_workers:{sys.argv[1]}"

    def tell(case_id: str, text: str) -> None:
        """Print the pids of server and worker."""
        (worker,) = engine._alive
        print(forking.FORK_SERVER.pid, worker.pid, flush=True)

    engine.echo = tell
    engine.start()
    engine.submit(configuration(), lambda *step: None).result()
