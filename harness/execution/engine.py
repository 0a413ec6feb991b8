"""What an engine is, and the engine that runs in this process (`inline`).

The other engine gives each run a process of its own: `execution/process.py`.
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
    """The outcome and the predictions of a run, and what its worker printed."""

    outcome: Outcome
    predictions: PredictionTable | None
    log: str


def until_it_fits(config: RunConfig, attempt: Callable[[RunConfig], Finished]) -> Finished:
    """Attempt a run; while memory runs out, again in the smaller parts that `oom_retry` says."""
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
    """Runs configurations. A future holds a `Finished`, however the run ended."""

    echo: Echo | None
    """Called with what workers print, while they print it; None: it is not shown."""

    def start(self) -> None:
        """Get ready; returns at once."""
        ...

    def submit(self, config: RunConfig, progress: Progress) -> Future[Finished]:
        """Run `config` as soon as there is room; `progress` is called with (step, steps)."""
        ...

    def close(self) -> None:
        """Stop what still runs and leave no process behind."""
        ...


class InlineEngine:
    """Runs in this process, one run after the other, for a debugger: no timeout, no isolation."""

    echo: Echo | None = None  # not needed: this process prints it

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
