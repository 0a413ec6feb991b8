"""Real worker processes: what they return, and that none outlives its driver."""

from __future__ import annotations

import dataclasses
import errno
import os
import re
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.catalog.models import Adapted
from harness.execution import forking
from harness.execution.engine import Finished, InlineEngine
from harness.execution.process import ProcessEngine, shares
from harness.records.schema import Batching
from harness.records.store import Store
from harness.spec import Case, DataRequest, Model, Progress, RunConfig
from tests.support.configs import resolved
from tests.support.pytest_project import ARGS

SMALL = DataRequest("toy", max_train=64, max_eval=32)


def configuration(epochs: int = 1, target: str = "cpu-fp32") -> RunConfig:
    return resolved(Case("rte", "toy-bert", target, 42), SMALL, epochs=epochs, threads=1)


@pytest.fixture
def engine() -> Iterator[ProcessEngine]:
    made = ProcessEngine()
    made.start()
    yield made
    made.close()
    assert not made._alive


def test_a_worker_returns_outcome_and_predictions(engine: ProcessEngine) -> None:
    heard: list[tuple[int, int]] = []
    done = engine.submit(configuration(2), lambda *step: heard.append(step)).result(120)
    assert done.outcome.status == "ok"
    assert done.outcome.timing is not None
    assert (done.outcome.timing.steps, done.outcome.timing.examples) == (4, 128)
    assert [part.epoch for part in done.outcome.history] == [1, 2]
    assert heard[-1] == (4, 4)
    assert done.predictions is not None
    assert len(done.predictions["row"]) == 32
    memory = done.outcome.memory
    assert memory is not None
    assert memory.peak_memory_bytes > memory.floor_memory_bytes > 50 << 20


def test_inline_and_process_agree_to_the_last_bit(engine: ProcessEngine) -> None:
    apart = engine.submit(configuration(), lambda *step: None).result(120)
    here = InlineEngine().submit(configuration(), lambda *step: None).result(120)
    assert here.outcome.first_losses == apart.outcome.first_losses
    assert here.predictions == apart.predictions


class Killer:
    """Sends a signal to every worker that has done a step."""

    def __init__(self, engine: ProcessEngine, name: signal.Signals) -> None:
        self.engine, self.name = engine, name
        self.killed: list[int] = []

    def __call__(self, *step: int) -> None:
        (worker,) = self.engine._alive
        if worker.pid not in self.killed:
            self.killed.append(worker.pid)
            os.kill(worker.pid, self.name)


class FirstDies(set[Any]):
    """The workers alive, of which the first is killed before it can do anything."""

    started = 0

    def add(self, worker: Any) -> None:
        super().add(worker)
        self.started += 1
        if self.started == 1:
            while worker.pid is None:
                worker.wait_for_end(1)
            os.kill(worker.pid, signal.SIGKILL)


def test_a_worker_that_dies_is_a_crash_and_the_next_run_goes_on(engine: ProcessEngine) -> None:
    killer = Killer(engine, signal.SIGTERM)
    doomed = engine.submit(configuration(10_000), killer)
    dead = doomed.result(30).outcome
    assert dead.status == "crashed"
    assert re.search(r"killed by SIGTERM; it held up to \d+ MB", dead.reason or "")
    assert len(killer.killed) == 1
    assert dead.batching is not None
    assert dead.batching.micro_batch == 32
    after = engine.submit(configuration(), lambda *step: None).result(120)
    assert after.outcome.status == "ok"


def test_a_killed_worker_is_out_of_memory_and_starts_again(engine: ProcessEngine) -> None:
    engine._alive = workers = FirstDies()
    outcome = engine.submit(configuration(), lambda *step: None).result(120).outcome
    assert workers.started == 2
    assert outcome.status == "ok"
    assert "degraded" in outcome.flags
    assert outcome.batching == Batching(
        batch_requested=32, micro_batch=16, accumulation=2, eval_batch=128, oom_retries=1
    )
    assert outcome.timing is not None
    assert outcome.timing.steps == 2


def test_a_timeout_is_of_a_run_with_all_its_tries(
    engine: ProcessEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.timeout_s = 600.0
    engine._alive = workers = FirstDies()
    clock = SimpleNamespace(
        monotonic=lambda: time.monotonic() + 1000 * (workers.started > 0),
        monotonic_ns=time.monotonic_ns,
    )
    monkeypatch.setattr("harness.execution.process.time", clock)
    future = engine.submit(configuration(), lambda *step: None)
    stopped = future.result(120).outcome
    assert stopped.status == "timeout"
    assert "stopped after 600 s" in str(stopped.reason)


def test_a_worker_that_is_always_killed_is_oom(engine: ProcessEngine) -> None:
    killer = Killer(engine, signal.SIGKILL)
    done = engine.submit(configuration(10_000), killer).result(120)
    assert len(killer.killed) == 4
    assert done.outcome.status == "oom"
    assert re.match(
        r"the worker was killed by SIGKILL .*; it held up to \d+ MB; tried with 32, then 16, then "
        r"8, then 4 rows at a time\. Fix: ",
        done.outcome.reason or "",
    )
    assert done.outcome.batching is not None
    assert (done.outcome.batching.micro_batch, done.outcome.batching.oom_retries) == (4, 3)
    assert done.outcome.memory is not None
    assert done.outcome.memory.peak_memory_bytes > 50 << 20


def test_a_run_that_takes_too_long_is_stopped() -> None:
    engine = ProcessEngine(timeout_s=1.0)
    engine.start()
    try:
        future = engine.submit(configuration(10_000), lambda *step: None)
        stopped = future.result(60).outcome
        assert stopped.status == "timeout"
        assert re.match(r"stopped after 1 s.*--glue-timeout", stopped.reason or "")
    finally:
        engine.close()


def test_closing_kills_what_runs() -> None:
    engine = ProcessEngine()
    engine.start()
    started = threading.Event()
    future = engine.submit(configuration(10_000), lambda *step: started.set())
    assert started.wait(120)
    (worker,) = engine._alive
    engine.close()
    assert worker.exit_code is not None
    assert future.result(1).outcome.status == "crashed"


def test_a_target_this_machine_lacks_is_skipped(engine: ProcessEngine) -> None:
    done = engine.submit(configuration(target="xpu-bf16"), lambda *step: None).result(120)
    assert done.outcome.status == "skipped"
    assert "glue-bench doctor" in (done.outcome.reason or "")


def test_a_model_that_breaks_before_it_is_read_is_a_failure_with_its_file(
    engine: ProcessEngine, tmp_path: Path
) -> None:
    whole = configuration()
    broken = tmp_path / "model"
    shutil.copytree(whole.model_directory, broken)
    adapted = Adapted("toy-bert", Model("toy-bert", path=str(broken), recipe="toy"))
    config = resolved(whole.case, whole.data, adapted=adapted, threads=1)
    weights = broken / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    done = engine.submit(config, lambda *step: None).result(120)
    assert done.outcome.status == "failed"
    assert "model.safetensors" in (done.outcome.reason or "")


@pytest.mark.parametrize(
    ("cpus", "jobs", "expected"),
    [
        ((0, 1, 2, 3), 1, [None]),
        ((0, 1, 2, 3), 2, [(0, 1), (2, 3)]),
        ((4, 5, 6), 2, [(4,), (5,)]),
        ((0, 1), 3, [(0,), (1,), (0,)]),
    ],
)
def test_jobs_share_the_cpus(
    cpus: tuple[int, ...], jobs: int, expected: list[tuple[int, ...] | None]
) -> None:
    assert shares(cpus, jobs) == expected


class StruckInTheThird(ProcessEngine):
    """Sends this process a SIGINT as soon as its third run is training, which takes long."""

    def __init__(self) -> None:
        super().__init__()
        self.submitted = 0
        self.struck: list[Any] = []  # the workers alive then

    def submit(self, config: RunConfig, progress: Progress) -> Future[Finished]:
        self.submitted += 1
        if self.submitted < 3:
            return super().submit(config, progress)
        long = dataclasses.replace(config.recipe, epochs=100)
        return super().submit(dataclasses.replace(config, recipe=long), self.strike)

    def strike(self, *step: int) -> None:
        if not self.struck:
            self.struck = list(self._alive)
            os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.usefixtures("pythons_own_sigint", "fork_server")
def test_ctrl_c_loses_no_finished_run_and_leaves_no_worker(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = StruckInTheThird()
    monkeypatch.setattr("harness.execution.driver.make_engine", lambda *asked: engine)
    found = project.runpytest_inprocess(
        "benchmarks", *ARGS, "-k", "fp32", "--glue-max-train", "64", "--glue-max-eval", "64",
        "--glue-epochs", "1", "--glue-results", "r", "-W", "error", no_reraise_ctrlc=True,
    )  # fmt: skip
    assert found.ret == pytest.ExitCode.INTERRUPTED
    (worker,) = engine.struck
    assert worker.exit_code == -signal.SIGKILL
    assert not engine._alive
    store = Store(project.path / "r")
    assert [record.status for record in store.load()] == ["ok", "ok"]
    assert all(store.has_predictions(record) for record in store.load())


@pytest.mark.parametrize("fails", ["os.pipe", "socket.socketpair"])
def test_a_worker_that_finds_no_descriptors_leaves_none_open(
    fails: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    with tempfile.TemporaryFile() as file:
        before = len(list(Path("/dev/fd").iterdir()))
        monkeypatch.setattr(fails, full)
        with pytest.raises(OSError, match="Too many") as caught:
            forking.ForkServer().fork(file, file)
        assert caught.value.errno == errno.EMFILE  # which still holds the frame, and what it opened
        assert len(list(Path("/dev/fd").iterdir())) == before
