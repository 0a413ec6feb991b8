"""Read the rows of a custom task, from files or from a data set of the Hub."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from harness.data import hub_rows, row_files
from harness.data.tabular import MOST_SHOWN, Row, Rows
from harness.errors import DataError, DataUnavailable, IntegrityError
from harness.files.lines import at, error
from harness.hub import snapshots
from harness.spec import CustomRows, JsonObject, Split, Task
from harness.text.names import lookalike
from harness.text.values import shown, shown_path

EVERY_FILE = ("*",)
NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
BOOLEANS = ["false", "true"]
Cells = Sequence[tuple[str, str]]  # for each row: where its label is, and the text of the label


def rows_of(task: Task) -> CustomRows:
    """Where the rows of a custom task are. Raises `IntegrityError` for another task."""
    if task.custom is None:
        raise IntegrityError(f"{task.name}: not a custom task")
    return task.custom


def locate(task: Task) -> snapshots.Snapshot | None:
    """The snapshot of the Hub with the rows; None if they are in files. Raises `DataUnavailable`.

    The cache may hold only some of the files, if another program fetched them. So the Hub is asked
    for the others, if it can be reached.
    """
    custom = rows_of(task)
    if custom.hub is None:
        return None
    cached = snapshots.cached("dataset", custom.hub, EVERY_FILE, custom.revision)
    commit = custom.revision or (cached.revision if cached else None)
    result = snapshots.fetch_once("dataset", custom.hub, EVERY_FILE, commit)
    if isinstance(result, snapshots.Snapshot):
        return result
    if cached:
        return cached
    raise DataUnavailable(
        f"{task.name}: {custom.hub}: not in the cache of the Hugging Face Hub, and {result.why}. "
        "Fix: run it once where there is a network, or name a folder with the same files"
    )


def fingerprint(task: Task, revision: str | None) -> dict[str, object]:
    """A value that changes whenever training or scored rows do. Raises `DataError`."""
    custom, used = rows_of(task), ("train", *task.evaluated)
    label: dict[str, object] = {"label": custom.label}
    if custom.hub:
        splits = {name: custom.splits[name] for name in used}
        return label | {custom.hub: revision, "config": custom.config, "splits": splits}
    files = {name: row_files.content(Path(custom.splits[name])) for name in used}
    return label | {name: hashlib.sha256(raw).hexdigest() for name, raw in files.items()}


def has(task: Task, split: str, snapshot: Path | None) -> bool:
    """Whether a task has a split that a run does not need. Raises `DataError`."""
    custom = rows_of(task)
    return split in custom.splits or bool(
        snapshot and split in hub_rows.splits_of(custom, snapshot)
    )


def read_split(task: Task, split: str, snapshot: Path | None) -> Split:
    """One split. Its ids are row numbers, from 0. Labels of a test split are not read.

    Raises `DataError`.
    """
    custom = rows_of(task)
    labelled = split not in task.predicted
    wanted = [*task.text_columns, *([custom.label] if labelled else [])]
    where, table = _table(task, split, snapshot, wanted)
    rows = table.named(custom.label) if labelled else table.rows
    for column in wanted:
        _check_column(task, where, column, table.columns)
    texts = [tuple(_text(row, column) for column in task.text_columns) for row in rows]
    for index, column in enumerate(task.text_columns):
        if not any(row[index].strip() for row in texts):
            found = f"{column} is empty in every row"
            raise error(where, found, "texts", f"correct text of task {shown(task.name)}")
    cells = [(place, _cell(task, place, fields)) for place, fields in rows] if labelled else []
    labels = _labels(task, where, cells) if labelled else None
    if split == "train" and task.labels:
        _check_every_class(task, where, cells, labels or ())
    return Split(texts, labels, range(len(texts)))


def _check_column(task: Task, where: str, column: str, columns: Sequence[str]) -> None:
    if column not in columns:
        known = ", ".join(map(shown, columns[:MOST_SHOWN])) or "none"
        raise error(
            where,
            f"no column {shown(column)}; the columns are {known}{lookalike(column, columns)}",
            shown(column),
            f"correct text or label of task {shown(task.name)}",
        )


def _table(
    task: Task, split: str, snapshot: Path | None, wanted: Sequence[str]
) -> tuple[str, Rows]:
    """Where a split is, and its rows. Raises `DataError`."""
    custom = rows_of(task)
    if snapshot:
        return str(custom.hub), hub_rows.read(custom, split, snapshot, wanted)
    if split in custom.splits:
        path = Path(custom.splits[split])
        return at(path), row_files.of_file(path, wanted)
    home = shown_path(Path(custom.splits["train"]).parent)
    raise DataError(
        f"{task.name}: no file for {split} in {home}. Fix: put {split}.csv there, or write "
        f'splits = {{ {split} = "FILE" }}'
    )


def _text(row: Row, column: str) -> str:
    where, fields = row
    value = fields.get(column)
    if not isinstance(value, str):
        kind = "nothing (null)" if value is None else f"{shown(value)} ({type(value).__name__})"
        fix = "correct the row, leave it out, or name a column of texts"
        raise error(where, f"{column} is {kind}", "a text", fix)
    if not value.isprintable() and any("\ud800" <= c <= "\udfff" for c in value):
        found = f"{column} is {shown(value)}, half of a surrogate pair"
        raise error(where, found, "Unicode text", "correct the row")
    return value


def _labels(task: Task, where: str, cells: Cells) -> list[int] | list[float]:
    """The label of each cell: its id, or its score. Raises `DataError`."""
    column = rows_of(task).label
    if task.label_range:
        return [_score(task, place, cell) for place, cell in cells]
    ids = {label: index for index, label in enumerate(task.labels)}
    numbers = {str(index): index for index in range(len(task.labels))}
    values = {cell for _, cell in cells}
    are_ids = values <= numbers.keys() or ("0" in values and not values & ids.keys())
    if are_ids and _may_be_ids(task) and not ids.keys() & numbers.keys():
        ids = numbers
    for place, cell in cells:
        if cell not in ids:
            raise error(
                place,
                f"{column} is {shown(cell)}{lookalike(cell, task.labels)}; {where} holds "
                f"{_count_labels(cells)}",
                _expected(task),
                _remedy(task, values),
            )
    return [ids[cell] for _, cell in cells]


def _expected(task: Task) -> str:
    some = ", ".join(map(shown, task.labels[:MOST_SHOWN]))
    more = len(task.labels) - MOST_SHOWN
    known = f"one of {some}" + (f" and {more} more" if more > 0 else "")
    return f"{known}, or their ids, from 0" if _may_be_ids(task) else known


def _remedy(task: Task, values: set[str]) -> str:
    """How to correct a column with wrong labels, which holds these values."""
    key = f"labels of task {shown(task.name)}"
    for first in (0, 1):
        numbers = [str(first + index) for index in range(len(task.labels))]
        if values == {*numbers}:
            return f"the column counts from {first}: make {key} [{', '.join(numbers)}]"
    return f"correct the row, or {key}"


def _may_be_ids(task: Task) -> bool:
    """Whether 0, 1, ... in a column can be ids. They cannot where the labels are numbers.

    With the labels `[1, 2]`, `[10, 20]` or `[true, false]`, a 0 or 1 may mean a label or an id.
    """
    names = [label.lower() for label in task.labels]
    return names == BOOLEANS or not all(
        name in BOOLEANS or NUMBER.fullmatch(name) for name in names
    )


def _check_every_class(
    task: Task, where: str, cells: Cells, labels: Sequence[int] | Sequence[float]
) -> None:
    """Raise `DataError` for a label that no training row has: no model could learn it."""
    present = set(labels)
    for index, label in enumerate(task.labels):
        if index not in present:
            raise error(
                where,
                f"{rows_of(task).label} is never {shown(label)}; found {_count_labels(cells)}",
                "a training row of each label",
                f"add rows, or correct labels of task {shown(task.name)}"
                + ("; ids count from 0" if _may_be_ids(task) else ""),
            )


def _count_labels(cells: Cells) -> str:
    counts = Counter(cell for _, cell in cells).most_common(MOST_SHOWN)
    return ", ".join(f"{shown(label)} ({count})" for label, count in counts)


def _cell(task: Task, where: str, fields: JsonObject) -> str:
    """A row's label as a text. A missing one is an error, even if a class is called "null"."""
    column = rows_of(task).label
    value = fields.get(column)
    if value is None or value != value:
        low, high = task.label_range or (0, 0)
        expected = _expected(task) if task.labels else f"a number from {low:g} to {high:g}"
        remedy = "correct the row, or leave it out"
        raise error(where, f"{column} is nothing ({json.dumps(value)})", expected, remedy)
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _score(task: Task, where: str, cell: str) -> float:
    low, high = task.label_range or (-math.inf, math.inf)
    value = float(cell) if NUMBER.fullmatch(cell) else math.nan
    if not low <= value <= high:
        comma = " with a decimal point" if re.fullmatch(r"-?\d+,\d+", cell) else ""
        raise error(
            where,
            f"{rows_of(task).label} is {shown(cell)}",
            f"a number from {low:g} to {high:g}{comma}",
            f"correct the row, or range of task {shown(task.name)}",
        )
    return value
