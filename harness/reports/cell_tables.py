"""A board's cells as tables, one line each: for the end of a session, and for a report."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from harness.catalog import tasks
from harness.records.cells import Cell, CheckedRows
from harness.records.flags import CONTAMINATED, FLAGS
from harness.records.revisions import by_revision
from harness.records.schema import ModelRecord, Record, Timing
from harness.reports import averages, score_basis
from harness.reports.boards import Board, Row, boards
from harness.spec import Provenance
from harness.tables.columns import (
    MODEL,
    RECIPE,
    STATUS,
    TARGET,
    TASK,
    Column,
    figures,
    scores,
    words,
)
from harness.tables.table import (
    COUNT,
    MB,
    MILLIONS,
    MISSING,
    PER_SECOND,
    SECONDS,
    SMALL_MB,
    Figure,
    Table,
    TableValue,
)

AXES = (MODEL, TARGET, RECIPE)
GLUE = averages.AVERAGES["GLUE-9"]
OWN = "GLUE's own"
COUNTED = "GLUE's in number alone (texts not checked)"
OTHERS = "a part of GLUE's, or others,"
CHECKED = (OWN, f"a part of {OWN}", COUNTED, f"a part of {COUNTED}", OTHERS)
"""What notes say of rows: how far they were checked, and whether they are all."""
FIGURES = (
    "score: mean over ok runs of the mean of the metrics, x 100, ± standard deviation between "
    "seeds; n: seeds with an ok run, of which the newest counts; collapsed: how many of them "
    "predict one class; floor: the best constant predictor's score; train s, ex/s, MB: medians of "
    "the training time in seconds, of examples per second and of the peak memory in MiB; trained "
    "M: millions of parameters that training may change; saved MB: their size, which a task adds "
    "to a disk that has the checkpoint"
)


@dataclass(frozen=True)
class CellLine:
    """A line of a table of cells, with what depends on the table's other lines."""

    cell: Cell
    task: str  # the name of its column on the board
    model: str  # told apart from others of that name
    common: frozenset[str] = frozenset()  # flags of every run in the table, said once below it
    has_marks: bool = True  # its score is followed by the marks of its flags

    @property
    def costs(self) -> list[Timing]:
        """The times of its ok runs."""
        return [record.timing for record in self.cell.ok if record.timing]

    @property
    def models(self) -> list[ModelRecord]:
        """What its ok runs recorded of their networks."""
        return [record.model for record in self.cell.ok if record.model]


SCORE, N, FLOOR, TRAIN_S, SPEED, MEMORY = figures("score", "n", "floor", "train s", "ex/s", "MB")
MEDIAN, COLLAPSED, TRAINED, SAVED = figures("median", "collapsed", "trained M", "saved MB")
(METRICS,) = words("metrics")
CELL_COLUMNS: Mapping[Column, Callable[[CellLine], TableValue]] = {
    TASK: lambda line: line.task,
    METRICS: lambda line: "+".join(score_basis.of(line.cell).metrics),
    MODEL: lambda line: line.model,
    TARGET: lambda line: line.cell.target,
    RECIPE: lambda line: line.cell.recipe,
    SCORE: lambda line: _score(line.cell, with_mark=line.has_marks),
    MEDIAN: lambda line: Figure(median(line.cell.scores)),
    N: lambda line: Figure(len(line.cell.scores), COUNT),
    COLLAPSED: lambda line: Figure(
        line.cell.states.get("collapsed", 0), COUNT, of=len(line.cell.ok)
    ),
    FLOOR: lambda line: Figure(median(record.floor for record in line.cell.ok)),
    TRAIN_S: lambda line: Figure(median(timing.train_s for timing in line.costs), SECONDS),
    SPEED: lambda line: Figure(median(timing.examples_per_s for timing in line.costs), PER_SECOND),
    MEMORY: lambda line: Figure(median(_peaks(line.cell)), MB),
    TRAINED: lambda line: Figure(median(m.trained_parameters for m in line.models), MILLIONS),
    SAVED: lambda line: Figure(median(m.saved_bytes for m in line.models), SMALL_MB),
    STATUS: lambda line: _status(line.cell, line.common),
}
"""The columns of tables of cells, and what stands in each."""
SUMMARY_COLUMNS = (SCORE, N, FLOOR, TRAIN_S, SPEED, MEMORY, STATUS)


def every_figure(board: Board) -> Table:
    """A line per cell: score, median, collapsed runs, floor, speed, memory, flags, and a legend."""
    lines = [
        CellLine(cell, task, model)
        for (cell, task), model in zip(board.placed, board.model_names, strict=True)
    ]
    return Table(
        title=f"Cells on {board.title}",
        columns=tuple(CELL_COLUMNS),
        rows=_rows(CELL_COLUMNS, lines),
        notes=(FIGURES, *legend(board.cells), *whose_rows(board.cells), *mixed_code(board.cells)),
    )


def in_brief(board: Board) -> Table:
    """A line per cell, in 80 columns.

    A model, target, recipe or flag that all lines share is named once, outside the table. So are
    the recipes of several models that have one recipe each.
    """
    found = board.cells
    common = frozenset(
        flag for flag in FLAGS if all(c.states.get(flag) == len(c.records) for c in found)
    )
    lines = [
        CellLine(cell, task, cell.model, common, has_marks=False) for cell, task in board.placed
    ]
    axes = {axis: dict.fromkeys(str(CELL_COLUMNS[axis](line)) for line in lines) for axis in AXES}
    shown = [axis for axis, values in axes.items() if len(values) > 1]
    recipes = _recipe_of_each_model(found) if {MODEL, RECIPE} <= {*shown} else []
    shown = [axis for axis in shown if axis is not RECIPE or not recipes]
    said = [
        f"recipe {value}" if axis is RECIPE else value
        for axis, values in axes.items()
        for value in values
        if len(values) == 1
    ]
    made = (TASK, *shown, *SUMMARY_COLUMNS)
    return Table(
        title=", ".join([f"Results on {board.title}", *said]),
        columns=made,
        rows=_rows(made, lines),
        notes=(*recipes, *legend(found, common), *whose_rows(found), *mixed_code(found)),
    )


def _rows(made: Iterable[Column], lines: Sequence[CellLine]) -> tuple[tuple[TableValue, ...], ...]:
    fills = [CELL_COLUMNS[column] for column in made]
    return tuple(tuple(fill(line) for fill in fills) for line in lines)


def _recipe_of_each_model(found: Sequence[Cell]) -> list[str]:
    """A line that names the recipe of each model; none if a model has several."""
    pairs = dict.fromkeys((cell.recipe, cell.model) for cell in found)
    if len(pairs) > len({model for _, model in pairs}):
        return []
    models: dict[str, list[str]] = defaultdict(list)
    for recipe, model in pairs:
        models[recipe].append(model)
    models.pop(MISSING, None)
    said = "; ".join(f"{recipe} for {', '.join(named)}" for recipe, named in models.items())
    return [f"recipes: {said}"]


def pivot(board: Board) -> Table:
    """Models and targets by task, with GLUE-9 if all nine tasks are there; in 80 columns."""
    present = [name for name in board.columns if any(name in row.cells for row in board.rows)]
    whole = {*present} >= {*tasks.GLUE_9}
    several = len({row.recipe for row in board.rows}) > 1
    axes = AXES if several else AXES[:2]
    rows = tuple(
        (
            row.name,
            row.target,
            *([row.recipe] if several else []),
            *(_score(row.cells.get(name), with_sd=False) for name in present),
            *([_average(row)] if whole else []),
        )
        for row in board.rows
    )
    return Table(
        title=f"Scores x 100 on {board.title}",
        columns=(*axes, *scores(*present), *(figures(GLUE.name) if whole else ())),
        rows=rows,
        notes=(
            *([f"{GLUE.name}: {GLUE.definition}"] if whole else []),
            *_contaminated(board.cells),
        ),
    )


def summary(records: Sequence[Record]) -> str:
    """The text at a session's end: its cells and, if several tasks ran, scores by task."""
    parts = []
    for board in boards(records):
        first, second = in_brief(board), pivot(board)
        parts.append(first.text())
        if len({*board.columns}.intersection(second.header)) > 1:
            unsaid = tuple(note for note in second.notes if note not in first.notes)
            parts.append(replace(second, notes=unsaid).text())
    return "\n\n".join(parts)


def legend(found: Sequence[Cell], shared: Iterable[str] = ()) -> list[str]:
    """The meaning of each flag that some cell has; flags of every run are in `shared`."""
    return [
        f"{name}{' (every run)' if name in shared else ''}: {flag.meaning}"
        for name, flag in FLAGS.items()
        if any(name in cell.states for cell in found)
    ]


def mixed_code(found: Iterable[Cell]) -> list[str]:
    """A note if figures are means over runs of different commits, with the commits of each cell."""
    mixed = []
    for cell in found:
        revisions = [each for each in by_revision(cell.records) if each.commit]
        codes = [*dict.fromkeys(each.code for each in revisions)]
        if len(codes) > 1:
            more = f" and {len(codes) - MOST_CODES} more" if len(codes) > MOST_CODES else ""
            mixed.append(f"{cell.name} ({', '.join(codes[:MOST_CODES])}{more})")
    if not mixed:
        return []
    rest = f" and {len(mixed) - MOST_MIXED} more cells" if len(mixed) > MOST_MIXED else ""
    return [f"averaged over runs of different commits: {'; '.join(mixed[:MOST_MIXED])}{rest}"]


MOST_CODES, MOST_MIXED = 3, 5  # commits of a cell, and cells, that the note names


def whose_rows(found: Iterable[Cell]) -> list[str]:
    """Which tasks were trained and scored on GLUE's official rows, and which on others."""
    notes = []
    for kind in ("training", "dev"):
        pairs = dict.fromkeys((c.task, _said(c.checked_rows.get(kind))) for c in found)
        said = [
            f"{words} for {', '.join(named)}"
            for words in CHECKED
            if (named := [task for task, held in pairs if held == words])
        ]
        notes += [f"{kind} rows: {'; '.join(said)}"] if said else []
    return notes


def _said(rows: CheckedRows | None) -> str:
    """What is known of rows, as notes say it; "" if nothing is."""
    if rows is None:
        return ""
    if rows.provenance is Provenance.other:
        return OTHERS
    words = OWN if rows.provenance is Provenance.official else COUNTED
    return words if rows.is_whole else f"a part of {words}"


def median(values: Iterable[float | None]) -> float | None:
    """The median of the values that are not None; None if all are."""
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def _contaminated(found: Iterable[Cell]) -> list[str]:
    cells_of = [cell for cell in found if cell.is_contaminated]
    named = dict.fromkeys(f"{cell.task} of {cell.model}" for cell in cells_of)
    flag = FLAGS[CONTAMINATED]
    said = f"{flag.mark} {CONTAMINATED} ({flag.meaning})"
    return [f"{said}: {', '.join(named)}"] if named else []


def _score(cell: Cell | None, *, with_sd: bool = True, with_mark: bool = True) -> Figure:
    if cell is None:
        return Figure(None)
    mark = cell.mark if with_mark and cell.mean is not None else ""
    return Figure(cell.mean, sd=cell.sd if with_sd else None, mark=mark)


def _average(row: Row) -> Figure:
    """GLUE-9, with a mark if it includes a contaminated score."""
    value = averages.of(GLUE, row.sheet)
    return Figure(
        value, mark=FLAGS[CONTAMINATED].mark if row.contaminated and value is not None else ""
    )


def _peaks(cell: Cell) -> list[int | None]:
    return [record.memory.peak_memory_bytes for record in cell.ok if record.memory]


def _status(cell: Cell, shared: Iterable[str] = ()) -> str:
    """How a cell's runs ended, and their flags."""
    total = len(cell.records)
    parts = ["ok"] if cell.ok else []
    for state, count in cell.states.items():
        if state not in shared:
            parts.append(state if count == total else f"{state} {count}/{total}")
    return " ".join(parts)
