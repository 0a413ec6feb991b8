"""An engine that trains nothing: it answers what a test says."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future

from harness.errors import WorkerError
from harness.execution.engine import Finished
from harness.records import failures
from harness.records.schema import Outcome
from harness.spec import Progress, RunConfig
from tests.support.builders import TABLE, of_task, outcome

Answer = Callable[[RunConfig], Outcome | WorkerError | Finished]
ANSWERS: list[Answer] = [lambda config: outcome()]
"""What the engines of the fixture `engines` answer with: its first element."""


def died(error: WorkerError, log: str = "", peak_bytes: int | None = None) -> Finished:
    """What an engine returns of a worker that died, and had printed `log`."""
    memory = failures.peak_memory(peak_bytes)
    return Finished(failures.outcome_of(error, memory=memory), None, log)


class FakeEngine:
    """Answers by `answer` once as many runs are there as go at a time; an error is a death."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.submitted: list[RunConfig] = []
        self.closed = False
        self._pending: list[tuple[Future[Finished], Finished]] = []

    def start(self) -> None:
        pass

    def submit(self, config: RunConfig, progress: Progress) -> Future[Finished]:
        self.submitted.append(config)
        progress(1, 1)
        future: Future[Finished] = Future()
        answer = self.answer(config)
        if isinstance(answer, Outcome):
            made = of_task(config.case.task, answer)
            answer = Finished(made, TABLE, log="what the worker printed\n")
        elif isinstance(answer, WorkerError):
            answer = died(answer)
        self._pending.append((future, answer))
        if len(self._pending) >= config.jobs:
            for ended, finished in self._pending:
                ended.set_result(finished)
            self._pending.clear()
        return future

    def close(self) -> None:
        self.closed = True
