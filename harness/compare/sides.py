"""The sides of a comparison: which stored runs a user means by a text.

main                     the baseline of that name, or the one in a folder
results/local            a results folder: of each cell, the runs of the newest code
results/local@abc1234    its runs of a commit; or of a session, by the session's id
@abc1234                 the same in the default results folder
main@abc1234             the runs of a commit that were made on a branch; `main@`: of its newest
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.compare import baseline_tables, baselines, manifest
from harness.errors import StorageError, UsageError
from harness.files import paths
from harness.records.cells import names_of
from harness.records.revisions import Revision, by_revision, commit_of
from harness.records.schema import Record, Source
from harness.records.store import Store
from harness.spec import Combination
from harness.text.values import plain, shown, shown_path

FORMS = "a baseline, a folder of results, FOLDER@COMMIT, FOLDER@SESSION, BRANCH@COMMIT or @COMMIT"
MOST_NAMED = 6  # commits and sessions in a message


@dataclass(frozen=True)
class Side:
    """The runs of one side. `left_out` counts runs of its folder that do not belong to it."""

    name: str
    records: Sequence[Record]
    damaged: Sequence[StorageError] = ()
    left_out: int = 0
    own: tuple[str, ...] = ()  # names of cells whose only runs are those of the other side
    notes: Mapping[str, str] = field(default_factory=dict)  # on a baseline's cells

    def __str__(self) -> str:
        revisions = " and ".join(dict.fromkeys(map(str, by_revision(self.records)))) or "no code"
        others = f" (not its {self.left_out} other runs)" if self.left_out else ""
        return f"{plain(self.name)}: {len(self.records)} runs of {revisions}{others}"


def find(text: str, results: Path, root: Path, beside: Side | None = None) -> Side:
    """The side that `text` names.

    `results` is the default results folder, `root` holds the baselines. Of a results folder without
    a commit or session, each cell has the runs of the code that ran it last. If they are those of
    the other side, `beside`, it has the runs that were made since, by the same code. Raises
    `UsageError`, and `StorageError` for a damaged baseline.
    """
    if "@" in text and not paths.is_folder(Path(text)):
        place, _, revision = text.rpartition("@")
        return _of_revision(text, place, revision, results, root)
    folder = Path(text)
    if _is_baseline(text, root):
        return _of_baseline(text, root)
    if not paths.is_folder(folder):
        if "/" not in text:
            return _of_baseline(text, root)
        raise UsageError(
            f"{shown_path(folder)}: no such folder; expected {FORMS}. Fix: run `pytest benchmarks` "
            "first, or correct the name"
        )
    stored = Store(folder).find()
    latest = newest(stored.records)
    others = {run.id for run in beside.records} if beside else set()
    kept = [run for run in latest if run.id not in others]
    own = tuple(name for name in names_of(latest) if name not in names_of(kept))
    return Side(text, kept, stored.damaged, len(stored.records) - len(kept), own)


def _is_baseline(text: str, root: Path) -> bool:
    """Whether a text means a baseline: by its name, or a folder that holds one or should do so."""
    folder = Path(text)
    if "/" not in text and paths.is_folder(root / text):
        return True
    return manifest.is_in(folder) or folder.absolute().parent == root.absolute()


def _of_baseline(text: str, root: Path) -> Side:
    try:
        baseline = baselines.load(baselines.locate(text, root))
    except UsageError as error:
        raise UsageError(f"{error}, or name {FORMS}") from error
    return Side(
        text,
        baseline.records,
        notes=baseline_tables.acceptance_notes(baseline),
    )


def newest(records: Iterable[Record]) -> list[Record]:
    """Of each task, model and target on the same rows, the runs of the code that ran it last.

    A change may have moved any other input, such as the recipe, so that is no other cell here.
    """
    of_cells: dict[tuple[Combination, Source], list[Record]] = {}
    for record in records:
        of_cells.setdefault((record.combination, record.source), []).append(record)
    return [run for runs in of_cells.values() for run in next(iter(by_revision(runs).values()))]


def remarks(side: Side) -> list[str]:
    """Lines about cells of a side whose runs are not of its newest code, or not its own."""
    own = f"only the base's own runs: {', '.join(side.own)}. Fix: run them again"
    revisions = by_revision(side.records)
    newest = next(iter(revisions), None)
    older = [
        f"older than the newest code, {newest}: {', '.join(names_of(runs))} "
        f"({_apart(revision, newest)})"
        for revision, runs in revisions.items()
        if revision != newest
    ]
    return [*older, own] if side.own else older


def _apart(revision: Revision, newest: Revision | None) -> str:
    """A revision, as it differs from the newest one."""
    if newest and str(revision) == str(newest):
        return f"{revision}, by other sources of glue-bench"
    return str(revision)


def _of_revision(text: str, place: str, revision: str, results: Path, root: Path) -> Side:
    if place and "/" in place and _is_baseline(place, root):
        whole = _of_baseline(place, root)
        chosen = _matching(text, revision, whole.records) if revision else whole.records
        return replace(whole, name=text, records=chosen, left_out=len(whole.records) - len(chosen))
    is_folder = not place or paths.is_folder(Path(place))
    folder = Path(place) if place and is_folder else results
    stored = Store(folder).find()
    records = stored.records if is_folder else [r for r in stored.records if _is_on(r, place)]
    if not records:
        missing = f"no run of branch {shown(place)}" if not is_folder else "no run"
        raise UsageError(f"{shown(text)}: {plain(str(folder))} holds {missing}; expected {FORMS}")
    if revision:
        chosen = _matching(text, revision, records)
    else:
        chosen = next(iter(by_revision(records).values()))
    return Side(text, chosen, stored.damaged, len(stored.records) - len(chosen))


def _is_on(record: Record, branch: str) -> bool:
    return record.environment.get("branch") == branch


def _matching(text: str, revision: str, records: Sequence[Record]) -> list[Record]:
    """The runs of the one commit, or the one session, whose id begins with `revision`."""
    named = revision.lower()
    by_commit = {c for run in records if (c := commit_of(run)) and c.startswith(named)}
    by_session = {s for run in records if (s := run.session) and s.lower().startswith(named)}
    if len(by_commit) + len(by_session) != 1:
        found = len(by_commit) + len(by_session)
        known = [str(each) for each in by_revision(records)][:MOST_NAMED]
        raise UsageError(
            f"{shown(text)}: {found or 'no'} commits or sessions begin with {shown(revision)}; "
            f"expected one. There are runs of {', '.join(known)}"
        )
    runs = [r for r in records if commit_of(r) in by_commit or r.session in by_session]
    codes = by_revision(runs)
    if by_commit and len(codes) > 1:
        found_codes = ", ".join(map(str, codes))
        clean = next((each for each in codes if each.is_clean), None)
        if clean is None:
            raise UsageError(f"{shown(text)}: found {found_codes}; expected one of these sessions")
        return codes[clean]
    return runs
