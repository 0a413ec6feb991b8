"""Which dev rows two stored runs of one task answer differently.

A flip is a row that run A and run B do not answer alike: gained (B is right, A was wrong), lost (A
was right, B is wrong) or other (both are wrong, each in its own way). Accuracy changes by exactly
(gained - lost) / rows. What else differs between the runs is told beside it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, NamedTuple

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
TOLERANCE = 1e-9  # of a metric that is computed once more, perhaps by another scikit-learn

Texts = Mapping[str, Mapping[int, tuple[str, ...]]]
"""Of each split the texts of each row, by its id."""


class Flip(NamedTuple):
    """A row, by its number in the source: its label, and what A and B say of it, as label ids."""

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
    """The flips of one labelled split in the order of its rows, and how many rows were right."""

    split: str
    rows: int
    right_a: int
    right_b: int
    flips: tuple[Flip, ...]

    @property
    def gained(self) -> tuple[int, ...]:
        """The ids of the rows that B alone is right about."""
        return self._of(GAINED)

    @property
    def lost(self) -> tuple[int, ...]:
        """The ids of the rows that A alone is right about."""
        return self._of(LOST)

    @property
    def other(self) -> tuple[int, ...]:
        """The ids of the rows that both are wrong about, each in its own way."""
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
        """McNemar's exact p, which knows nothing of seeds."""
        return stats.mcnemar(len(self.gained), len(self.lost))

    def _of(self, kind: str) -> tuple[int, ...]:
        return tuple(flip.row for flip in self.flips if flip.kind == kind)


@dataclass(frozen=True)
class Ledger:
    """Two runs, and the flips from A to B of each split that makes their score."""

    a: Record
    b: Record
    splits: tuple[SplitFlips, ...]

    @property
    def task(self) -> Task:
        return tasks.get(self.a.case.task)

    @property
    def differs(self) -> list[tuple[str, Any, Any]]:
        """What else differs between the runs: a name, and the value of A and of B."""
        return [(one.key, one.a, one.b) for one in apart(_inputs(self.a), _inputs(self.b))]


def of(a: Stored, b: Stored) -> Ledger:
    """The flips from one stored run to another.

    Raises `StorageError` where predictions cannot be read, and what `ledger` raises.
    """
    for name, run in (("A", a), ("B", b)):
        if run.record.predictions is None:
            raise NotComparable(
                f"{name}, {run.record.case.id}: this run holds no predictions "
                f"({run.record.status}). Mend: name a run that ended as ok"
            )
    _common_task(a.record, b.record)
    return ledger(a.record, b.record, a.predictions(), b.predictions())


def ledger(a: Record, b: Record, table_a: PredictionTable, table_b: PredictionTable) -> Ledger:
    """The flips from run `a` to run `b`, of which these are the predictions.

    Raises `NotComparable` unless both are runs of one classification task on the same rows with
    the same labels, and `IntegrityError` where a run's metrics are not those of its predictions.
    """
    task, splits = _common_task(a, b), []
    for name in task.evaluated:
        rows_a, rows_b = (_answers(task, name, table) for table in (table_a, table_b))
        _check_rows(task, name, rows_a, rows_b)
        for record, rows in ((a, rows_a), (b, rows_b)):
            _check_answers(task, name, record, rows)
        splits.append(_flips(name, rows_a, rows_b))
    return Ledger(a, b, tuple(splits))


def _common_task(a: Record, b: Record) -> Task:
    """The task of two runs whose rows can flip. Raises `NotComparable`."""
    if a.case.task != b.case.task:
        raise NotComparable(
            f"A is a run of {a.case.task}, B one of {b.case.task}. Mend: name two runs of one task"
        )
    if not all(SOURCES[run.source.kind].has_glue_tasks for run in (a, b)):
        raise NotComparable(
            f"{a.case.task}: a custom task, whose labels no record holds. Mend: name two runs "
            "of a GLUE task"
        )
    task = tasks.get(a.case.task)
    if task.is_regression:
        raise NotComparable(
            f"{task.name}: a regression task has no right and wrong, so no row can flip. "
            "Mend: name two runs of a classification task"
        )
    return task


def sentences(found: Ledger, source: str) -> Texts:
    """The texts of the rows, if `source` holds the very rows that both runs were scored on.

    Raises `DataError` where it does not, and `GlueBenchError` where it cannot be read.
    """
    task = found.task
    request = row_sources.located(DataRequest(source, max_eval=found.a.source.max_eval), task)
    splits = data.dev_rows(request, task)
    for name, split in splits.items():
        sha256 = data.digest(split)
        for run, record in (("A", found.a), ("B", found.b)):
            held = record.data.splits.get(name) if record.data else None
            if held is None or held.sha256 != sha256:
                raise DataError(
                    f"{source}: {task.name}, {name}: sha256 of the rows: found {sha256[:12]}; "
                    f"expected {held.sha256[:12] if held else 'one that is recorded'}, that of "
                    f"run {run}. Mend: say --data with the source that both runs were scored on, "
                    "or leave out --with-text"
                )
    return {name: dict(zip(split.ids, split.texts, strict=True)) for name, split in splits.items()}


class _Answer(NamedTuple):
    row: int
    label: int
    prediction: int


def _answers(task: Task, split: str, table: PredictionTable) -> list[_Answer]:
    columns = (table[name] for name in ("split", "row", "label", "prediction"))
    return [_Answer(*rest) for name, *rest in zip(*columns, strict=True) if name == split]


def _check_rows(task: Task, split: str, a: Sequence[_Answer], b: Sequence[_Answer]) -> None:
    """Raise `NotComparable` where the runs were not scored on the same rows and labels."""
    if not a and not b:
        raise NotComparable(f"{task.name}: neither run predicted any row of {split}")
    for place, (x, y) in enumerate(zip_longest(a, b), start=1):
        if x is None or y is None or x[:2] != y[:2]:
            raise NotComparable(
                f"{task.name}, {split}: place {place}: found {_told(x)} in A, {_told(y)} in B; "
                "expected the same rows and labels in both. Mend: name two runs with the same "
                "--glue-data and --glue-max-eval"
            )


def _told(answer: _Answer | None) -> str:
    return f"row {answer.row} with label {answer.label}" if answer else "nothing"


def _check_answers(task: Task, split: str, record: Record, rows: Sequence[_Answer]) -> None:
    """Raise `IntegrityError` where a record and its predictions contradict each other."""
    where = f"runs/{file_name(record)}: {split}"
    known = range(len(task.labels))
    for row in rows:
        if row.label not in known or row.prediction not in known:
            raise IntegrityError(
                f"{where}: row {row.row} has label {row.label} and prediction {row.prediction}; "
                f"expected whole numbers from 0 to {known[-1]}. Mend: run the case again"
            )
    labels, predictions = [row.label for row in rows], [row.prediction for row in rows]
    stored = record.metrics.get(split, {})
    for name, value in metrics.evaluate(task, labels, predictions).items():
        if name in stored and not math.isclose(stored[name], value, abs_tol=TOLERANCE):
            raise IntegrityError(
                f"{where}: {name} is stored as {stored[name]}, and its predictions, "
                f"{_right(rows)} of {len(rows)} right, give {value}; expected the same. "
                "Mend: run the case again"
            )


def _right(rows: Sequence[_Answer]) -> int:
    return sum(row.prediction == row.label for row in rows)


def _flips(split: str, a: Sequence[_Answer], b: Sequence[_Answer]) -> SplitFlips:
    pairs = [Flip(*x, y.prediction) for x, y in zip(a, b, strict=True)]
    flips = tuple(flip for flip in pairs if flip.a != flip.b)
    return SplitFlips(split, len(pairs), _right(a), _right(b), flips)


def _inputs(record: Record) -> dict[str, Any]:
    """All that may make one run answer otherwise than another, and how it ended."""
    case, identity = record.case, record.identity
    return {
        "model": case.model,
        "target": case.target,
        "seed": case.seed,
        "status": record.status,
        "recipe": {name: value for name, value in record.recipe.items() if name != "source"},
        "source": record.source.model_dump(),
        "rows": {n: s.sha256 for n, s in record.data.splits.items()} if record.data else {},
        "model_files": identity.get("model_files"),
        "numerics": identity.get("numerics"),
        "threads": record.threads,
        "environment": record.environment,
    }
