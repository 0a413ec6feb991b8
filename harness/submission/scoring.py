"""Scores a file of predictions against a file of labels, whatever program made it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness import metrics
from harness.errors import UsageError
from harness.files.lines import at, error
from harness.spec import Task
from harness.submission import prediction_files
from harness.submission.prediction_files import RowValues
from harness.tables.table import percent
from harness.text.names import unknown

GIVE = "give one prediction for each row of the labels"


@dataclass(frozen=True)
class ScoredFile:
    """The metrics of a file of predictions, as fractions."""

    task: Task
    split: str | None  # the name that was given, if any
    rows: int
    metrics: Mapping[str, float]
    floor: float  # the score of the best constant prediction for these rows

    @property
    def score(self) -> float:
        """The mean of the metrics on this split."""
        return metrics.score({"": self.metrics})


def score(predicted: Path, labelled: Path, task: Task, split: str | None = None) -> ScoredFile:
    """Score one split's predictions.

    `split` is needed if `predicted` is a stored run's file with several splits. Raises `DataError`
    for a file that is malformed or has other rows, `UsageError` for an unknown split.
    """
    if split is not None and split not in task.rows:
        raise UsageError(unknown(f"split of {task.title}", split, task.rows))
    labels = prediction_files.read_labels(labelled, task)
    predictions = prediction_files.read_predictions(predicted, task, split)
    _require_same_rows(predictions, labels)
    label_of, prediction_of = labels.by_row(predictions.rows), predictions.by_row(labels.rows)
    order = sorted(label_of)
    gold = [label_of[row] for row in order]
    return ScoredFile(
        task,
        split,
        len(order),
        metrics.evaluate(task, gold, [prediction_of[row] for row in order]),
        metrics.floor(task, {"": gold}),
    )


def _require_same_rows(predictions: RowValues, labels: RowValues) -> None:
    """Raise `DataError` unless both files have the same rows."""
    if len(predictions.values) != len(labels.values):
        found, expected = f"{len(predictions.values):,} predictions", f"{len(labels.values):,}"
        expected += f", one for each label of {at(labels.path)}"
        raise error(at(predictions.path), found, expected, GIVE)
    if predictions.rows is None and labels.rows is None:
        return
    every = range(len(labels.values))
    predicted, labelled = set(predictions.rows or labels.rows or ()), set(labels.rows or every)
    if missing := labelled - predicted:
        extra = min(predicted - labelled)  # there is one, since both have as many rows
        found = f"no prediction for row {min(missing)}, but one for row {extra}"
        raise error(at(predictions.path), found, f"the rows of {at(labels.path)}", GIVE)


def text(scored: ScoredFile) -> str:
    """Metrics, score and floor x 100, and the number of rows, a line each."""
    official = scored.task.rows.get(scored.split or "", scored.rows)
    rows = f"{scored.rows:,}" + (f" (GLUE has {official:,})" if official != scored.rows else "")
    lines = {name: percent(value) for name, value in scored.metrics.items()}
    lines |= {"score": percent(scored.score), "floor": percent(scored.floor)}
    lines["rows"] = rows
    width = max(map(len, lines))
    title = " ".join([scored.task.title, *([scored.split] if scored.split else [])])
    return "\n".join([title, *(f"{name:<{width}}  {value}" for name, value in lines.items())])
