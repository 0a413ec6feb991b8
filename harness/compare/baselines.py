"""Baselines: the runs that new runs are compared with. Every change of one has a reason.

`manifest` has the files of a baseline's folder. Runs are written first, then the manifest that
names them; runs that are no longer part are removed last. So a crash leaves the baseline either as
it was or changed in full. A damaged or missing file is an error.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from harness.compare import manifest
from harness.compare.manifest import BaselineChange, Kind, Manifest, RunFile, Stored
from harness.compare.selection import Selection, list_reasons, merged, runs_of_cell
from harness.errors import StorageError, UsageError
from harness.files import paths
from harness.files.disk import DISK, Disk, locked, make_folders, names_in
from harness.files.outputs import cannot_write
from harness.records import codec
from harness.records.schema import Record
from harness.records.store import Store, file_name, naming, read_bytes
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
    stored: Stored
    records: tuple[Record, ...]  # its current runs, oldest first

    @property
    def name(self) -> str:
        return self.folder.absolute().name

    @property
    def changes(self) -> tuple[BaselineChange, ...]:
        """At least one, oldest first."""
        return self.stored.manifest.changes

    @property
    def last(self) -> BaselineChange:
        return self.changes[-1]

    @property
    def accepted(self) -> dict[str, BaselineChange]:
        """The cells whose last change was an `accept`, each with that change."""
        last_of_cell = {cell: change for change in self.changes for cell in change.cells}
        return {cell: last for cell, last in last_of_cell.items() if last.kind == "accept"}

    @property
    def other_files(self) -> list[str]:
        """The names of records in `runs/` that are no part of it. Raises `StorageError`."""
        current = {run.name for run in self.stored.manifest.runs}
        names = names_in(DISK, self.folder / "runs", ".json", codec.FIX)
        return [name for name in names if name not in current]


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
    folders = [name for name in names_in(disk, root, "", codec.FIX) if paths.is_folder(root / name)]
    return [name for name in folders if _is_one(root / name, disk)]


def _is_one(folder: Path, disk: Disk) -> bool:
    try:
        return manifest.is_in(folder, disk) or bool(disk.names(folder / "runs"))
    except (OSError, StorageError):  # `load` says what is wrong
        return True


def load(folder: Path, disk: Disk = DISK) -> Baseline:
    """A baseline as its last change left it. Its manifest and every run are checked.

    Raises `UsageError` if there is none; `StorageError` naming a file that is damaged or missing.
    """
    try:
        stored = manifest.read(folder, disk)
        if stored is None:
            raise _absent(folder, disk)
        runs = (_read_run(folder, run, disk) for run in stored.manifest.runs)
        return Baseline(folder, stored, tuple(_by_age(runs)))
    except StorageError as error:  # a results folder may do without a file, a baseline may not
        fix = f"Fix: restore it, such as with `{_restoring(folder)}`"
        raise StorageError(str(error).replace(codec.FIX, fix)) from error


def _restoring(folder: Path) -> str:
    """The command that brings back the last commit's files, also where a merge left conflicts."""
    return f"git restore --source=HEAD --staged --worktree {shown_path(folder)}"


def _absent(folder: Path, disk: Disk) -> UsageError | StorageError:
    save_command = f"`glue-bench baseline save {shown_path(folder)} --reason TEXT`"
    if names_in(disk, folder / "runs", "", codec.FIX):
        return StorageError(
            f"{shown_path(folder / manifest.NAME)}: there is no such file, yet runs/ has runs: it "
            "was removed, or a first save was cut off. Fix: bring it back, such as with "
            f"`{_restoring(folder)}`, or repeat {save_command}"
        )
    known = names(folder.parent, disk)
    guess = nearest(folder.name, known)
    hint = f" Did you mean '{guess}'?" if guess else ""
    beside = f" Beside it: {', '.join(known)}." if known else ""
    return UsageError(
        f"{shown_path(folder)}: no such baseline.{hint}{beside} Fix: make it with {save_command}"
    )


def _read_run(folder: Path, run: RunFile, disk: Disk) -> Record:
    path = folder / "runs" / run.name
    content = read_bytes(path, disk)
    with naming(path):
        record = codec.from_bytes(content)
        if manifest.sha256(content) != run.sha256:
            raise StorageError(
                f"found other content than was saved; expected sha256 {run.sha256}. {codec.FIX}"
            )
    return record


def save(
    folder: Path, selection: Selection, reason: str, branch: str, disk: Disk = DISK
) -> Baseline:
    """Make a baseline of runs whose commit, if they have one, is in the history of `branch`.

    Raises `UsageError` if the baseline exists, or the commit is not known to be in that history;
    `StorageError`.
    """
    if manifest.is_in(folder, disk):
        raise UsageError(
            f"{shown_path(folder)}: this baseline exists. Fix: change it with `glue-bench "
            f"baseline promote {shown_path(folder)} --reason TEXT`, or choose another name"
        )
    change = _describe("save", reason, selection, branch)
    return _store(folder, None, selection.records, selection, change, disk)


def promote(
    folder: Path, selection: Selection, reason: str, branch: str, disk: Disk = DISK
) -> Baseline:
    """Replace the baseline's runs of the same task, model and target; others stay.

    Where inputs (`cell_key`) and revision are the same, the new runs are added instead: a cell gets
    more seeds. Of a seed that both have, the newest run counts, and an earlier run that went wrong
    is kept beside it. Raises `UsageError` if there is no baseline, the commit is not known to be in
    the history of `branch`, or nothing would change; `StorageError`.
    """
    before = load(folder, disk)
    change = _describe("promote", reason, selection, branch)
    after = merged(before.records, selection.records)
    return _store(folder, before, after, selection, change, disk)


def accept(
    folder: Path, cell: str, selection: Selection | None, reason: str, disk: Disk = DISK
) -> Baseline:
    """Replace the runs of the cells of that name, whatever the verdict on them; None: remove them.

    Raises as `promote` does, except for the branch, which does not matter here.
    """
    before = load(folder, disk)
    if selection is not None:
        runs = tuple(runs_of_cell(selection.records, cell))
        selection = dataclasses.replace(selection, records=runs)
    taken = selection.records if selection else ()
    replaced = {run.combination for run in taken or runs_of_cell(before.records, cell)}
    after = [*(run for run in before.records if run.combination not in replaced), *taken]
    if not after:
        raise UsageError(
            f"{shown_path(folder)}: {cell} is its only cell, and nothing can be compared with an "
            "empty baseline. Fix: remove the folder if nobody needs it"
        )
    change = _describe("accept", reason, selection, gone=() if selection else (cell,))
    return _store(folder, before, after, selection, change, disk)


def require_on_branch(selection: Selection, branch: str) -> None:
    """Raise `UsageError` unless the commit of these runs, if any, is in the history of a branch."""
    commit = selection.revision.commit
    if commit and (why := git.why_not_on(Path.cwd(), branch, commit)):
        others = list_reasons(selection.left_out)
        raise UsageError(
            f"commit {commit[:12]} of the runs has to be in the history of a branch: {why}. Fix: "
            "merge it there first, or fetch it, or name another branch with --branch"
            f"{others and f'. Other runs were left out{others}'}"
        )


def _describe(
    kind: Kind,
    reason: str,
    selection: Selection | None,
    branch: str | None = None,
    gone: tuple[str, ...] = (),
) -> BaselineChange:
    """A change that takes these runs. Raises `UsageError` for a bad reason, or a wrong branch."""
    try:
        manifest.is_reason(reason)
    except ValueError as error:
        raise UsageError(f"--reason: found {shown(reason)}; {error}") from None
    if selection is None:
        return BaselineChange(kind=kind, reason=reason, cells=(), gone=gone)
    revision = selection.revision
    if revision.commit is None:
        branch = None  # without a repository there is none
    elif branch is not None:
        require_on_branch(selection, branch)
    return BaselineChange(
        kind=kind,
        reason=reason,
        commit=revision.commit,
        branch=branch,
        session=revision.session,
        glue_bench=selection.glue_bench,
        glue_bench_sha256=revision.glue_bench,
        cells=selection.cells,
    )


def _store(
    folder: Path,
    before: Baseline | None,
    after: Iterable[Record],
    selection: Selection | None,
    change: BaselineChange,
    disk: Disk,
) -> Baseline:
    """Write the runs of `after`, then the manifest with the change; returns what is stored then."""
    after = _by_age(after)
    if before and {record.id for record in after} == {record.id for record in before.records}:
        left_out = list_reasons(selection.left_out) if selection else ""
        raise UsageError(
            f"{shown_path(folder)}: nothing would change: it holds exactly the runs that may be "
            f"taken{left_out and f'; others were left out{left_out}'}. Fix: give --commit, "
            "--session or another results folder"
        )
    store = Store(folder, disk, manifest.OPTION)
    try:
        make_folders(disk, store.runs)
        with locked(folder):
            for record in after:
                store.take(record)
            # A run that was there may be of a process that died before it flushed the folder.
            disk.flush_folder(store.runs)
            changes = (*(before.changes if before else ()), change)
            runs = tuple(_run_file(store.runs / file_name(record), disk) for record in after)
            now = Manifest(changes=changes, runs=runs)
            manifest.replace(folder, before.stored if before else None, now, disk)
    except OSError as error:
        raise StorageError(cannot_write(store.runs, error, manifest.OPTION)) from error
    return load(folder, disk)


def _run_file(path: Path, disk: Disk) -> RunFile:
    return RunFile(name=path.name, sha256=manifest.sha256(read_bytes(path, disk)))


def _by_age(records: Iterable[Record]) -> list[Record]:
    return sorted(records, key=lambda record: (record.created, record.id))
