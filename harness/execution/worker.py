"""The child process that one run happens in."""

from __future__ import annotations

import faulthandler
import importlib
import io
import json
import os
import signal
import socket
import sys
import threading
import time
import traceback
from typing import NoReturn

from harness.execution.channel import Sender

OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
"""A worker loads local folders and never uses the network."""
UNLESS_SET = {
    # OpenMP threads wait for each other by spinning, 300,000 times by default: as soon as another
    # process needs one of their cores, a step of a small model takes 40 times as long. With 10,000
    # it takes 3 times as long, and on an idle machine no longer than before.
    "GOMP_SPINCOUNT": "10000",
    # oneDNN keeps its kernels for 1,024 shapes. Each batch without padding has a shape of its own,
    # so that this cost 1 GB, and no time is saved by it.
    "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "16",
}
PROGRESS_S = 0.2
WORK = "harness.execution.worker:work"


def task_of(config_json: str, work: str = WORK) -> bytes:
    """The task of a worker, for `main`: `work` is the function to call, as `MODULE:NAME`."""
    return json.dumps({"path": module_folders(), "work": work, "config": config_json}).encode()


def module_folders() -> list[str]:
    """Absolute `sys.path` of this process, for another that may have another working folder."""
    return [os.path.abspath(entry) for entry in sys.path]  # noqa: PTH100  ("" is the folder we are in)


def main(channel: int, task: int) -> NoReturn:
    """Do what the file `task` says, send the result over the socket `channel`, and exit.

    Standard output and standard error already go to the log.
    """
    os.setpgid(0, 0)  # a Ctrl-C reaches the driver alone; the group takes grandchildren along
    sender = Sender(socket.socket(fileno=channel))
    threading.Thread(target=_end_with_driver, args=(sender,), daemon=True).start()
    code = 1
    try:
        for stream in (
            sys.stdout,  # noqa: TID251  (set up for the log; nothing is printed here)
            sys.stderr,  # noqa: TID251  (likewise)
        ):  # or a file would get the output in blocks
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(line_buffering=True, errors="backslashreplace")
        faulthandler.enable(file=sys.__stderr__ or 2)  # noqa: TID251  (names of our own functions)
        with open(task, "rb") as file:
            asked = json.loads(os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0))
        sys.path[:] = asked["path"]
        module, name = asked["work"].split(":")
        getattr(importlib.import_module(module), name)(sender, asked["config"])
        code = 0
    except BaseException:  # noqa: BLE001  (whatever it was, the driver is told)
        sender.send("error", traceback.format_exc())
    finally:
        for stream in (sys.stdout, sys.stderr):  # noqa: TID251  (the log gets what was printed)
            stream.flush()
        os._exit(code)  # exit handlers of libraries may hang, and the result is sent


def work(sender: Sender, config_json: str) -> None:
    """Run one configuration and send its outcome and predictions."""
    from harness.planning.resolve import from_json

    config = from_json(config_json)
    if config.cpus and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, config.cpus)
    from harness.training.runner import run

    sender.send("ready", None)
    outcome, predictions = run(config, _Reporter(sender))
    sender.send("result", [outcome.model_dump_json(), predictions])


class _Reporter:
    """Tells the driver how far training is, at most every `PROGRESS_S` seconds."""

    def __init__(self, sender: Sender) -> None:
        self.sender, self.next = sender, 0.0

    def __call__(self, step: int, steps: int) -> None:
        now = time.monotonic()
        if now >= self.next or step == steps:
            self.next = now + PROGRESS_S
            self.sender.send("progress", [step, steps])


def _end_with_driver(sender: Sender) -> None:
    """End this process and its group once the driver is gone, however it ended."""
    sender.wait_for_end()
    os.killpg(0, signal.SIGKILL)
