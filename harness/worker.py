"""The child process that one run happens in."""

from __future__ import annotations

import faulthandler
import io
import multiprocessing
import os
import signal
import sys
import threading
import time
import traceback
from multiprocessing import connection
from typing import Any

from harness.resolve import from_json

WORKER_ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",  # only folders are ever loaded
    # OpenMP threads wait for each other by spinning, 300,000 times by default: as soon as another
    # process needs one of their cores, a step of a small model takes 40 times as long. With 10,000
    # it takes 3 times as long, and on an idle machine no longer than before.
    "GOMP_SPINCOUNT": "10000",
}
PROGRESS_S = 0.2


def work(sender: Any, log: str, config_json: str) -> None:
    """The child: run one configuration and send what came of it."""
    for name, value in WORKER_ENVIRONMENT.items():  # for a worker that no server was forked for
        os.environ.setdefault(name, value)
    os.setpgid(0, 0)  # a Ctrl-C reaches the driver alone; the group takes grandchildren along
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    for stream in (
        sys.stdout,  # noqa: TID251  (set up for the log; nothing is printed here)
        sys.stderr,  # noqa: TID251  (likewise)
    ):  # else a file gets what is printed in blocks, at the end
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True, errors="backslashreplace")
    faulthandler.enable(file=sys.__stderr__ or 2)  # noqa: TID251  (names of our own functions)
    threading.Thread(target=_end_with_driver, daemon=True).start()
    try:
        config = from_json(config_json)
        if config.cpus and hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, config.cpus)
        from harness.runner import run

        outcome, predictions = run(config, _Reporter(sender))
        sender.send(("result", (outcome.model_dump_json(), predictions)))
    except BaseException:  # noqa: BLE001  (the driver must hear of whatever it was)
        sender.send(("error", traceback.format_exc()))
    sender.close()


class _Reporter:
    """Tells the driver how far training is, not more often than a person can see."""

    def __init__(self, sender: Any) -> None:
        self.sender, self.next = sender, 0.0

    def __call__(self, step: int, steps: int) -> None:
        now = time.monotonic()
        if now >= self.next or step == steps:
            self.next = now + PROGRESS_S
            self.sender.send(("progress", (step, steps)))


def _end_with_driver() -> None:
    """Die with the driver, however it died: nobody would read the result."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os.killpg(0, signal.SIGKILL)
