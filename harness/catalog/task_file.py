"""Custom tasks: a TOML file with a table for each task."""

from __future__ import annotations

import json
import math
import re
import tomllib
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.catalog import split_slices, tasks
from harness.catalog.model_rows import MODELS
from harness.catalog.targets import TARGETS
from harness.errors import DataError, UsageError
from harness.files import lines, paths, reading, toml
from harness.files.toml import not_toml
from harness.spec import CustomRows, JsonObject, Task
from harness.text.names import unknown
from harness.text.values import shown, shown_path

NAME = re.compile(r"[a-z][a-z0-9-]*")
LONGEST_NAME = 40  # it is a part of file names
HUB = "hub:"
# Each part begins and ends with a letter, a digit or _, as on the Hub.
HUB_NAME = re.compile(r"(?!.*(--|\.\.))\w([\w.-]*\w)?(/\w([\w.-]*\w)?)?", re.ASCII)
FORMATS = (".csv", ".tsv", ".jsonl", ".parquet")
FORM = lines.Form(
    "a TOML file with a [[task]]", "a key", "save it again", "shorten it", reading.SETTINGS
)
TOO_LONG = "an integer of more than 64 bits; expected those that TOML allows. Mend: shorten it"
USUAL = {  # split -> the usual names of its file, without the ending
    "train": ("train",),
    "validation": ("validation", "dev", "valid", "val"),
    "test": ("test",),
}
CLASSIFICATION_METRICS = ("accuracy", "f1", "matthews_correlation")
REGRESSION_METRICS = ("pearson", "spearmanr")
SYNONYMS = {
    "mcc": "matthews_correlation",
    "acc": "accuracy",
    "spearman": "spearmanr",
    "pearsonr": "pearson",
}
"""A metric's name in other programs -> its name here."""


class Row(BaseModel):
    """A table of the file, checked for its keys and types."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: str
    data: str  # the folder of the files, or hub:ORG/NAME
    config: str | None = None  # of a data set of the Hub that has several configs
    revision: str | None = None  # of a data set of the Hub: a commit
    text: list[str] = Field(min_length=1, max_length=2)
    label: str
    labels: list[str | int | bool] | None = Field(None, min_length=2)
    range: tuple[float, float] | None = Field(None, strict=False)
    metrics: list[str] | None = Field(None, min_length=1)
    splits: dict[str, str] = {}

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the labels as a column holds them; empty for a regression."""
        return tuple(
            name if isinstance(name, str) else json.dumps(name) for name in self.labels or ()
        )


EXPECTED = {  # key -> what messages say is expected
    "name": 'a name in quotes, as "reviews"',
    "data": f'a folder in quotes, as "rows", or "{HUB}ORG/NAME"',
    "config": "the name of one of the data set's configs, in quotes",
    "revision": "a commit of the data set, in quotes",
    "text": 'one column or two, as ["review"]',
    "label": 'a column, as "stars"',
    "labels": 'two names or more, as ["bad", "good"]',
    "range": "two numbers, the lowest score and the highest, as [0, 5]",
    "metrics": 'a list of names, as ["accuracy"]',
    "splits": 'a table of names in quotes, as { train = "a.csv", validation = "b.csv" }',
}


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
        custom=_rows(row, home, at),
    )


def _check_labels(names: Sequence[str], at: str) -> None:
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(unicodedata.normalize("NFC", name), name)
        if other != name:
            raise UsageError(
                f"{at}: labels: found {other!a} and {name!a}, which look the same; "
                "expected names that can be told apart. Mend: keep the one that the column holds"
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


def _rows(row: Row, home: Path, at: str) -> CustomRows:
    """Where the rows of a task are. `home` is the folder of the task file. Raises `UsageError`."""
    for split in row.splits:
        if split not in USUAL:
            raise UsageError(f"{at}: splits: {unknown('split', split, USUAL)}")
    if row.data.startswith(HUB):
        name = row.data.removeprefix(HUB)
        if not HUB_NAME.fullmatch(name):
            raise UsageError(f"{at}: data: found {shown(row.data)}; expected {HUB}ORG/NAME")
        names = {"train": "train", "validation": "validation", **row.splits}
        _check_slices(names, at)
        return CustomRows(row.label, names, name, row.config, row.revision)
    for key, value in (("config", row.config), ("revision", row.revision)):
        if value is not None:
            raise UsageError(f"{at}: {key}: of data sets of the Hub; {shown(row.data)} is a folder")
    try:
        files = _files(row, home / paths.expanded(row.data), at)
    except PermissionError as error:
        raise UsageError(
            f"{at}: data or splits: {shown(error.filename)}: {error.strerror}; expected a folder "
            "that can be read. Mend: give yourself read and search permission for it"
        ) from None
    except (OSError, RuntimeError, ValueError) as error:  # no such user, a NUL, a link to itself
        raise UsageError(f"{at}: data or splits: cannot be a file's name: {error}") from None
    _check_files(files, at)
    return CustomRows(row.label, files)


def _check_slices(names: Mapping[str, str], at: str) -> None:
    """Raise `UsageError` for a slice that cannot be read, or rows both in train and validation."""
    parts = {}
    for split, name in names.items():
        try:
            parts[split] = split_slices.parse(name)
        except UsageError as error:
            raise UsageError(f"{at}: splits: {split}: {error}") from None
    if shared := split_slices.overlap(parts["train"], parts["validation"]):
        remedy = split_slices.suggest_separate(parts["train"], names["validation"], shared)
        raise UsageError(
            f"{at}: splits: train is {shown(names['train'])} and validation is "
            f"{shown(names['validation'])}: both hold the same rows of {shown(shared)}; expected "
            f"no row in both. Mend: {remedy}"
        )


def _check_files(files: Mapping[str, str], at: str) -> None:
    for path in map(Path, files.values()):
        if any("\ud800" <= char <= "\udfff" for char in str(path)):
            raise UsageError(
                f"{at}: data or splits: {shown_path(path)}: this path is not UTF-8. Mend: rename "
                "the folder or the file"
            )
    train, validation = Path(files["train"]), Path(files["validation"])
    both_are_there = train.is_file() and validation.is_file()
    if train == validation or (both_are_there and train.samefile(validation)):  # a hard link
        raise UsageError(
            f"{at}: found one file for train and validation: {shown_path(validation)}; expected "
            'other rows for validation. Mend: splits = { validation = "FILE" }'
        )


def _files(row: Row, folder: Path, at: str) -> dict[str, str]:
    if folder.is_file():
        raise UsageError(
            f"{at}: data: found {shown(row.data)}, a file; expected its folder. glue-bench does "
            "not choose the rows for validation. Mend: splits = "
            f'{{ train = "{folder.name}", validation = "FILE" }}'
        )
    if not folder.is_dir():
        raise UsageError(
            f"{at}: data: found {shown(row.data)}, which is not a folder beside the task file; "
            f"expected one that holds train.csv and validation.csv, or {HUB}ORG/NAME"
        )
    files = {split: _absolute(folder / name) for split, name in row.splits.items()}
    for split in [split for split in USUAL if split not in files]:
        if path := _usual(folder, split, at):
            files[split] = _absolute(path)
    return files


def _absolute(path: Path) -> str:
    """The absolute path, with the name of a link and not of its target: its ending is the format.

    Raises `OSError`, `RuntimeError` or `ValueError` for a path that cannot be resolved.
    """
    path.resolve()
    return str(path.parent.resolve() / path.name)


def _usual(folder: Path, split: str, at: str) -> Path | None:
    """The file of a split that has a usual name, in any case; None if there is none.

    Raises `UsageError` for two such files, and where a labelled split has none.
    """
    names = [f"{stem}{ending}" for stem in USUAL[split] for ending in FORMATS]
    entries = sorted(folder.iterdir())
    matches = [path for path in entries if path.name.lower() in names]
    if len(matches) > 1:
        raise UsageError(
            f"{at}: found {matches[0].name} and {matches[1].name} for {split}; expected one. Mend: "
            f'splits = {{ {split} = "{matches[0].name}" }}'
        )
    if not matches and split != "test":
        listed = ", ".join(shown(path.name) for path in entries[:8]) or "nothing"
        raise UsageError(
            f"{at}: no file for {split}: {shown_path(folder)} holds {listed}; expected "
            f"{names[0]} or another of {', '.join(FORMATS)}. glue-bench does not choose the rows "
            f'for {split}. Mend: splits = {{ {split} = "FILE" }}'
        )
    return matches[0] if matches else None
