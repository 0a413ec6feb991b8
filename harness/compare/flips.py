"""The dev rows that two stored runs of one task predict differently.

A flip is a row for which runs A and B predict different labels: gained (only B is right), lost
(only A is right) or other (both are wrong). Accuracy changes by exactly (gained - lost) / rows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import NamedTuple

from harness import metrics
from harness.catalog import tasks
from harness.catalog.sources import SOURCES
from harness.compare import stats
from harness.data import load as data
from harness.data import row_sources
from harness.errors import DataError, IntegrityError, NotComparable
from harness.planning.stored_run import Stored
from harness.records.diff import apart
from harness.records.schema import PredictionTable, Record
from harness.records.store import file_name
from harness.spec import DataRequest, Task

GAINED, LOST, OTHER = "gained", "lost", "other"
TOLERANCE = 1e-9  # of a metric that is computed again, perhaps by another version

Texts = Mapping[str, Mapping[int, tuple[str, ...]]]
"""The texts of each row, by split and by the row's id."""


class Flip(NamedTuple):
    """A row by its number in the source; its label and what A and B predict, as label ids."""

    row: int
    label: int
    a: int
    b: int

    @property
    def kind(self) -> str:
        """`gained`, `lost` or `other`."""
        if self.b == self.label:
            return GAINED
        return LOST if self.a == self.label else OTHER


@dataclass(frozen=True)
class SplitFlips:
    """The flips of one labelled split, in the order of its rows, and how many rows were right."""

    split: str
    rows: int
    right_a: int
    right_b: int
    flips: tuple[Flip, ...]

    @property
    def gained(self) -> tuple[int, ...]:
        """The ids of the rows that only B predicts correctly."""
        return self._of(GAINED)

    @property
    def lost(self) -> tuple[int, ...]:
        """The ids of the rows that only A predicts correctly."""
        return self._of(LOST)

    @property
    def other(self) -> tuple[int, ...]:
        """The ids of the rows for which both are wrong, with different predictions."""
        return self._of(OTHER)

    @property
    def accuracies(self) -> tuple[float, float]:
        """The accuracy of A and of B, as fractions."""
        return self.right_a / self.rows, self.right_b / self.rows

    @property
    def difference(self) -> float:
        """The accuracy of B less that of A, as a fraction."""
        return (len(self.gained) - len(self.lost)) / self.rows

    @property
    def p(self) -> float:
        """McNemar's exact p, which takes no account of seeds."""
        return stats.mcnemar(len(self.gained), len(self.lost))

    def _of(self, kind: str) -> tuple[int, ...]:
        return tuple(flip.row for flip in self.flips if flip.kind == kind)


@dataclass(frozen=True)
class Ledger:
    """Two runs, and the flips from A to B in each split that their score is made of."""

    a: Record
    b: Record
    splits: tuple[SplitFlips, ...]

    @property
    def task(self) -> Task:
        return tasks.get(self.a.case.task)

    @property
    def differs(self) -> list[tuple[str, object, object]]:
        """What else differs between the runs: a name, and the values of A and B."""
        return [(one.key, one.a, one.b) for one in apart(_inputs(self.a), _inputs(self.b))]


def compare_stored(a: Stored, b: Stored) -> Ledger:
    """The flips from one stored run to another.

    Raises `StorageError` if predictions cannot be read, and what `compare_runs` raises.
    """
    for name, run in (("A", a), ("B", b)):
        if run.record.predictions is None:
            raise NotComparable(
                f"{name}, {run.record.case.id}: this run holds no predictions "
                f"({run.record.status}). Fix: name a run that ended as ok"
            )
    _common_task(a.record, b.record)
    return compare_runs(a.record, b.record, a.predictions(), b.predictions())


def compare_runs(
    a: Record, b: Record, table_a: PredictionTable, table_b: PredictionTable
) -> Ledger:
    """The flips from run `a` to run `b`, given the predictions of both.

    Raises `NotComparable` unless both are runs of one classification task on the same rows with
    the same labels, and `IntegrityError` if a run's metrics are not those of its predictions.
    """
    task, splits = _common_task(a, b), []
    for name in task.evaluated:
        rows_a, rows_b = (_predicted_rows(name, table) for table in (table_a, table_b))
        _check_rows(task, name, rows_a, rows_b)
        for record, rows in ((a, rows_a), (b, rows_b)):
            _check_metrics(task, name, record, rows)
        splits.append(_flips(name, rows_a, rows_b))
    return Ledger(a, b, tuple(splits))


def _common_task(a: Record, b: Record) -> Task:
    """The task of two runs whose rows can flip. Raises `NotComparable`."""
    if a.case.task != b.case.task:
        raise NotComparable(
            f"A is a run of {a.case.task}, B one of {b.case.task}. Fix: name two runs of one task"
        )
    if not all(SOURCES[run.source.kind].has_glue_tasks for run in (a, b)):
        raise NotComparable(
            f"{a.case.task}: a custom task, whose labels are in no record. Fix: name two runs of "
            "a GLUE task"
        )
    task = tasks.get(a.case.task)
    if task.is_regression:
        raise NotComparable(
            f"{task.name}: predictions of a regression task are neither right nor wrong, so no row "
            "can flip. Fix: name two runs of a classification task"
        )
    return task


def read_texts(ledger: Ledger, source: str) -> Texts:
    """The texts of the rows, if `source` holds exactly the rows that both runs were scored on.

    Raises `DataError` if it does not, and `GlueBenchError` if it cannot be read.
    """
    task = ledger.task
    request = row_sources.located(DataRequest(source, max_eval=ledger.a.source.max_eval), task)
    splits = data.dev_rows(request, task)
    for name, split in splits.items():
        sha256 = data.digest(split)
        for run, record in (("A", ledger.a), ("B", ledger.b)):
            stored = record.data.splits.get(name) if record.data else None
            if stored is None or stored.sha256 != sha256:
                raise DataError(
                    f"{source}: {task.name}, {name}: sha256 of the rows: found {sha256[:12]}; "
                    f"expected {stored.sha256[:12] if stored else 'a recorded one'}, that of "
                    f"run {run}. Fix: give --data the source that both runs were scored on, or "
                    "leave out --with-text"
                )
    return {name: dict(zip(split.ids, split.texts, strict=True)) for name, split in splits.items()}


class _PredictedRow(NamedTuple):
    row: int
    label: int
    prediction: int


def _predicted_rows(split: str, table: PredictionTable) -> list[_PredictedRow]:
    columns = (table[name] for name in ("split", "row", "label", "prediction"))
    return [_PredictedRow(*rest) for name, *rest in zip(*columns, strict=True) if name == split]


def _check_rows(
    task: Task, split: str, a: Sequence[_PredictedRow], b: Sequence[_PredictedRow]
) -> None:
    """Raise `NotComparable` unless the runs were scored on the same rows and labels."""
    if not a and not b:
        raise NotComparable(f"{task.name}: neither run predicted any row of {split}")
    for place, (x, y) in enumerate(zip_longest(a, b), start=1):
        if x is None or y is None or x[:2] != y[:2]:
            raise NotComparable(
                f"{task.name}, {split}: place {place}: found {_describe(x)} in A and "
                f"{_describe(y)} in B; expected the same rows and labels in both. Fix: name two "
                "runs with the same --glue-data and --glue-max-eval"
            )


def _describe(predicted: _PredictedRow | None) -> str:
    return f"row {predicted.row} with label {predicted.label}" if predicted else "nothing"


def _check_metrics(task: Task, split: str, record: Record, rows: Sequence[_PredictedRow]) -> None:
    """Raise `IntegrityError` if a record's metrics are not those of its predictions."""
    where = f"runs/{file_name(record)}: {split}"
    known = range(len(task.labels))
    for row in rows:
        if row.label not in known or row.prediction not in known:
            raise IntegrityError(
                f"{where}: row {row.row} has label {row.label} and prediction {row.prediction}; "
                f"expected whole numbers from 0 to {known[-1]}. Fix: run the case again"
            )
    labels, predictions = [row.label for row in rows], [row.prediction for row in rows]
    stored = record.metrics.get(split, {})
    for name, value in metrics.evaluate(task, labels, predictions).items():
        if name in stored and not math.isclose(stored[name], value, abs_tol=TOLERANCE):
            raise IntegrityError(
                f"{where}: {name} is stored as {stored[name]}, but its predictions "
                f"({_count_right(rows)} of {len(rows)} right) give {value}; expected the same. "
                "Fix: run the case again"
            )


def _count_right(rows: Sequence[_PredictedRow]) -> int:
    return sum(row.prediction == row.label for row in rows)


def _flips(split: str, a: Sequence[_PredictedRow], b: Sequence[_PredictedRow]) -> SplitFlips:
    pairs = [Flip(*x, y.prediction) for x, y in zip(a, b, strict=True)]
    flips = tuple(flip for flip in pairs if flip.a != flip.b)
    return SplitFlips(split, len(pairs), _count_right(a), _count_right(b), flips)


def _inputs(record: Record) -> dict[str, object]:
    """Everything that can make two runs predict differently, and how the run ended."""
    case, identity = record.case, record.identity
    splits = record.data.splits if record.data else {}
    return {
        "model": case.model,
        "target": case.target,
        "seed": case.seed,
        "status": record.status,
        "recipe": {name: value for name, value in record.recipe.items() if name != "source"},
        "source": record.source.model_dump(),
        "rows": {name: split.sha256 for name, split in splits.items()},
        "model_files": identity.get("model_files"),
        "numerics": identity.get("numerics"),
        "threads": record.threads,
        "environment": record.environment,
    }
