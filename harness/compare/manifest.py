"""The manifest of a baseline: every change with its reason, and the runs that it consists of now.

    FOLDER/baseline.json   the manifest; its last key is a checksum, as in a record
    FOLDER/runs/           the runs, as in a results folder; the manifest has the sha256 of each

The folder is committed, so git keeps its earlier states.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, ConfigDict, Field

from harness.errors import StorageError
from harness.files.disk import DISK, Disk, names_in, replace_file
from harness.files.outputs import cannot_write
from harness.records import codec
from harness.records.schema import Part
from harness.records.store import naming, read_bytes
from harness.text.values import shown_path

SCHEMA = 3
OPTION = "--baselines"  # the option that names the folder of all baselines
NAME = "baseline.json"
LONGEST_REASON = 300
Kind = Literal["save", "promote", "accept"]
OVERTAKEN = (
    "another change was made at the same time and is stored; this one is not. Fix: read that one "
    "with `glue-bench baseline show`, then give the command again if it is still needed"
)


def is_reason(text: str) -> str:
    """The text, if it may be a reason. Raises `ValueError`."""
    if not text.strip() or not text.isprintable() or len(text) > LONGEST_REASON:
        raise ValueError(f"expected one line of text, at most {LONGEST_REASON} characters")
    return text


class RunFile(Part):
    """The file of a record in the baseline's `runs/`."""

    name: str = Field(pattern=r"^[a-z0-9+_-][a-z0-9.+_-]*\.json$")
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


class BaselineChange(Part):
    """One change of a baseline. The code is that of the runs which were added; None: none were."""

    kind: Kind
    reason: Annotated[str, AfterValidator(is_reason)]
    created: datetime = Field(default_factory=lambda: datetime.now(UTC))
    commit: str | None = None  # of the project; None: also without a repository
    branch: str | None = None  # whose history contains the commit; None: it was not checked
    session: str | None = None  # whose runs were added, where no commit tells which code ran
    glue_bench: str | None = Field(None, alias="glue-bench")  # its version
    glue_bench_sha256: str | None = Field(None, alias="glue-bench_sha256")  # of its sources
    cells: tuple[str, ...]  # names of the cells whose runs were added or replaced
    gone: tuple[str, ...] = ()  # names of the cells that were removed

    model_config = ConfigDict(
        extra="forbid", allow_inf_nan=False, frozen=True, populate_by_name=True
    )


class Manifest(Part):
    """All changes of a baseline, and what it consists of since the last one."""

    schema_number: Literal[3] = Field(SCHEMA, alias="schema")
    changes: tuple[BaselineChange, ...] = Field(min_length=1)  # oldest first
    runs: tuple[RunFile, ...]

    model_config = ConfigDict(
        extra="forbid", allow_inf_nan=False, frozen=True, populate_by_name=True
    )


class Stored(NamedTuple):
    """A manifest as it was read."""

    manifest: Manifest
    content: bytes  # of its file


def is_in(folder: Path, disk: Disk = DISK) -> bool:
    """Whether a folder holds a manifest. Raises `StorageError`."""
    return NAME in names_in(disk, folder, NAME, codec.FIX)


def read(folder: Path, disk: Disk) -> Stored | None:
    """The manifest of a baseline; None if there is none. Raises `StorageError` for a bad one."""
    if not is_in(folder, disk):
        return None
    content = read_bytes(folder / NAME, disk)
    with naming(folder / NAME):
        return Stored(codec.opened(content, Manifest, (SCHEMA,)), content)


def replace(folder: Path, before: Stored | None, after: Manifest, disk: Disk) -> None:
    """Store a manifest, whose runs are on the disk; then remove the runs that only `before` names.

    Raises `StorageError`, also if the manifest is no longer the one that was read before: another
    change was made meanwhile, and would be undone.
    """
    path, content = folder / NAME, codec.sealed(after)
    current = read_bytes(path, disk) if is_in(folder, disk) else None
    if current != (before.content if before else None):
        raise StorageError(f"{shown_path(path)}: {OVERTAKEN}")
    try:
        replace_file(disk, path, content)
    except OSError as error:
        raise StorageError(cannot_write(path, error, OPTION, len(content))) from error
    earlier = before.manifest.runs if before else ()
    for name in {run.name for run in earlier} - {run.name for run in after.runs}:
        unused = folder / "runs" / name
        try:
            disk.remove(unused)
        except FileNotFoundError:  # somebody has removed it
            continue
        except OSError as error:
            raise StorageError(
                f"{shown_path(unused)}: is no longer part of the baseline and could not be "
                f"removed: {error.strerror or error}. The change itself is stored. Fix: remove it"
            ) from error


def sha256(content: bytes) -> str:
    """The sha256 of a file's content, in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()
