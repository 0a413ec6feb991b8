"""Whatever becomes of a fork server or a worker: a run has an end, and no process is left."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import IO

import pytest

from harness.execution import fork_server, forking, process, workers
from harness.execution.engine import Finished
from harness.execution.process import ProcessEngine
from tests.support import fake_workers
from tests.support.builders import TABLE
from tests.support.locations import ROOT

pytestmark = [
    pytest.mark.cases,
    pytest.mark.skipif(sys.platform != "linux", reason="elsewhere no worker is forked"),
]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[forking.ForkServer]:
    """A server of its own, which has little to import."""
    monkeypatch.setattr(forking, "SERVER", fake_workers.server_that_imports())
    made = forking.ForkServer()
    monkeypatch.setattr(forking, "FORK_SERVER", made)
    monkeypatch.setattr(process, "FORK_SERVER", made)
    yield made
    made.end()


@pytest.fixture
def engine(server: forking.ForkServer) -> Iterator[ProcessEngine]:
    made = ProcessEngine()
    made.work = "tests.support.fake_workers:done"
    yield made
    made.close()
    assert not made._alive


@pytest.fixture(scope="module")
def shared_server() -> Iterator[forking.ForkServer]:
    """A server for tests that leave it as it was."""
    made = forking.ForkServer()
    yield made
    made.end()


@pytest.fixture
def sharing_engine(
    shared_server: forking.ForkServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ProcessEngine]:
    """An engine on the server that others used before."""
    monkeypatch.setattr(forking, "SERVER", fake_workers.server_that_imports())
    for module in (forking, process):
        monkeypatch.setattr(module, "FORK_SERVER", shared_server)
    made = ProcessEngine()
    yield made
    made.close()
    assert not made._alive


def run(engine: ProcessEngine, work: str = "done") -> Finished:
    engine.work = f"tests.support.fake_workers:{work}"
    return engine.submit(fake_workers.configuration(), lambda *step: None).result(60)


def pid_of(server: forking.ForkServer) -> int:
    assert server.pid is not None
    return server.pid


def begun(engine: ProcessEngine, work: str) -> tuple[Future[Finished], int]:
    """A run that is at work, and the pid of its worker."""
    run(engine)  # the server is warm
    told = threading.Event()
    engine.echo = lambda case_id, text: told.set()
    engine.work = f"tests.support.fake_workers:{work}"
    future = engine.submit(fake_workers.configuration(), lambda *step: None)
    assert told.wait(60)
    (worker,) = engine._alive
    assert worker.pid is not None
    return future, worker.pid


def test_a_server_that_was_killed_is_started_again_as_it_was(
    engine: ProcessEngine, server: forking.ForkServer
) -> None:
    first = run(engine, "environment").log
    before = pid_of(server)
    os.kill(before, signal.SIGKILL)
    assert first == "10000 1\n"
    assert run(engine, "environment").log.endswith(first)
    assert pid_of(server) != before


def test_a_run_that_loses_its_server_starts_again(
    engine: ProcessEngine, server: forking.ForkServer
) -> None:
    future, worker = begun(engine, "asleep")
    engine.work = "tests.support.fake_workers:done"
    os.kill(pid_of(server), signal.SIGKILL)
    finished = future.result(60)
    assert finished.outcome.status == "ok"
    assert finished.predictions == TABLE
    assert finished.log == "began\nthe fork server was lost; the run starts again\n"
    assert fake_workers.left_of([worker]) == []


def test_a_run_whose_servers_are_always_killed_gets_a_process_of_its_own(
    engine: ProcessEngine, server: forking.ForkServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    fork = server.fork

    def killed_at_once(task: IO[bytes], log: IO[bytes]) -> workers.Worker:
        worker = fork(task, log)
        os.kill(pid_of(server), signal.SIGKILL)
        return worker

    monkeypatch.setattr(server, "fork", killed_at_once)
    finished = run(engine)
    assert finished.outcome.status == "ok"
    assert finished.log.count("the run starts again") == process.FORKED_TRIES


def test_a_server_that_hangs_is_replaced(
    engine: ProcessEngine, server: forking.ForkServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forking, "FORK_S", 0.3)
    run(engine)
    os.kill(before := pid_of(server), signal.SIGSTOP)
    assert run(engine).outcome.status == "ok"
    assert fake_workers.left_of([before]) == []


def test_a_timeout_holds_though_the_server_hangs(
    engine: ProcessEngine, server: forking.ForkServer
) -> None:
    run(engine)
    os.kill(pid_of(server), signal.SIGSTOP)
    engine.timeout_s = 0.5
    stopped = run(engine).outcome
    assert (stopped.status, str(stopped.reason)[:19]) == ("timeout", "stopped after 0.5 s")
    engine.timeout_s = None
    assert run(engine).outcome.status == "ok"


def test_a_server_that_still_imports_outlives_a_timeout(
    engine: ProcessEngine, server: forking.ForkServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forking, "SERVER", f"import time; time.sleep(1.5){forking.SERVER}")
    engine.timeout_s = 0.5
    assert run(engine).outcome.status == "timeout"
    importing = pid_of(server)
    engine.timeout_s = None
    assert run(engine).outcome.status == "ok"
    assert pid_of(server) == importing


def test_closing_waits_for_no_server_that_hangs(
    engine: ProcessEngine, server: forking.ForkServer
) -> None:
    run(engine)
    os.kill(before := pid_of(server), signal.SIGSTOP)
    future = engine.submit(fake_workers.configuration(), lambda *step: None)
    while not engine._alive:
        time.sleep(0.01)
    engine.close()
    ended = future.result(0).outcome
    assert (ended.status, str(ended.reason)[:17]) == ("crashed", "the session ended")
    assert fake_workers.left_of([before]) == []


@pytest.mark.parametrize("kind", ["asleep", "deaf", "stopped", "half_said"])
def test_a_timeout_ends_any_worker(sharing_engine: ProcessEngine, kind: str) -> None:
    engine = sharing_engine
    run(engine)
    engine.timeout_s = 1.0
    future, worker = begun(engine, kind)
    assert future.result(60).outcome.status == "timeout"
    assert fake_workers.left_of([worker]) == []


def test_nonsense_from_a_worker_is_an_error_and_the_next_run_goes_on(
    sharing_engine: ProcessEngine,
) -> None:
    with pytest.raises(UnicodeDecodeError):
        run(sharing_engine, "nonsense")
    assert run(sharing_engine).outcome.status == "ok"


def test_what_a_worker_started_ends_with_it(sharing_engine: ProcessEngine) -> None:
    grandchild = int(run(sharing_engine, "with_a_child").log)
    assert fake_workers.left_of([grandchild]) == []


@pytest.mark.parametrize(
    ("kind", "is_stopped"),
    [("asleep", False), ("deaf", False), ("stopped", False), ("deaf", True)],
)
def test_nothing_outlives_a_driver_that_is_killed(kind: str, is_stopped: bool) -> None:
    command = [sys.executable, "-m", "tests.support.fake_workers", kind]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as driver:
        assert driver.stdout
        server, worker = map(int, driver.stdout.readline().split())
        assert fake_workers.is_alive(server)
        assert fake_workers.is_alive(worker)
        if is_stopped:
            os.kill(server, signal.SIGSTOP)
        driver.kill()
        assert fake_workers.left_of([server, worker]) == []


def module_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, does: str) -> None:
    """A library that is found before the real one, in processes that start from now on."""
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text(does)
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("server")
def test_imports_that_never_end_have_a_deadline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forking, "SERVER", fake_workers.server_that_imports("torch"))
    monkeypatch.setattr(forking, "IMPORTS_S", 1.0)
    module_that(tmp_path, monkeypatch, "import time\ntime.sleep(600)\n")
    with contextlib.closing(ProcessEngine()) as engine:
        future = engine.submit(fake_workers.configuration(), lambda *step: None)
        found = future.result(120).outcome
        assert found.status == "crashed"
        assert re.search(r"not done with its imports .*glue-bench doctor", found.reason or "")


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize("error", ["ImportError", "RuntimeError", "SystemError"])
def test_a_library_that_is_broken_is_an_error_that_names_it(
    error: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forking, "SERVER", fake_workers.server_that_imports("torch"))
    module_that(tmp_path, monkeypatch, f"raise {error}('libgomp.so.1 is gone')\n")
    with contextlib.closing(ProcessEngine()) as engine:
        future = engine.submit(fake_workers.configuration(), lambda *step: None)
        found = future.result(120).outcome
        assert found.status == "crashed"
        assert "libgomp.so.1 is gone" in str(found.reason)


def test_a_process_that_cannot_fork_says_so(
    engine: ProcessEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails = "def fork(): raise OSError(11, '')\nfork_server.os.fork = fork\nfork_server.serve"
    monkeypatch.setattr(forking, "SERVER", forking.SERVER.replace("fork_server.serve", fails))
    finished = run(engine)  # at last in a process of its own
    assert finished.outcome.status == "ok"
    assert "Resource temporarily unavailable" in finished.log


def test_a_child_that_was_waited_for_by_somebody_else_has_ended() -> None:
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)
    assert fork_server.reaped(child) == 255
