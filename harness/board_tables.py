"""A board as tables: models by tasks, and the averages that have a name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from statistics import fmean

from harness import averages, more_runs, ranks, tasks
from harness.averages import AVERAGES, Average
from harness.boards import Board, Row, Standing
from harness.cell_tables import AXES, GLUE, legend, metrics_of
from harness.cells import Cell
from harness.tables import CONTAMINATED, POINTS, TASKS, Figure, Table

SHORT = {
    "accuracy": "acc", "f1": "F1", "matthews_correlation": "MCC", "pearson": "Pearson",
    "spearmanr": "Spearman",
}  # fmt: skip


def scores(board: Board) -> Table:
    """A line per model, target and recipe, a column per task: mean ± standard deviation."""
    names = {task: _with_metrics(board, task) for task in _present(board)}
    rows = tuple(
        (
            row.name, row.target, row.recipe,
            *(_score(row.cells.get(task)) for task in names),
        )
        for row in ranked(board)
    )  # fmt: skip
    replaced = board.replaced
    return Table(
        title=f"Scores on {board.title}",
        header=(*AXES, *names.values()),
        rows=rows,
        notes=(
            "Scores x 100: the mean of the metrics that the column names, over ok runs, ± the "
            "standard deviation between seeds.",
            *([f"replaced by newer ones of the same name: {replaced}"] if replaced else []),
            *_contaminated(board),
        ),
        leading=frozenset(names.values()),
    )


def averages_of(board: Board, results: str) -> Table:
    """A line per model, target and recipe, a column per average that has a name.

    A row that lacks a figure has no average, but the ranks that it can have; and a command that
    brings the missing runs into the folder `results`.
    """
    rows = ranked(board)
    sheets = [row.sheet for row in rows]
    columns = [
        [
            Figure(averages.of(average, row.sheet), rank=rank, mark=_mark(row, average))
            for row, rank in zip(rows, ranks.ranks(average, sheets), strict=True)
        ]
        for average in AVERAGES.values()
    ]
    counts = zip(rows, ranks.borda(sheets), ranks.borda_ranks(sheets), strict=True)
    columns.append([
        Figure(count, POINTS, rank=rank, mark=_mark(row, GLUE)) for row, count, rank in counts
    ])  # fmt: skip
    header = (*AVERAGES, "Borda")
    return Table(
        title=f"Averages on {board.title}",
        header=(*AXES, *header, "coverage"),
        rows=tuple(
            (row.name, row.target, row.recipe, *figures, _coverage(row))
            for row, *figures in zip(rows, *columns, strict=True)
        ),
        notes=(
            "Averages x 100, with the rank in brackets; of a row that lacks figures, the best and "
            "the worst rank that it can have, whatever they will be. No average is of fewer terms.",
            *(f"{a.name}: {a.definition}. Source: {a.source}" for a in AVERAGES.values()),
            f"Borda: {ranks.BORDA}; among the rows that lack nothing",
            "coverage: how many of GLUE's nine tasks a row has, whole",
            *_contaminated(board),
        ),
        fill=tuple(fill(board, rows, results)),
        leading=frozenset(header),
    )


def ranked(board: Board) -> list[Row]:
    """The board's rows, the best first; those with holes by the middle of their rank interval.

    A user's own tasks have no average: there the mean score decides, after the number of tasks.
    """
    if board.standing is Standing.OWN:
        return sorted(board.rows, key=_by_mean)
    found = ranks.ranks(GLUE, [row.sheet for row in board.rows])

    def place(pair: tuple[Row, ranks.Interval]) -> tuple[object, ...]:
        row, interval = pair
        return (sum(interval), -len(row.cells), row.name, row.target, row.recipe)

    return [row for row, _ in sorted(zip(board.rows, found, strict=True), key=place)]


def _by_mean(row: Row) -> tuple[object, ...]:
    means = [cell.mean or 0.0 for cell in row.cells.values()]
    return (-len(means), -fmean(means), row.name, row.target, row.recipe)


def fill(board: Board, rows: Iterable[Row], results: str) -> list[str]:
    """The commands that run what rows lack: no case that is there, and every one that is not.

    Rows that lack the same tasks share a command.
    """
    together: dict[tuple[str, str, tuple[str, ...], tuple[int, ...]], list[str]] = defaultdict(list)
    for row in rows:
        columns = {column for column, _ in averages.missing(GLUE, row.sheet)}
        lacking = tuple(task for task in tasks.GLUE_9 if columns.intersection(_columns(task)))
        if lacking:
            seeds = {record.case.seed for cell in row.cells.values() for record in cell.records}
            key = (row.target, row.recipe, lacking, tuple(sorted(seeds)))
            together[key].append(row.model)
    return [
        more_runs.command(
            results,
            source=board.source,
            tasks=lacking,
            models=models,
            target=target,
            recipe=recipe,
            seeds=seeds,
        )
        for (target, recipe, lacking, seeds), models in together.items()
    ]


def _present(board: Board) -> list[str]:
    return [task for task in board.tasks if any(task in row.cells for row in board.rows)]


def _with_metrics(board: Board, task: str) -> str:
    metrics = next(metrics_of(cell) for cell in board.cells if cell.task == task)
    return f"{task} ({'+'.join(SHORT.get(name, name) for name in metrics.split('+'))})"


def _score(cell: Cell | None) -> Figure:
    if cell is None:
        return Figure(None)
    mark = CONTAMINATED if "contaminated" in cell.states else ""
    return Figure(cell.mean, sd=cell.sd, mark=mark)


def _coverage(row: Row) -> Figure:
    whole, of = averages.coverage(GLUE, row.sheet)
    return Figure(whole, TASKS, of=of)


def _columns(task: str) -> set[str]:
    return {column for column, _ in averages.term(task)}


def _mark(row: Row, average: Average) -> str:
    """Whether a contaminated cell is in an average that a row has."""
    if averages.missing(average, row.sheet):
        return ""
    seen = [task for task, cell in row.cells.items() if "contaminated" in cell.states]
    return CONTAMINATED if any(_columns(task) & {*average.columns} for task in seen) else ""


def _contaminated(board: Board) -> list[str]:
    """What the mark means, where a cell has it."""
    found = [line for line in legend(board.cells) if line.startswith("contaminated")]
    return [f"{CONTAMINATED} {line}" for line in found]
