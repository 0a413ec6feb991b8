"""Which runs may be in a baseline: those that ended ok, and failed runs of the same cells."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.compare import averaged_runs
from harness.errors import UsageError
from harness.records.cells import Cell, cells, names_of
from harness.records.flags import Spoils, that_spoil
from harness.records.schema import Record
from harness.text.names import unknown
from harness.text.values import shown

FAIL_TESTS = frozenset(that_spoil(Spoils.TEST))


@dataclass(frozen=True)
class Selection:
    """Runs of one commit that may be in a baseline. Each of their cells has a run that ended ok.

    There is one run per seed and cell, and beside it any earlier run of the seed that went wrong.
    """

    records: tuple[Record, ...]
    commit: str
    left_out: Mapping[str, int]  # the reason, and how many runs it excluded

    @property
    def cells(self) -> tuple[str, ...]:
        """The names of their cells."""
        return names_of(self.records)


def select(
    records: Iterable[Record],
    commit: str | None = None,
    cell: str | None = None,
    refused: Collection[str] = (),
) -> Selection:
    """Those of `records` that may be in a baseline: from a clean tree, of one known commit.

    Failed runs are selected if another run of their cell ended ok, since the gate also compares how
    often runs go wrong. So are runs at their floor, whose tests a profile may let fail.

    `commit` may be abbreviated; None: the newest ok run's. `cell` limits the selection to the cell
    of that name. `refused` has the ids of runs that ended ok and whose tests failed, for a reason
    of the tests' own. Raises `UsageError` if no run is left, or a name is unknown or ambiguous.
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
    newest = commit_of(max(ok, key=lambda record: (record.created, record.id)))
    full = newest if commit is None else _full_id(commit, sorted({*map(commit_of, ok)}), left_out)
    of_commit = [record for record in fit if commit_of(record) == full]
    all_cells = cells(of_commit)
    taken = tuple(run for one_cell in all_cells if one_cell.ok for run in runs_to_keep(one_cell))
    without_ok = sum(
        len(one_cell.records) + len(one_cell.replaced) for one_cell in all_cells if not one_cell.ok
    )
    left_out["of another commit"] += len(fit) - len(of_commit)
    left_out["of a cell without an ok run"] += without_ok
    left_out["of a seed that has another run"] += len(of_commit) - len(taken) - without_ok
    return Selection(taken, full, +left_out)


def runs_to_keep(cell: Cell) -> list[Record]:
    """A cell's runs that a baseline keeps: one per seed, and earlier ones that went wrong."""
    ids = {run.id for run in cell.records}
    return [*cell.records, *(run for run in averaged_runs.went_wrong(cell) if run.id not in ids)]


def _is_refused(record: Record, refused: Collection[str]) -> bool:
    return record.id in refused and not FAIL_TESTS & set(record.flags)


def commit_of(record: Record) -> str:
    """The commit of glue-bench that computed a run; empty if it is not known."""
    return str(record.environment.get("commit") or "")


def _why_unfit(record: Record) -> str | None:
    if record.status == "skipped":
        return "skipped"
    if not commit_of(record):
        return "of an unknown commit"
    return None if record.environment.get("dirty") is False else "of a dirty tree"


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


def _full_id(commit: str, known: Sequence[str], left_out: Mapping[str, int]) -> str:
    matches = [full for full in known if full.startswith(commit.lower())]
    if len(matches) != 1 or not commit:
        means = (
            f"{len(matches)} commits"
            if matches
            else f"no run that may be taken{_list_reasons(left_out)}"
        )
        raise UsageError(
            f"--commit: found {shown(commit)}, which means {means}; expected one of "
            f"{', '.join(full[:12] for full in known)}"
        )
    return matches[0]


def _nothing_selected(left_out: Mapping[str, int]) -> UsageError:
    return UsageError(
        f"no run may be taken into a baseline{_list_reasons(left_out) or ': there is none'}. Fix: "
        "commit your changes, and run `pytest benchmarks` from a git checkout of glue-bench"
    )


def _list_reasons(left_out: Mapping[str, int]) -> str:
    parts = [f"{count} {why}" for why, count in left_out.items()]
    return f" ({', '.join(parts)})" if parts else ""
