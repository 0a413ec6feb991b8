"""The manifest of a baseline: every change with its reason, and the runs that it consists of now.

    FOLDER/baseline.json   the manifest; its last key is a checksum, as in a record
    FOLDER/runs/           the runs, as in a results folder; the manifest has the sha256 of each

The folder is committed, so git keeps its earlier states. Baselines of older versions have a file
for each change in place of the manifest (`acts/0001.json`, ...); they are read, and the next change
writes the manifest.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
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

SCHEMA, OLD_SCHEMA = 2, 1
OPTION = "--baselines"  # the option that names the folder of all baselines
NAME = "baseline.json"
OLD_FOLDER = "acts"  # where older versions wrote a file for each change
LONGEST_REASON = 300
Kind = Literal["save", "promote", "accept"]
OVERTAKEN = (
    "another change was made at the same time and is stored; this one is not. Fix: read that one "
    "with `glue-bench baseline show`, then give the command again if it is still needed"
)
_OLD_FILE = re.compile(r"[0-9]{4,9}\.(json|sha256)")


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

    schema_number: Literal[2] = Field(SCHEMA, alias="schema")
    changes: tuple[BaselineChange, ...] = Field(min_length=1)  # oldest first
    runs: tuple[RunFile, ...]
    with_failed: tuple[str, ...] = ()  # names of the cells whose failed runs were kept too

    model_config = ConfigDict(
        extra="forbid", allow_inf_nan=False, frozen=True, populate_by_name=True
    )


class Stored(NamedTuple):
    """A manifest as it was read."""

    manifest: Manifest
    content: bytes | None  # of its file; None: there are files of an older version in its place
    run_files: frozenset[str]  # the names of all files in runs/ that it, or those files, name


class _OldChange(BaselineChange):
    """A change as older versions stored it, with the runs of the baseline after it."""

    schema_number: Literal[1] = Field(alias="schema")
    number: int
    kind: Kind = Field(alias="act")
    previous: str | None
    runs: tuple[RunFile, ...]
    with_failed: tuple[str, ...] = ()


def is_in(folder: Path, disk: Disk = DISK) -> bool:
    """Whether a folder holds a manifest, or the changes of an older version.

    Raises `StorageError`.
    """
    return bool({NAME, OLD_FOLDER} & {*names_in(disk, folder, "", codec.FIX)})


def read(folder: Path, disk: Disk) -> Stored | None:
    """The manifest of a baseline; None if there is none.

    Raises `StorageError` naming a file that is damaged or missing.
    """
    if (content := _content(folder, disk)) is not None:
        with naming(folder / NAME):
            manifest = codec.opened(content, Manifest, (SCHEMA,))
        return Stored(manifest, content, frozenset(run.name for run in manifest.runs))
    last = max((int(Path(name).stem) for name in _old_files(folder, disk)), default=0)
    changes: list[_OldChange] = []
    for number in range(1, last + 1):
        path = folder / OLD_FOLDER / f"{number:04}.json"
        content = read_bytes(path, disk)
        with naming(path):
            changes.append(codec.opened(content, _OldChange, (OLD_SCHEMA,)))
    if not changes:
        return None
    kept = {*BaselineChange.model_fields}
    manifest = Manifest(
        changes=tuple(BaselineChange(**change.model_dump(include=kept)) for change in changes),
        runs=changes[-1].runs,
        with_failed=changes[-1].with_failed,
    )
    return Stored(manifest, None, frozenset(run.name for c in changes for run in c.runs))


def replace(folder: Path, before: Stored | None, after: Manifest, disk: Disk) -> None:
    """Store a manifest, whose runs are on the disk; then remove the runs that only `before` names.

    Raises `StorageError`, also if the manifest is no longer the one that was read before: another
    change was made meanwhile, and would be undone.
    """
    path, content = folder / NAME, codec.sealed(after)
    if _content(folder, disk) != (before.content if before else None):
        raise StorageError(f"{shown_path(path)}: {OVERTAKEN}")
    try:
        replace_file(disk, path, content)
    except OSError as error:
        raise StorageError(cannot_write(path, error, OPTION, len(content))) from error
    named = before.run_files if before else frozenset()
    unused = [folder / "runs" / name for name in named - {run.name for run in after.runs}]
    old = [folder / OLD_FOLDER / name for name in _old_files(folder, disk)]
    for path in (*unused, *old):
        try:
            disk.remove(path)
        except FileNotFoundError:  # somebody has removed it
            continue
        except OSError as error:
            raise StorageError(
                f"{shown_path(path)}: is no longer part of the baseline and could not be removed: "
                f"{error.strerror or error}. The change itself is stored. Fix: remove the file"
            ) from error
    if old:
        with contextlib.suppress(OSError):  # somebody keeps other files there
            (folder / OLD_FOLDER).rmdir()


def _content(folder: Path, disk: Disk) -> bytes | None:
    """The content of the manifest's file; None if there is none."""
    is_there = NAME in names_in(disk, folder, NAME, codec.FIX)
    return read_bytes(folder / NAME, disk) if is_there else None


def _old_files(folder: Path, disk: Disk) -> list[str]:
    """The names of the files of an older version, in the order of the changes."""
    names = names_in(disk, folder / OLD_FOLDER, (".json", ".sha256"), codec.FIX)
    return [name for name in names if _OLD_FILE.fullmatch(name)]


def sha256(content: bytes) -> str:
    """The sha256 of a file's content, in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()
