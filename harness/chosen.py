"""Which runs may be in a baseline."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.cells import cells, name_of, names_of
from harness.errors import UsageError, shown
from harness.names import unknown
from harness.records import Record


@dataclass(frozen=True)
class Chosen:
    """Runs that may be in a baseline, all of one commit, one per seed and cell; at least one."""

    records: tuple[Record, ...]
    commit: str
    left_out: Mapping[str, int]  # why, and how many runs

    @property
    def cells(self) -> tuple[str, ...]:
        """The names of their cells."""
        return names_of(self.records)


def chosen(
    records: Iterable[Record],
    commit: str | None = None,
    cell: str | None = None,
    refused: Collection[str] = (),
) -> Chosen:
    """Those of `records` that may be in a baseline: ok, of a clean tree, at one known commit.

    `commit` may be cut short; None: the newest such run's. `cell`: of the cell of that name alone.
    `refused` are ids of runs that ended ok and whose tests failed, for a reason of the tests' own.
    Raises `UsageError` where none is left, or a name is unknown or means two things.
    """
    records = list(records)
    if records and cell is not None:
        records = of_cell(records, cell)
    reasons = {
        record.id: "whose test failed" if record.id in refused else _why_unfit(record)
        for record in records
    }
    left_out = Counter(why for why in reasons.values() if why)
    fit = [record for record in records if not reasons[record.id]]
    if not fit:
        raise _nothing(left_out)
    newest = commit_of(max(fit, key=lambda record: (record.created, record.id)))
    full = newest if commit is None else _full(commit, sorted({*map(commit_of, fit)}), left_out)
    same = [record for record in fit if commit_of(record) == full]
    taken = tuple(record for cell in cells(same) for record in cell.records)
    left_out["of another commit"] += len(fit) - len(same)
    left_out["run again later"] += len(same) - len(taken)
    return Chosen(taken, full, +left_out)


def commit_of(record: Record) -> str:
    """The commit of glue-bench that a run was computed by; empty if that is not known."""
    return str(record.environment.get("commit") or "")


def _why_unfit(record: Record) -> str | None:
    if record.status != "ok":
        return "not ok"
    if not commit_of(record):
        return "of an unknown commit"
    return None if record.environment.get("dirty") is False else "of a dirty tree"


def of_cell(records: Sequence[Record], cell: str) -> list[Record]:
    """The runs of the cell of that name. Raises `UsageError` where there is none, or several."""
    found = [record for record in records if name_of(record) == cell]
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
