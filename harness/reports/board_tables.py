"""Tables of a board: scores of models by task, and the named averages."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean

from harness.catalog import tasks
from harness.catalog.glue_files import FILES
from harness.planning import command
from harness.records.cells import Cell
from harness.records.flags import CONTAMINATED, FLAGS
from harness.reports import averages, ranks
from harness.reports.averages import AVERAGES, Average
from harness.reports.boards import Board, Row, Standing
from harness.reports.cell_tables import AXES, GLUE, legend
from harness.tables.columns import figures
from harness.tables.columns import scores as score_columns
from harness.tables.table import POINTS, TASKS, Figure, Table

MARK = FLAGS[CONTAMINATED].mark


def scores(board: Board) -> Table:
    """A line per model, target and recipe, a column per task: mean ± standard deviation.

    A custom task has a column for each set of dev rows, labels and metrics.
    """
    names = {name: board.headers[name] for name in _present(board)}
    rows = tuple(
        (row.name, row.target, row.recipe, *(_score(row.cells.get(name)) for name in names))
        for row in ranked(board)
    )
    replaced = board.replaced
    return Table(
        title=f"Scores on {board.title}",
        columns=(*AXES, *(column.ranked() for column in score_columns(*names.values()))),
        rows=rows,
        notes=(
            "Scores x 100: the mean of the metrics that the column names, over ok runs, ± the "
            "standard deviation between seeds.",
            *([f"replaced by newer ones of the same name: {replaced}"] if replaced else []),
            *_contaminated(board),
        ),
    )


def averages_of(board: Board, results: str) -> Table:
    """A line per model, target and recipe, a column per named average.

    A row with missing scores has no average, but the range of ranks that it can reach; and a
    command that runs what is missing, with the folder `results`.
    """
    rows = ranked(board)
    columns = [
        [
            Figure(averages.of(average, row.sheet), rank=rank, mark=_mark(row, average))
            for row, rank in zip(rows, _ranks(rows, average), strict=True)
        ]
        for average in AVERAGES.values()
    ]
    columns.append(_borda(rows))
    return Table(
        title=f"Averages on {board.title}",
        columns=(
            *AXES,
            *(column.ranked() for column in figures(*AVERAGES, "Borda")),
            *figures("coverage"),
        ),
        rows=tuple(
            (row.name, row.target, row.recipe, *figures, _coverage(row))
            for row, *figures in zip(rows, *columns, strict=True)
        ),
        notes=(
            "Averages x 100, with the rank in brackets. A row without some score of an average has "
            "none; in brackets are the best and the worst rank that it can still reach.",
            *_without_rank(rows),
            *_elsewhere(board, rows),
            *(f"{a.name}: {a.definition}. Source: {a.source}" for a in AVERAGES.values()),
            f"Borda: {ranks.BORDA}; only rows with all nine tasks take part",
            "coverage: how many of GLUE's nine tasks a row has",
            *_contaminated(board),
        ),
        fill=tuple(fill(board, rows, results)),
    )


def ranked(board: Board) -> list[Row]:
    """The board's rows, best first; a row with missing scores by the middle of its possible ranks.

    Rows without a rank, because a score of theirs is contaminated, come last. Custom tasks have no
    average: there rows with scores in the same columns stand together, those with most columns
    first, and the mean score orders them.
    """
    if board.standing is Standing.CUSTOM:
        order = {name: place for place, name in enumerate(board.columns)}
        return sorted(board.rows, key=lambda row: _by_mean(row, order))

    def place(pair: tuple[Row, ranks.Interval]) -> tuple[object, ...]:
        row, interval = pair
        return (sum(interval), -len(row.cells), row.name, row.target, row.recipe)

    found: list[Row] = []
    for seen in (False, True):
        rows = [row for row in board.rows if _is_contaminated(row, GLUE) is seen]
        places = zip(rows, ranks.ranks(GLUE, [row.sheet for row in rows]), strict=True)
        found += [row for row, _ in sorted(places, key=place)]
    return found


def _by_mean(row: Row, order: Mapping[str, int]) -> tuple[object, ...]:
    means = [cell.mean or 0.0 for cell in row.cells.values()]
    columns = sorted(order[name] for name in row.cells)
    return (-len(means), columns, -fmean(means), row.name, row.target, row.recipe)


def _ranks(rows: Sequence[Row], average: Average) -> list[ranks.Interval | None]:
    """The possible ranks of each row under an average; None for rows with a contaminated score."""
    clean = [row for row in rows if not _is_contaminated(row, average)]
    found = iter(ranks.ranks(average, [row.sheet for row in clean]))
    return [None if _is_contaminated(row, average) else next(found) for row in rows]


def _borda(rows: Sequence[Row]) -> list[Figure]:
    """The Borda count of each row: its points against the rows that can have a rank."""
    sheets = [row.sheet for row in rows]
    clean = [not _is_contaminated(row, GLUE) for row in rows]
    places = iter(ranks.borda_ranks([s for s, held in zip(sheets, clean, strict=True) if held]))
    return [
        Figure(count, POINTS, rank=next(places) if held else None, mark=_mark(row, GLUE))
        for row, count, held in zip(rows, ranks.borda(sheets, clean), clean, strict=True)
    ]


def _without_rank(rows: Iterable[Row]) -> list[str]:
    if not any(row.contaminated for row in rows):
        return []
    return [
        f"A row has no rank in an average that a contaminated score ({MARK}) is part of, "
        "and is not counted in those of others."
    ]


def fill(board: Board, rows: Iterable[Row], results: str) -> list[str]:
    """The commands that run exactly the cases that rows lack.

    Rows that lack the same tasks share a command.
    """
    together: dict[tuple[str, str, tuple[str, ...], tuple[int, ...]], list[Row]] = defaultdict(list)
    for row in rows:
        columns = {column for column, _ in averages.missing(GLUE, row.sheet)}
        lacking = tuple(task for task in tasks.GLUE_9 if columns.intersection(_columns(task)))
        if lacking:
            seeds = {record.case.seed for cell in row.cells.values() for record in cell.records}
            together[row.target, row.recipe, lacking, tuple(sorted(seeds))].append(row)
    return [
        command.command(
            results,
            source=board.source,
            tasks=lacking,
            models=[command.model_of(row.example) for row in alike],
            target=target,
            recipe=alike[0].example.recipe,
            seeds=seeds,
        )
        for (target, _, lacking, seeds), alike in together.items()
    ]


def _elsewhere(board: Board, rows: Iterable[Row]) -> list[str]:
    """A note on tasks whose runs on a folder would always be on another board."""
    is_official = board.standing in (Standing.OFFICIAL, Standing.OFFICIAL_PART)
    if board.source.kind != "glue_data" or not is_official:
        return []
    unknown = {file.task for file in FILES.values() if not file.sha256}
    named = [t for t in tasks.GLUE_9 if t in unknown and any(t not in row.cells for row in rows)]
    if not named:
        return []
    return [
        f"{', '.join(named)}: a folder's files cannot be confirmed as GLUE's (no sha256 is known), "
        "so runs on them have a board of their own; files of the Hub (--glue-data hub) can be"
    ]


def _present(board: Board) -> list[str]:
    return [name for name in board.columns if any(name in row.cells for row in board.rows)]


def _score(cell: Cell | None) -> Figure:
    if cell is None:
        return Figure(None)
    return Figure(cell.mean, sd=cell.sd, mark=cell.mark)


def _coverage(row: Row) -> Figure:
    whole, of = averages.coverage(GLUE, row.sheet)
    return Figure(whole, TASKS, of=of)


def _columns(task: str) -> set[str]:
    return {column for column, _ in averages.term(task)}


def _mark(row: Row, average: Average) -> str:
    """The mark of a contaminated score, if the row has the average and such a score is in it."""
    whole = not averages.missing(average, row.sheet)
    return MARK if whole and _is_contaminated(row, average) else ""


def _is_contaminated(row: Row, average: Average) -> bool:
    """Whether an average would include a contaminated score of a row."""
    return any(_columns(task) & {*average.columns} for task in row.contaminated)


def _contaminated(board: Board) -> list[str]:
    """What the mark means, if a cell has it."""
    found = [line for line in legend(board.cells) if line.startswith(CONTAMINATED)]
    return [f"{MARK} {line}" for line in found]
