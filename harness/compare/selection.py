"""Which runs may be in a baseline: those that ended ok, and failed runs of the same cells."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.catalog.models import label
from harness.compare import averaged_runs
from harness.errors import UsageError
from harness.records.cells import Cell, cells, names_of
from harness.records.flags import Spoils, that_spoil
from harness.records.parts import PARTS
from harness.records.revisions import Revision, commit_of
from harness.records.schema import Record
from harness.text.names import unknown
from harness.text.values import shown

FAIL_TESTS = frozenset(that_spoil(Spoils.TEST))
RUN_AGAIN = "whose seed was run again: of each seed the newest ok run is taken"
SHOWN_DIGITS = 12  # of a commit, in a list of those that are known


@dataclass(frozen=True)
class Selection:
    """Runs of one revision that may be in a baseline. Each of their cells has one that ended ok.

    There is one run per seed and cell, and beside it any earlier run of the seed that went wrong.
    """

    records: tuple[Record, ...]
    revision: Revision
    left_out: Mapping[str, int]  # the reason, and how many runs it excluded

    @property
    def cells(self) -> tuple[str, ...]:
        """The names of their cells."""
        return names_of(self.records)

    @property
    def glue_bench(self) -> str | None:
        """The version of glue-bench that made the newest of them; None: not recorded."""
        newest = max(self.records, key=_age, default=None)
        version = newest and newest.environment.get("glue-bench")
        return str(version) if version else None


def narrowed(
    records: Sequence[Record],
    tasks: Collection[str] = (),
    models: Collection[str] = (),
    targets: Collection[str] = (),
) -> list[Record]:
    """The runs of these tasks, models and targets; (): of all. Raises `UsageError` for a name.

    A model is named as in its record, or as in the ids of its cases.
    """
    records = list(records)
    names = {
        "task": (tasks, lambda run: {run.case.task}),
        "model": (models, lambda run: {run.case.model, label(run.case.model)}),
        "target": (targets, lambda run: {run.case.target}),
    }
    for kind, (wanted, names_in) in names.items():
        known = {name for run in records for name in names_in(run)}
        for name in wanted:
            if name not in known:
                raise UsageError(f"--{kind}: {unknown(kind, name, sorted(known))}")
        records = [run for run in records if not wanted or names_in(run) & {*wanted}]
    return records


def select(
    records: Iterable[Record],
    commit: str | None = None,
    cell: str | None = None,
    refused: Collection[str] = (),
    session: str | None = None,
) -> Selection:
    """Those of `records` that may be in a baseline: of one clean commit of the project.

    Where the project is in no repository, no commit tells which code ran: then the runs of one
    session. Failed runs are selected if another run of their cell ended ok, since the gate also
    compares how often runs go wrong. So are runs at their floor, whose tests a profile may let
    fail.

    `commit` and `session` may be abbreviated; by default the revision is the newest ok run's.
    `cell` limits the selection to the cell of that name. `refused` has the ids of runs that ended
    ok and whose tests failed, for a reason of the tests' own. Raises `UsageError` if no run is
    left, or a name is unknown or ambiguous.
    """
    records = list(records)
    if records and cell is not None:
        records = runs_of_cell(records, cell)
    reasons = {
        record.id: "whose test failed" if _is_refused(record, refused) else _why_unfit(record)
        for record in records
    }
    left_out = Counter(why for why in reasons.values() if why)
    fit = [record for record in records if not reasons[record.id]]
    ok = [record for record in fit if record.status == "ok"]
    if not ok:
        left_out["that failed"] += len(fit)
        raise _nothing_selected(+left_out)
    if commit is not None:
        full = _full("commit", commit, {id_ for run in ok if (id_ := commit_of(run))}, left_out)
        ok = [record for record in ok if commit_of(record) == full]
    if session is not None:
        full = _full("session", session, {*map(session_of, ok)}, left_out)
        ok = [record for record in ok if session_of(record) == full]
        session = full
    newest = max(ok, key=_age)
    revision = Revision.of(newest)
    others = {record.id: _why_other(record, newest, session) for record in fit}
    chosen = [record for record in fit if not others[record.id]]
    all_cells = cells(chosen)
    taken = tuple(run for one_cell in all_cells if one_cell.ok for run in runs_to_keep(one_cell))
    without_ok = sum(
        len(one_cell.records) + len(one_cell.replaced) for one_cell in all_cells if not one_cell.ok
    )
    left_out += Counter(why for why in others.values() if why)
    left_out["of a cell without an ok run"] += without_ok
    left_out[RUN_AGAIN] += len(chosen) - len(taken) - without_ok
    return Selection(taken, revision, +left_out)


def merged(before: Iterable[Record], added: Sequence[Record]) -> list[Record]:
    """A baseline's runs after `added` replaced or extended cells: see `baselines.promote`."""
    replaced = {record.combination for record in added}
    extended = {inputs for cell in cells(added) for inputs in _inputs_and_revisions(cell)}
    stays = [
        record
        for cell in cells(before)
        if cell.combination not in replaced or extended & {*_inputs_and_revisions(cell)}
        for record in (*cell.records, *cell.replaced)
    ]
    return [record for cell in cells([*stays, *added]) for record in runs_to_keep(cell)]


def _inputs_and_revisions(cell: Cell) -> set[tuple[object, ...]]:
    """What decides whether runs extend a cell or replace it: inputs, revision and versions.

    A run that failed before its inputs were known counts with the inputs of its cell.
    """
    return {
        (cell.combination, cell.key, Revision.of(record), versions(record))
        for record in cell.records
    }


def runs_to_keep(cell: Cell) -> list[Record]:
    """A cell's runs that a baseline keeps: one per seed, and earlier ones that went wrong."""
    ids = {run.id for run in cell.records}
    return [*cell.records, *(run for run in averaged_runs.went_wrong(cell) if run.id not in ids)]


def _is_refused(record: Record, refused: Collection[str]) -> bool:
    return record.status == "ok" and record.id in refused and not FAIL_TESTS & set(record.flags)


def versions(record: Record) -> tuple[str, ...]:
    """The libraries whose versions belong to the conditions of a run, without local labels."""
    facts = ((name, record.environment.get(name)) for name in PARTS["versions"].facts)
    return tuple(f"{name} {str(value).partition('+')[0]}" for name, value in facts if value)


def session_of(record: Record) -> str:
    """The session that made a run; a run of `harness.run` has none, and stands for itself."""
    return record.session or record.id


def _why_unfit(record: Record) -> str | None:
    if record.status == "skipped":
        return "skipped"
    is_known = record.environment.get("dirty") is not None or commit_of(record) is None
    if not is_known:
        return "of a tree that git could not compare with its commit"
    if not record.environment.get("dirty"):
        return None
    return "of a changed tree" if commit_of(record) else "of a repository that git could not read"


def _why_other(record: Record, newest: Record, session: str | None) -> str | None:
    own, revision = Revision.of(record), Revision.of(newest)
    if own.commit != revision.commit:
        return "of another commit" if own.commit else "of no commit"
    if own.session != revision.session or (session and session_of(record) != session):
        return "of another session"
    if own != revision:
        return "of the same commit, by other sources of glue-bench"
    used, now = versions(record), versions(newest)
    if not used or used == now:
        return None
    return f"with {', '.join(version for version in used if version not in now)}"


def _age(record: Record) -> tuple[object, ...]:
    return record.created, record.id


def runs_of_cell(records: Sequence[Record], cell: str) -> list[Record]:
    """The runs of the cell of that name. Raises `UsageError` if there is none, or several."""
    runs = [record for record in records if record.combination.name == cell]
    if not runs:
        raise UsageError(unknown("cell", cell, names_of(records)))
    if len(models := sorted({record.case.model for record in runs})) > 1:
        raise UsageError(
            f"cell {cell}: runs of several models have that name: {', '.join(models)}. Fix: keep "
            "these models apart, in results folders and baselines of their own"
        )
    return runs


def _full(kind: str, given: str, known: Collection[str], left_out: Mapping[str, int]) -> str:
    """The only known id that begins with what was given. Raises `UsageError`."""
    matches = [full for full in known if full.lower().startswith(given.lower())]
    if len(matches) != 1 or not given:
        means = (
            f"{len(matches)} {kind}s"
            if matches
            else f"no run that may be taken{list_reasons(left_out)}"
        )
        digits = SHOWN_DIGITS if kind == "commit" else None
        one_of = ", ".join(full[:digits] for full in sorted(known))
        expected = f"expected one of {one_of}" if known else f"no run has a {kind}"
        raise UsageError(f"--{kind}: found {shown(given)}, which means {means}; {expected}")
    return matches[0]


def _nothing_selected(left_out: Mapping[str, int]) -> UsageError:
    return UsageError(
        f"no run may be taken into a baseline{list_reasons(left_out) or ': there is none'}. Fix: "
        "commit the project's changes (untracked files do not count), then run `pytest benchmarks`"
    )


def list_reasons(left_out: Mapping[str, int]) -> str:
    """How many runs were left out for which reasons, in brackets; empty if none was."""
    parts = [f"{count} {why}" for why, count in left_out.items()]
    return f" ({', '.join(parts)})" if parts else ""
