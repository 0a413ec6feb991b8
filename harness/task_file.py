"""A user's own tasks: a TOML file with a row for each."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness import tasks
from harness.errors import UsageError, shown, shown_path
from harness.names import unknown
from harness.spec import OwnRows, Task

NAME = re.compile(r"[a-z][a-z0-9-]*")
HUB = "hub:"
FORMATS = (".csv", ".tsv", ".jsonl")
USUAL = {  # split -> how its file is called, without its ending
    "train": ("train",),
    "validation": ("validation", "dev", "valid", "val"),
    "test": ("test",),
}
OF_CLASSES = ("accuracy", "f1", "matthews_correlation")
OF_SCORES = ("pearson", "spearmanr")


class Row(BaseModel):
    """A task as it is written down."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: str
    title: str | None = None
    data: str  # a file's folder, or hub:ORG/NAME
    config: str | None = None  # of a data set of the Hub that has several
    text: list[str] = Field(min_length=1, max_length=2)
    label: str
    labels: list[str] | None = Field(None, min_length=2)
    range: tuple[float, float] | None = Field(None, strict=False)
    metrics: list[str] | None = Field(None, min_length=1)
    splits: dict[str, str] = {}


def read(path: Path) -> dict[str, Task]:
    """The tasks of a file, by name; their rows are not read yet. Raises `UsageError`."""
    where = shown_path(path)
    try:
        said = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(
            f"{where}: {error.strerror}; expected a TOML file with a [[task]]"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{where}: not valid TOML: {error}") from None
    for key in said:
        if key != "task":
            raise UsageError(f"{where}: {unknown('key', key, ['task'])}")
    rows = said.get("task")
    if not isinstance(rows, list) or not rows:
        raise UsageError(f"{where}: found no [[task]]; expected one, or several")
    found: dict[str, Task] = {}
    for place, raw in enumerate(rows, 1):
        task = _task(_row(f"{where}: task {place}", raw), path.parent, where)
        if task.name in found:
            raise UsageError(f"{where}: found two tasks called {shown(task.name)}")
        found[task.name] = task
    return found


def _row(where: str, raw: Any) -> Row:
    try:
        return Row.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        if first["type"] == "extra_forbidden":
            raise UsageError(f"{where}: {unknown('key', key, Row.model_fields)}") from None
        if first["type"] == "missing":
            raise UsageError(f"{where}: has no key {shown(key)}; expected one") from None
        raise UsageError(
            f"{where}: {key}: found {shown(first['input'])}; {first['msg'].lower()}"
        ) from None


def _task(row: Row, home: Path, where: str) -> Task:
    at = f"{where}: task {shown(row.name)}"
    if not NAME.fullmatch(row.name):
        raise UsageError(
            f"{at}: name: expected lower-case letters, digits and hyphens, a letter first"
        )
    if row.name in tasks.TASKS or row.name in tasks.ALIASES:
        raise UsageError(f"{at}: name: GLUE has a task of this name; expected another")
    if (row.labels is None) == (row.range is None):
        found = "neither" if row.labels is None else "both"
        raise UsageError(
            f"{at}: found {found} of labels and range; expected labels, the names of the classes "
            "in the order of their ids, or for a score range = [LOWEST, HIGHEST]"
        )
    if row.labels and len({*row.labels}) < len(row.labels):
        raise UsageError(f"{at}: labels: found one twice in {shown(row.labels)}")
    if row.range and not row.range[0] < row.range[1]:
        raise UsageError(f"{at}: range: found {shown(row.range)}; expected the lowest score first")
    columns = [*row.text, row.label]
    if len({*columns}) < len(columns):
        raise UsageError(f"{at}: found one column twice in text and label: {shown(columns)}")
    return Task(
        name=row.name,
        title=row.title or row.name,
        text_columns=tuple(row.text),
        labels=tuple(row.labels or ()),
        metrics=_metrics(row, at),
        rows={},
        class_counts={},
        label_means={},
        earlier_rows={},
        only={},
        label_range=row.range,
        own=_own(row, home, at),
    )


def _metrics(row: Row, at: str) -> tuple[str, ...]:
    fitting = OF_SCORES if row.range else OF_CLASSES
    for name in row.metrics or ():
        if name not in fitting:
            raise UsageError(f"{at}: metrics: {unknown('metric', name, fitting)}")
        if name == "f1" and row.labels and len(row.labels) > 2:
            raise UsageError(
                f"{at}: metrics: f1 is the second label's, and there are {len(row.labels)}; "
                "expected two labels, or accuracy"
            )
    if row.metrics:
        return tuple(dict.fromkeys(row.metrics))
    return OF_SCORES if row.range else OF_CLASSES[:1]


def _own(row: Row, home: Path, at: str) -> OwnRows:
    for split in row.splits:
        if split not in USUAL:
            raise UsageError(f"{at}: splits: {unknown('split', split, USUAL)}")
    if row.data.startswith(HUB):
        names = {"train": "train", "validation": "validation", **row.splits}
        return OwnRows(row.label, names, row.data.removeprefix(HUB), row.config)
    folder = home / Path(row.data).expanduser()
    if not folder.is_dir():
        raise UsageError(
            f"{at}: data: found {shown(row.data)}, which is no folder beside the file; expected "
            f"one that holds train.csv and validation.csv, or {HUB}ORG/NAME"
        )
    files = {split: str((folder / name).resolve()) for split, name in row.splits.items()}
    for split in [split for split in USUAL if split not in files]:
        if path := _usual(folder, split, at):
            files[split] = str(path.resolve())
    return OwnRows(row.label, files)


def _usual(folder: Path, split: str, at: str) -> Path | None:
    names = [f"{stem}{ending}" for stem in USUAL[split] for ending in FORMATS]
    found = [folder / name for name in names if (folder / name).is_file()]
    if len(found) > 1:
        raise UsageError(
            f"{at}: found {found[0].name} and {found[1].name} for {split}; expected one. Mend: "
            f'splits = {{ {split} = "{found[0].name}" }}'
        )
    if not found and split != "test":
        held = ", ".join(shown(p.name) for p in sorted(folder.iterdir())[:8]) or "nothing"
        raise UsageError(
            f"{at}: no file for {split}: {shown_path(folder)} holds {held}; expected "
            f"{names[0]} or another of {', '.join(FORMATS)}. Rows are never split here: which are "
            f'for {split} is yours to say. Mend: splits = {{ {split} = "FILE" }}'
        )
    return found[0] if found else None
