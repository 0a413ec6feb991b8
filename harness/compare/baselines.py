"""Baselines: the runs that new runs are compared with. Every change of one has a reason.

    FOLDER/acts/   what was changed, and which runs the baseline consists of since: see `history`
    FOLDER/runs/   the runs of all changes, as in a results folder

Files are only added. Runs are written first, then the change that names them, so a crash leaves the
baseline either as it was or changed in full. A damaged file is an error; an older state is never
used in place of a newer one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.compare import history
from harness.compare.history import BaselineChange, ChangeRequest, RunFile
from harness.compare.selection import Selection, commit_of, runs_of_cell, runs_to_keep
from harness.errors import StorageError, UsageError
from harness.files import paths
from harness.files.disk import DISK, Disk, names_in
from harness.files.outputs import cannot_write
from harness.records import codec
from harness.records.cells import Cell, cells, names_of
from harness.records.schema import Record
from harness.records.store import Store, file_name, naming, read_bytes
from harness.spec import Combination
from harness.system import git
from harness.text.names import nearest
from harness.text.values import shown, shown_path

ENOUGH_SEEDS = 10  # of a cell: the gate's error rates are stated for so many
NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
LONGEST_NAME = 100  # characters; the name is also a folder's


@dataclass(frozen=True)
class Baseline:
    """A baseline whose files were all read and are undamaged."""

    folder: Path
    changes: tuple[BaselineChange, ...]  # oldest first; at least one
    records: tuple[Record, ...]  # its current runs, oldest first

    @property
    def name(self) -> str:
        return self.folder.absolute().name

    @property
    def accepted(self) -> dict[str, BaselineChange]:
        """The cells whose last change was an `accept`, each with that change."""
        last_of_cell = {cell: change for change in self.changes for cell in change.cells}
        return {cell: last for cell, last in last_of_cell.items() if last.kind == "accept"}

    @property
    def cells_without_failed(self) -> set[str]:
        """The names of the cells whose failed runs were left out, as was once done for all."""
        return {*names_of(self.records)} - {*self.last.with_failed}

    @property
    def last(self) -> BaselineChange:
        return self.changes[-1]


def locate(name_or_folder: str, root: Path) -> Path:
    """The folder of a baseline: `root`/NAME, or a folder if it has a `/`. Raises `UsageError`."""
    if "/" in name_or_folder:
        return Path(name_or_folder)
    if not NAME.fullmatch(name_or_folder) or len(name_or_folder) > LONGEST_NAME:
        raise UsageError(
            f"baseline {shown(name_or_folder)}: expected a folder, with a `/` in it, or a name of "
            f"at most {LONGEST_NAME} characters: a small letter or a digit, then small letters, "
            "digits, `.`, `_` and `-`"
        )
    return root / name_or_folder


def names(root: Path, disk: Disk = DISK) -> list[str]:
    """The names of the baselines in a folder, including damaged ones. Raises `StorageError`."""
    return [name for name in names_in(disk, root, "", codec.FIX) if _is_one(root / name, disk)]


def is_baseline(folder: Path) -> bool:
    """Whether a folder is a baseline's and no results folder."""
    return paths.is_folder(folder / history.FOLDER)


def _is_one(folder: Path, disk: Disk) -> bool:
    try:
        files = [*disk.names(folder / history.FOLDER), *disk.names(folder / "runs")]
    except NotADirectoryError:  # `folder` is a file
        return False
    except OSError:  # `load` says what is wrong
        return True
    return any(name.endswith(history.ENDINGS) for name in files)


def load(folder: Path, disk: Disk = DISK) -> Baseline:
    """A baseline as its last change left it. Every file of every change is checked.

    Raises `UsageError` if there is none; `StorageError` naming a file that is damaged or missing.
    """
    try:
        changes = history.read(folder, disk)
        if not changes:
            raise _absent(folder, disk)
        return Baseline(folder, changes, tuple(_read_runs(folder, changes, disk)))
    except StorageError as error:  # a results folder may do without a file, a baseline may not
        fix = f"Fix: restore it, such as with `git restore {shown_path(folder)}`"
        raise StorageError(str(error).replace(codec.FIX, fix)) from error


def _absent(folder: Path, disk: Disk) -> UsageError | StorageError:
    save_command = f"`glue-bench baseline save {shown_path(folder)} --reason TEXT`"
    if names_in(disk, folder / "runs", "", codec.FIX):
        return StorageError(
            f"{shown_path(folder / history.FOLDER)}: there is no change, yet runs/ has runs: the "
            "changes were removed, or a first save was cut off. Fix: bring them back, or repeat "
            f"{save_command}"
        )
    known = names(folder.parent, disk)
    guess = nearest(folder.name, known)
    hint = f" Did you mean '{guess}'?" if guess else ""
    beside = f" Beside it: {', '.join(known)}." if known else ""
    return UsageError(
        f"{shown_path(folder)}: no such baseline.{hint}{beside} Fix: make it with {save_command}"
    )


def _read_runs(folder: Path, changes: Sequence[BaselineChange], disk: Disk) -> list[Record]:
    """The runs of the last change. The files of the others are checked too."""
    current = {run.name for run in changes[-1].runs}
    records = []
    for name, sha256 in sorted(
        {(run.name, run.sha256) for change in changes for run in change.runs}
    ):
        path = folder / "runs" / name
        content = read_bytes(path, disk)
        with naming(path):
            record = codec.from_bytes(content)
            if history.sha256(content) != sha256:
                raise StorageError(
                    f"found other content than was saved; expected sha256 {sha256}. {codec.FIX}"
                )
        records += [record] if name in current else []
    return _by_age(records)


def save(
    folder: Path, selection: Selection, reason: str, branch: str, disk: Disk = DISK
) -> BaselineChange:
    """Make a baseline of runs whose commit is in the history of `branch`.

    Raises `UsageError` if the baseline exists, or the commit is not known to be in that history;
    `StorageError`.
    """
    if history.file_names(folder, disk):
        raise UsageError(
            f"{shown_path(folder)}: this baseline exists. Fix: change it with `glue-bench "
            f"baseline promote {shown_path(folder)} --reason TEXT`, or choose another name"
        )
    _require_reason(reason)
    _require_on_branch(branch, selection.commit)
    request = _request("save", reason, selection.cells, selection.commit, branch)
    return _change(folder, None, selection.records, selection, disk, request)


def promote(
    folder: Path, selection: Selection, reason: str, branch: str, disk: Disk = DISK
) -> BaselineChange:
    """Replace the baseline's runs of the same task, model and target; others stay.

    Where inputs (`cell_key`) and commit are the same, the new runs are added instead: a cell gets
    more seeds. Of a seed that both have, the newest run counts, and an earlier run that went wrong
    is kept beside it. Raises `UsageError` if there is no baseline, the commit is not known to be in
    the history of `branch`, or nothing would change; `StorageError`.
    """
    before = load(folder, disk)
    _require_reason(reason)
    _require_on_branch(branch, selection.commit)
    request = _request("promote", reason, selection.cells, selection.commit, branch)
    after = _merge(before.records, selection.records)
    return _change(folder, before, after, selection, disk, request)


def accept(
    folder: Path, cell: str, selection: Selection | None, reason: str, disk: Disk = DISK
) -> BaselineChange:
    """Replace one cell's runs, whatever the verdict on them; None: remove the cell.

    Raises as `promote` does, except for the branch, which does not matter here.
    """
    before = load(folder, disk)
    _require_reason(reason)
    if selection is not None:
        added = runs_of_cell(selection.records, cell)
        replaced = {record.combination for record in added}
        after = [*(r for r in before.records if r.combination not in replaced), *added]
        request = _request("accept", reason, (cell,), selection.commit)
    else:
        removed = {record.id for record in runs_of_cell(before.records, cell)}
        after = [record for record in before.records if record.id not in removed]
        request = _request("accept", reason, (), gone=(cell,))
        if not after:
            raise UsageError(
                f"{shown_path(folder)}: {cell} is its only cell, and nothing can be compared with "
                "an empty baseline. Fix: remove the folder if nobody needs it"
            )
    return _change(folder, before, after, selection, disk, request)


def _request(
    kind: history.Kind,
    reason: str,
    cell_names: tuple[str, ...],
    commit: str | None = None,
    branch: str | None = None,
    gone: tuple[str, ...] = (),
) -> ChangeRequest:
    return {
        "kind": kind,
        "reason": reason,
        "commit": commit,
        "branch": branch,
        "cells": cell_names,
        "gone": gone,
    }


def _require_reason(reason: str) -> None:
    try:
        history.is_reason(reason)
    except ValueError as error:
        raise UsageError(f"--reason: found {shown(reason)}; {error}") from None


def _require_on_branch(branch: str, commit: str) -> None:
    if why := git.why_not_on(Path.cwd(), branch, commit):
        raise UsageError(
            f"commit {commit[:12]} of the runs has to be in the history of a branch: {why}. Fix: "
            "merge it there first, or fetch it, or name another branch with --branch"
        )


def _merge(before: Iterable[Record], added: Sequence[Record]) -> list[Record]:
    replaced = {record.combination for record in added}
    extended = {inputs for cell in cells(added) for inputs in _inputs_and_commits(cell)}
    stays = [
        record
        for cell in cells(before)
        if cell.combination not in replaced or extended & {*_inputs_and_commits(cell)}
        for record in (*cell.records, *cell.replaced)
    ]
    return [record for cell in cells([*stays, *added]) for record in runs_to_keep(cell)]


def _inputs_and_commits(cell: Cell) -> set[tuple[Combination, str | None, str]]:
    """What decides whether runs extend a cell or replace it.

    A run that failed before its inputs were known counts with the inputs of its cell.
    """
    return {(cell.combination, cell.key, commit_of(record)) for record in cell.records}


def _cells_with_failed(
    before: Baseline | None, after: Sequence[Record], selection: Selection | None
) -> tuple[str, ...]:
    """The names of the cells for which every run was selected together with the failed ones."""
    complete = {record.id for record in selection.records} if selection else set()
    if before:
        complete_cells = {*before.last.with_failed}
        complete |= {r.id for r in before.records if r.combination.name in complete_cells}
    incomplete_cells = {record.combination.name for record in after if record.id not in complete}
    return tuple(name for name in names_of(after) if name not in incomplete_cells)


def _change(
    folder: Path,
    before: Baseline | None,
    after: Iterable[Record],
    selection: Selection | None,
    disk: Disk,
    request: ChangeRequest,
) -> BaselineChange:
    """Write the runs of `after`, then the change to them."""
    after = _by_age(after)
    with_failed = _cells_with_failed(before, after, selection)
    same = before and {record.id for record in after} == {record.id for record in before.records}
    if before and same and {*with_failed} == {*before.last.with_failed}:
        raise UsageError(
            f"{shown_path(folder)}: nothing would change: it holds exactly these runs. Fix: give "
            "--commit or another results folder"
        )
    store = Store(folder, disk, history.OPTION)
    for record in after:
        store.take(record)
    try:
        # A run that was there may have been written by a process that died before its flush.
        disk.flush_folder(store.runs)
    except OSError as error:
        raise StorageError(cannot_write(store.runs, error, history.OPTION)) from error
    paths = [store.runs / file_name(record) for record in after]
    files = [RunFile(name=p.name, sha256=history.sha256(read_bytes(p, disk))) for p in paths]
    last = before.last if before else None
    return history.append(folder, last, disk, request, files, with_failed)


def _by_age(records: Iterable[Record]) -> list[Record]:
    return sorted(records, key=lambda record: (record.created, record.id))
