"""Custom tasks: a TOML file with a table for each task."""

from __future__ import annotations

import math
import re
import tomllib
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import ValidationError

from harness.catalog import custom_rows, tasks
from harness.catalog.model_rows import MODELS
from harness.catalog.targets import TARGETS
from harness.catalog.task_row import EXPECTED, Row
from harness.errors import DataError, UsageError
from harness.files import lines, reading, toml
from harness.files.toml import not_toml
from harness.spec import JsonObject, Task
from harness.text.names import unknown
from harness.text.values import shown, shown_path

NAME = re.compile(r"[a-z][a-z0-9-]*")
LONGEST_NAME = 40  # it is a part of file names
FORM = lines.Form(
    "a TOML file with a [[task]]", "a key", "save it again", "shorten it", reading.SETTINGS
)
TOO_LONG = "an integer of more than 64 bits; expected those that TOML allows. Fix: shorten it"
CLASSIFICATION_METRICS = ("accuracy", "f1", "matthews_correlation")
REGRESSION_METRICS = ("pearson", "spearmanr")
SYNONYMS = {
    "mcc": "matthews_correlation",
    "acc": "accuracy",
    "spearman": "spearmanr",
    "pearsonr": "pearson",
}
"""A metric's name in other programs -> its name here."""


def read(path: Path) -> dict[str, Task]:
    """The tasks of a file, by name; their rows are not read yet. Raises `UsageError`."""
    where = shown_path(path)
    by_name: dict[str, Task] = {}
    for number, table in enumerate(_read_tables(path, where), 1):
        name = table.get("name")
        label = shown(name) if isinstance(name, str) else number
        task = _task(_row(f"{where}: task {label}", table), path.parent, where)
        if task.name in by_name:
            raise UsageError(f"{where}: found two tasks called {shown(task.name)}")
        by_name[task.name] = task
    return by_name


def _read_tables(path: Path, where: str) -> list[JsonObject]:
    """The [[task]] tables of a file. Raises `UsageError`, which begins with `where`."""
    text = _text(path)
    try:
        content = toml.parsed(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise not_toml(where, error) from None
    except ValueError:  # Python reads no integer of more than 4,300 digits
        raise UsageError(f"{where}: {TOO_LONG}") from None
    if any(not -(2**63) <= number < 2**63 for number in _integers(content)):
        raise UsageError(f"{where}: {TOO_LONG}")
    for key in content:
        if key != "task":
            raise UsageError(f"{where}: {unknown('key', key, ['task'])}")
    tables = content.get("task")
    if isinstance(tables, dict):
        raise UsageError(f"{where}: found [task]; expected [[task]], with two brackets")
    if not isinstance(tables, list) or not all(isinstance(t, dict) for t in tables) or not tables:
        raise UsageError(f"{where}: found no [[task]]; expected one, or several")
    return tables


def _integers(value: object) -> Iterator[int]:
    """Every integer inside a value of TOML."""
    if isinstance(value, int):
        yield value
    elif isinstance(value, list | dict):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _integers(part)


def _text(path: Path) -> str:
    try:
        with lines.opened(path, FORM) as stream:
            return lines.decoded(path, stream.read(FORM.kind.most))
    except DataError as error:
        raise UsageError(str(error)) from error
    except OSError as error:
        raise UsageError(f"{shown_path(path)}: {error.strerror}; expected {FORM.file}") from error
    except ValueError as error:  # a NUL in the path
        raise UsageError(f"{shown_path(path)}: {error}; expected {FORM.file}") from error


def _row(where: str, table: JsonObject) -> Row:
    try:
        return Row.model_validate(table)
    except ValidationError as error:
        for key in table:  # first, since a missing key may be a misspelt one
            if key not in Row.model_fields:
                raise UsageError(f"{where}: {unknown('key', key, Row.model_fields)}") from None
        key = str(error.errors()[0]["loc"][0])
        found = f"{key}: found {shown(table[key])}" if key in table else f"has no key {shown(key)}"
        raise UsageError(f"{where}: {found}; expected {EXPECTED[key]}") from None


def _task(row: Row, home: Path, where: str) -> Task:
    at = f"{where}: task {shown(row.name)}"
    if not NAME.fullmatch(row.name) or len(row.name) > LONGEST_NAME:
        raise UsageError(
            f"{at}: name: expected lower-case letters, digits and hyphens, a letter first, at "
            f"most {LONGEST_NAME}"
        )
    if row.name in tasks.TASKS or row.name in tasks.ALIASES:
        raise UsageError(f"{at}: name: GLUE has a task of this name; expected another")
    if row.name in MODELS or row.name in TARGETS:
        raise UsageError(f"{at}: name: a model or a target has this name; expected another")
    if (row.labels is None) == (row.range is None):
        found = "neither" if row.labels is None else "both"
        raise UsageError(
            f"{at}: found {found} of labels and range; expected labels, the names of the classes "
            "in the order of their ids, or range = [LOWEST, HIGHEST], for scores"
        )
    _check_labels(row.classes, at)
    if row.range and not (row.range[0] < row.range[1] and all(map(math.isfinite, row.range))):
        raise UsageError(f"{at}: range: found {shown(row.range)}; expected {EXPECTED['range']}")
    columns = [*row.text, row.label]
    if len({*columns}) < len(columns):
        raise UsageError(f"{at}: found one column twice in text and label: {shown(columns)}")
    return Task(
        name=row.name,
        title=row.name,
        text_columns=tuple(row.text),
        labels=row.classes,
        metrics=_metrics(row, at),
        rows={},
        class_counts={},
        label_means={},
        earlier_rows={},
        only={},
        shared_with_train={},
        label_range=row.range,
        custom=custom_rows.locate(row, home, at),
    )


def _check_labels(names: Sequence[str], at: str) -> None:
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(unicodedata.normalize("NFC", name), name)
        if other != name:
            raise UsageError(
                f"{at}: labels: found {other!a} and {name!a}, which look the same; "
                "expected names that can be told apart. Fix: keep the one that the column holds"
            )
    if len(seen) < len(names):
        raise UsageError(f"{at}: labels: found one twice in {shown(list(names))}")


def _metrics(row: Row, at: str) -> tuple[str, ...]:
    possible = REGRESSION_METRICS if row.range else CLASSIFICATION_METRICS
    for name in row.metrics or ():
        if name not in possible:
            raise UsageError(f"{at}: metrics: {unknown('metric', name, possible, SYNONYMS)}")
        if name == "f1" and len(row.classes) > 2:
            raise UsageError(
                f"{at}: metrics: f1 is that of the second of two labels, and there are "
                f"{len(row.classes)}; expected two labels, or accuracy"
            )
    if row.metrics:
        return tuple(dict.fromkeys(row.metrics))
    return possible if row.range else possible[:1]
