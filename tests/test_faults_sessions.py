"""Whole sessions that are killed and resumed, and healthy runs that must not be accused."""

from __future__ import annotations

import random
import re
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import scoreboard
from conftest import ROOT
from harness import runner, status
from harness.resolve import resolve
from harness.spec import Case, DataRequest
from harness.store import Store

MATRIX = (
    "--glue-profile", "quick", "--glue-data", "toy", "--glue-models", "toy-bert",
    "--glue-targets", "cpu-fp32", "--glue-max-train", "64", "--glue-max-eval", "64",
    "--glue-epochs", "1", "--glue-resume",
)  # fmt: skip
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
        assert status.read(place).open_cases == {}
        for run in runs:
            numbers = (run.first_losses, run.score, run.metrics)
            assert known.setdefault(run.case.id, numbers) == numbers
        assert {run.case.id for run in runs} == {*known}
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


def test_a_killed_session_is_resumed(tmp_path: Path) -> None:
    counts = killed_and_resumed(tmp_path, ("--glue-tasks", "cola"), Killer(1, longest_s=5.0))
    assert counts == {"killed": 1, "lost": 0, "doubled": 0}


@pytest.mark.faults
@pytest.mark.timeout(1500)
def test_no_healthy_run_is_accused() -> None:
    for task, (runs, epochs) in HEALTHY.items():
        for seed in range(runs):
            case = Case(task, "toy-bert", "cpu-fp32", seed)
            config = resolve(case, DataRequest("toy"), epochs=epochs, threads=2)
            found, _ = runner.run(config)
            accused = found.status != "ok" or not set(found.flags) <= SOUND
            noisy = "noisy" in found.flags
            scoreboard.add("healthy runs", tried=1, accused=accused, on_a_noisy_machine=noisy)
            assert (found.status, found.reason, {*found.flags} - SOUND) == ("ok", None, set())
