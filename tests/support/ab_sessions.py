"""Sessions of two sides, and a stand-in for the pytest processes that would run them."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.compare.speed_cells import Session
from harness.execution.checkout import Checkout
from harness.execution.other_code import Ended
from harness.records.schema import Memory, Record, revised
from harness.records.store import Store
from harness.spec import Case
from tests.support.builders import record

SST2 = Case("sst2", "toy-bert", "cpu-fp32", 42)
STEPS = 20
WOBBLE = (1.0, 1.004, 0.997, 1.002, 0.999, 1.001, 0.998, 1.003)
"""Factors by which processes differ, one after the other."""


def timed(
    case: Case = SST2, step_s: float | None = 0.1, mb: int = 400, **changed: object
) -> Record:
    """A record with this median step (None: an older one, which has none) and peak memory."""
    made = record(case, **changed)
    if made.timing is None:
        return made
    total_s = (step_s or 0.1) * STEPS
    timing = revised(
        made.timing, train_s=total_s, epoch_s=[total_s], steps=STEPS,
        examples_per_s=made.timing.examples / total_s, step_s=step_s,
        cpu_s=step_s and 2 * total_s, steal_share=step_s and 0.01,
    )  # fmt: skip
    memory = Memory(peak_memory_bytes=mb << 20, floor_memory_bytes=1, peak_device_memory_bytes=None)
    return revised(made, timing=timing, memory=memory)


def sessions(
    a: float, b: float, pairs: int = 6, stage: int = 1, case: Case = SST2
) -> list[Session]:
    """Sessions in their order, in which a step of A takes `a` seconds and one of B `b`."""
    wobble = itertools.cycle(WOBBLE)
    order = ("abba" * pairs)[: 2 * pairs]
    return [
        Session(side, [timed(case, (a if side == "a" else b) * next(wobble))], stage)
        for side in order
    ]


class Processes:
    """In place of `other_code.run_session`: stores records, as a session would.

    `steps` has the seconds of a step of each side, by the folder's last letter. Each session of a
    side takes the next of its values, the last one for ever.
    """

    def __init__(self, a: Sequence[float], b: Sequence[float]) -> None:
        self.steps = {"a": list(a), "b": list(b)}
        self.ended = Ended(0, "1 passed")
        self.lacks: set[str] = set()  # sides whose sessions leave no record
        self.cases: dict[str, list[Case]] = {"a": [SST2], "b": [SST2]}
        self.started: list[tuple[Checkout, list[str], Path]] = []
        self.wobble = itertools.cycle(WOBBLE)
        self.seconds = 10.0  # that a session takes, on `clock`

    def clock(self) -> float:
        """In place of `time.monotonic`: it moves with each session."""
        return self.seconds * len(self.started)

    def __call__(self, checkout: Checkout, arguments: Sequence[str | Path], python: Path) -> Ended:
        words = [*map(str, arguments)]
        self.started.append((checkout, words, python))
        results = Path(words[words.index("--glue-results") + 1])
        side = results.name[-1]
        left = self.steps[side]
        step_s = left.pop(0) if len(left) > 1 else left[0]
        if side in self.lacks:
            return self.ended
        store = Store(results)
        store.prepare()
        for case in self.cases[side]:
            store.save(timed(dataclasses.replace(case), step_s * next(self.wobble)), None)
        return Ended(0, "1 passed")

    @property
    def order(self) -> list[str]:
        """The folders of the sessions, in the order in which they were started."""
        return [Path(words[words.index("--glue-results") + 1]).name for _, words, _ in self.started]


@pytest.fixture
def processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Processes:
    """Processes of two equal sides, in a project that has the tests of cases."""
    made = Processes([0.1], [0.1])
    monkeypatch.setattr("harness.execution.other_code.run_session", made)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "test_finetune.py").touch()
    return made
