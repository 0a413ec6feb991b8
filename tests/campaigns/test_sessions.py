"""Whole sessions that are killed and resumed, and healthy runs that must not be accused."""

from __future__ import annotations

import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import harness
from harness.records import sessions
from harness.records.schema import Record
from harness.records.store import Store
from harness.spec import Case, DataRequest
from harness.training import runner
from tests.support import scoreboard
from tests.support.configs import resolved
from tests.support.locations import ROOT
from tests.support.pytest_project import run

MATRIX = (
    "--glue-profile", "quick", "--glue-data", "toy", "--glue-models", "toy-bert",
    "--glue-targets", "cpu-fp32", "--glue-max-train", "64", "--glue-max-eval", "64",
    "--glue-epochs", "1", "--glue-resume",
)  # fmt: skip
FOUR = ("--glue-tasks", "cola,stsb", "--glue-seeds", "2")
EIGHT = ("--glue-tasks", "cola,sst2,rte,stsb", "--glue-seeds", "2")
PASSED = re.compile(r"test_finetune\[(\S+)\] PASSED")
HEALTHY = {
    "cola": (150, 3), "sst2": (30, 3), "stsb": (8, 3), "mnli": (4, 5), "rte": (4, 5),
    "mrpc": (4, 5),
}  # fmt: skip
"""How many runs of each task, and their epochs: enough to be well above the floor."""
SOUND = {"noisy"}  # of the machine: no run can help it


def started(folder: Path, log: Path, matrix: tuple[str, ...]) -> subprocess.Popen[bytes]:
    """`pytest benchmarks` on a small matrix, its output in a file that survives it."""
    with log.open("wb") as out:
        return subprocess.Popen(
            [sys.executable, "-u", "-m", "pytest", "benchmarks", "-v", "-p", "no:cacheprovider",
             "--glue-results", str(folder), *MATRIX, *matrix],
            cwd=ROOT, stdout=out, stderr=subprocess.STDOUT,
        )  # fmt: skip


@dataclass
class Killer:
    """Kills sessions at random times, so many of them."""

    kills: int
    longest_s: float
    killed: int = 0
    draw: random.Random = field(default_factory=lambda: random.Random(0))

    def wait(self, session: subprocess.Popen[bytes]) -> int:
        """The exit code of a session, killed or not."""
        if self.killed < self.kills:
            try:
                session.wait(self.draw.uniform(2.0, self.longest_s))
            except subprocess.TimeoutExpired:
                session.kill()
                self.killed += 1
        return session.wait()


def killed_and_resumed(folder: Path, matrix: tuple[str, ...], killer: Killer) -> dict[str, int]:
    """Kill sessions; each goes on where the one before was killed.

    When all cases are done a new folder begins, the last one without a kill. Returns how many
    sessions were killed, how many results that one had shown as passed are not stored, and how many
    cases ran twice to a good end. Every folder must hold the same losses and scores.
    """
    counts = {"lost": 0, "doubled": 0}
    known: dict[str, tuple[object, ...]] = {}
    is_last = False
    while not is_last:
        is_last = killer.killed >= killer.kills
        place = Path(tempfile.mkdtemp(dir=folder))
        code, shown = -signal.SIGKILL, set()
        while code == -signal.SIGKILL:
            code = killer.wait(started(place, place / "log", matrix))
            shown |= passed(place)
        assert code == 0, (place / "log").read_text()
        runs = [run for run in Store(place).load() if run.status == "ok"]
        counts["lost"] += len(shown - {run.case.id for run in runs})
        counts["doubled"] += len(runs) - len({run.case.id for run in runs})
        assert sessions.read(place).open_cases == {}
        for one in runs:
            numbers = (one.first_losses, one.score, one.metrics)
            assert known.setdefault(one.case.id, numbers) == numbers
        assert {one.case.id for one in runs} == {*known}
    return {"killed": killer.killed, **counts}


def passed(place: Path) -> set[str]:
    """The cases that a session's output shows as passed."""
    return {*PASSED.findall((place / "log").read_text(errors="replace"))}


@pytest.mark.faults
@pytest.mark.timeout(1200)
def test_killed_sessions_are_resumed(tmp_path: Path) -> None:
    counts = killed_and_resumed(tmp_path, EIGHT, Killer(25, longest_s=14.0))
    scoreboard.add("sessions killed and resumed", **counts)
    assert (counts["lost"], counts["doubled"]) == (0, 0)


def processes_of(token: str) -> list[int]:
    """Every process that inherited `token` in its environment."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state = (entry / "stat").read_text().rsplit(")", 1)[1].split()[0]
                if token.encode() in (entry / "environ").read_bytes() and state != "Z":
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def died(session: subprocess.Popen[bytes], name: str, place: Path, token: str) -> list[Record]:
    """What a session leaves that dies of a signal once two runs are over; none of its processes."""
    deadline = time.monotonic() + 120
    while len([*(place / "runs").glob("*.json")]) < 2:
        assert session.poll() is None, (place / "log").read_text()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    session.send_signal(getattr(signal, name))
    session.wait(60)
    while processes_of(token):
        assert time.monotonic() < deadline, processes_of(token)
        time.sleep(0.05)
    store = Store(place)
    left = store.load()
    assert len(left) >= 2
    assert {run.status for run in left} == {"ok"}
    assert all(store.has_predictions(run) for run in left)
    return left


needs_proc = pytest.mark.skipif(
    not Path("/proc/self/environ").exists(), reason="needs Linux's /proc"
)


@needs_proc
@pytest.mark.slow
@pytest.mark.usefixtures("pythons_own_sigint")  # a child inherits one that is ignored
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_session_that_is_told_to_end_loses_no_finished_run_and_leaves_no_worker(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLUE_TEST_TOKEN", str(tmp_path))
    session = started(tmp_path, tmp_path / "log", EIGHT)
    died(session, name, tmp_path, str(tmp_path))
    assert session.returncode == {"SIGINT": 2, "SIGTERM": -15}[name]


@needs_proc
def test_a_killed_session_loses_no_finished_run_leaves_no_worker_and_is_resumed(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    project: pytest.Pytester,
    fork_server: None,
) -> None:
    monkeypatch.setenv("GLUE_TEST_TOKEN", str(tmp_path))
    session = started(tmp_path, tmp_path / "log", FOUR)
    left = died(session, "SIGKILL", tmp_path, str(tmp_path))
    assert session.returncode == -signal.SIGKILL
    assert passed(tmp_path) <= {run.case.id for run in left}
    resumed = run(project, "--glue-results", str(tmp_path), *MATRIX, *FOUR)
    resumed.assert_outcomes(passed=4)
    runs = Store(tmp_path).load()
    assert {one.id for one in left} < {one.id for one in runs}
    assert len({one.case.id for one in runs}) == len(runs) == 4
    assert sessions.read(tmp_path).open_cases == {}
    before, after = left[0], next(run for run in runs if run.id not in {one.id for one in left})
    for one in (before, after):
        alone = harness.run(
            one.case.task, seed=one.case.seed, max_train=64, max_eval=64, epochs=1,
            results=tmp_path / "alone",
        )  # fmt: skip
        for figure in ("cell_key", "first_losses", "score", "metrics"):
            assert getattr(one, figure) == getattr(alone, figure)


@pytest.mark.faults
@pytest.mark.timeout(1500)
def test_no_healthy_run_is_accused() -> None:
    for task, (runs, epochs) in HEALTHY.items():
        for seed in range(runs):
            case = Case(task, "toy-bert", "cpu-fp32", seed)
            config = resolved(case, DataRequest("toy"), epochs=epochs, threads=2)
            found, _ = runner.run(config)
            accused = found.status != "ok" or not set(found.flags) <= SOUND
            noisy = "noisy" in found.flags
            scoreboard.add("healthy runs", tried=1, accused=accused, on_a_noisy_machine=noisy)
            assert (found.status, found.reason, {*found.flags} - SOUND) == ("ok", None, set())
