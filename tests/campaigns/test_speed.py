"""Real comparisons of speed: a planted slowdown, the same code, and a busy neighbour.

They need a machine that does nothing else, like every measurement of speed.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.compare import speed, speed_measures
from harness.compare.verdicts import Verdict
from harness.execution import ab, ab_sides, checkout, other_code
from harness.records.store import Store
from tests.support import scoreboard, speed_project

pytestmark = pytest.mark.gate

TESTS = "benchmarks/test_finetune.py"
SST2 = ("-k", "sst2 and fp32")
TEN_CELLS = ("-k", "fp32 or (sst2 and bf16)")
SHORT = ("--glue-max-train", "320", "--glue-max-eval", "16", "--glue-epochs", "2")
SLOWDOWN = 0.10


@pytest.fixture(autouse=True)
def _one_core() -> Iterator[None]:
    """Keep all processes on one core, so that another one is left for what else the machine does.

    Two threads that wait for each other lose many times the share that another program takes.
    """
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    yield
    os.sched_setaffinity(0, before)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return speed_project.committed(tmp_path)


def compared(
    project: Path, cases: tuple[str, ...], **changed: bool | int
) -> tuple[ab.Result, float]:
    """A comparison of the commit with the working tree, and the minutes that it took."""
    said: list[str] = []
    request = ab.Request(
        a=ab_sides.named("main", project),
        b=ab_sides.named(ab_sides.TREE, project),
        project=project,
        arguments=[TESTS, *cases, *SHORT],
        results=project.parent / "results",
        effects=speed_measures.default_effects(0.05),
        **changed,
    )
    result = ab.run(request, said.append)
    return result, result.seconds / 60


def step_seconds(project: Path) -> float:
    """Median seconds of a step, as one session has it."""
    results = project.parent / "before"
    with checkout.as_it_is(project) as files:
        arguments = [TESTS, *SST2, *SHORT, "--glue-results", str(results)]
        ended = other_code.run_session(files, arguments, Path(sys.executable))
    (record,) = Store(results).load()
    assert record.timing is not None, ended.printed
    assert record.timing.step_s is not None
    return record.timing.step_s


def test_a_sleep_of_a_tenth_of_a_step_is_found(project: Path) -> None:
    """The working tree sleeps in each step; the commit does not."""
    step_s = step_seconds(project)
    speed_project.plant(project, f"__import__('time').sleep({SLOWDOWN * step_s:.6f})")
    result, minutes = compared(project, SST2)
    (cell,) = result.comparison.verdicts
    change = cell.findings[0].change
    scoreboard.add(
        "speed, a sleep of 10% of a step", found=int(cell.verdict is Verdict.WORSE),
        processes=len(result.sessions), minutes=round(minutes),
    )  # fmt: skip
    assert cell.verdict is Verdict.WORSE, change
    assert change.change is not None
    assert SLOWDOWN / 2 < change.change.mean < 2 * SLOWDOWN


def test_the_same_code_is_never_red(project: Path) -> None:
    """Ten cells, of which step time and memory are judged: twenty comparisons, in one look."""
    result, minutes = compared(project, TEN_CELLS, max_pairs=speed.PAIRS, repeats_red=False)
    verdicts = [
        finding.change.verdict
        for cell in result.comparison.verdicts
        for finding in cell.findings
        if finding.effect is not None
    ]
    scoreboard.add(
        "speed, the same code", comparisons=len(verdicts),
        red=verdicts.count(Verdict.WORSE), minutes=round(minutes),
        **{"not worse": verdicts.count(Verdict.NOT_WORSE)},
    )  # fmt: skip
    assert len(verdicts) == 20
    assert Verdict.WORSE not in verdicts


@pytest.fixture
def neighbour() -> Iterator[None]:
    """Keeps the core busy for part of the time: for 5 to 25 s, then not for as long."""
    done = threading.Event()

    def come_and_go() -> None:
        draw = random.Random(3)
        while not done.is_set():
            burner = multiprocessing.get_context("spawn").Process(target=burn, daemon=True)
            burner.start()
            done.wait(draw.uniform(5, 25))
            burner.kill()
            burner.join()
            done.wait(draw.uniform(5, 25))

    thread = threading.Thread(target=come_and_go)
    thread.start()
    yield
    done.set()
    thread.join()


def burn() -> None:
    while True:
        time.monotonic()


@pytest.mark.usefixtures("neighbour")
def test_a_busy_neighbour_cannot_be_taken_for_a_change(project: Path) -> None:
    result, minutes = compared(project, SST2, max_pairs=speed.PAIRS)
    (cell,) = result.comparison.verdicts
    found = cell.findings[0].change.verdict
    scoreboard.add(
        "speed, the same code beside a busy neighbour", comparisons=1,
        red=int(found is Verdict.WORSE), minutes=round(minutes),
        **{"cannot tell": int(found is Verdict.CANNOT_TELL)},
    )  # fmt: skip
    assert found is Verdict.CANNOT_TELL, cell.findings[0].change
