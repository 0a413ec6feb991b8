"""Runs each configuration in a fresh process.

With a process of its own, a run's crash, memory and settings cannot reach the next run. Imports
would take seconds in each process, so processes are forked from a server that has loaded torch and
transformers, in 30 ms. The server never computes, and the driver never imports torch.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import queue
import signal
import tempfile
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from harness.errors import (
    StorageError,
    WorkerCrashed,
    WorkerError,
    WorkerKilled,
    WorkerLost,
    WorkerTimeout,
)
from harness.execution import forking, worker, workers
from harness.execution.engine import Finished, until_it_fits
from harness.execution.forking import CAN_FORK, FORK_SERVER
from harness.execution.worker_log import Echo, WorkerLog
from harness.execution.workers import Worker
from harness.planning.resolve import to_json
from harness.records import failures
from harness.records.schema import Outcome, PredictionTable
from harness.spec import Progress, RunConfig
from harness.system import environment
from harness.training import oom_retry

MEMORY_SAMPLE_S = 0.5
ECHO_S = 0.05  # how often what a worker printed is read, if it is shown
GOODBYE_S = 5.0
FIXES = {
    errno.EMFILE: "let more files be open at once, as `ulimit -n 1024` does",
    errno.ENFILE: "close other programs: the whole machine has too many files open",
    errno.ENOSPC: "make room there, or set TMPDIR to another folder",
    errno.ENOENT: "set TMPDIR to a folder that is there",
}
"""The advice when a process or its temporary files cannot be made, by `errno`."""
FORKED_TRIES = 2
"""How often a run may lose its fork server before it is started without one."""


class ProcessEngine:
    """Runs each configuration in a child of the fork server, or alone where none can be had.

    Raises `StorageError` where no temporary file can be written.
    """

    work = worker.WORK

    def __init__(self, jobs: int = 1, timeout_s: float | None = None) -> None:
        self.jobs, self.timeout_s = jobs, timeout_s
        self.echo: Echo | None = None
        self._pool = ThreadPoolExecutor(max_workers=jobs, thread_name_prefix="glue-run")
        self._places: queue.SimpleQueue[tuple[int, ...] | None] = queue.SimpleQueue()
        for place in shares(environment.usable_cpus(), jobs):
            self._places.put(place)
        self._starting = threading.Lock()
        self._alive: set[Worker] = set()
        self.is_closed = False
        try:
            tempfile.TemporaryFile().close()
        except OSError as error:
            raise StorageError(
                f"no temporary folder can be written: {error}. Fix: make room there, or set "
                "TMPDIR to a folder that can be"
            ) from error

    def start(self) -> None:
        """Start the fork server; it imports while the caller goes on."""
        forking.start_ahead()

    def submit(self, config: RunConfig, progress: Progress) -> Future[Finished]:
        """Run `config` as soon as one of the `jobs` places is free."""
        return self._pool.submit(self._supervise, config, progress)

    def close(self) -> None:
        """Kill the runs that still run, and every process that they started."""
        with self._starting:
            self.is_closed = True
            alive = list(self._alive)
        self._pool.shutdown(wait=False, cancel_futures=True)
        for each in alive:  # its own thread waits for it
            each.kill()
        self._pool.shutdown(wait=True)

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
        """Run `config` in one process, and in another if the fork server is lost meanwhile."""
        log, tries = "", FORKED_TRIES if CAN_FORK else 0
        while True:
            run = _Run(self, config, progress, deadline)
            try:
                outcome, predictions = run.result(is_alone=not tries)
            except WorkerError as error:
                log += run.text
                if not isinstance(error, WorkerLost) or self.is_closed:
                    return Finished(run.outcome_of(error), None, log)
                log, tries = f"{log}{error}; the run starts again\n", tries - 1
            else:
                return Finished(outcome, predictions, log + run.text)

    def start_worker(self, config: RunConfig, log: WorkerLog, *, is_alone: bool) -> Worker:
        """A worker that will run `config`. Raises `OSError`, `WorkerError`."""
        start = workers.alone if is_alone else FORK_SERVER.fork
        with tempfile.TemporaryFile() as task, self._starting:
            if self.is_closed:
                raise WorkerError("the session ended before this run began")
            task.write(worker.task_of(to_json(config), self.work))
            task.flush()
            started = start(task, log.file)
            self._alive.add(started)
            return started

    def end_worker(self, process: Worker) -> None:
        """Kill a worker, and the server too if it does not report that the worker ended."""
        process.kill()
        if process.pid is None:  # the next run can use a server that is still importing
            hangs = process.server_hangs(float("inf"))
        else:
            hangs = not _wait_for_end(process, GOODBYE_S)
        if hangs:
            process.kill_server()
        self._alive.discard(process)
        process.close()


@dataclass
class _Run:
    """One process that runs a configuration, and what it has sent."""

    engine: ProcessEngine
    config: RunConfig
    progress: Progress
    deadline: float
    peak: int | None = None
    """The peak memory of the process as far as it was sampled, in bytes."""
    text: str = ""
    """What it printed, once it has ended."""

    def __post_init__(self) -> None:
        self.sizes = oom_retry.BatchSizes(self.config.recipe, self.config.oom_retries)

    def outcome_of(self, error: WorkerError) -> Outcome:
        """The outcome of a run that ended in `error`.

        It is not known what a worker that was killed was doing. Most often the first steps need too
        much memory, so it is taken to have been training.
        """
        if isinstance(error, WorkerKilled):
            self.sizes.phase = "training"
        memory = failures.peak_memory(self.peak)
        return failures.outcome_of(error, batching=self.sizes.record(), memory=memory)

    def result(self, *, is_alone: bool) -> tuple[Outcome, PredictionTable | None]:
        """Its outcome and predictions. Raises `WorkerError`."""
        self.began = time.monotonic()
        with contextlib.ExitStack() as opened:
            try:
                self.log = opened.enter_context(contextlib.closing(WorkerLog()))
                process = self.engine.start_worker(self.config, self.log, is_alone=is_alone)
            except OSError as error:
                fix = FIXES.get(error.errno or 0, "make room for one more process")
                raise WorkerCrashed(f"no worker could be started: {error}. Fix: {fix}") from error
            return self._ended(process)

    def _ended(self, process: Worker) -> tuple[Outcome, PredictionTable | None]:
        try:
            outcome, predictions = self._listen(process)
        finally:
            self.engine.end_worker(process)
            self._show_new_text()
            self.text += self.log.text()
        return Outcome.model_validate_json(outcome), predictions

    def _listen(self, process: Worker) -> tuple[str, PredictionTable | None]:
        """The child's outcome and predictions. Raises `WorkerError`."""
        is_ready = False
        sample_s = ECHO_S if self.engine.echo else MEMORY_SAMPLE_S
        while True:
            process.wait(min(sample_s, self.deadline - time.monotonic()))
            self._show_new_text()
            self.peak = environment.memory_bytes("VmHWM", process.pid or "none") or self.peak
            for kind, value in process.receiver.messages():
                is_ready = True
                if kind == "progress":
                    self._heard(*value)
                elif kind != "ready":
                    _wait_for_end(process, GOODBYE_S)
                    if kind == "result":
                        return value
                    self.text = value
                    raise WorkerCrashed(f"the worker broke: {value.strip().splitlines()[-1]}")
            self._check_alive(process)
            if time.monotonic() >= self.deadline:
                raise WorkerTimeout(
                    f"stopped after {self.engine.timeout_s:g} s. Fix: a longer --glue-timeout, "
                    "or fewer rows with --glue-max-train"
                )
            if not is_ready:
                self._check_start(process)

    def _heard(self, step: int, steps: int) -> None:
        self.sizes.phase = "training"
        with contextlib.suppress(OSError):  # the run goes on if the terminal is gone
            self.progress(step, steps)

    def _show_new_text(self) -> None:
        if self.engine.echo and (text := self.log.new_text()):
            with contextlib.suppress(OSError):
                self.engine.echo(self.config.case.id, text)

    def _check_alive(self, process: Worker) -> None:
        if process.exit_code is not None:
            by_system = process.exit_code == -signal.SIGKILL and not self.engine.is_closed
            death = WorkerKilled if by_system else WorkerCrashed
            raise death(_death(process.exit_code, self.peak))
        if process.is_lost:
            raise WorkerLost(process.why_lost())
        if self.engine.is_closed:
            process.kill()  # it may not have existed when the others were killed
            if process.pid is None or not _wait_for_end(process, GOODBYE_S):
                raise WorkerError("the session ended before this run did")

    def _check_start(self, process: Worker) -> None:
        """Kill a server that does not fork; raise for a worker whose imports do not end."""
        waited = time.monotonic() - self.began
        if process.server_hangs(waited):
            process.kill_server()
        elif process.pid is not None and waited >= forking.IMPORTS_S:
            raise WorkerCrashed(
                f"the worker was not done with its imports after {waited:.0f} s: something among "
                "torch and transformers never loads. Fix: `glue-bench doctor`"
            )


def shares(cpus: tuple[int, ...], jobs: int) -> list[tuple[int, ...] | None]:
    """The CPUs of each of `jobs` places; None for a single place, which is not pinned."""
    if jobs == 1:
        return [None]
    each = max(1, len(cpus) // jobs)
    return [tuple(cpus[(job * each + i) % len(cpus)] for i in range(each)) for job in range(jobs)]


def _wait_for_end(process: Worker, seconds: float) -> bool:
    """Wait for a worker to end, for at most `seconds`; whether it has."""
    until = time.monotonic() + seconds
    while process.exit_code is None and not process.is_lost:
        if time.monotonic() >= until:
            return False
        process.wait_for_end(until - time.monotonic())
    return True


def _death(exitcode: int | None, peak_bytes: int | None) -> str:
    held = f"; it held up to {peak_bytes / 2**20:.0f} MB" if peak_bytes else ""
    if exitcode is not None and exitcode < 0:
        known = {int(number): number.name for number in signal.Signals}
        name = known.get(-exitcode, f"signal {-exitcode}")
        cause = " (often: the machine ran out of memory)" if name == "SIGKILL" else ""
        return f"the worker was killed by {name}{cause}{held}"
    return f"the worker ended with exit code {exitcode} and no result{held}"
