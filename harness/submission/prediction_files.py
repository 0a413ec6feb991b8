"""The labels or predictions that a file of the user's holds, one for each row of a split.

A file is tab-separated with the columns index and one other, or has one value a line and no header,
or is the table of a stored run's predictions (`.parquet`); for labels it may be a file of the
glue_data layout too. Values are the ids or the names of a task's labels, in capitals or not, or
numbers where the task is a regression.
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
ONE = f"a value a line, or a header {INDEX}<TAB>NAME and two columns"
FORM = lines.Form("a file", ONE, AGAIN, AGAIN)
ROW = re.compile(r"\d{1,12}", re.ASCII)
PARQUET = b"PAR1"  # its first bytes

Value = int | float


@dataclass(frozen=True)
class Answers:
    """What a file says of each row."""

    path: Path
    values: Sequence[Value]  # in the order of the file
    rows: Sequence[int] | None = None  # their row numbers; None: the file does not say

    def by_row(self, rows: Sequence[int] | None) -> dict[int, Value]:
        """Row number -> value; without numbers of its own, the values stand for `rows` in order."""
        numbers = self.rows or sorted(rows or range(len(self.values)))
        return dict(zip(numbers, self.values, strict=False))


def predictions(path: Path, task: Task, split: str | None) -> Answers:
    """The predictions of a file; of `split`, where a stored run's file holds several.

    Raises `DataError`, and `UsageError` where it is not clear which split is meant.
    """
    if _starts_with(path, PARQUET):
        return _stored(path, task, split)
    return _listed(path, task, _parser(task, ranged=False))


def labels(path: Path, task: Task) -> Answers:
    """The labels of a file. Raises `DataError`."""
    first = next(_lines(path), (1, ""))[1].split("\t")
    files = _files(tuple(first))
    labelled = [file for file in files if file.task == task.source and file.label]
    if labelled:
        return _glue_data(path, task, labelled[0])
    if files:
        whose = " or ".join(dict.fromkeys(tasks.TASKS[file.task].title for file in files))
        known = "" if any(file.label for file in files) else "without labels "
        found = f"the columns of a file {known}of {whose}"
        raise error(at(path, 1), found, f"labels of {task.title}: {ONE}", "name another --labels")
    return _listed(path, task, _parser(task, ranged=True))


def _files(first: tuple[str, ...]) -> list[File]:
    """The files of the glue_data layout that begin with such a line; a header tells more."""
    headed = [file for file in FILES.values() if file.header and file.columns == first]
    bare = [f for f in FILES.values() if not f.header and len(f.columns) == len(first)]
    return headed or bare


def _glue_data(path: Path, task: Task, file: File) -> Answers:
    here = dataclasses.replace(file, path=path.name)
    split, _ = glue_folder.read_file(path.parent, here)
    for name, rows in task.only.items():
        if len(split) == tasks.TASKS[file.task].rows[name]:
            split = sample.only(split, rows)
    return Answers(path, split.labels or (), split.ids)


def _listed(path: Path, task: Task, parse: Callable[[str], Value | None]) -> Answers:
    rest = _lines(path)
    first = next(rest, None)
    if first is None:
        raise error(at(path), "the file is empty", ONE, AGAIN)
    if "\t" not in first[1]:
        found = _parsed(path, task, itertools.chain([first], rest), parse)
        return Answers(path, list(found))
    header = first[1].split("\t")
    if len(header) != 2 or header[0] != INDEX:
        raise error(at(path, 1), f"the header {shown(first[1])}", ONE, AGAIN)
    rows: dict[int, int] = {}  # number -> line
    cells = []
    for line, text in rest:
        number, _, cell = text.partition("\t")
        if "\t" in cell or not cell or not ROW.fullmatch(number):
            expected = f"a row number and a value, as in 7<TAB>{_known(task)[0]}"
            raise error(at(path, line), shown(text), expected, AGAIN)
        if rows.setdefault(int(number), line) != line:
            found = f"row {int(number)} stands in line {rows[int(number)]} too"
            raise error(at(path, line), found, "each row once", "take one of them away")
        cells.append((line, cell))
    if not cells:
        raise error(at(path), "a header and no row", ONE, AGAIN)
    return Answers(path, list(_parsed(path, task, cells, parse)), list(rows))


def _parsed(
    path: Path,
    task: Task,
    cells: Iterable[tuple[int, str]],
    parse: Callable[[str], Value | None],
) -> Iterator[Value]:
    for line, cell in cells:
        value = parse(cell)
        if value is None:
            others = [t.title for t in tasks.TASKS.values() if cell.lower() in t.labels]
            known = f", a label of {', '.join(others)}" if others else ""
            expected = _expected(task)
            mend = "correct it, or name the --task that the file is of"
            raise error(at(path, line), shown(cell) + known, expected, mend)
        yield value


def _parser(task: Task, *, ranged: bool) -> Callable[[str], Value | None]:
    """What turns a cell into a value (None: it cannot be one)."""
    if not task.is_regression:
        ids = {word: label for label, name in enumerate(task.labels) for word in (name, str(label))}
        return lambda cell: ids.get(cell.lower())
    low, high = task.label_range if ranged and task.label_range else (-math.inf, math.inf)

    def number(cell: str) -> float | None:
        value = float(cell) if glue_folder.NUMBER.fullmatch(cell) else math.nan
        return value if math.isfinite(value) and low <= value <= high else None

    return number


def _known(task: Task) -> list[str]:
    return [*map(str, range(len(task.labels))), *task.labels] or ["3.2"]


def _expected(task: Task) -> str:
    if task.label_range:
        return "a finite number (labels: from {:g} to {:g})".format(*task.label_range)
    return f"a label of {task.title}: {', '.join(_known(task))}"


def _stored(path: Path, task: Task, split: str | None) -> Answers:
    """The predictions of one split in a stored run's table."""
    with lines.opened(path, FORM) as stream:
        content = stream.read(FORM.kind.most)
    try:
        table = from_parquet(content, ("split", "row", "prediction"))
    except StorageError as cause:
        found = str(cause).partition("; expected")[0]
        raise error(at(path), found, "predictions of a stored run", "name another file") from cause
    wanted = _split(path, task, split, list(dict.fromkeys(table["split"])))
    parse, rows, values = _parser(task, ranged=False), [], []
    for name, row, cell in zip(*(table[key] for key in table), strict=True):
        if name != wanted:
            continue
        rows.append(row)
        values.append(parse(str(cell)))
        if values[-1] is None:
            found = f"row {row} of {wanted} is {shown(cell)}"
            raise error(at(path), found, _expected(task), "name the --task that the run was of")
    return Answers(path, values, rows)


def _split(path: Path, task: Task, split: str | None, held: Sequence[str]) -> str:
    """The name of the split that is meant, as the table has it."""
    known = {name: task.stored_as(name) for name in task.rows if task.stored_as(name) in held}
    here = [name for name in task.evaluated if name in known] or [*known]
    meant = here[0] if split is None and len(here) == 1 else split
    if meant not in known:
        found = f"found {shown(split)}" if split else "none is named"
        raise UsageError(
            f"--split: {found}, and {at(path)} holds {', '.join(map(shown, held))}; expected "
            f"{' or '.join(known) or f'a file with rows of {task.title}'}"
        )
    return known[meant]


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
    return error(at(path), "no such file", "a file", "name one that is there")
