"""Processes that are killed, stopped or hang, counted: `tox -e faults`."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from harness.records import sessions
from harness.records.store import Store
from tests.support import fake_workers, scoreboard
from tests.support.locations import ROOT

pytestmark = [
    pytest.mark.faults,
    pytest.mark.timeout(1500),
    pytest.mark.skipif(sys.platform != "linux", reason="elsewhere no worker is forked"),
]
KILL, TERM, HUP, STOP = signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGSTOP
WORKERS = ("asleep", "deaf", "stopped", "half_said")


def driver_of(kind: str) -> tuple[subprocess.Popen[str], int, int]:
    """A driver with one worker at work, and the pids of its server and worker."""
    driver = subprocess.Popen(
        [sys.executable, "-m", "tests.support.fake_workers", kind],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert driver.stdout
    server, worker = map(int, driver.stdout.readline().split())
    return driver, server, worker


@pytest.mark.parametrize("kind", WORKERS)
@pytest.mark.parametrize("end", [KILL, TERM, HUP], ids=lambda number: number.name)
@pytest.mark.parametrize("before", ["", "server", "worker", "both"])
def test_a_driver_that_ends_leaves_nothing(kind: str, end: signal.Signals, before: str) -> None:
    driver, server, worker = driver_of(kind)
    with driver:
        for name, pid in {"server": server, "worker": worker}.items():
            if before in (name, "both"):
                os.kill(pid, STOP)
        driver.send_signal(end)
        orphans = fake_workers.left_of([server, worker])
        for pid in orphans:
            os.kill(pid, KILL)
    scoreboard.add("drivers killed", tried=1, orphans=len(orphans))
    assert not orphans


class Session:
    """`pytest benchmarks` on toy data, whose processes somebody kills while it runs."""

    def __init__(self, folder: Path, *args: str) -> None:
        self.folder, self.args = folder, args
        self.struck = 0

    def run(self, every_s: float, strike: str, draw: random.Random) -> int:
        """Run it to its end, striking a process of its own `every_s`; its exit code."""
        self.folder.mkdir(parents=True)
        with (self.folder / "log").open("wb") as log:
            session = subprocess.Popen(
                [sys.executable, "-m", "pytest", "benchmarks", "-p", "no:cacheprovider", "-v",
                 "--glue-results", str(self.folder), "--glue-timeout", "120", *self.args],
                cwd=ROOT, stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip
            seen: set[int] = set()
            while session.poll() is None:
                time.sleep(every_s)
                alive = self._family(session.pid)
                seen |= {one.pid for one in alive}
                self._strike(alive, strike, draw)
        self.orphans = fake_workers.left_of(sorted(seen))
        return session.returncode

    def _family(self, pid: int) -> list[psutil.Process]:
        try:
            return psutil.Process(pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def _strike(self, alive: list[psutil.Process], strike: str, draw: random.Random) -> None:
        servers = [one for one in alive if is_server(one)]
        victims = servers if strike.startswith("server") else alive
        if not victims:
            return
        try:
            draw.choice(victims).send_signal(STOP if strike == "server stopped" else KILL)
            self.struck += 1
        except psutil.NoSuchProcess:
            return

    def finished(self) -> tuple[int, int, int]:
        """How many cases were planned, how many are stored, and how many of those are ok."""
        (session,) = sessions.read(self.folder).sessions
        records = Store(self.folder).load()
        stored = {record.case.id for record in records}
        return (
            len(session.planned),
            len(stored),
            sum(record.status == "ok" for record in records),
        )


def is_server(process: psutil.Process) -> bool:
    """Whether a process is a fork server: a worker of one looks the same but for its parent."""
    try:
        parent = process.parent()
        lines = [" ".join(one.cmdline()) for one in (process, parent) if one]
    except psutil.Error:
        return False
    return ["fork_server.serve" in line for line in lines] == [True, False]


@pytest.mark.parametrize(
    ("strike", "every_s", "args"),
    [
        ("server", 20.0, ()),
        ("server", 5.0, ("-k", "(cola or rte) and fp32", "--glue-seeds", "2")),
        ("server stopped", 8.0, ("-k", "(cola or rte or stsb) and fp32", "--glue-jobs", "2")),
        ("any", 6.0, ("-k", "fp32", "--glue-jobs", "2")),
    ],
)
def test_a_session_whose_processes_are_killed_records_every_case(
    tmp_path: Path, strike: str, every_s: float, args: tuple[str, ...]
) -> None:
    session = Session(tmp_path / "r", *args)
    session.run(every_s, strike, random.Random(0))
    planned, stored, ok = session.finished()
    scoreboard.add(
        f"sessions, {strike} every {every_s:g} s", kills=session.struck, cases=planned,
        lost=planned - stored, ok=ok, orphans=len(session.orphans),
    )  # fmt: skip
    assert session.struck
    assert planned == stored > 0
    assert not session.orphans
    if strike == "server":
        assert ok == planned
