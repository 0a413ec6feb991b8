"""Whether the metrics of stored runs follow from their stored predictions: `report --check`."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness import metrics
from harness.catalog import tasks
from harness.catalog.sources import SOURCES
from harness.errors import StorageError
from harness.files import paths
from harness.records import consistency
from harness.records.codec import FIX
from harness.records.schema import PredictionTable, Record
from harness.records.store import Store, file_name
from harness.spec import Task
from harness.text.values import shown, shown_path

GONE = "their predictions are not in the folder"
TOLERANCE = 1e-9  # a metric may differ so far, since another version may compute it now


@dataclass
class Checked:
    """Runs whose metrics were checked, and those that could not be checked."""

    records: list[Record] = field(default_factory=list)  # all but those of `wrong`
    right: int = 0  # the runs whose predictions give their metrics
    wrong: list[StorageError] = field(default_factory=list)
    unknown: Counter[str] = field(default_factory=Counter)  # why not checked -> ok runs
    gone: list[str] = field(default_factory=list)
    """What to say of each run that names predictions which are not there."""

    @property
    def text(self) -> str:
        """One line: how many were checked, and how many could not be, and why."""
        checked = self.right + len(self.wrong)
        why = "".join(f"; {runs:,} not checked: {why}" for why, runs in self.unknown.items())
        return f"checked: {checked:,} runs, {len(self.wrong):,} of them wrong{why}"


def check(records: Iterable[Record], store: Store) -> Checked:
    """Compute each ok run's metrics again; runs that did not end ok have none to check."""
    found = Checked()
    for record in records:
        if record.status == "ok":
            try:
                why = _why_not(record, store) or _compared(record, store)
            except StorageError as error:
                found.wrong.append(error)
                continue
            if why:
                found.unknown[why] += 1
                if why == GONE and record.predictions:
                    missing = shown_path(store.predictions / record.predictions.name)
                    found.gone.append(f"{record.case.id}: not checked: {missing} is not there")
            else:
                found.right += 1
        found.records.append(record)
    return found


def _why_not(record: Record, store: Store) -> str | None:
    if record.predictions is None:
        return "without predictions"
    if not paths.is_file(store.predictions / record.predictions.name):
        return GONE
    return None if _task(record) else "of tasks whose labels no record holds"


def _task(record: Record) -> Task | None:
    """The task of a run: GLUE's, or a custom one as far as the run's identity describes it."""
    name = record.case.task
    if SOURCES[record.source.kind].has_glue_tasks:
        return tasks.TASKS.get(name)
    said = record.identity.get("task")
    if not isinstance(said, Mapping) or not {"labels", "metrics"} <= {*said}:
        return None
    if not all(metric in metrics.METRICS for metric in said["metrics"]):
        return None
    evaluated = tuple(record.metrics)
    return Task(
        name, name, (), tuple(said["labels"]), tuple(said["metrics"]), {}, evaluated=evaluated
    )


def _compared(record: Record, store: Store) -> str | None:
    """Why a run cannot be checked; None: its metrics are right. Raises `StorageError`."""
    task = _task(record)
    table = store.read_predictions(record, "split", "row", "label", "prediction")
    if task is None:
        return None
    for key, value, expected in consistency.of_epochs(record):
        where = f"{shown_path(_path(record, store))}: key {key}"
        raise StorageError(f"{where}: found {shown(value)}; expected {expected}. {FIX}")
    labelled: dict[str, list] = {}
    for split, stored in record.metrics.items():
        labels, predictions = _of_split(table, split)
        if labels and all(label is None for label in labels):
            return "without labels"
        where = f"{shown_path(_path(record, store))}: key metrics.{split}"
        if why := _unfit(task, labels, predictions) or _rows(record, split, len(labels)):
            raise StorageError(f"{where}: {why}. {FIX}")
        labelled[split] = labels
        again = metrics.evaluate(task, labels, predictions)
        for name, value in stored.items():
            if name in again and not math.isclose(value, again[name], abs_tol=TOLERANCE):
                raise StorageError(
                    f"{where}.{name}: found {value}; expected {again[name]}, which its "
                    f"predictions give. {FIX}"
                )
    floor = metrics.floor(task, labelled)
    if record.floor is not None and not math.isclose(record.floor, floor, abs_tol=TOLERANCE):
        raise StorageError(
            f"{shown_path(_path(record, store))}: key floor: found {record.floor}; expected "
            f"{floor}, the best constant's score on its labels. {FIX}"
        )
    return None


def _path(record: Record, store: Store) -> Path:
    return store.runs / file_name(record)


def _of_split(table: PredictionTable, split: str) -> tuple[list, list]:
    rows = zip(table["split"], table["label"], table["prediction"], strict=True)
    pairs = [(label, prediction) for name, label, prediction in rows if name == split]
    return [label for label, _ in pairs], [prediction for _, prediction in pairs]


def _rows(record: Record, split: str, rows: int) -> str | None:
    held = record.data.splits.get(split) if record.data else None
    if held is None or held.rows == rows:
        return None
    return f"found predictions for {rows:,} rows; expected {held.rows:,}, one for each row"


def _unfit(task: Task, labels: list, predictions: list) -> str | None:
    """Why no metric of these can be computed."""
    if not labels:
        return "found no predictions for this split; expected one for each row"
    if None in labels:
        return "found a row without a label; expected one for each row"
    if task.is_regression:
        return None
    known = range(len(task.labels))
    for value in (*labels, *predictions):
        if type(value) is not int or value not in known:
            return f"found the label {shown(value)}; expected whole numbers from 0 to {known[-1]}"
    return None
