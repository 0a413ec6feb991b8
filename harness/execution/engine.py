"""What the driver asks of an engine, and the one that runs in this process (`inline`).

`process` has the other, which gives each run a process of its own.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

from harness.execution import interrupt
from harness.execution.worker_log import Echo
from harness.records.schema import Outcome, PredictionTable
from harness.spec import Progress, RunConfig
from harness.training import oom_retry


@dataclass(frozen=True)
class Finished:
    """What came of a run, and what its worker printed."""

    outcome: Outcome
    predictions: PredictionTable | None
    log: str


def until_it_fits(config: RunConfig, attempt: Callable[[RunConfig], Finished]) -> Finished:
    """Attempt a run again, in smaller parts, as long as memory runs out and `oom_retry` says."""
    log = ""
    while True:
        finished = attempt(config)
        log += finished.log
        smaller = oom_retry.smaller(config, finished.outcome)
        if smaller is None:
            outcome = oom_retry.explained(config, finished.outcome)
            return dataclasses.replace(finished, outcome=outcome, log=log)
        config = smaller


class Engine(Protocol):
    """Runs configurations. A future holds `Finished`, however the run ended."""

    echo: Echo | None
    """Hears what workers print, while they print it; None: nobody does."""

    def start(self) -> None:
        """Get ready; returns at once."""
        ...

    def submit(self, config: RunConfig, progress: Progress) -> Future[Finished]:
        """Run `config` as soon as there is room; `progress` is told (step, steps)."""
        ...

    def close(self) -> None:
        """Stop what still runs and leave no process behind."""
        ...


class InlineEngine:
    """Runs in this process: for a debugger. One after the other; no timeout, no isolation."""

    echo: Echo | None = None  # not needed: what a run prints is printed by this process

    def start(self) -> None:
        """Nothing to get ready."""

    def submit(self, config: RunConfig, progress: Progress) -> Future[Finished]:
        """Run `config` now."""
        from harness.training.runner import run

        future: Future[Finished] = Future()
        with interrupt.allowed():
            finished = until_it_fits(config, lambda c: Finished(*run(c, progress), log=""))
        future.set_result(finished)
        return future

    def close(self) -> None:
        """Nothing is left running."""
