"""A file of predictions against a file of labels: GLUE's metrics, whoever made the predictions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness import metrics
from harness.errors import UsageError
from harness.files.lines import at, error
from harness.spec import Task
from harness.submission import prediction_files
from harness.submission.prediction_files import Answers
from harness.tables.table import percent
from harness.text.names import unknown

GIVE = "give one prediction for each row of the labels"


@dataclass(frozen=True)
class Scored:
    """What came of it; scores are fractions."""

    task: Task
    split: str | None  # as it was named
    rows: int
    metrics: Mapping[str, float]
    floor: float  # the best constant's score on these rows

    @property
    def score(self) -> float:
        """The task's one number, on this split."""
        return metrics.score({"": self.metrics})


def score(predicted: Path, labelled: Path, task: Task, split: str | None = None) -> Scored:
    """Score one split's predictions.

    `split` is needed where `predicted` is a stored run's and holds several. Raises `DataError` for
    a file that is malformed or not of the same rows, `UsageError` for a name.
    """
    if split is not None and split not in task.rows:
        raise UsageError(unknown(f"split of {task.title}", split, task.rows))
    truth, found = (
        prediction_files.labels(labelled, task),
        prediction_files.predictions(predicted, task, split),
    )
    _refuse_other_rows(found, truth)
    gold = truth.by_row(found.rows)
    given = found.by_row(truth.rows)
    order = sorted(gold)
    wanted, told = [gold[row] for row in order], [given[row] for row in order]
    return Scored(
        task,
        split,
        len(order),
        metrics.evaluate(task, wanted, told),
        metrics.floor(task, {"": wanted}),
    )


def _refuse_other_rows(found: Answers, truth: Answers) -> None:
    """Raise `DataError` unless both are of the same rows."""
    if len(found.values) != len(truth.values):
        said, expected = f"{len(found.values):,} predictions", f"{len(truth.values):,}"
        raise error(at(found.path), said, f"{expected}, as {at(truth.path)} has labels", GIVE)
    if found.rows is None and truth.rows is None:
        return
    every = range(len(truth.values))
    here, there = set(found.rows or truth.rows or ()), set(truth.rows or every)
    if lacking := there - here:  # as many are of other rows
        said = f"no prediction for row {min(lacking)}, but one for row {min(here - there)}"
        raise error(at(found.path), said, f"the rows of {at(truth.path)}", GIVE)


def text(found: Scored) -> str:
    """The metrics, the score and the floor times 100, and how many rows they are of."""
    official = found.task.rows.get(found.split or "", found.rows)
    rows = f"{found.rows:,}" + (f" (GLUE has {official:,})" if official != found.rows else "")
    lines = {name: percent(value) for name, value in found.metrics.items()}
    lines |= {"score": percent(found.score), "floor": percent(found.floor)}
    lines["rows"] = rows
    width = max(map(len, lines))
    title = " ".join([found.task.title, *([found.split] if found.split else [])])
    return "\n".join([title, *(f"{name:<{width}}  {value}" for name, value in lines.items())])
