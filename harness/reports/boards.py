"""Records arranged on boards: rows of models by columns, whose scores may be compared.

A board's standing says how far its rows were confirmed as GLUE's: official, counted only, others,
toy data or custom tasks. Cells of two standings never share a board. The cells of one column were
scored on the same rows, with the same labels and metrics.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property

from harness.catalog import tasks
from harness.catalog.sources import SOURCES
from harness.records.cells import Cell, by_source, cells, where
from harness.records.schema import Record, Source
from harness.reports import averages, score_basis
from harness.reports.averages import ScoreRow
from harness.reports.score_basis import HEX, ScoreBasis
from harness.spec import Provenance


class Standing(Enum):
    """What a board's scores may be compared with; the value is part of the board's title."""

    OFFICIAL = "GLUE's own rows"
    OFFICIAL_PART = "a part of GLUE's own rows"
    COUNTED = "GLUE's rows in number alone, texts not checked"
    COUNTED_PART = "a part of rows that are GLUE's in number alone, texts not checked"
    OTHER = "a part of GLUE's rows, or others"
    CUSTOM = "custom data"
    UNKNOWN = "no run ended ok"
    TOY = "toy data"


OF_PROVENANCE = {
    (Provenance.official, True): Standing.OFFICIAL,
    (Provenance.official, False): Standing.OFFICIAL_PART,
    (Provenance.counted, True): Standing.COUNTED,
    (Provenance.counted, False): Standing.COUNTED_PART,
    (Provenance.other, True): Standing.OTHER,
    (Provenance.other, False): Standing.OTHER,
}
"""By how far rows were checked, and whether they are all of their source's, without a cap."""


@dataclass(frozen=True)
class Row:
    """A model on a target with a recipe, and its cell in each column."""

    name: str  # the model's, told apart from others of that name
    model: str
    target: str
    recipe: str
    cells: Mapping[str, Cell]

    @property
    def example(self) -> Record:
        """One of its ok runs."""
        return next(iter(self.cells.values())).ok[0]

    @cached_property
    def sheet(self) -> ScoreRow:
        """Its figures on GLUE's nine tasks."""
        return averages.sheet(cell for task, cell in self.cells.items() if task in tasks.GLUE_9)

    @cached_property
    def contaminated(self) -> frozenset[str]:
        """The columns whose score includes a contaminated run."""
        return frozenset(name for name, cell in self.cells.items() if cell.is_contaminated)


@dataclass(frozen=True)
class Board:
    """Cells with rows of one source and one standing, and the table rows that they make.

    A board of GLUE's tasks has one column per task. `others` names, for the title, the tasks that
    have other dev rows on another board of the same source and standing.
    """

    source: Source
    standing: Standing
    cells: tuple[Cell, ...]
    others: tuple[str, ...] = ()

    @cached_property
    def names(self) -> Mapping[ScoreBasis, str]:
        """The name of each column of its cells: the task's, if the task has only one column."""
        return score_basis.names(score_basis.assign(self.cells))

    @cached_property
    def headers(self) -> Mapping[str, str]:
        """The name of each column with its metrics."""
        return score_basis.headers(score_basis.assign(self.cells))

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The columns of its rows: GLUE's nine tasks, or those of custom tasks."""
        if self.standing is Standing.CUSTOM:
            return tuple(self.names.values())
        return tasks.GLUE_9

    @cached_property
    def placed(self) -> list[tuple[Cell, str]]:
        """Every cell with the name of its column; the task's name if all its runs failed early."""
        found = score_basis.assign(self.cells)
        return [
            (cell, self.names[column] if column else cell.task)
            for cell, column in zip(self.cells, found, strict=True)
        ]

    def column(self, cell: Cell) -> str:
        """The name of the column for a cell with some of the runs of one of the board's."""
        return self.names.get(score_basis.of(cell), cell.task)

    @cached_property
    def model_names(self) -> list[str]:
        """The model's name of each of `placed`, told apart from others of that name."""
        scored = [(cell, name) for cell, name in self.placed if cell.mean is not None]
        names, trained = model_names(cell for cell, _ in scored), training_sets(scored)
        return [
            cell.model
            if cell.mean is None
            else names[cell.model, cell.weights] + trained_name({name: cell}, trained)
            for cell, name in self.placed
        ]

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """A row for each model, target and recipe that has a score in one of the columns.

        Models with the same name have separate rows if their weights or training rows differ. If
        several cells fall in one place, because files or versions changed between them, the newest
        is shown.
        """
        scored = [(c, name) for c, name in self.placed if c.mean is not None]
        names = model_names(cell for cell, _ in scored)
        scored = [(c, name) for c, name in scored if name in self.columns]
        scored.sort(key=lambda pair: max(record.created for record in pair[0].records))
        trained = training_sets(scored)
        found: dict[tuple[str, str, str, str, int], dict[str, Cell]] = defaultdict(dict)
        for cell, name in scored:
            place = trained[name].index(_trained_on(cell))
            found[cell.model, cell.weights, cell.target, cell.recipe, place][name] = cell
        return tuple(
            Row(names[model, weights] + trained_name(held, trained), model, target, recipe, held)
            for (model, weights, target, recipe, _), held in found.items()
        )

    @cached_property
    def replaced(self) -> int:
        """How many cells with a score are not shown, because a newer one has their place."""
        scored = sum(c.mean is not None and name in self.columns for c, name in self.placed)
        return scored - sum(len(row.cells) for row in self.rows)

    @cached_property
    def title(self) -> str:
        """Which rows its cells used."""
        said = where(self.source)
        if self.standing not in (Standing.TOY, Standing.CUSTOM):
            said += f", {self.standing.value}"
        return "; ".join([said, *self.others])


def boards(records: Iterable[Record]) -> list[Board]:
    """Every run on the one board that it belongs to; official rows first, toy rows last."""
    found: list[Board] = []
    for group in by_source(records):
        apart: dict[Standing, list[Cell]] = defaultdict(list)
        for cell, standing in _standings(cells(group)):
            apart[standing].append(cell)
        for standing, members in apart.items():
            found += _of_one_standing(group[0].source, standing, members)
    return sorted(found, key=lambda board: [*Standing].index(board.standing))


def _of_one_standing(source: Source, standing: Standing, members: list[Cell]) -> list[Board]:
    """The boards of one standing: one, and for GLUE's tasks one more for each further column.

    The first board has the column of each task that most cells have.
    """
    if standing is Standing.CUSTOM:
        return [Board(source, standing, tuple(members))]
    found = score_basis.assign(members)
    names, count = score_basis.names(found), Counter(filter(None, found))
    of_task: dict[str, list[ScoreBasis]] = defaultdict(list)
    for column in sorted(count, key=lambda column: -count[column]):
        of_task[column.task].append(column)
    made = []
    for place in range(max(map(len, of_task.values()), default=1)):
        here: set[ScoreBasis | None] = {
            same[place] for same in of_task.values() if len(same) > place
        }
        here |= {None} if place == 0 else set()
        chosen = [cell for cell, column in zip(members, found, strict=True) if column in here]
        others = [names[column] for column in names if column in here]
        said = tuple(name for name in others if name not in of_task)
        made.append(Board(source, standing, tuple(chosen), said))
    return made


def _standings(found: Sequence[Cell]) -> list[tuple[Cell, Standing]]:
    """Each cell's standing; without an ok run that of its task, or else that of all cells."""
    known = [(cell, _standing(cell)) for cell in found]
    of_task: dict[str, set[Standing]] = defaultdict(set)
    for cell, standing in known:
        if standing is not Standing.UNKNOWN:
            of_task[cell.task].add(standing)
    of_all = set().union(*of_task.values())

    def of(cell: Cell, standing: Standing) -> Standing:
        for others in (of_task[cell.task], of_all):
            if standing is Standing.UNKNOWN and cell.mean is None and len(others) == 1:
                return next(iter(others))
        return standing

    return [(cell, of(cell, standing)) for cell, standing in known]


def _standing(cell: Cell) -> Standing:
    source = cell.records[0].source
    if not SOURCES[source.kind].is_glue:
        return Standing(SOURCES[source.kind].rows)
    checked = cell.checked_rows.values()
    if not checked:
        return Standing.UNKNOWN
    order = [*Provenance]
    weakest = max((rows.provenance for rows in checked), key=order.index)
    # A limit may leave a small set whole; it still goes with the other tasks of that limit.
    is_capped = source.max_train or source.max_eval
    return OF_PROVENANCE[weakest, not is_capped and all(rows.is_whole for rows in checked)]


def _trained_on(cell: Cell) -> str:
    """What tells a cell's training rows from others on its board; "" if not known."""
    data = cell.identity.get("data")
    if not isinstance(data, Mapping) or not isinstance(data.get("source"), Mapping):
        return ""
    source = data["source"]
    splits = source.get("splits")
    named = splits.get("train") if isinstance(splits, Mapping) else None
    found = str(source.get("train") or named or source.get("toy") or "")
    # Versions differ in how they draw a sample, and so in its rows.
    return f"{found}/{data.get('sample')}" if found and data.get("max_train") else found


def training_sets(scored: Iterable[tuple[Cell, str]]) -> dict[str, list[str]]:
    """For each column the sets of training rows of its cells, the most common first."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for cell, name in scored:
        counts[name][_trained_on(cell)] += 1
    return {name: [rows for rows, _ in count.most_common()] for name, count in counts.items()}


def trained_name(row: Mapping[str, Cell], trained: Mapping[str, Sequence[str]]) -> str:
    """The end of a row's name, if cells in its columns were trained on different rows."""
    for name, cell in row.items():
        if len(trained[name]) > 1:
            rows = _trained_on(cell)
            digest = hashlib.sha256(rows.encode()).hexdigest()[:HEX]
            return f" (training rows {digest if rows else 'unknown'})"
    return ""


def model_names(found: Iterable[Cell]) -> dict[tuple[str, str], str]:
    """Each model's name by name and weights; two of one name are told apart by their weights."""
    pairs = dict.fromkeys((cell.model, cell.weights) for cell in found)
    count = Counter(model for model, _ in pairs)
    return {
        (model, weights): model
        if count[model] == 1
        else f"{model}.{hashlib.sha256(weights.encode()).hexdigest()[:6]}"
        for model, weights in pairs
    }
