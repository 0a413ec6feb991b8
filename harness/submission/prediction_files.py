"""Reads a user's file of labels or predictions: one value for each row of a split.

A file may be tab-separated with the columns `index` and one other, or have one value per line and
no header, or be the predictions of a stored run (`.parquet`). Labels may also be in a file of the
glue_data layout. A value is the id or the name of one of the task's labels, in any case, or a
number for a regression task.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.catalog import tasks
from harness.catalog.glue_files import FILES, File
from harness.data import glue_folder, sample
from harness.errors import DataError, StorageError, UsageError
from harness.files import lines
from harness.files.lines import at, error
from harness.records.predictions import from_parquet
from harness.spec import Task
from harness.text.values import shown

INDEX = "index"
AGAIN = "write the file again"
ONE = f"one value per line, or a header {INDEX}<TAB>NAME and two columns"
FORM = lines.Form("a file", ONE, AGAIN, AGAIN)
ROW = re.compile(r"\d{1,12}", re.ASCII)
PARQUET = b"PAR1"  # its first bytes

Value = int | float


@dataclass(frozen=True)
class RowValues:
    """The value that a file has for each row."""

    path: Path
    values: Sequence[Value]  # in the order of the file
    rows: Sequence[int] | None = None  # their row numbers; None: the file has none

    def by_row(self, rows: Sequence[int] | None) -> dict[int, Value]:
        """Row number -> value. A file without row numbers has the values of `rows`, in order."""
        numbers = self.rows or sorted(rows or range(len(self.values)))
        return dict(zip(numbers, self.values, strict=False))


def read_predictions(path: Path, task: Task, split: str | None) -> RowValues:
    """The predictions of a file; those of `split`, if it is a stored run's with several splits.

    Raises `DataError`, and `UsageError` if it is not clear which split is meant.
    """
    if _starts_with(path, PARQUET):
        return _read_stored(path, task, split)
    return _read_text(path, task, _parser(task, ranged=False))


def read_labels(path: Path, task: Task) -> RowValues:
    """The labels of a file. Raises `DataError`."""
    first = next(_lines(path), (1, ""))[1].split("\t")
    files = _files_with_columns(tuple(first))
    labelled = [file for file in files if file.task == task.source and file.label]
    if labelled:
        return _read_glue_data(path, task, labelled[0])
    if files:
        whose = " or ".join(dict.fromkeys(tasks.TASKS[file.task].title for file in files))
        unlabelled = "" if any(file.label for file in files) else "without labels "
        found = f"the columns of a file {unlabelled}of {whose}"
        raise error(at(path, 1), found, f"labels of {task.title}: {ONE}", "name another --labels")
    return _read_text(path, task, _parser(task, ranged=True))


def _files_with_columns(first: tuple[str, ...]) -> list[File]:
    """The files of the glue_data layout that have this header, or else as many columns."""
    with_header = [file for file in FILES.values() if file.header and file.columns == first]
    without = [f for f in FILES.values() if not f.header and len(f.columns) == len(first)]
    return with_header or without


def _read_glue_data(path: Path, task: Task, file: File) -> RowValues:
    renamed = dataclasses.replace(file, path=path.name)
    split, _ = glue_folder.read_file(path.parent, renamed)
    for name, rows in task.only.items():
        if len(split) == tasks.TASKS[file.task].rows[name]:
            split = sample.only(split, rows)
    return RowValues(path, split.labels or (), split.ids)


def _read_text(path: Path, task: Task, parse: Callable[[str], Value | None]) -> RowValues:
    rest = _lines(path)
    first = next(rest, None)
    if first is None:
        raise error(at(path), "the file is empty", ONE, AGAIN)
    if "\t" not in first[1]:
        cells = itertools.chain([first], rest)
        return RowValues(path, list(_parse_cells(path, task, cells, parse)))
    header = first[1].split("\t")
    if len(header) != 2 or header[0] != INDEX:
        raise error(at(path, 1), f"the header {shown(first[1])}", ONE, AGAIN)
    rows, cells = _rows_and_cells(path, task, rest)
    if not cells:
        raise error(at(path), "a header and no row", ONE, AGAIN)
    return RowValues(path, list(_parse_cells(path, task, cells, parse)), rows)


def _rows_and_cells(
    path: Path, task: Task, numbered: Iterable[tuple[int, str]]
) -> tuple[list[int], list[tuple[int, str]]]:
    """The row number of each line, and the cell beside it with the line's number."""
    line_of: dict[int, int] = {}  # by row number
    cells = []
    for line, text in numbered:
        number, _, cell = text.partition("\t")
        if "\t" in cell or not cell or not ROW.fullmatch(number):
            expected = f"a row number and a value, as in 7<TAB>{_allowed(task)[0]}"
            raise error(at(path, line), shown(text), expected, AGAIN)
        if line_of.setdefault(int(number), line) != line:
            found = f"row {int(number)} is in line {line_of[int(number)]} too"
            raise error(at(path, line), found, "each row once", "remove one of them")
        cells.append((line, cell))
    return list(line_of), cells


def _parse_cells(
    path: Path,
    task: Task,
    cells: Iterable[tuple[int, str]],
    parse: Callable[[str], Value | None],
) -> Iterator[Value]:
    for line, cell in cells:
        value = parse(cell)
        if value is None:
            others = [t.title for t in tasks.TASKS.values() if cell.lower() in t.labels]
            owner = f", a label of {', '.join(others)}" if others else ""
            fix = "correct it, or name the --task that the file belongs to"
            raise error(at(path, line), shown(cell) + owner, _expected(task), fix)
        yield value


def _parser(task: Task, *, ranged: bool) -> Callable[[str], Value | None]:
    """A function from a cell to its value, or to None for a cell without one.

    `ranged`: numbers have to be in the task's range.
    """
    if not task.is_regression:
        ids = {word: label for label, name in enumerate(task.labels) for word in (name, str(label))}
        return lambda cell: ids.get(cell.lower())
    low, high = task.label_range if ranged and task.label_range else (-math.inf, math.inf)

    def number(cell: str) -> float | None:
        value = float(cell) if glue_folder.NUMBER.fullmatch(cell) else math.nan
        return value if math.isfinite(value) and low <= value <= high else None

    return number


def _allowed(task: Task) -> list[str]:
    return [*map(str, range(len(task.labels))), *task.labels] or ["3.2"]


def _expected(task: Task) -> str:
    if task.label_range:
        return "a finite number (labels: from {:g} to {:g})".format(*task.label_range)
    return f"a label of {task.title}: {', '.join(_allowed(task))}"


def _read_stored(path: Path, task: Task, split: str | None) -> RowValues:
    """The predictions of one split in a stored run's table."""
    with lines.opened(path, FORM) as stream:
        content = stream.read(FORM.kind.most)
    try:
        table = from_parquet(content, ("split", "row", "prediction"))
    except StorageError as cause:
        problem = str(cause).partition("; expected")[0]
        raise error(
            at(path), problem, "predictions of a stored run", "name another file"
        ) from cause
    stored_split = _choose_split(path, task, split, list(dict.fromkeys(table["split"])))
    parse, rows, values = _parser(task, ranged=False), [], []
    for name, row, cell in zip(*(table[key] for key in table), strict=True):
        if name != stored_split:
            continue
        rows.append(row)
        values.append(parse(str(cell)))
        if values[-1] is None:
            found = f"row {row} of {stored_split} is {shown(cell)}"
            raise error(at(path), found, _expected(task), "name the --task of the run")
    return RowValues(path, values, rows)


def _choose_split(path: Path, task: Task, split: str | None, in_table: Sequence[str]) -> str:
    """The table's name of the split that `split` means; None means the only one there is."""
    known = {name: task.stored_as(name) for name in task.rows if task.stored_as(name) in in_table}
    candidates = [name for name in task.evaluated if name in known] or [*known]
    name = candidates[0] if split is None and len(candidates) == 1 else split
    if name not in known:
        found = f"found {shown(split)}" if split else "none is named"
        raise UsageError(
            f"--split: {found}, and {at(path)} holds {', '.join(map(shown, in_table))}; expected "
            f"{' or '.join(known) or f'a file with rows of {task.title}'}"
        )
    return known[name]


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        yield from lines.read(path, FORM)
    except (FileNotFoundError, NotADirectoryError) as cause:
        raise _missing(path) from cause


def _starts_with(path: Path, start: bytes) -> bool:
    try:
        with lines.opened(path, FORM) as stream:
            return stream.read(len(start)) == start
    except (FileNotFoundError, NotADirectoryError) as cause:
        raise _missing(path) from cause


def _missing(path: Path) -> DataError:
    return error(at(path), "no such file", "a file", "name one that exists")
