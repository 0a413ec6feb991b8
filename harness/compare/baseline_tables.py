"""Baselines and their changes as the terminal shows them."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from harness.compare import averaged_runs
from harness.compare.baselines import ENOUGH_SEEDS, Baseline
from harness.compare.manifest import BaselineChange
from harness.compare.selection import Selection, session_of
from harness.errors import StorageError
from harness.records.cells import Cell, by_source, cells, where
from harness.records.revisions import ID_DIGITS, commit_of
from harness.records.schema import Record
from harness.spec import Combination
from harness.tables.columns import MODEL, RECIPE, TARGET, TASK, figures, words
from harness.tables.table import MISSING, WIDTH, Figure, Table
from harness.text.values import plain

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
MOST_NAMED = 3  # sessions or cells on one line
INDENT = "   "
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
    if other := baseline.other_files:
        lines.append(
            f"files in runs/ that are no part of it: {len(other)}, such as {plain(other[0])}: a "
            "change was cut off, or somebody put them there. Fix: move them away"
        )
    if few := sum(count < ENOUGH_SEEDS for count in seeds):
        lines.append(
            f"few seeds: cells with fewer than {ENOUGH_SEEDS}: {few}, the fewest: {min(seeds)}; "
            "the gate is wrong more often than docs/error-rates.md states for "
            f"{ENOUGH_SEEDS} or more"
        )
    return "\n".join(map(_fill, lines))


def acceptance_notes(baseline: Baseline) -> dict[str, str]:
    """What a comparison says about cells that were accepted, by the cells' names."""
    return {
        cell: f"accepted on {change.created:%Y-%m-%d}: {change.reason}"
        for cell, change in baseline.accepted.items()
    }


def describe_change(number: int, change: BaselineChange) -> str:
    """A change in a few lines."""
    parts = []
    if change.cells:
        parts.append(f"took runs of {_code(change)}: {', '.join(change.cells)}")
    if change.gone:
        parts.append(f"removed: {', '.join(change.gone)}")
    first = f"{number}. {change.created:%Y-%m-%d} {change.kind}: {change.reason}"
    return "\n".join([_fill(first, subsequent_indent=INDENT), *map(_indented, parts)])


def _code(change: BaselineChange) -> str:
    """Which code computed the runs of a change."""
    by = f" by glue-bench {change.glue_bench}" if change.glue_bench else ""
    if change.commit:
        branch = f" on {change.branch}" if change.branch else ""
        return f"commit {change.commit}{branch}{by}"
    return f"session {change.session}{by} (no repository, so no commit tells which code ran)"


def describe_selection(selection: Selection) -> str:
    """What was taken, per source of rows; and what to know about these runs."""
    lines = []
    for records in by_source(selection.records):
        seeds = sorted({record.case.seed for record in records})
        sessions = sorted({*map(session_of, records)})
        lines.append(
            f"{where(records[0].source)}: cells: {len(cells(records))}, runs: {len(records)}, "
            f"seeds: {_ranges(seeds)}, sessions: {first(sessions)}"
        )
    shared = sum("shared_cores" in record.flags for record in selection.records)
    if shared:
        lines.append(f"runs beside others (--glue-jobs), so without comparable times: {shared}")
    mixed = [cell.name for cell in cells(selection.records) if len(_threads(cell)) > 1]
    if mixed:
        lines.append(
            f"cells with runs of different numbers of threads, so without comparable times: "
            f"{', '.join(mixed)}. Fix: --session ID takes the runs of one session"
        )
    lines += [f"left out: {count} {why}" for why, count in selection.left_out.items()]
    return "\n".join(map(_indented, lines))


def describe_difference(before: Baseline | None, after: Baseline) -> str:
    """The cells that a change added, replaced, extended or removed, a line each."""
    old, new = (_by_combination(side) for side in (before, after))
    lines = []
    for combination in {**old, **new}:
        then, now = old.get(combination, []), new.get(combination, [])
        was, is_now = ({run.id for run in _runs(side)} for side in (then, now))
        if not then or not now:
            lines += [
                f"{'added' if now else 'removed'}: {_described(cell)}" for cell in now or then
            ]
        elif was < is_now:
            lines += [f"extended: {_described(cell)}" for cell in now]
        elif was != is_now:
            sides = (" and ".join(map(_described, side)) for side in (then, now))
            lines.append("replaced: {} by {}".format(*sides))
    return "\n".join(map(_indented, lines))


def _by_combination(baseline: Baseline | None) -> dict[Combination, list[Cell]]:
    found: dict[Combination, list[Cell]] = {}
    for cell in cells(baseline.records) if baseline else ():
        found.setdefault(cell.combination, []).append(cell)
    return found


def _runs(side: Sequence[Cell]) -> list[Record]:
    return [run for cell in side for run in (*cell.records, *cell.replaced)]


def _described(cell: Cell) -> str:
    """A cell with what tells it from others of its name."""
    source = where(cell.records[0].source)
    count = len(cell.records)
    runs = f"{count} run{'s' * (count != 1)}"
    return f"{cell.name} (recipe {plain(cell.recipe)}, {source}, {runs})"


def _threads(cell: Cell) -> set[int | None]:
    return {run.threads for run in cell.records}


def first(names: Sequence[str]) -> str:
    """The first few of the names, and how many more there are."""
    more = len(names) - MOST_NAMED
    return ", ".join(map(plain, names[:MOST_NAMED])) + (f" and {more} more" if more > 0 else "")


def _ranges(seeds: Sequence[int]) -> str:
    """Sorted numbers as people write them: `42-46, 50`."""
    parts: list[list[int]] = []
    for seed in seeds:
        if parts and seed == parts[-1][-1] + 1:
            parts[-1].append(seed)
        else:
            parts.append([seed])
    return ", ".join(f"{p[0]}-{p[-1]}" if len(p) > 1 else f"{p[0]}" for p in parts)


def _indented(text: str) -> str:
    return _fill(text, initial_indent=INDENT, subsequent_indent=INDENT)


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
        str(len(averaged_runs.went_wrong(cell))),
        _commit(cell.records),
    )


def _overview_row(name: str, baseline: Baseline) -> tuple[str, ...]:
    seeds, last = _ok_seeds(baseline), baseline.last
    counts = map(str, (len(seeds), len(baseline.records), min(seeds)))
    change = f"{len(baseline.changes)} {last.kind}"
    return (name, *counts, _commit(baseline.records), change, f"{last.created:%Y-%m-%d}")


def _ok_seeds(baseline: Baseline) -> list[int]:
    """The number of ok runs of each cell."""
    return [len(cell.ok) for cell in cells(baseline.records)]


def _commit(records: Sequence[Record]) -> str:
    commits = {(commit_of(record) or "none")[:ID_DIGITS] for record in records}
    return commits.pop() if len(commits) == 1 else f"{len(commits)} commits"


def score(cell: Cell) -> str:
    """A cell's mean score as a table shows it, with the standard deviation of several runs."""
    return str(Figure(cell.mean, sd=cell.sd))
