"""Where runs happen: in a fresh process each (`process`), or in this one (`inline`).

A process per run keeps one run's crash, memory and settings away from the next. It would cost
seconds of imports each; a fork server that has torch and transformers loaded makes it 30 ms. The
server imports and never computes, and the driver itself never imports torch.
"""

from __future__ import annotations

import contextlib
import dataclasses
import multiprocessing
import os
import queue
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing import connection
from pathlib import Path
from typing import Any, Protocol

from harness import batching, environment, interrupt, process_state
from harness.errors import StorageError, WorkerCrashed, WorkerError, WorkerKilled, WorkerTimeout
from harness.records import Outcome, PredictionTable
from harness.resolve import to_json
from harness.spec import Progress, RunConfig
from harness.worker import WORKER_ENVIRONMENT, work
from harness.worker_log import Echo, WorkerLog

PRELOAD = (
    "torch.optim",
    "transformers.models.auto.modeling_auto",
    "transformers.models.auto.tokenization_auto",
    "transformers.models.bert.modeling_bert",
    "sklearn.metrics",
    "scipy.stats",
    "harness.runner",
)
MEMORY_SAMPLE_S = 0.5
ECHO_S = 0.05  # how long what a worker prints may wait to be shown
GOODBYE_S = 10.0


@dataclass(frozen=True)
class Finished:
    """What came of a run, and what its worker printed."""

    outcome: Outcome
    predictions: PredictionTable | None
    log: str


def until_it_fits(config: RunConfig, attempt: Callable[[RunConfig], Finished]) -> Finished:
    """Attempt a run again, in smaller parts, for as long as memory runs out and `batching` says."""
    log = ""
    while True:
        try:
            finished = attempt(config)
        except WorkerError as error:
            error.log = log + error.log
            raise
        log += finished.log
        smaller = batching.smaller(config, finished.outcome)
        if smaller is None:
            outcome = batching.explained(config, finished.outcome)
            return dataclasses.replace(finished, outcome=outcome, log=log)
        config = smaller


class Engine(Protocol):
    """Runs configurations. A future holds `Finished`, or the `WorkerError` that prevented it."""

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
        from harness.runner import run

        future: Future[Finished] = Future()
        with interrupt.allowed():
            finished = until_it_fits(config, lambda c: Finished(*run(c, progress), log=""))
        future.set_result(finished)
        return future

    def close(self) -> None:
        """Nothing is left running."""


class ProcessEngine:
    """Runs each configuration in a child of a warm fork server (spawned where there is none).

    Raises `StorageError` where no temporary folder can be written.
    """

    def __init__(self, jobs: int = 1, timeout_s: float | None = None) -> None:
        self.jobs, self.timeout_s = jobs, timeout_s
        self.echo: Echo | None = None
        self._context = multiprocessing.get_context(
            "forkserver" if sys.platform == "linux" else "spawn"
        )
        self._pool = ThreadPoolExecutor(max_workers=jobs, thread_name_prefix="glue-run")
        self._places: queue.SimpleQueue[tuple[int, ...] | None] = queue.SimpleQueue()
        for place in shares(environment.usable_cpus(), jobs):
            self._places.put(place)
        self._starting = threading.Lock()
        self._alive: set[Any] = set()
        self._closed = False
        try:
            self._logs = tempfile.TemporaryDirectory(
                prefix="glue-bench-", ignore_cleanup_errors=True
            )
        except OSError as error:
            raise StorageError(
                f"no temporary folder can be written: {error}. Mend: make room there, or set "
                "TMPDIR to a folder that can be"
            ) from error

    def start(self) -> None:
        """Start the fork server; it imports while the caller goes on."""
        if self._context.get_start_method() != "forkserver":
            return
        from multiprocessing import forkserver

        try:
            with (
                process_state.environment(WORKER_ENVIRONMENT | dict(os.environ)),
                process_state.short_temporary_folder(),
            ):
                self._context.set_forkserver_preload(list(PRELOAD))
                forkserver.ensure_running()
        except OSError:  # its socket has no place, or it is the server of the process we forked off
            self._context = multiprocessing.get_context("spawn")

    def submit(self, config: RunConfig, progress: Progress) -> Future[Finished]:
        """Run `config` as soon as one of the `jobs` places is free."""
        return self._pool.submit(self._supervise, config, progress)

    def close(self) -> None:
        """Kill what still runs, with everything it started."""
        with self._starting:
            self._closed = True
            alive = list(self._alive)
        self._pool.shutdown(wait=False, cancel_futures=True)
        for process in alive:  # waited for by its own thread alone: its exit code can be read once
            _signal(process)
        self._pool.shutdown(wait=True)
        self._logs.cleanup()

    def _supervise(self, config: RunConfig, progress: Progress) -> Finished:
        place = self._places.get()
        deadline = time.monotonic() + self.timeout_s if self.timeout_s else float("inf")
        try:
            return until_it_fits(
                dataclasses.replace(config, cpus=place),
                lambda smaller: self._attempt(smaller, progress, deadline),
            )
        finally:
            self._places.put(place)

    def _attempt(self, config: RunConfig, progress: Progress, deadline: float) -> Finished:
        """Run `config`; a worker that was killed is one whose memory ran out."""
        try:
            return self._run(config, progress, deadline)
        except WorkerKilled as error:
            if self._closed:  # it was `close` that killed it
                raise
            return Finished(batching.killed(config, error), None, error.log)

    def _run(self, config: RunConfig, progress: Progress, deadline: float) -> Finished:
        try:
            log = WorkerLog(Path(self._logs.name) / f"{time.monotonic_ns()}.log")
            process, receiver = self._started(config, log.path)
        except OSError as error:
            raise WorkerCrashed(f"no worker could be started: {error}") from error
        parts = batching.Parts(config)

        def heard(step: int, steps: int) -> None:
            parts.phase = "training"
            progress(step, steps)

        def show_new_text() -> None:
            if self.echo and (text := log.new_text()):
                self.echo(config.case.id, text)

        try:
            outcome, predictions = self._listen(process, receiver, heard, deadline, show_new_text)
        except WorkerError as error:
            error.log += log.text()
            error.batching = parts.record()
            raise
        finally:
            _kill(process)
            self._alive.discard(process)
            receiver.close()
            show_new_text()
        return Finished(Outcome.model_validate_json(outcome), predictions, log.text())

    def _started(self, config: RunConfig, log: Path) -> tuple[Any, Any]:
        """A worker at work, and the pipe that it is heard by. Raises `OSError`, `WorkerError`."""
        receiver, sender = self._context.Pipe(duplex=False)
        try:
            process: Any = self._context.Process(
                target=work, args=(sender, str(log), to_json(config)), daemon=False
            )
            with self._starting, process_state.may_start_worker():
                if self._closed:
                    raise WorkerError("the session ended before this run began")
                process.start()
                self._alive.add(process)
        except BaseException:
            receiver.close()
            raise
        finally:
            sender.close()  # so that the child's death ends the pipe
        return process, receiver

    def _listen(
        self,
        process: Any,
        receiver: Any,
        progress: Progress,
        deadline: float,
        show_new_text: Callable[[], None],
    ) -> tuple[str, PredictionTable | None]:
        """The child's outcome and predictions. Raises `WorkerTimeout` or `WorkerCrashed`."""
        peak: int | None = None
        while True:
            wait_s = min(ECHO_S if self.echo else MEMORY_SAMPLE_S, deadline - time.monotonic())
            ready = connection.wait([receiver, process.sentinel], max(0.0, wait_s))
            show_new_text()
            peak = environment.memory_bytes("VmHWM", process.pid) or peak
            if receiver in ready:
                kind, value = _received(receiver)
                if kind == "progress":
                    progress(*value)
                    continue
                process.join(GOODBYE_S)
                if kind == "error":
                    last = value.strip().splitlines()[-1]
                    raise WorkerCrashed(f"the worker broke: {last}", value, peak)
                if kind == "result":
                    return value
            if process.exitcode is not None or process.sentinel in ready:
                process.join(GOODBYE_S)
                killed = process.exitcode == -signal.SIGKILL
                death = WorkerKilled if killed else WorkerCrashed
                raise death(_death(process.exitcode, peak), peak_memory_bytes=peak)
            if time.monotonic() >= deadline:
                raise WorkerTimeout(
                    f"stopped after {self.timeout_s:g} s. Mend: a longer --glue-timeout, or fewer "
                    "rows with --glue-max-train",
                    peak_memory_bytes=peak,
                )


def shares(cpus: tuple[int, ...], jobs: int) -> list[tuple[int, ...] | None]:
    """The CPUs of each of `jobs` places; one place alone has them all and is not pinned."""
    if jobs == 1:
        return [None]
    each = max(1, len(cpus) // jobs)
    return [tuple(cpus[(job * each + i) % len(cpus)] for i in range(each)) for job in range(jobs)]


def _received(receiver: Any) -> tuple[str, Any]:
    """The child's next message; "nothing" if it died, be it in mid-message."""
    try:
        return receiver.recv()
    except (EOFError, OSError):
        return "nothing", None


def _death(exitcode: int | None, peak_bytes: int | None) -> str:
    held = f"; it held up to {peak_bytes / 2**20:.0f} MB" if peak_bytes else ""
    if exitcode is not None and exitcode < 0:
        known = {int(number): number.name for number in signal.Signals}
        name = known.get(-exitcode, f"signal {-exitcode}")
        cause = " (often: the machine ran out of memory)" if name == "SIGKILL" else ""
        return f"the worker was killed by {name}{cause}{held}"
    return f"the worker ended with exit code {exitcode} and no result{held}"


def _kill(process: Any) -> None:
    """End a child and everything in its process group, and wait for it."""
    _signal(process)
    process.join(GOODBYE_S)


def _signal(process: Any) -> None:
    """Send SIGKILL to a child and its process group, whether or not it made one already."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.kill()
