"""Runs of one cell for comparisons: a test sets any measure of each run."""

from __future__ import annotations

import functools
import uuid
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from harness.compare import gate, thresholds
from harness.compare.gate import Finding
from harness.compare.measures import MEASURES
from harness.records.cells import Cell, cells
from harness.records.schema import Memory, Record, Timing
from harness.spec import Case, DataRequest
from tests.support.builders import record
from tests.support.configs import resolved

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)
FACTS = {
    "cpu": "one", "cores": 2, "memory_bytes": 2**34, "machine": "x86_64", "os": "Linux",
    "python": "3.11.7", "torch": "2.13.0", "transformers": "5.23.0", "tokenizers": "0.23.3",
    "numpy": "2.4.6", "boot": "57476f304fc48494", "commit": "a" * 40, "dirty": False,
}  # fmt: skip
SPREAD = [-1.3, 1.1, -0.4, 0.6, 0.0, 0.9, -0.9, 0.4, -0.6, 0.2]  # of mean 0, sd 0.8


def spread(mean: float, runs: int = 5, sd: float = 0.001) -> list[float]:
    """Values of about this mean and standard deviation, none of them alike."""
    return [mean + sd * step for step in SPREAD[:runs]]


@functools.cache
def _like(task: str, model: str) -> Record:
    case = Case(task, model, "cpu-fp32", 0)
    config = resolved(Case(task, "toy-bert", "cpu-fp32", 0), DataRequest(), threads=2)
    identity = dict(config.identity)
    return record(case, cell_key=config.cell_key, identity=identity, environment=FACTS, created=NOW)


def run(seed: int, task: str = "sst2", model: str = "toy-bert", **changed: Any) -> Record:
    """One run of a real case's inputs, with a loss that is its seed's own."""
    like, case = _like(task, model), Case(task, model, "cpu-fp32", seed)
    own = {"id": case.id, "seed": seed}
    changed = {
        "id": uuid.uuid4().hex,
        "case": like.case.model_copy(update=own),
        "first_losses": [0.7 + seed / 1000, 0.6],
        **changed,
    }
    return like.model_copy(update=changed)


def of(measure: str, value: float) -> dict[str, Any]:
    """What a run records whose `measure` is `value`."""
    if measure == "score":
        return {"score": value, "metrics": {"validation": {"accuracy": value}}}
    if MEASURES[measure].is_score:
        return {"metrics": {"validation": {measure: value}}}
    if measure == "peak_memory":
        return {"memory": Memory(peak_memory_bytes=int(value), **NO_MEMORY)}
    train_s = 20 * value if measure == "step_time" else 3.0
    rate = value if measure == "examples_per_s" else 200.0
    return {"timing": Timing(train_s=train_s, examples_per_s=rate, **OTHER_TIMES)}


NO_MEMORY: dict[str, Any] = {"floor_memory_bytes": None, "peak_device_memory_bytes": None}
OTHER_TIMES: dict[str, Any] = {
    "load_s": 0, "eval_s": 0, "epoch_s": [], "steps": 20, "examples": 640, "tokens": 6400,
    "tokens_per_s": 1,
}  # fmt: skip


def side(
    values: Iterable[float], measure: str = "score", first: int = 42, **changed: Any
) -> list[Record]:
    """A run for each value, of the seeds from `first` on."""
    return [run(first + i, **of(measure, value), **changed) for i, value in enumerate(values)]


def failed(seeds: Iterable[int], **changed: Any) -> list[Record]:
    """Runs that were out of memory."""
    changed = {"status": "oom", "reason": "out of memory", "score": None, "metrics": {}} | changed
    return [run(seed, **changed) for seed in seeds]


def low(runs: list[Record], count: int, flag: str = "collapsed") -> list[Record]:
    """The runs, the first of them 15 points low."""
    fallen = [r.model_copy(update={"score": 0.5, "flags": [flag]}) for r in runs[:count]]
    return [*fallen, *runs[count:]]


def facts(runs: Iterable[Record], **changed: Any) -> list[Record]:
    """The runs, on a machine of which some facts are others."""
    return [run.model_copy(update={"environment": run.environment | changed}) for run in runs]


def cell(runs: Iterable[Record]) -> Cell:
    """The one cell that these runs are."""
    (found,) = cells(runs)
    return found


def judged(base: Sequence[Record], new: Sequence[Record], *said: str) -> dict[str, Finding]:
    """What the gate finds of one cell, by measure."""
    rows = thresholds.from_option(said or ["score:-0.2pt"]).of("")
    return {f.measure.name: f for f in gate.judge(cell(base), cell(new), rows)}
