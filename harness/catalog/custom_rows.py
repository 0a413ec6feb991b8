"""Find the rows of a custom task: a file for each split, or the splits of a data set of the Hub."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from harness.catalog import split_slices
from harness.catalog.task_row import HUB, Row
from harness.errors import UsageError
from harness.files import paths
from harness.spec import CustomRows
from harness.text.names import unknown
from harness.text.values import shown, shown_path

# Each part begins and ends with a letter, a digit or _, as on the Hub.
HUB_NAME = re.compile(r"(?!.*(--|\.\.))\w([\w.-]*\w)?(/\w([\w.-]*\w)?)?", re.ASCII)
FORMATS = (".csv", ".tsv", ".jsonl", ".parquet")
USUAL = {  # split -> the usual names of its file, without the ending
    "train": ("train",),
    "validation": ("validation", "dev", "valid", "val"),
    "test": ("test",),
}


def locate(row: Row, home: Path, at: str) -> CustomRows:
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
            raise UsageError(
                f"{at}: {key}: only for a data set of the Hub; {shown(row.data)} is a folder"
            )
    try:
        files = _files(row, home / paths.expanded(row.data), at)
    except PermissionError as error:
        raise UsageError(
            f"{at}: data or splits: {shown(error.filename)}: {error.strerror}; expected a folder "
            "that can be read. Fix: give yourself read and search permission for it"
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
            f"no row in both. Fix: {remedy}"
        )


def _check_files(files: Mapping[str, str], at: str) -> None:
    for path in map(Path, files.values()):
        if any("\ud800" <= char <= "\udfff" for char in str(path)):
            raise UsageError(
                f"{at}: data or splits: {shown_path(path)}: this path is not UTF-8. Fix: rename "
                "the folder or the file"
            )
    train, validation = Path(files["train"]), Path(files["validation"])
    both_are_there = train.is_file() and validation.is_file()
    if train == validation or (both_are_there and train.samefile(validation)):  # a hard link
        raise UsageError(
            f"{at}: found one file for train and validation: {shown_path(validation)}; expected "
            'other rows for validation. Fix: splits = { validation = "FILE" }'
        )


def _files(row: Row, folder: Path, at: str) -> dict[str, str]:
    if folder.is_file():
        raise UsageError(
            f"{at}: data: found {shown(row.data)}, a file; expected its folder. glue-bench does "
            "not choose the rows for validation. Fix: splits = "
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
            f"{at}: found {matches[0].name} and {matches[1].name} for {split}; expected one. Fix: "
            f'splits = {{ {split} = "{matches[0].name}" }}'
        )
    if not matches and split != "test":
        listed = ", ".join(shown(path.name) for path in entries[:8]) or "nothing"
        raise UsageError(
            f"{at}: no file for {split}: {shown_path(folder)} holds {listed}; expected "
            f"{names[0]} or another of {', '.join(FORMATS)}. glue-bench does not choose the rows "
            f'for {split}. Fix: splits = {{ {split} = "FILE" }}'
        )
    return matches[0] if matches else None
