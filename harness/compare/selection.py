"""Which runs may be in a baseline: those that ended ok, and beside them those that failed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.compare import averaged_runs
from harness.errors import UsageError
from harness.records.cells import Cell, cells, names_of
from harness.records.schema import Record
from harness.text.names import unknown
from harness.text.values import shown


@dataclass(frozen=True)
class Selection:
    """Runs that may be in a baseline, all of one commit: one per seed and cell, and what failed.

    Of each cell at least one run ended ok.
    """

    records: tuple[Record, ...]
    commit: str
    left_out: Mapping[str, int]  # why, and how many runs

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
    """Those of `records` that may be in a baseline: of a clean tree, at one known commit.

    Runs that failed are among them, beside one of their cell that ended ok: how often runs go wrong
    is compared as their scores are. So are those at their floor, which a profile may let fail.
    `commit` may be cut short; None: the newest such run's. `cell`: of the cell of that name alone.
    `refused` are ids of runs that ended ok and whose tests failed, for a reason of the tests' own.
    Raises `UsageError` where none is left, or a name is unknown or means two things.
    """
    records = list(records)
    if records and cell is not None:
        records = of_cell(records, cell)
    reasons = {
        record.id: "whose test failed" if _is_refused(record, refused) else _why_unfit(record)
        for record in records
    }
    left_out = Counter(why for why in reasons.values() if why)
    fit = [record for record in records if not reasons[record.id]]
    ended = [record for record in fit if record.status == "ok"]
    if not ended:
        left_out["that failed"] += len(fit)
        raise _nothing(+left_out)
    newest = commit_of(max(ended, key=lambda record: (record.created, record.id)))
    full = newest if commit is None else _full(commit, sorted({*map(commit_of, ended)}), left_out)
    same = [record for record in fit if commit_of(record) == full]
    found = cells(same)
    taken = tuple(record for cell in found if cell.ok for record in kept(cell))
    without = [
        record for cell in found if not cell.ok for record in (*cell.records, *cell.replaced)
    ]
    left_out["of another commit"] += len(fit) - len(same)
    left_out["of a cell without an ok run"] += len(without)
    left_out["of a seed that has another run"] += len(same) - len(taken) - len(without)
    return Selection(taken, full, +left_out)


def kept(cell: Cell) -> list[Record]:
    """What a baseline keeps of a cell: a run per seed, and those that went wrong before it."""
    ids = {run.id for run in cell.records}
    return [*cell.records, *(run for run in averaged_runs.went_wrong(cell) if run.id not in ids)]


def _is_refused(record: Record, refused: Collection[str]) -> bool:
    return record.id in refused and "at_floor" not in record.flags


def commit_of(record: Record) -> str:
    """The commit of glue-bench that a run was computed by; empty if that is not known."""
    return str(record.environment.get("commit") or "")


def _why_unfit(record: Record) -> str | None:
    if record.status == "skipped":
        return "skipped"
    if not commit_of(record):
        return "of an unknown commit"
    return None if record.environment.get("dirty") is False else "of a dirty tree"


def of_cell(records: Sequence[Record], cell: str) -> list[Record]:
    """The runs of the cell of that name. Raises `UsageError` where there is none, or several."""
    found = [record for record in records if record.combination.name == cell]
    if not found:
        raise UsageError(unknown("cell", cell, names_of(records)))
    if len(models := sorted({record.case.model for record in found})) > 1:
        raise UsageError(
            f"cell {cell}: runs of several models have that name: {', '.join(models)}. Mend: keep "
            "these models apart, in results folders and baselines of their own"
        )
    return found


def _full(commit: str, known: Sequence[str], left_out: Mapping[str, int]) -> str:
    found = [full for full in known if full.startswith(commit.lower())]
    if len(found) != 1 or not commit:
        means = f"{len(found)} commits" if found else f"no run that may be taken{_said(left_out)}"
        raise UsageError(
            f"--commit: found {shown(commit)}, which means {means}; expected one of "
            f"{', '.join(full[:12] for full in known)}"
        )
    return found[0]


def _nothing(left_out: Mapping[str, int]) -> UsageError:
    return UsageError(
        f"no run may be taken into a baseline{_said(left_out) or ': there is none'}. Mend: commit "
        "what is changed, and run `pytest benchmarks` from a git checkout of glue-bench"
    )


def _said(left_out: Mapping[str, int]) -> str:
    parts = [f"{count} {why}" for why, count in left_out.items()]
    return f" ({', '.join(parts)})" if parts else ""
