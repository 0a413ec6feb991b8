"""Real runs on toy data, with or without a fault planted in the training code."""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
import random
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from harness.execution.fork_server import PRELOAD
from harness.records.schema import Record
from harness.spec import Case, DataRequest
from tests.support.builders import record
from tests.support.configs import resolved
from tests.support.locations import GOLDEN

TASKS = ("sst2", "cola", "stsb")
RECORDED = GOLDEN / "gate_scores.json"
Job = tuple[str, str, int]  # fault, task, seed


def flip_a_tenth_of_the_labels() -> None:
    from harness.training import batches

    begin = batches.TrainBatches.__init__

    def flipped(self: Any, encoded: Any, split: Any, recipe: Any, seed: int) -> None:
        labels = list(split.labels)
        for row in random.Random(1).sample(range(len(labels)), len(labels) // 10):
            is_score = isinstance(labels[row], float)
            labels[row] = 5 - labels[row] if is_score else 1 - labels[row]
        begin(self, encoded, dataclasses.replace(split, labels=labels), recipe, seed)

    batches.TrainBatches.__init__ = flipped  # ty: ignore[invalid-assignment] (the fault)


def learn_at_a_tenth_of_the_rate() -> None:
    from harness.training import loop

    adamw = loop.adamw
    loop.adamw = lambda network, recipe: adamw(  # ty: ignore[invalid-assignment] (the fault)
        network, dataclasses.replace(recipe, learning_rate=recipe.learning_rate / 10)
    )


def skip_one_update_in_four() -> None:
    from harness.training import device

    step, calls = device.CountingScaler.step, []

    def skipping(self: Any, optimizer: Any) -> Any:
        calls.append(1)
        return step(self, optimizer) if len(calls) % 4 else None

    device.CountingScaler.step = skipping  # ty: ignore[invalid-assignment] (the fault)


FAULTS: dict[str, Callable[[], None]] = {
    "10% of the training labels flipped": flip_a_tenth_of_the_labels,
    "learning rate x 0.1": learn_at_a_tenth_of_the_rate,
    "optimizer.step skipped one time in four": skip_one_update_in_four,
}
HEALTHY = "healthy"


def run(job: Job) -> dict[str, Any]:
    """One run, in a process of its own: the fault stays in it.

    The checks of a run's own figures are off, since they find one of the faults in its first run:
    here the statistics have to.
    """
    import torch

    from harness.training import checks, runner

    fault, task, seed = job
    torch.set_num_threads(1)
    checks.FAULTS = ()
    runner.calibration_seconds = lambda device: 0.01  # the machine is no part of this
    FAULTS.get(fault, lambda: None)()
    config = resolved(Case(task, "toy-bert", "cpu-fp32", seed), DataRequest(), threads=1)
    outcome, _ = runner.run(config, lambda step, steps: None)
    if outcome.status != "ok":
        raise RuntimeError(f"{job}: {outcome.status}: {outcome.reason}")
    return {
        "score": outcome.score,
        "flags": outcome.flags,
        "first_losses": outcome.first_losses[:2],
    }


class Runs:
    """Runs by fault, task and seed: those that were recorded, or made now, two at a time."""

    def __init__(self, file: Path = RECORDED, *, may_run: bool = False) -> None:
        self.file, self.may_run = file, may_run
        self.known: dict[str, dict[str, Any]] = {}
        if file.exists():
            self.known = json.loads(file.read_text())
        self.used = 0

    def get(self, fault: str, seeds: Iterable[int]) -> list[Record]:
        """The records of every task with these seeds."""
        jobs: list[Job] = [(fault, task, seed) for task in TASKS for seed in seeds]
        absent = [job for job in jobs if _name(job) not in self.known]
        if absent and not self.may_run:
            raise LookupError(f"{_name(absent[0])}: not recorded. Fix: tox -e gate")
        if absent:
            context = multiprocessing.get_context("forkserver")
            context.set_forkserver_preload(list(PRELOAD))
            with context.Pool(2, maxtasksperchild=1) as pool:
                for job, found in zip(absent, pool.imap(run, absent, chunksize=1), strict=True):
                    self.known[_name(job)] = found
                    self.file.write_text(to_json(self.known))
        self.used += len(jobs)
        return [self._record(job) for job in jobs]

    def _record(self, job: Job) -> Record:
        _, task, seed = job
        found = dict(self.known[_name(job)])
        return record(Case(task, "toy-bert", "cpu-fp32", seed), **found)


def to_json(known: dict[str, dict[str, Any]]) -> str:
    """A line per run."""
    lines = [f"{json.dumps(name)}: {json.dumps(run)}" for name, run in sorted(known.items())]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _name(job: Job) -> str:
    return "/".join(map(str, job))
