"""The acts of a baseline, on disk: what was done, why, and the runs it consists of from then on.

    FOLDER/acts/0001.json     an act; its last key is a checksum, as a record's
    FOLDER/acts/0001.sha256   of that file, as `sha256sum -c` reads it

Each act names the sha256 of the one before it. The sum is there so that the last act is missed too,
should its file be gone; it is written after the act, which holds without one.
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, PositiveInt

from harness.errors import StorageError
from harness.files.disk import Disk, make_folders, names_in, write_file
from harness.files.outputs import cannot_write
from harness.records import codec
from harness.records.schema import Part
from harness.records.store import naming, read_bytes
from harness.text.values import shown_path

SCHEMA = 1
OPTION = "--baselines"  # names another folder for them
ENDINGS = (".json", ".sha256")
LONGEST_REASON = 300
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
    """One move of a baseline, and what it consists of afterwards. Never changed once written."""

    schema_number: Literal[1] = Field(SCHEMA, alias="schema")
    number: PositiveInt
    act: Literal["save", "promote", "accept"]
    reason: Annotated[str, AfterValidator(is_reason)]
    created: datetime = Field(default_factory=lambda: datetime.now(UTC))
    commit: str | None  # of the runs that it took; None: it took none
    branch: str | None  # whose history was seen to hold the commit; None: none was asked for
    previous: Sha256 | None  # of the act's file before this one
    cells: tuple[str, ...]  # names of those that it took
    gone: tuple[str, ...] = ()  # names of those that it took out
    runs: tuple[RunFile, ...]  # all that the baseline consists of after it
    with_failed: tuple[str, ...] = ()  # names of the cells whose runs that failed are among these

    model_config = ConfigDict(
        extra="forbid", allow_inf_nan=False, frozen=True, populate_by_name=True
    )


def sha256(content: bytes) -> str:
    """As it stands in an act."""
    return hashlib.sha256(content).hexdigest()


def names(folder: Path, disk: Disk) -> list[str]:
    """The files of a baseline's acts and of their sums. Raises `StorageError`."""
    return names_in(disk, folder / "acts", ENDINGS, codec.MEND)


def read(folder: Path, disk: Disk) -> tuple[BaselineChange, ...]:
    """The acts of a baseline's folder, oldest first; () if there is none.

    Raises `StorageError` naming the first that is damaged, missing, or not the one that the next
    act or its own sum means.
    """
    files = names(folder, disk)
    found: list[BaselineChange] = []
    previous = None
    for number in range(1, max((_number(folder, name) for name in files), default=0) + 1):
        path = _path(folder, number)
        content = read_bytes(path, disk)
        with naming(path):
            act = codec.opened(content, BaselineChange, (SCHEMA,))
            _expect("number", act.number, number)
            _expect("previous", act.previous, previous)
        previous = sha256(content)
        if _sum_of(path).name in files:
            with naming(_sum_of(path)):
                _expect("sum", read_bytes(_sum_of(path), disk), _sum(path, content))
        found.append(act)
    return tuple(found)


def append(folder: Path, last: BaselineChange | None, disk: Disk, **said: Any) -> BaselineChange:
    """Write the act that follows `last`. Raises `StorageError`, also where it is not the last."""
    number, previous = 1, None
    if last:
        number, previous = last.number + 1, sha256(read_bytes(_path(folder, last.number), disk))
    act = BaselineChange(number=number, previous=previous, **said)
    path, content = _path(folder, number), codec.sealed(act)
    _write(path, content, disk)
    try:
        _write(_sum_of(path), _sum(path, content), disk)
    except StorageError as error:
        raise StorageError(f"{error}. Change {number} itself is stored, and holds") from error
    return act


def _write(path: Path, content: bytes, disk: Disk) -> None:
    try:
        make_folders(disk, path.parent)
        write_file(disk, path, content)
    except FileExistsError as error:
        raise StorageError(
            f"{shown_path(path)}: another act was made at the same time, and holds; this one is "
            "not stored. Mend: read it with `glue-bench baseline show`, then say this one again"
        ) from error
    except OSError as error:
        raise StorageError(cannot_write(path, error, OPTION, len(content))) from error


def _path(folder: Path, number: int) -> Path:
    return folder / "acts" / f"{number:04}.json"


def _number(folder: Path, name: str) -> int:
    number = re.match(r"[0-9]+", name)
    if not number or number[0] == "0000" or Path(name).stem != _path(folder, int(number[0])).stem:
        raise StorageError(
            f"{shown_path(folder / 'acts' / name)}: not the name of an act; expected 0001.json, "
            "0002.json, ... Mend: move it away"
        )
    return int(number[0])


def _sum_of(path: Path) -> Path:
    return path.with_suffix(".sha256")


def _sum(path: Path, content: bytes) -> bytes:
    return f"{sha256(content)}  {path.name}\n".encode()


def _expect(key: str, found: object, expected: object) -> None:
    if found != expected:
        raise StorageError(
            f"key {key}: found {found!a:.90}; expected {expected!a:.90}: this file, or the act "
            f"that it speaks of, was changed. {codec.MEND}"
        )
