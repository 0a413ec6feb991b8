"""Runs with predictions that a test sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from harness import metrics
from harness.catalog import tasks
from harness.data import load
from harness.records.schema import DataRecord, PredictionTable, Record, Source, SplitRecord
from harness.spec import Case, DataRequest, Split
from tests.support import builders

NO_TEXT = "0" * 64


class Run(NamedTuple):
    record: Record
    table: PredictionTable


def run(
    task: str,
    splits: Mapping[str, tuple[Sequence[int], Sequence[int]]],
    *,
    ids: Sequence[int] | None = None,
    sha256: Mapping[str, str] | None = None,
    target: str = "cpu-fp32",
    **changed: Any,
) -> Run:
    """A run with these labels and predictions of each split, and the metrics they give."""
    table: PredictionTable = {"split": [], "row": [], "label": [], "prediction": [], "logits": []}
    for name, (labels, predictions) in splits.items():
        table["split"] += [name] * len(predictions)
        table["row"] += ids or range(len(labels))
        table["label"] += labels
        table["prediction"] += predictions
        table["logits"] += [[0.0]] * len(predictions)
    known = {n: pair for n, pair in splits.items() if n in tasks.get(task).evaluated and pair[0]}
    found = {n: metrics.evaluate(tasks.get(task), *pair) for n, pair in known.items()}
    data = DataRecord(
        splits={
            name: SplitRecord(
                rows=len(labels), rows_in_source=len(labels), dropped=0,
                sha256=(sha256 or {}).get(name, NO_TEXT), official=True,
            )
            for name, (labels, _) in splits.items()
        },
        truncated_rows={},
    )  # fmt: skip
    score = metrics.score(found) if found else None
    values = {"metrics": found, "score": score, "data": data} | changed
    return Run(builders.record(Case(task, "toy-bert", target, 42), **values), table)


def toy_rows(task: str, size: int | None = None) -> dict[str, Split]:
    """The generated dev rows of a task, or a sample of them."""
    return load.dev_rows(DataRequest("toy", max_eval=size), tasks.get(task))


def on_toy_rows(task: str, wrong: range, size: int | None = None, **changed: Any) -> Run:
    """A run on the generated dev rows that is wrong, by one label on, about those at `wrong`."""
    count = len(tasks.get(task).labels)
    rows = toy_rows(task, size)
    splits = {
        name: (
            [int(label) for label in split.labels or ()],
            [(int(x) + (n in wrong)) % count for n, x in enumerate(split.labels or ())],
        )
        for name, split in rows.items()
    }
    digests = {name: load.digest(split) for name, split in rows.items()}
    source = Source(kind="toy", max_eval=size)
    return run(
        task,
        splits,
        ids=list(next(iter(rows.values())).ids),
        sha256=digests,
        source=source,
        **changed,
    )
