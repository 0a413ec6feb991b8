"""The rows of a user's task, from files or a data set of the Hub, as its columns say."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.data import hub_rows, row_files
from harness.data.tabular import MOST_SHOWN, Row, Rows
from harness.errors import DataError, DataUnavailable, IntegrityError
from harness.files.lines import at, error
from harness.hub import snapshots
from harness.spec import CustomRows, Split, Task
from harness.text.names import lookalike
from harness.text.values import shown, shown_path

EVERY_FILE = ("*",)
NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
TRUTHS = ["false", "true"]
Cells = Sequence[tuple[str, str]]  # where a label is, and what stands there


def rows_of(task: Task) -> CustomRows:
    """Where a user's task has its rows."""
    if task.custom is None:
        raise IntegrityError(f"{task.name}: no task of a user's")
    return task.custom


def locate(task: Task) -> snapshots.Snapshot | None:
    """The snapshot of the Hub that holds the rows; None: files do. Raises `DataUnavailable`.

    What others have left in the cache may be a part of it: where the Hub answers, it is completed.
    """
    custom = rows_of(task)
    if custom.hub is None:
        return None
    here = snapshots.cached("dataset", custom.hub, EVERY_FILE, custom.revision)
    commit = custom.revision or (here.revision if here else None)
    found = snapshots.fetch_once("dataset", custom.hub, EVERY_FILE, commit)
    if isinstance(found, snapshots.Snapshot):
        return found
    if here:
        return here
    raise DataUnavailable(
        f"{task.name}: {custom.hub}: not in the cache of the Hugging Face Hub, and {found.why}. "
        "Mend: run it once where there is a network, or name a folder with the same files"
    )


def fingerprint(task: Task, revision: str | None) -> dict[str, Any]:
    """What changes whenever training or evaluation rows do. Raises `DataError`."""
    custom, used = rows_of(task), ("train", *task.evaluated)
    found: dict[str, Any] = {"label": custom.label}
    if custom.hub:
        splits = {name: custom.splits[name] for name in used}
        return found | {custom.hub: revision, "config": custom.config, "splits": splits}
    files = {name: row_files.content(Path(custom.splits[name])) for name in used}
    return found | {name: hashlib.sha256(raw).hexdigest() for name, raw in files.items()}


def has(task: Task, split: str, snapshot: Path | None) -> bool:
    """Whether there is a split that a run can do without. Raises `DataError`."""
    custom = rows_of(task)
    return split in custom.splits or bool(
        snapshot and split in hub_rows.splits_of(custom, snapshot)
    )


def read_split(task: Task, split: str, snapshot: Path | None) -> Split:
    """One split; its ids are row numbers, from 0. Labels of a test split are not read.

    Raises `DataError`.
    """
    custom = rows_of(task)
    labelled = split not in task.predicted
    wanted = [*task.text_columns, *([custom.label] if labelled else [])]
    where, table = _table(task, split, snapshot, wanted)
    names, rows = table.columns, table.named(custom.label) if labelled else table.rows
    for column in wanted:
        if column not in names:
            found = ", ".join(map(shown, names[:MOST_SHOWN])) or "none"
            raise error(
                where,
                f"no column {shown(column)}; the columns are {found}{lookalike(column, names)}",
                shown(column), f"correct text or label of task {shown(task.name)}",
            )  # fmt: skip
    texts = [tuple(_text(row, column) for column in task.text_columns) for row in rows]
    for place, column in enumerate(task.text_columns):
        if not any(row[place].strip() for row in texts):
            said = f"{column} is empty in every row"
            raise error(where, said, "texts", f"correct text of task {shown(task.name)}")
    cells = [(place, _cell(task, place, fields)) for place, fields in rows] if labelled else []
    labels = _labels(task, where, cells) if labelled else None
    if split == "train" and task.labels:
        _check_every_class(task, where, cells, labels or ())
    return Split(texts, labels, range(len(texts)))


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
        f"{task.name}: no file for {split} in {home}. Mend: put {split}.csv there, or say "
        f'splits = {{ {split} = "FILE" }}'
    )


def _text(row: Row, column: str) -> str:
    where, fields = row
    value = fields.get(column)
    if not isinstance(value, str):
        kind = "nothing (null)" if value is None else f"{shown(value)} ({type(value).__name__})"
        mend = "correct the row, leave it out, or name a column of texts"
        raise error(where, f"{column} is {kind}", "a text", mend)
    if not value.isprintable() and any("\ud800" <= c <= "\udfff" for c in value):
        said = f"{column} is {shown(value)}, half of a surrogate pair"
        raise error(where, said, "Unicode text", "correct the row")
    return value


def _labels(task: Task, where: str, cells: Cells) -> list[int] | list[float]:
    column = rows_of(task).label
    if task.label_range:
        return [_score(task, place, cell) for place, cell in cells]
    ids = {label: index for index, label in enumerate(task.labels)}
    numbers = {str(index): index for index in range(len(task.labels))}
    held = {cell for _, cell in cells}
    are_ids = held <= numbers.keys() or ("0" in held and not held & ids.keys())
    if are_ids and _may_be_ids(task) and not ids.keys() & numbers.keys():
        ids = numbers
    for place, cell in cells:
        if cell not in ids:
            raise error(
                place,
                f"{column} is {shown(cell)}{lookalike(cell, task.labels)}; {where} holds "
                f"{_counted(cells)}",
                _expected(task), _mend(task, held),
            )  # fmt: skip
    return [ids[cell] for _, cell in cells]


def _expected(task: Task) -> str:
    some = ", ".join(map(shown, task.labels[:MOST_SHOWN]))
    more = len(task.labels) - MOST_SHOWN
    known = f"one of {some}" + (f" and {more} more" if more > 0 else "")
    return f"{known}, or their ids, from 0" if _may_be_ids(task) else known


def _mend(task: Task, held: set[str]) -> str:
    """How to mend labels that do not fit, where `held` is all that the column holds."""
    named = f"labels of task {shown(task.name)}"
    for first in (0, 1):
        counted = [str(first + index) for index in range(len(task.labels))]
        if held == {*counted}:
            return f"the column counts from {first}: make {named} [{', '.join(counted)}]"
    return f"correct the row, or {named}"


def _may_be_ids(task: Task) -> bool:
    """Whether 0, 1, ... in a column can be ids: not where the labels are numbers themselves.

    `[1, 2]`, `[10, 20]` and `[true, false]` say of 0 and 1 something else than their ids would.
    """
    said = [label.lower() for label in task.labels]
    return said == TRUTHS or not all(word in TRUTHS or NUMBER.fullmatch(word) for word in said)


def _check_every_class(
    task: Task, where: str, cells: Cells, labels: Sequence[int] | Sequence[float]
) -> None:
    """Raise `DataError` for a label that no training row has: nothing could learn it."""
    there = set(labels)
    for index, label in enumerate(task.labels):
        if index not in there:
            held = f"{rows_of(task).label} is never {shown(label)}; found {_counted(cells)}"
            raise error(
                where, held, "a training row of each label",
                f"add rows, or correct labels of task {shown(task.name)}"
                + ("; ids count from 0" if _may_be_ids(task) else ""),
            )  # fmt: skip


def _counted(cells: Cells) -> str:
    counts = Counter(cell for _, cell in cells).most_common(MOST_SHOWN)
    return ", ".join(f"{shown(label)} ({count})" for label, count in counts)


def _cell(task: Task, where: str, fields: Mapping[str, Any]) -> str:
    """A label as a text; one that lacks is an error, even if "null" is the name of a class."""
    column = rows_of(task).label
    value = fields.get(column)
    if value is None or value != value:
        low, high = task.label_range or (0, 0)
        expected = _expected(task) if task.labels else f"a number from {low:g} to {high:g}"
        mend = "correct the row, or leave it out"
        raise error(where, f"{column} is nothing ({json.dumps(value)})", expected, mend)
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _score(task: Task, where: str, cell: str) -> float:
    low, high = task.label_range or (-math.inf, math.inf)
    value = float(cell) if NUMBER.fullmatch(cell) else math.nan
    if not low <= value <= high:
        comma = " with a decimal point" if re.fullmatch(r"-?\d+,\d+", cell) else ""
        raise error(
            where, f"{rows_of(task).label} is {shown(cell)}",
            f"a number from {low:g} to {high:g}{comma}",
            f"correct the row, or range of task {shown(task.name)}",
        )  # fmt: skip
    return value
