"""Several runs at a time: which begin when, and what is on disk before its test asks for it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from pathlib import Path

import pytest

from harness.errors import NotStored
from harness.execution.driver import Driver
from harness.execution.engine import Finished
from harness.planning import plan
from harness.planning import resolve as module
from harness.planning.options import Settings
from harness.records.schema import Record
from harness.records.store import Store
from harness.spec import Case, Progress, RunConfig
from tests.support import builders, engines
from tests.support.printed_records import records_in

TASKS = ("cola", "sst2", "mrpc", "rte", "wnli")
COLA, SST2, MRPC, RTE, WNLI = CASES = [Case(task, "toy-bert", "cpu-fp32", 42) for task in TASKS]


class StagedEngine(engines.FakeEngine):
    """Runs end in the order of `ends`, each once `jobs` are pending, or all that are left."""

    def __init__(self, jobs: int, *ends: Case) -> None:
        super().__init__(lambda config: builders.outcome())
        self.jobs, self.ends = jobs, list(ends)
        self.pending: dict[Case, Future[Finished]] = {}
        self.at_once = 0  # the most that were pending at a time
        self.before: Callable[[], None] = lambda: None  # called as a run is handed in
        self._changed = threading.Condition()
        threading.Thread(target=self._end_them, daemon=True).start()

    def submit(self, config: RunConfig, progress: Progress) -> Future[Finished]:
        self.before()
        with self._changed:
            self.submitted.append(config)
            future = self.pending[config.case] = Future()
            self.at_once = max(self.at_once, len(self.pending))
            self._changed.notify()
        return future

    def end(self, case: Case) -> None:
        with self._changed:
            future = self.pending.pop(case)
        future.set_result(
            Finished(builders.outcome(case.task), builders.TABLE, log=f"of {case.task}")
        )

    def _end_them(self) -> None:
        while self.ends:
            with self._changed:
                self._changed.wait_for(self._is_due)
            self.end(self.ends.pop(0))

    def _is_due(self) -> bool:
        enough = len(self.pending) >= min(self.jobs, len(self.ends))
        return enough and self.ends[0] in self.pending


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[..., Driver]]:
    drivers: list[Driver] = []

    def start(engine: StagedEngine) -> Driver:
        planned = plan.make(Settings(tasks=TASKS, targets=("cpu-fp32",)))
        drivers.append(Driver(planned, Store(tmp_path), engine, engine.jobs))
        drivers[-1].start(CASES)
        return drivers[-1]

    yield start
    for driver in drivers:
        driver.close()


def begun(engine: engines.FakeEngine) -> list[Case]:
    return [config.case for config in engine.submitted]


def stored(folder: Path) -> list[str]:
    return [record.case.task for record in Store(folder).find().records]


def test_a_place_that_is_free_is_filled_while_the_first_still_runs(
    started: Callable[..., Driver],
) -> None:
    engine = StagedEngine(2, SST2, MRPC, RTE, COLA, WNLI)
    driver = started(engine)
    assert driver.run(COLA, CASES[1:]).log == "of cola"
    assert begun(engine) == CASES
    assert engine.at_once == 2
    for place, case in enumerate(CASES[1:], start=2):
        ran = driver.run(case, CASES[place:])
        assert (ran.record.case.task, ran.log) == (case.task, f"of {case.task}")
    assert begun(engine) == CASES


def test_what_ends_ahead_is_on_disk_at_once(started: Callable[..., Driver], tmp_path: Path) -> None:
    engine = StagedEngine(2, SST2, MRPC, COLA, RTE)
    driver = started(engine)
    seen: list[list[str]] = []
    engine.before = lambda: seen.append(stored(tmp_path))
    driver.run(COLA, CASES[1:])
    assert seen == [[], [], ["sst2"], ["sst2", "mrpc"]]
    assert driver.run(SST2, CASES[2:]).record.case.task == "sst2"
    assert stored(tmp_path).count("sst2") == 1


@pytest.mark.parametrize("jobs", [1, 3])
def test_no_more_begin_than_there_are_jobs(started: Callable[..., Driver], jobs: int) -> None:
    engine = StagedEngine(jobs, *CASES)
    driver = started(engine)
    for place, case in enumerate(CASES, start=1):
        driver.run(case, CASES[place:])
        assert len(engine.submitted) <= place - 1 + jobs
    assert engine.at_once == jobs
    assert begun(engine) == CASES


@pytest.mark.timeout(60)
def test_a_run_that_ends_just_before_the_driver_waits_makes_room_too(
    started: Callable[..., Driver], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = StagedEngine(2)
    driver = started(engine)
    ends = iter([SST2, MRPC, COLA])

    @contextlib.contextmanager
    def allowed() -> Iterator[None]:
        engine.end(next(ends))
        yield

    monkeypatch.setattr("harness.execution.driver.interrupt.allowed", allowed)
    driver.run(COLA, CASES[1:])
    assert begun(engine) == [COLA, SST2, MRPC, RTE]


def test_what_ended_ahead_and_could_not_be_stored_is_told_where_it_is_asked_for(
    started: Callable[..., Driver], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    engine = StagedEngine(2, SST2, COLA)
    driver = started(engine)

    def full(disk: object, path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("harness.records.store.write_file", full)
        for case in (COLA, SST2):
            with pytest.raises(NotStored) as caught:
                driver.run(case, [SST2])
            (lost,) = records_in(caught.value.line)
            assert isinstance(lost, Record)
            assert lost.case.task == case.task
    assert driver.complaints == []
    assert stored(tmp_path) == []


class BrokenEngine(engines.FakeEngine):
    """Breaks as `how` says: while a run is handed in, while it runs, or by what it answers."""

    def __init__(self, how: str, error: Exception) -> None:
        super().__init__(lambda config: builders.outcome())
        self.how, self.error = how, error

    def submit(self, config: RunConfig, progress: Progress) -> Future[Finished]:
        if config.case != COLA:
            return super().submit(config, progress)
        if self.how == "handed in":
            raise self.error
        future: Future[Finished] = Future()
        if self.how == "runs":
            future.set_exception(self.error)
        else:
            unfit = {**builders.TABLE, "label": [object()] * 3}
            future.set_result(Finished(builders.outcome(), unfit, log=""))
        return future


ERRORS = (
    RuntimeError("can't start new thread"), EOFError(), MemoryError(), ValueError("a\nb"),
    BrokenPipeError(32, "Broken pipe"), RecursionError("maximum recursion depth exceeded"),
    CancelledError(), KeyError("x"), AssertionError("\ud800"),
)  # fmt: skip


@pytest.mark.cases
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("how", ["handed in", "runs", "answers"])
def test_an_error_of_any_kind_is_a_record_and_no_other_case_is_harmed(
    how: str, error: Exception, tmp_path: Path
) -> None:
    engine = BrokenEngine(how, error)
    planned = plan.make(Settings(tasks=TASKS, targets=("cpu-fp32",)))
    driver = Driver(planned, Store(tmp_path), engine)
    driver.start(CASES)
    statuses = [
        driver.run(case, CASES[place:]).record.status for place, case in enumerate(CASES, 1)
    ]
    driver.close()
    assert statuses == ["crashed", "ok", "ok", "ok", "ok"]
    assert engine.closed
    broken = Store(tmp_path).load()[0]
    assert (broken.status, broken.case.task) == ("crashed", "cola")
    assert (broken.reason or "").startswith("glue-bench could not run it: ")
    assert "\n" not in (broken.reason or "")


@pytest.mark.cases
@pytest.mark.parametrize("error", [RecursionError(), UnicodeDecodeError("utf-8", b"", 0, 1, "x")])
def test_an_error_of_any_kind_while_a_case_is_looked_up_is_its_record(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def resolve(case: Case, *args: object, **kwargs: object) -> RunConfig:
        if case == SST2:
            raise error
        return found(case, *args, **kwargs)

    found = module.resolve
    monkeypatch.setattr("harness.execution.driver.resolve", resolve)
    driver = Driver(
        plan.make(Settings(tasks=TASKS, targets=("cpu-fp32",))),
        Store(tmp_path), engines.FakeEngine(lambda config: builders.outcome()),
    )  # fmt: skip
    driver.start(CASES)
    statuses = [
        driver.run(case, CASES[place:]).record.status for place, case in enumerate(CASES, 1)
    ]
    driver.close()
    assert statuses == ["ok", "crashed", "ok", "ok", "ok"]
