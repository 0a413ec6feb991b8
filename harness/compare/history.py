"""The changes of a baseline on disk: what was done, why, and which runs it has had since.

    FOLDER/acts/0001.json     one change; its last key is a checksum, as in a record
    FOLDER/acts/0001.sha256   the sha256 of that file, as `sha256sum -c` reads it

Each change names the sha256 of the one before it. No later change does so for the last one, so its
`.sha256` file tells if the last change is missing. That file is written second, and a change is
valid without it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal, TypedDict

from pydantic import AfterValidator, ConfigDict, Field, PositiveInt

from harness.errors import StorageError
from harness.files.disk import Disk, make_folders, names_in, write_file
from harness.files.outputs import cannot_write
from harness.records import codec
from harness.records.schema import Part
from harness.records.store import naming, read_bytes
from harness.text.values import shown_path

SCHEMA = 1
OPTION = "--baselines"  # the option that names the folder of all baselines
FOLDER = "acts"  # of a baseline's folder: where its changes are
ENDINGS = (".json", ".sha256")
LONGEST_REASON = 300
Kind = Literal["save", "promote", "accept"]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


def is_reason(text: str) -> str:
    """The text, if it may be a reason. Raises `ValueError`."""
    if not text.strip() or not text.isprintable() or len(text) > LONGEST_REASON:
        raise ValueError(f"expected one line of text, at most {LONGEST_REASON} characters")
    return text


class RunFile(Part):
    """The file of a record in the baseline's `runs/`."""

    name: str = Field(pattern=r"^[a-z0-9+_-][a-z0-9.+_-]*\.json$")
    sha256: Sha256


class BaselineChange(Part):
    """One change of a baseline, and the runs that it consists of afterwards."""

    schema_number: Literal[1] = Field(SCHEMA, alias="schema")
    number: PositiveInt
    kind: Kind = Field(alias="act")
    reason: Annotated[str, AfterValidator(is_reason)]
    created: datetime = Field(default_factory=lambda: datetime.now(UTC))
    commit: str | None  # that computed the runs which were added; None: none were
    branch: str | None  # whose history contains the commit; None: it was not checked
    previous: Sha256 | None  # of the file of the change before
    cells: tuple[str, ...]  # names of the cells whose runs were added or replaced
    gone: tuple[str, ...] = ()  # names of the cells that were removed
    runs: tuple[RunFile, ...]  # all runs of the baseline after this change
    with_failed: tuple[str, ...] = ()  # names of the cells whose failed runs were kept too

    model_config = ConfigDict(
        extra="forbid", allow_inf_nan=False, frozen=True, populate_by_name=True
    )


class ChangeRequest(TypedDict):
    """What a command asks for; `append` adds the rest of a `BaselineChange`."""

    kind: Kind
    reason: str
    commit: str | None
    branch: str | None
    cells: tuple[str, ...]
    gone: tuple[str, ...]


def sha256(content: bytes) -> str:
    """The sha256 of a file's content, in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def file_names(folder: Path, disk: Disk) -> list[str]:
    """The names of the files of a baseline's changes. Raises `StorageError`."""
    return names_in(disk, folder / FOLDER, ENDINGS, codec.FIX)


def read(folder: Path, disk: Disk) -> tuple[BaselineChange, ...]:
    """The changes of a baseline, oldest first; () if there is none.

    Raises `StorageError` naming the first file that is damaged or missing, or whose sha256 is not
    the one that the next change, or its own `.sha256` file, has.
    """
    files = file_names(folder, disk)
    changes: list[BaselineChange] = []
    previous = None
    for number in range(1, max((_number(folder, name) for name in files), default=0) + 1):
        path = _path(folder, number)
        content = read_bytes(path, disk)
        with naming(path):
            change = codec.opened(content, BaselineChange, (SCHEMA,))
            _expect("number", change.number, number)
            _expect("previous", change.previous, previous)
        previous = sha256(content)
        if _sum_path(path).name in files:
            with naming(_sum_path(path)):
                _expect("sum", read_bytes(_sum_path(path), disk), _sum_line(path, content))
        changes.append(change)
    return tuple(changes)


def append(
    folder: Path,
    last: BaselineChange | None,
    disk: Disk,
    request: ChangeRequest,
    runs: Sequence[RunFile],
    with_failed: Sequence[str],
) -> BaselineChange:
    """Write the change that follows `last`. Raises `StorageError`, also if another follows it."""
    number, previous = 1, None
    if last:
        number, previous = last.number + 1, sha256(read_bytes(_path(folder, last.number), disk))
    change = BaselineChange(
        number=number,
        previous=previous,
        **request,
        runs=tuple(runs),
        with_failed=tuple(with_failed),
    )
    path, content = _path(folder, number), codec.sealed(change)
    _write(path, content, disk)
    try:
        _write(_sum_path(path), _sum_line(path, content), disk)
    except StorageError as error:
        raise StorageError(f"{error}. Change {number} itself is stored and valid") from error
    return change


def _write(path: Path, content: bytes, disk: Disk) -> None:
    try:
        make_folders(disk, path.parent)
        write_file(disk, path, content)
    except FileExistsError as error:
        raise StorageError(
            f"{shown_path(path)}: another change was made at the same time and is stored; this one "
            "is not. Fix: read that one with `glue-bench baseline show`, then give the command "
            "again if it is still needed"
        ) from error
    except OSError as error:
        raise StorageError(cannot_write(path, error, OPTION, len(content))) from error


def _path(folder: Path, number: int) -> Path:
    return folder / FOLDER / f"{number:04}.json"


def _number(folder: Path, name: str) -> int:
    number = re.match(r"[0-9]+", name)
    if not number or number[0] == "0000" or Path(name).stem != _path(folder, int(number[0])).stem:
        raise StorageError(
            f"{shown_path(folder / FOLDER / name)}: not the name of a change; expected 0001.json, "
            "0002.json, ... Fix: move it away"
        )
    return int(number[0])


def _sum_path(path: Path) -> Path:
    return path.with_suffix(".sha256")


def _sum_line(path: Path, content: bytes) -> bytes:
    return f"{sha256(content)}  {path.name}\n".encode()


def _expect(key: str, actual: object, expected: object) -> None:
    if actual != expected:
        raise StorageError(
            f"key {key}: found {actual!a:.90}; expected {expected!a:.90}: this file, or the change "
            f"that it names, was changed. {codec.FIX}"
        )
