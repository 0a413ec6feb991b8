"""The rows of a user's task: CSV, tab-separated or JSON lines, or a data set of the Hub.

CSV is read as Python's `csv` reads it, strictly; the first line names the columns. Texts are kept
as they are. Whatever is wrong is a `DataError` that says where, and what was found.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from harness import hub
from harness.data import lines
from harness.data.lines import at, error
from harness.errors import DataError, DataUnavailable, IntegrityError, shown
from harness.spec import OwnRows, Split, Task

EVERY_FILE = ("*",)
FORM = lines.Form(
    "a file of rows: .csv, .tsv or .jsonl", "a row", "save it again", "shorten the text"
)
MOST_SHOWN = 8  # columns or labels in a message
Raw = tuple[str, Mapping[str, Any]]  # where a row is, and its fields


def rows_of(task: Task) -> OwnRows:
    """Where a user's task has its rows."""
    if task.own is None:
        raise IntegrityError(f"{task.name}: no task of a user's")
    return task.own


def locate(task: Task) -> hub.Snapshot | None:
    """The snapshot of the Hub that holds the rows; None: files do. Raises `DataUnavailable`."""
    name = rows_of(task).hub
    if name is None:
        return None
    found = hub.find("dataset", name, EVERY_FILE)
    if isinstance(found, hub.Snapshot):
        return found
    raise DataUnavailable(
        f"{task.name}: {name}: not in the cache of the Hugging Face Hub, and {found.found}. Mend: "
        "run it once where there is a network, or name a folder with the same files"
    )


def fingerprint(task: Task, revision: str | None) -> dict[str, Any]:
    """What changes whenever training or evaluation rows do. Raises `DataError`."""
    own, used = rows_of(task), ("train", *task.evaluated)
    found: dict[str, Any] = {"label": own.label}
    if own.hub:
        splits = {name: own.splits[name] for name in used}
        return found | {own.hub: revision, "config": own.config, "splits": splits}
    return found | {name: hashlib.sha256(_bytes(own.splits[name])).hexdigest() for name in used}


def read_split(task: Task, split: str, snapshot: Path | None) -> Split:
    """One split; its ids are row numbers, from 0. Labels of a test split are not read.

    Raises `DataError`.
    """
    own = rows_of(task)
    labelled = split not in task.predicted
    where = own.hub or shown_source(own.splits[split])
    columns, rows = _of_hub(own, split, snapshot) if snapshot else _of_file(Path(own.splits[split]))
    for column in [*task.text_columns, *([own.label] if labelled else [])]:
        if column not in columns:
            found = ", ".join(map(shown, columns[:MOST_SHOWN])) or "none"
            raise error(
                where, f"no column {shown(column)}; the columns are {found}", shown(column),
                f"correct text or label of task {shown(task.name)}",
            )  # fmt: skip
    read = list(rows)
    texts = [tuple(_text(row, column) for column in task.text_columns) for row in read]
    labels = _labels(task, where, read) if labelled else None
    return Split(texts, labels, range(len(texts)))


def shown_source(path: str) -> str:
    """A file as an error names it."""
    return at(Path(path))


def _text(row: Raw, column: str) -> str:
    where, fields = row
    value = fields.get(column)
    if not isinstance(value, str):
        raise error(where, f"{column} is {shown(value)}", "a text", "correct the row")
    return value


def _labels(task: Task, where: str, rows: list[Raw]) -> list[int] | list[float]:
    column = rows_of(task).label
    cells = [(place, _cell(fields.get(column))) for place, fields in rows]
    if task.label_range:
        return [_score(task, place, cell) for place, cell in cells]
    ids = {label: index for index, label in enumerate(task.labels)}
    numbers = {str(index): index for index in range(len(task.labels))}
    if {cell for _, cell in cells} <= numbers.keys() and not ids.keys() & numbers.keys():
        ids = numbers
    for place, cell in cells:
        if cell not in ids:
            counts = Counter(cell for _, cell in cells).most_common(MOST_SHOWN)
            held = ", ".join(f"{shown(label)} ({count})" for label, count in counts)
            raise error(
                place, f"{column} is {shown(cell)}; {where} holds {held}",
                f"one of {', '.join(map(shown, task.labels))}",
                f"correct the row, or labels of task {shown(task.name)}",
            )  # fmt: skip
    return [ids[cell] for _, cell in cells]


def _cell(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _score(task: Task, where: str, cell: str) -> float:
    low, high = task.label_range or (-math.inf, math.inf)
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        raise error(
            where, f"{rows_of(task).label} is {shown(cell)}", f"a number from {low:g} to {high:g}",
            f"correct the row, or range of task {shown(task.name)}",
        )  # fmt: skip
    return value


def _bytes(path: str) -> bytes:
    try:
        with lines.opened(Path(path), FORM) as stream:
            return stream.read()
    except (FileNotFoundError, NotADirectoryError) as cause:
        raise error(at(Path(path)), "no such file", FORM.file, "correct its name") from cause


def _of_file(path: Path) -> tuple[list[str], Iterator[Raw]]:
    """The columns of a file, and its rows."""
    read: dict[str, Callable[[Path, str], list[Raw]]] = {
        ".csv": lambda path, text: _table(path, text, ","),
        ".tsv": lambda path, text: _table(path, text, "\t"),
        ".jsonl": _json_lines,
    }
    if path.suffix not in read:
        raise error(at(path), f"a file that ends in {shown(path.suffix)}", FORM.file, "rename it")
    try:
        text = _bytes(str(path)).decode("utf-8-sig")
    except UnicodeDecodeError as cause:
        raise error(
            at(path), f"byte {cause.start} of the file is not UTF-8", "UTF-8 text",
            "convert it (Latin-1: iconv -f LATIN1 -t UTF-8)",
        ) from cause  # fmt: skip
    rows = read[path.suffix](path, text)
    if not rows:
        raise error(at(path), "no row", "one or more", "put the rows there")
    return list(dict.fromkeys(name for _, fields in rows for name in fields)), iter(rows)


def _table(path: Path, text: str, delimiter: str) -> list[Raw]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=delimiter)
    rows: list[Raw] = []
    header: list[str] | None = None
    try:
        for fields in reader:
            where = at(path, reader.line_num)
            if header is None:
                header = fields
                if twice := [name for name, count in Counter(header).items() if count > 1]:
                    raise error(
                        where, f"two columns called {shown(twice[0])}", "a name each", "rename one"
                    )
            elif fields:  # an empty line is no row
                if len(fields) != len(header):
                    raise error(
                        where, f"{len(fields)} field(s)", f"{len(header)}, as in the first line",
                        "put a text that holds the separator, or a line break, in double quotes",
                    )  # fmt: skip
                rows.append((where, dict(zip(header, fields, strict=True))))
    except csv.Error as cause:
        raise error(
            at(path, reader.line_num), str(cause), "well-formed CSV", "correct the quotes there"
        ) from cause
    return rows


def _json_lines(path: Path, text: str) -> list[Raw]:
    rows: list[Raw] = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        where = at(path, number)
        try:
            fields = json.loads(line)
        except ValueError as cause:
            raise error(where, f"no JSON: {cause}", "a JSON object", "correct the line") from cause
        if not isinstance(fields, dict):
            raise error(where, shown(line), "a JSON object, {...}", "correct the line")
        rows.append((where, fields))
    return rows


def _of_hub(own: OwnRows, split: str, snapshot: Path) -> tuple[list[str], Iterator[Raw]]:
    """The columns of a split of a data set, and its rows; classes by their names."""
    import datasets
    from datasets.exceptions import DatasetsError

    datasets.disable_progress_bars()
    where = f"{own.hub}/{own.splits[split]}"
    try:
        found: Any = datasets.load_dataset(str(snapshot), own.config, split=own.splits[split])
    except (OSError, ValueError, DatasetsError) as cause:
        said = " ".join(f"{type(cause).__name__}: {cause}".split())[:300]
        raise DataError(
            f"{where}: cannot be read: {said}. Mend: correct config or splits of the task"
        ) from cause
    names = getattr(found.features.get(own.label), "names", None)

    def rows() -> Iterator[Raw]:
        for number, fields in enumerate(found):
            value = fields.get(own.label)
            known = names is not None and isinstance(value, int) and 0 <= value < len(names)
            yield f"{where}, row {number}", fields | ({own.label: names[value]} if known else {})

    return list(found.column_names), rows()
