"""Stored runs from which a GLUE submission can be made."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from harness.catalog import tasks
from harness.records.schema import DataRecord, Record, Source, SplitRecord
from harness.records.store import Store
from harness.spec import Case
from harness.submission.files import SUBMISSION_FILES
from tests.support.builders import record

HUB = Source(kind="hub", revision="0" * 40)


def answer(task: str, row: int) -> int | float:
    """What the runs of a task predict for a test row: of a regression also what is out of range."""
    labels = tasks.TASKS[task].labels
    return row % len(labels) if labels else row % 50 / 7 - 1


def table(task: str, splits: dict[str, int]) -> dict[str, list[Any]]:
    """Predictions: dev rows, which are no part of a submission, and test rows in no order."""
    made: dict[str, list[Any]] = {"split": [], "row": [], "prediction": []}
    for name, count in {"validation": 5, **splits}.items():
        rows = list(range(count))
        random.Random(0).shuffle(rows)
        made["split"] += [name] * count
        made["row"] += rows
        made["prediction"] += [answer(task, row) for row in rows]
    return made


def run(
    store: Store,
    task: str,
    *,
    score: float = 0.5,
    seed: int = 42,
    model: str = "minilm",
    target: str = "cpu-fp32",
    rows: dict[str, int] | None = None,
    predictions: dict[str, list[Any]] | None = None,
    official: bool = True,
    dev: SplitRecord | None = None,
    **changed: Any,
) -> Record:
    """Store an ok run of a task whose test rows are predicted: all of GLUE's, or `rows`."""
    whole = {file.stored_as: file.rows for file in SUBMISSION_FILES if file.run_of == task}
    splits = whole if rows is None else rows
    split = {
        "dropped": 0,
        "sha256": "0" * 64,
        "official": official,
        "agrees": ("sha256",) if official else (),
    }
    made = record(
        Case(task, model, target, seed),
        score=score,
        data=DataRecord(
            splits={
                **{n: SplitRecord(rows=r, rows_in_source=r, **split) for n, r in splits.items()},
                **({"validation": dev} if dev else {}),
            },
            truncated_rows={},
        ),
        **{"source": HUB, "recipe": "run-glue"} | changed,
    )
    return store.save(made, predictions or table(task, splits))


def all_runs(folder: Path) -> Store:
    """One run of each of the nine tasks."""
    store = Store(folder)
    for task in tasks.GLUE_9:
        run(store, task)
    return store
