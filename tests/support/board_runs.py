"""Runs for boards: a test sets their scores, rows, seeds and flags."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from harness.catalog import tasks
from harness.records.schema import DataRecord, Record, Source, SplitRecord
from harness.spec import Case
from harness.tables.table import Table
from tests.support.builders import record

GLUE = Source(kind="glue_data")
BEGAN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
HASH = "0" * 64


def split_record(checked: str | None = "sha256", **changed: Any) -> SplitRecord:
    """100 rows of which this was found: `sha256`, `commit`, `counts`, or None, that they differ."""
    facts = {"sha256": ("sha256",), "commit": ("commit",), "counts": ()}
    values: dict[str, Any] = {
        "rows": 100, "rows_in_source": 100, "dropped": 0, "sha256": HASH, "checked": checked,
        "official": checked in ("sha256", "commit"),
        "agrees": ("rows", "class counts", *facts[checked]) if checked else (),
    }  # fmt: skip
    return SplitRecord(**values | changed)


def scored(
    task: str,
    score: float,
    model: str = "toy-bert",
    target: str = "cpu-fp32",
    seed: int = 42,
    *,
    train: str | None = "sha256",
    dev: str | None = "sha256",
    rows: str = HASH,
    minute: int = 0,
    **changed: Any,
) -> Record:
    """An ok run with this score in every metric of its task, on every dev set.

    `train` and `dev` say what was found of the rows, as `SplitRecord.checked`; `rows` is the sha256
    of the dev rows, `minute` when the run ended.
    """
    row = tasks.TASKS[task]
    splits = {"train": split_record(train)}
    splits |= {name: split_record(dev, sha256=rows) for name in row.evaluated}
    values: dict[str, Any] = {
        "source": GLUE,
        "created": BEGAN + timedelta(minutes=minute),
        "data": DataRecord(splits=splits, truncated_rows={}),
    }
    return record(Case(task, model, target, seed), score=score, **values | changed)


def nine(model: str = "toy-bert", target: str = "cpu-fp32", **changed: Any) -> list[Record]:
    """A run of each of GLUE's nine tasks, with the scores 0.50, 0.51, ... 0.58."""
    return [
        scored(task, 0.5 + place / 100, model, target, **changed)
        for place, task in enumerate(tasks.GLUE_9)
    ]


def dead(task: str, model: str = "toy-bert", target: str = "cpu-fp32", seed: int = 42) -> Record:
    """A run that crashed before it had a score."""
    return record(
        Case(task, model, target, seed), source=GLUE, status="crashed", reason="x", score=None,
        floor=None, timing=None, memory=None, data=None, created=BEGAN,
    )  # fmt: skip


def assorted() -> list[Record]:
    """One results folder with what boards must tell apart: three standings, holes, failures."""
    made = [
        scored(task, score + (seed - 43) / 100, model, seed=seed, environment=MACHINE)
        for model, score in (("toy-bert", 0.6), ("minilm", 0.8))
        for task in tasks.GLUE_9
        for seed in (42, 43, 44)
    ]
    made += [
        scored(task, 0.81, "minilm", "cpu-bf16", seed=seed, environment=MACHINE)
        for task in ("cola", "sst2")
        for seed in (42, 43)
    ]
    made += [
        scored("qnli", 0.9, "minilm", "cpu-bf16", flags=["contaminated"], environment=MACHINE),
        scored("rte", 0.5, "other|model", flags=["collapsed", "at_floor"]),
        scored("rte", 0.7, "other|model", seed=43),
        dead("rte", "other|model", seed=44),
        scored("rte", 0.6, "toy-bert", source=Source(kind="glue_data", max_train=2000)),
        *nine(source=Source(kind="toy")),
    ]
    return made


MACHINE = {
    "torch": "2.13.0+cpu", "transformers": "5.23.0", "tokenizers": "0.23.3", "numpy": "2.4.6",
    "os": "Linux", "machine": "x86_64", "cpu": "A CPU", "cores": 2, "memory_bytes": 2**34,
    "boot": "one",
}  # fmt: skip
"""A machine that is known, so that times on it can be compared."""


def shown(table: Table) -> dict[str, dict[str, str]]:
    """Of each row, by its first entry, what stands in each column that has a figure."""
    return {
        str(row[0]): {
            name: str(entry)
            for name, entry in zip(table.header, row, strict=True)
            if str(entry) != "-"
        }
        for row in table.rows
    }
