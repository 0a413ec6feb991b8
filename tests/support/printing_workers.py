"""Workers that print and train nothing."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

from harness.execution import worker
from harness.training import runner
from tests.support.builders import outcome

FIRST = "step 1: loss 0.69 é"
LAST = "step 2: loss 0.42"


def work(sender: Any, config_json: str) -> None:
    """A worker that prints a line, waits for the file `save_to`, and prints another."""

    def run(config: Any, progress: object) -> tuple[Any, None]:
        print(FIRST)
        wait_for(Path(config.save_to))
        print(LAST, file=sys.stderr, end="")
        return outcome(), None

    runner.run = run  # only in this child
    worker.work(sender, config_json)


def dying_work(sender: Any, config_json: str) -> None:
    """A worker that prints a line and ends at once, without flushing anything."""

    def run(config: object, progress: object) -> tuple[Any, None]:
        print(FIRST)
        os._exit(3)

    runner.run = run
    worker.work(sender, config_json)


def wait_for(path: Path) -> None:
    """Return once there is such a file."""
    while not path.exists():
        time.sleep(0.01)
