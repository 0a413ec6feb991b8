"""Read the classic `glue_data` directory: CoLA/, SST-2/, MRPC/, ... with tab-separated files.

Lines end only at a line feed, and fields only at a tab. The files have no quoting, no escapes and
no missing values: quotes, `n/a`, trailing spaces, U+2028 and empty texts are kept as they are.
Anything malformed raises a `DataError`. QQP's labelled files are known to have rows with too few or
too many fields, which are dropped and counted. Test rows are never dropped, because a submission
needs a prediction for each. Labels of test splits are never loaded.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.catalog import tasks
from harness.catalog.glue_files import FILES, FOLDERS, File
from harness.errors import DataError, UsageError
from harness.files import lines
from harness.files.lines import at, error
from harness.spec import Split, Task
from harness.text.names import unknown
from harness.text.values import shown

MAX_NAMES = 8  # of a directory's entries in a message
NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?", re.ASCII)
REFETCH = "fetch the file again from GLUE"
UNQUOTED = f"a text cannot hold a tab or a line break, quoted or not: correct it, or {REFETCH}"
POINT = f"point --glue-data at the folder that holds {'/, '.join(FOLDERS[:2])}/, ..."


@dataclass(frozen=True)
class FileReport:
    """What was read from one file."""

    name: str  # its path below the glue_data directory
    rows: int  # kept
    dropped: int  # rows of QQP with a wrong number of fields, rows of MNLI without a gold label
    sha256: str  # of the raw bytes


def read_split(directory: Path, task_name: str, split: str) -> tuple[Split, FileReport]:
    """One split and the report of its file. Ids are the row numbers in the file, from 0.

    Raises `DataError` for a missing or malformed file, `UsageError` for an unknown name.
    """
    return read_file(directory, _find(task_name, split)[1])


def read_file(directory: Path, file: File) -> tuple[Split, FileReport]:
    """The rows of a file and its report, as `read_split` returns them. Raises `DataError`."""
    task = tasks.TASKS[file.task]
    path = directory / file.path
    digest = hashlib.sha256()
    width = len(file.columns)
    text_at = [file.columns.index(column) for column in file.texts]
    label_at = file.columns.index(file.label) if file.label else None
    parse, expected = _label_parser(task, file)
    texts: list[tuple[str, ...]] = []
    labels: list[int | float] = []
    ids: list[int] = []
    dropped = 0
    for row, (number, line) in enumerate(_rows(directory, file, digest)):
        fields = line.split("\t")
        if len(fields) != width:
            if file.ragged:
                dropped += 1
                continue
            found = f"{len(fields)} tab-separated field(s) in {shown(line)}"
            raise error(at(path, number), found, _columns(file), UNQUOTED)
        if label_at is not None:
            cell = fields[label_at]
            if cell == file.no_label:
                dropped += 1
                continue
            label = parse(cell)
            if label is None:
                found = f"{file.label} is {shown(cell)}"
                raise error(at(path, number), found, expected, f"correct it, or {REFETCH}")
            labels.append(label)
        texts.append(tuple([fields[column] for column in text_at]))
        ids.append(row)
    if not texts:
        found = f"no usable row ({dropped} dropped)" if dropped else "a header and no row"
        raise error(at(path), found, _columns(file), REFETCH)

    report = FileReport(file.path, len(texts), dropped, digest.hexdigest())
    return Split(texts, labels if file.label else None, ids), report


def fingerprint(directory: Path, task_name: str, splits: Collection[str]) -> dict[str, str]:
    """The sha256 of the raw bytes of each split's file. It does not parse the files."""
    hashes = {}
    for split in splits:
        _, file = _find(task_name, split)
        try:
            with lines.opened(directory / file.path, _form(file)) as stream:
                hashes[split] = hashlib.file_digest(stream, "sha256").hexdigest()
        except (FileNotFoundError, NotADirectoryError) as cause:
            raise _missing(directory, file) from cause
    return hashes


def has(directory: Path, task_name: str, split: str) -> bool:
    """Whether the split's file exists, readable or not."""
    return os.path.lexists(directory / _find(task_name, split)[1].path)


def agreement(task_name: str, split_name: str, split: Split, report: FileReport) -> dict[str, bool]:
    """For each known fact about the official split, whether `split` agrees with it.

    Facts are the number of rows, that of each class, and the file's sha256.
    """
    task, file = _find(task_name, split_name)
    agrees = tasks.agreement(task, split_name, split)
    return agrees | ({"sha256": file.sha256 == report.sha256} if file.sha256 else {})


def _find(task_name: str, split: str) -> tuple[Task, File]:
    task = tasks.get(task_name)
    file = FILES.get((task.name, split))
    if file is None and split in task.rows:
        raise UsageError(
            f"{task.name}: harness/catalog/glue_files.py does not say which file holds its {split} "
            f'rows. Fix: add File("{task.name}", "{split}", ...) there (docs/adding.md), or use '
            "another source: --glue-data toy, or hub"
        )
    if file is None:
        raise UsageError(unknown(f"split of {task.title}", split, task.rows))
    return task, file


def _rows(directory: Path, file: File, digest: lines.Digest) -> Iterator[tuple[int, str]]:
    """The lines below the header."""
    path = directory / file.path
    rest = _lines(directory, file, digest)
    first = next(rest, None)
    if first is None:
        raise error(at(path), "the file is empty", _columns(file), REFETCH)
    if file.header:
        _check_header(path, file, first[1])
    else:
        yield first
    yield from rest


def _lines(directory: Path, file: File, digest: lines.Digest) -> Iterator[tuple[int, str]]:
    """Number and text of each line. `digest` is updated with the raw bytes."""
    try:
        yield from lines.read(directory / file.path, _form(file), digest)
    except (FileNotFoundError, NotADirectoryError) as cause:
        raise _missing(directory, file) from cause


def _check_header(path: Path, file: File, line: str) -> None:
    columns = line.split("\t")
    for index, (found, wanted) in enumerate(itertools.zip_longest(columns, file.columns), 1):
        if found == wanted:
            continue
        name = "missing" if found is None else shown(found)
        expected = shown(wanted) if wanted else f"no more than {len(file.columns)} columns"
        fix = f"make the header {', '.join(file.columns)} (tabs between), or {REFETCH}"
        raise error(at(path, 1), f"header column {index} is {name}", expected, fix)


def _label_parser(task: Task, file: File) -> tuple[Callable[[str], int | float | None], str]:
    """A function from a cell to a label (None: it is not one), and a description of labels."""
    if task.label_range:
        low, high = task.label_range

        def score(cell: str) -> float | None:
            value = float(cell) if NUMBER.fullmatch(cell) else low - 1
            return value if low <= value <= high else None

        return score, f"a number from {low:g} to {high:g}"
    names = task.labels if file.words else [str(index) for index in range(len(task.labels))]
    ids = {name: index for index, name in enumerate(names)}
    note = "" if file.header else " (this file has no header line)"
    return ids.get, f"one of {', '.join(names)}{note}"


def _form(file: File) -> lines.Form:
    return lines.Form("a tab-separated file", _columns(file), REFETCH, UNQUOTED)


def _missing(directory: Path, file: File) -> DataError:
    path = directory / file.path
    folder = path.parent if path.parent.is_dir() else directory
    try:
        names = sorted(entry.name for entry in folder.iterdir())
        some = ", ".join(shown(name) for name in names[:MAX_NAMES]) or "nothing"
        more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
        found = f"no such file; {at(folder)} holds {some}{more}"
    except OSError as cause:
        found = f"no such file; {at(folder)}: {cause.strerror}"
    fix = POINT
    absolute = directory.absolute()
    if file.split == "test" and path.parent.is_dir():
        fix = "put the file there, or leave --glue-predict-test out"
    elif absolute.name in FOLDERS or (directory / path.name).is_file():
        fix += f": {at(absolute)} looks like one task's folder, try {at(absolute.parent)}"
    expected = f"the {file.split} split of {tasks.TASKS[file.task].title}"
    return error(at(path), found, expected, fix)


def _columns(file: File) -> str:
    return f"{len(file.columns)} columns ({', '.join(file.columns)})"
