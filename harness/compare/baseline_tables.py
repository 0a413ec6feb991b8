"""Baselines and their acts as the terminal shows them."""

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
    *words("commit", "last act"),
    *figures("when"),
)
PER_CELL = (
    *(TASK, MODEL, TARGET, RECIPE),
    *figures("score", "n", "wrong"),
    *words("commit"),
)
_fill = partial(textwrap.fill, width=WIDTH, break_on_hyphens=False)


def overview(root: Path, found: Mapping[str, Baseline | StorageError]) -> Table:
    """A line per baseline, by name; one that could not be read is corrupt."""
    rows = [
        _row(name, one) if isinstance(one, Baseline) else (name, *[MISSING] * 4, "corrupt", MISSING)
        for name, one in found.items()
    ]
    return Table(f"Baselines of {root}", OVERVIEW, tuple(rows))


def size(baseline: Baseline) -> str:
    """How many cells and runs it has, how many went wrong, and whether seeds are few."""
    seeds = _seeds(baseline)
    said = f"{baseline.folder}: cells: {len(seeds)}, runs: {len(baseline.records)}"
    lines = [said]
    if wrong := sum(len(averaged_runs.went_wrong(cell)) for cell in cells(baseline.records)):
        lines.append(f"of these went wrong, and are counted beside the others: {wrong}")
    if few := sum(count < ENOUGH_SEEDS for count in seeds):
        lines.append(
            f"few seeds: cells with fewer than {ENOUGH_SEEDS}: {few}, the fewest: {min(seeds)}; "
            f"the gate's error rates are stated for {ENOUGH_SEEDS} or more"
        )
    return "\n".join(map(_fill, lines))


def notes(baseline: Baseline) -> dict[str, str]:
    """What a comparison says of cells that were accepted, by their names."""
    return {
        cell: f"accepted on {act.created:%Y-%m-%d}: {act.reason}"
        for cell, act in baseline.accepted.items()
    }


def told(act: BaselineChange) -> str:
    """An act in a few lines."""
    parts = []
    if act.cells:
        on = f", on {act.branch}" if act.branch else ""
        parts.append(f"took, of commit {act.commit or ''}{on}: {', '.join(act.cells)}")
    if act.gone:
        parts.append(f"took out: {', '.join(act.gone)}")
    first = f"{act.number}. {act.created:%Y-%m-%d} {act.act}: {act.reason}"
    indent = "   "
    return "\n".join([
        _fill(first, subsequent_indent=indent),
        *(_fill(part, initial_indent=indent, subsequent_indent=indent) for part in parts),
    ])  # fmt: skip


def per_cell(baseline: Baseline) -> list[Table]:
    """A table for each source of rows: score, seeds and commit of each cell."""
    tables = []
    for board in by_source(baseline.records):
        rows = tuple(
            (
                c.task,
                c.model,
                c.target,
                c.recipe,
                score(c),
                str(len(c.scores)),
                _wrong(c, baseline),
                _commit(c.records),
            )
            for c in cells(board)
        )
        tables.append(
            Table(f"Baseline {baseline.name} on {where(board[0].source)}", PER_CELL, rows)
        )
    return tables


def _row(name: str, baseline: Baseline) -> tuple[str, ...]:
    seeds, last = _seeds(baseline), baseline.last
    counts = map(str, (len(seeds), len(baseline.records), min(seeds)))
    act = f"{last.number} {last.act}"
    return (name, *counts, _commit(baseline.records), act, f"{last.created:%Y-%m-%d}")


def _wrong(cell: Cell, baseline: Baseline) -> str:
    """How many runs went wrong; at least so many, if those that failed were left out."""
    count = len(averaged_runs.went_wrong(cell))
    return f"{count} or more" if cell.name in baseline.ok_alone else str(count)


def _seeds(baseline: Baseline) -> list[int]:
    return [len(cell.ok) for cell in cells(baseline.records)]


def _commit(records: Sequence[Record]) -> str:
    found = {commit_of(record)[:7] for record in records}
    return found.pop() if len(found) == 1 else f"{len(found)} commits"


def score(cell: Cell) -> str:
    """A cell's mean score and, of several runs, its standard deviation, as a table shows them."""
    return str(Figure(cell.mean, sd=cell.sd))
