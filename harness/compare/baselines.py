"""Baselines: the runs that new ones are compared with. One moves only by an act with a reason.

    FOLDER/acts/   what was done, and which runs the baseline consists of since: see `acts`
    FOLDER/runs/   the runs of all acts, as a results folder has them

Nothing is changed or removed. Runs are written first, then the act that names them: a crash leaves
the baseline as it was, or moved. Anything damaged is an error; an older state never stands in for a
newer one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.compare import history
from harness.compare.history import BaselineChange, RunFile
from harness.compare.selection import Selection, commit_of, kept, of_cell
from harness.errors import StorageError, UsageError
from harness.files.disk import DISK, Disk, names_in
from harness.files.outputs import cannot_write
from harness.records import codec
from harness.records.cells import Cell, cells, names_of
from harness.records.schema import Record
from harness.records.store import Store, file_name, naming, read_bytes
from harness.spec import Combination
from harness.system import environment
from harness.text.names import nearest
from harness.text.values import shown, shown_path

ENOUGH_SEEDS = 10  # of a cell: what the gate's error rates are stated for
NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
LONGEST_NAME = 100  # it is a folder's


@dataclass(frozen=True)
class Baseline:
    """A baseline that was read whole and is undamaged."""

    folder: Path
    acts: tuple[BaselineChange, ...]  # oldest first; at least one
    records: tuple[Record, ...]  # what it consists of now, oldest first

    @property
    def name(self) -> str:
        return self.folder.absolute().name

    @property
    def accepted(self) -> dict[str, BaselineChange]:
        """The cells whose last move was an acceptance, and that act."""
        moved = {cell: act for act in self.acts for cell in act.cells}
        return {cell: act for cell, act in moved.items() if act.act == "accept"}

    @property
    def ok_alone(self) -> set[str]:
        """The cells from which runs that failed were left out, as all acts once did."""
        return {*names_of(self.records)} - {*self.last.with_failed}

    @property
    def last(self) -> BaselineChange:
        return self.acts[-1]


def located(name_or_folder: str, root: Path) -> Path:
    """The folder of a baseline: `root`/NAME, or a folder if it has a `/`. Raises `UsageError`."""
    if "/" in name_or_folder:
        return Path(name_or_folder)
    if not NAME.fullmatch(name_or_folder) or len(name_or_folder) > LONGEST_NAME:
        raise UsageError(
            f"baseline {shown(name_or_folder)}: expected a name of small letters, digits and "
            "`.`, `_`, `-`, which does not begin with one of these, of at most "
            f"{LONGEST_NAME} characters; or a folder, with a `/` in it"
        )
    return root / name_or_folder


def names(root: Path, disk: Disk = DISK) -> list[str]:
    """The baselines in a folder, damaged ones too. Raises `StorageError`."""
    return [name for name in names_in(disk, root, "", codec.MEND) if _is_one(root / name, disk)]


def _is_one(folder: Path, disk: Disk) -> bool:
    try:
        files = [*disk.names(folder / "acts"), *disk.names(folder / "runs")]
    except NotADirectoryError:  # a file beside them
        return False
    except OSError:  # `load` says what is wrong
        return True
    return any(name.endswith(history.ENDINGS) for name in files)


def load(folder: Path, disk: Disk = DISK) -> Baseline:
    """A baseline as its last act left it. Every file of every act is checked.

    Raises `UsageError` if there is none; `StorageError` naming a file that is damaged or missing.
    """
    try:
        found = history.read(folder, disk)
        if not found:
            raise _absent(folder, disk)
        return Baseline(folder, found, tuple(_runs(folder, found, disk)))
    except StorageError as error:  # unlike a results folder's, its files cannot be done without
        mend = f"Mend: bring it back, such as by `git restore {shown_path(folder)}`"
        raise StorageError(str(error).replace(codec.MEND, mend)) from error


def _absent(folder: Path, disk: Disk) -> UsageError | StorageError:
    where, save_it = shown_path(folder), f"`glue-bench baseline save {shown_path(folder)} --reason"
    if names_in(disk, folder / "runs", "", codec.MEND):
        return StorageError(
            f"{where}/acts: holds no act, yet runs/ holds runs: they were removed, or a first save "
            f"was cut off. Mend: bring them back, or say {save_it} TEXT` again"
        )
    known = names(folder.parent, disk)
    guess = nearest(folder.name, known)
    hint = f" Did you mean '{guess}'?" if guess else ""
    beside = f" Beside it: {', '.join(known)}." if known else ""
    return UsageError(f"{where}: no such baseline.{hint}{beside} Mend: {save_it} TEXT` makes it")


def _runs(folder: Path, found: Sequence[BaselineChange], disk: Disk) -> list[Record]:
    """The runs of the last act; those of all acts are checked."""
    now = {run.name for run in found[-1].runs}
    records = []
    for name, sha256 in sorted({(run.name, run.sha256) for act in found for run in act.runs}):
        path = folder / "runs" / name
        content = read_bytes(path, disk)
        with naming(path):
            record = codec.from_bytes(content)
            if history.sha256(content) != sha256:
                raise StorageError(
                    f"found another content than the acts tell of; expected sha256 {sha256}. "
                    f"{codec.MEND}"
                )
        records += [record] if name in now else []
    return _in_order(records)


def save(
    folder: Path, chosen: Selection, reason: str, branch: str, disk: Disk = DISK
) -> BaselineChange:
    """Make a baseline of runs whose commit is in the history of `branch`.

    Raises `UsageError` if there is one, or the commit is not known to be there; `StorageError`.
    """
    if history.names(folder, disk):
        raise UsageError(
            f"{shown_path(folder)}: there is such a baseline. Mend: move it with `glue-bench "
            f"baseline promote {shown_path(folder)} --reason TEXT`, or choose another name"
        )
    _require(reason)
    _require_on(branch, chosen.commit)
    said = {"act": "save", "commit": chosen.commit, "branch": branch, "cells": chosen.cells}
    return _move(folder, None, chosen.records, chosen, disk, reason=reason, **said)


def promote(
    folder: Path, chosen: Selection, reason: str, branch: str, disk: Disk = DISK
) -> BaselineChange:
    """Put runs in place of the baseline's of the same task, model and target; others stay.

    Where inputs (`cell_key`) and commit are the same, they join: a cell gets more seeds, and of a
    seed that was run again the newest run, beside one that went wrong before it. Raises
    `UsageError` if there is no baseline, the commit is not known to be in the history of `branch`,
    or nothing would change; `StorageError`.
    """
    before = load(folder, disk)
    _require(reason)
    _require_on(branch, chosen.commit)
    said = {"act": "promote", "commit": chosen.commit, "branch": branch, "cells": chosen.cells}
    after = _merged(before.records, chosen.records)
    return _move(folder, before, after, chosen, disk, reason=reason, **said)


def accept(
    folder: Path, cell: str, chosen: Selection | None, reason: str, disk: Disk = DISK
) -> BaselineChange:
    """Put runs in place of one cell's, whatever a verdict says; None: take it out of the baseline.

    Raises as `promote` does, but for the branch, which does not matter.
    """
    before = load(folder, disk)
    _require(reason)
    if chosen is not None:
        taken = of_cell(chosen.records, cell)
        replaced = {record.combination for record in taken}
        after = [*(r for r in before.records if r.combination not in replaced), *taken]
        said: dict[str, Any] = {"commit": chosen.commit, "cells": (cell,)}
    else:
        gone = {record.id for record in of_cell(before.records, cell)}
        after = [record for record in before.records if record.id not in gone]
        said = {"commit": None, "cells": (), "gone": (cell,)}
        if not after:
            raise UsageError(
                f"{shown_path(folder)}: {cell} is its only cell, and a baseline without runs is "
                "nothing to compare with. Mend: remove the folder if nobody needs it"
            )
    said = {"act": "accept", "reason": reason, "branch": None, **said}
    return _move(folder, before, after, chosen, disk, **said)


def _require(reason: str) -> None:
    try:
        history.is_reason(reason)
    except ValueError as error:
        raise UsageError(f"--reason: found {shown(reason)}; {error}") from None


def _require_on(branch: str, commit: str) -> None:
    if why := environment.why_not_on(branch, commit):
        raise UsageError(
            f"commit {commit[:12]} of the runs has to be in the history of a branch: {why}. Mend: "
            "bring it there first, or fetch it, or name another branch with --branch"
        )


def _merged(before: Iterable[Record], taken: Sequence[Record]) -> list[Record]:
    replaced = {record.combination for record in taken}
    joined = {of for cell in cells(taken) for of in _inputs_and_commits(cell)}
    stays = [
        record
        for cell in cells(before)
        if cell.combination not in replaced or joined & {*_inputs_and_commits(cell)}
        for record in (*cell.records, *cell.replaced)
    ]
    return [record for cell in cells([*stays, *taken]) for record in kept(cell)]


def _inputs_and_commits(cell: Cell) -> set[tuple[Combination, str | None, str]]:
    """A run that failed before its inputs were known has those of its cell."""
    return {(cell.combination, cell.key, commit_of(record)) for record in cell.records}


def _with_failed(
    before: Baseline | None, after: Sequence[Record], chosen: Selection | None
) -> tuple[str, ...]:
    """The cells all of whose runs came with those that failed."""
    came = {record.id for record in chosen.records} if chosen else set()
    if before:
        complete = {*before.last.with_failed}
        came |= {record.id for record in before.records if record.combination.name in complete}
    without = {record.combination.name for record in after if record.id not in came}
    return tuple(name for name in names_of(after) if name not in without)


def _move(
    folder: Path,
    before: Baseline | None,
    after: Iterable[Record],
    chosen: Selection | None,
    disk: Disk,
    **said: Any,
) -> BaselineChange:
    after = _in_order(after)
    said["with_failed"] = _with_failed(before, after, chosen)
    same = before and {record.id for record in after} == {record.id for record in before.records}
    if before and same and {*said["with_failed"]} == {*before.last.with_failed}:
        raise UsageError(
            f"{shown_path(folder)}: nothing would change: it consists of these runs already. Mend: "
            "name others, by --commit or another results folder"
        )
    store = Store(folder, disk, history.OPTION)
    for record in after:
        store.take(record)
    try:
        disk.flush_folder(store.runs)  # runs that were there may be another writer's, cut off
    except OSError as error:
        raise StorageError(cannot_write(store.runs, error, history.OPTION)) from error
    paths = [store.runs / file_name(record) for record in after]
    files = [RunFile(name=p.name, sha256=history.sha256(read_bytes(p, disk))) for p in paths]
    return history.append(folder, before.last if before else None, disk, runs=tuple(files), **said)


def _in_order(records: Iterable[Record]) -> list[Record]:
    return sorted(records, key=lambda record: (record.created, record.id))
