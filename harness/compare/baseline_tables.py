"""Baselines and their changes as the terminal shows them."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from harness.compare import averaged_runs
from harness.compare.baselines import ENOUGH_SEEDS, Baseline
from harness.compare.history import BaselineChange
from harness.compare.selection import commit_of
from harness.errors import StorageError
from harness.records.cells import Cell, by_source, cells, where
from harness.records.schema import Record
from harness.tables.columns import MODEL, RECIPE, TARGET, TASK, figures, words
from harness.tables.table import MISSING, WIDTH, Figure, Table

OVERVIEW = (
    *words("baseline"),
    *figures("cells", "runs", "fewest seeds"),
    *words("commit", "last change"),
    *figures("when"),
)
PER_CELL = (
    *(TASK, MODEL, TARGET, RECIPE),
    *figures("score", "n", "wrong"),
    *words("commit"),
)
_fill = partial(textwrap.fill, width=WIDTH, break_on_hyphens=False)


def overview(root: Path, baselines: Mapping[str, Baseline | StorageError]) -> Table:
    """One line per baseline, by name; one that could not be read is shown as corrupt."""
    rows = [
        _overview_row(name, baseline)
        if isinstance(baseline, Baseline)
        else (name, *[MISSING] * 4, "corrupt", MISSING)
        for name, baseline in baselines.items()
    ]
    return Table(f"Baselines of {root}", OVERVIEW, tuple(rows))


def describe_size(baseline: Baseline) -> str:
    """How many cells and runs it has, how many went wrong, and whether there are too few seeds."""
    seeds = _ok_seeds(baseline)
    lines = [f"{baseline.folder}: cells: {len(seeds)}, runs: {len(baseline.records)}"]
    if wrong := sum(len(averaged_runs.went_wrong(cell)) for cell in cells(baseline.records)):
        lines.append(f"runs that went wrong (counted, not averaged): {wrong}")
    if few := sum(count < ENOUGH_SEEDS for count in seeds):
        lines.append(
            f"few seeds: cells with fewer than {ENOUGH_SEEDS}: {few}, the fewest: {min(seeds)}; "
            f"the gate is wrong more often than docs/gate.md states for {ENOUGH_SEEDS} or more"
        )
    return "\n".join(map(_fill, lines))


def acceptance_notes(baseline: Baseline) -> dict[str, str]:
    """What a comparison says about cells that were accepted, by the cells' names."""
    return {
        cell: f"accepted on {change.created:%Y-%m-%d}: {change.reason}"
        for cell, change in baseline.accepted.items()
    }


def describe_change(change: BaselineChange) -> str:
    """A change in a few lines."""
    parts = []
    if change.cells:
        branch = f" on {change.branch}" if change.branch else ""
        parts.append(
            f"took runs of commit {change.commit or ''}{branch}: {', '.join(change.cells)}"
        )
    if change.gone:
        parts.append(f"removed: {', '.join(change.gone)}")
    first = f"{change.number}. {change.created:%Y-%m-%d} {change.kind}: {change.reason}"
    indent = "   "
    filled = [_fill(part, initial_indent=indent, subsequent_indent=indent) for part in parts]
    return "\n".join([_fill(first, subsequent_indent=indent), *filled])


def cell_tables(baseline: Baseline) -> list[Table]:
    """One table per source of rows: score, seeds and commit of each cell."""
    return [
        Table(
            f"Baseline {baseline.name} on {where(records[0].source)}",
            PER_CELL,
            tuple(_cell_row(cell, baseline) for cell in cells(records)),
        )
        for records in by_source(baseline.records)
    ]


def _cell_row(cell: Cell, baseline: Baseline) -> tuple[str, ...]:
    return (
        cell.task,
        cell.model,
        cell.target,
        cell.recipe,
        score(cell),
        str(len(cell.scores)),
        _wrong(cell, baseline),
        _commit(cell.records),
    )


def _overview_row(name: str, baseline: Baseline) -> tuple[str, ...]:
    seeds, last = _ok_seeds(baseline), baseline.last
    counts = map(str, (len(seeds), len(baseline.records), min(seeds)))
    change = f"{last.number} {last.kind}"
    return (name, *counts, _commit(baseline.records), change, f"{last.created:%Y-%m-%d}")


def _wrong(cell: Cell, baseline: Baseline) -> str:
    """How many runs went wrong; "or more" if failed runs were left out when it was saved."""
    count = len(averaged_runs.went_wrong(cell))
    return f"{count} or more" if cell.name in baseline.cells_without_failed else str(count)


def _ok_seeds(baseline: Baseline) -> list[int]:
    """The number of ok runs of each cell."""
    return [len(cell.ok) for cell in cells(baseline.records)]


def _commit(records: Sequence[Record]) -> str:
    commits = {commit_of(record)[:7] for record in records}
    return commits.pop() if len(commits) == 1 else f"{len(commits)} commits"


def score(cell: Cell) -> str:
    """A cell's mean score as a table shows it, with the standard deviation of several runs."""
    return str(Figure(cell.mean, sd=cell.sd))
