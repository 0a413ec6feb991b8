"""Files in the glue_data layout, and the error that each bad one must give."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.catalog import tasks
from harness.catalog.glue_files import FILES, File
from harness.data import glue_folder
from harness.errors import DataError
from harness.spec import Split
from tests.support import scoreboard

EVERY = pytest.mark.parametrize("file", FILES.values(), ids=lambda file: file.path)
LABELLED = pytest.mark.parametrize(
    "file", [file for file in FILES.values() if file.label], ids=lambda file: file.path
)
STRICT = pytest.mark.parametrize(
    "file", [file for file in FILES.values() if not file.ragged], ids=lambda file: file.path
)
HEADED = pytest.mark.parametrize(
    "file", [file for file in FILES.values() if file.header], ids=lambda file: file.path
)


def valid_label(file: File) -> str:
    task = tasks.TASKS[file.task]
    return "2.5" if task.is_regression else task.labels[1] if file.words else "1"


def row(file: File, **cells: str) -> list[str]:
    """A valid row of the file, but for the cells given: `label` or a column's name."""
    made = dict.fromkeys(file.columns, "x")
    if file.label:
        made[file.label] = cells.pop("label", valid_label(file))
    return list((made | cells).values())


def encode(file: File, rows: Sequence[Sequence[str]], end: str = "\n") -> bytes:
    lines = [list(file.columns), *rows] if file.header else rows
    return "".join("\t".join(line) + end for line in lines).encode()


def put(directory: Path, file: File, content: bytes) -> Path:
    path = directory / file.path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def read(directory: Path, file: File) -> tuple[Split, glue_folder.FileReport]:
    return glue_folder.read_split(directory, file.task, file.split)


def labels(split: Split) -> list[float]:
    assert split.labels is not None
    return list(split.labels)


def refused(directory: Path, file: File, *parts: str, line: int | None = None) -> str:
    """The message of the one error that reading the file raises, checked for its form."""
    scoreboard.add("bad inputs", tried=1, clear_errors=0, read_exactly=0)
    with pytest.raises(DataError) as caught:
        read(directory, file)
    message = str(caught.value)
    where = str(directory / file.path) + (f":{line}: " if line else ": ")
    assert message.startswith(where)
    found, expected, fix = message.removeprefix(where).partition("; expected ")
    assert found
    assert expected
    assert fix.rpartition("; ")[2]
    assert message.isprintable()
    assert len(message) < len(where) + 900
    for part in parts:
        assert part in message
    scoreboard.add("bad inputs", clear_errors=1)
    return message
