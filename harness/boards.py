"""Records to boards: rows of models by tasks, whose scores may stand beside each other.

Toy rows, a part of GLUE's rows (or others), GLUE's own rows and a user's own tasks are four
standings, and cells of two standings never share a board.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property

from harness import averages, tasks
from harness.averages import Sheet
from harness.cells import Cell, by_source, cells
from harness.records import Record, Source
from harness.spec import OWN, TOY

SOURCES = {  # what a title says of where rows come from
    "toy": "toy data (generated, no GLUE scores)",
    "glue_data": "GLUE dev (glue_data folder)",
    "own": "own data (no GLUE task)",
    "hub": "GLUE dev (nyu-mll/glue, revision {revision})",
}


class Standing(Enum):
    """What a board's scores can be held against; the value stands in titles."""

    TOY = "toy data"
    OFFICIAL = "GLUE's own rows"
    SUBSET = "a part of GLUE's rows, or others"
    OWN = "own data"
    UNKNOWN = "no run ended ok"


@dataclass(frozen=True)
class Row:
    """A model on a target by a recipe; and, of each task, the cell that stands for it."""

    name: str  # the model's, told apart from others of that name
    model: str
    target: str
    recipe: str
    cells: Mapping[str, Cell]

    @cached_property
    def sheet(self) -> Sheet:
        """Its figures on GLUE's nine tasks."""
        return averages.sheet(cell for task, cell in self.cells.items() if task in tasks.GLUE_9)


@dataclass(frozen=True)
class Board:
    """Cells of one source of rows and one standing; and the rows they make."""

    source: Source
    standing: Standing
    cells: tuple[Cell, ...]

    @cached_property
    def tasks(self) -> tuple[str, ...]:
        """The tasks that have a place in rows: GLUE's nine, or a user's own."""
        if self.standing is Standing.OWN:
            return tuple(dict.fromkeys(cell.task for cell in self.cells))
        return tasks.GLUE_9

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """A row for each model, target and recipe that has a score on one of the tasks.

        Where several cells have one place, because files or versions changed between them, the
        newest stands there.
        """
        scored = [c for c in self.cells if c.mean is not None and c.task in self.tasks]
        scored.sort(key=lambda cell: max(record.created for record in cell.records))
        names = model_names(scored)
        found: dict[tuple[str, str, str, str], dict[str, Cell]] = defaultdict(dict)
        for cell in scored:
            found[cell.model, cell.weights, cell.target, cell.recipe][cell.task] = cell
        return tuple(
            Row(names[model, weights], model, target, recipe, chosen)
            for (model, weights, target, recipe), chosen in found.items()
        )

    @cached_property
    def replaced(self) -> int:
        """How many scored cells have no place in a row, since a newer one has it."""
        scored = sum(c.mean is not None and c.task in self.tasks for c in self.cells)
        return scored - sum(len(row.cells) for row in self.rows)

    @cached_property
    def title(self) -> str:
        """Whose rows these are."""
        said = where(self.source)
        plain = self.standing in (Standing.TOY, Standing.OWN)
        return said if plain else f"{said}, {self.standing.value}"


def boards(records: Iterable[Record]) -> list[Board]:
    """Every run on the one board it belongs to; GLUE's own rows first, toy rows last."""
    found = []
    for group in by_source(records):
        apart: dict[Standing, list[Cell]] = defaultdict(list)
        for cell, standing in _standings(cells(group)):
            apart[standing].append(cell)
        found += [Board(group[0].source, s, tuple(members)) for s, members in apart.items()]
    order = [Standing.OFFICIAL, Standing.SUBSET, Standing.OWN, Standing.UNKNOWN, Standing.TOY]
    return sorted(found, key=lambda board: order.index(board.standing))


def _standings(found: Sequence[Cell]) -> list[tuple[Cell, Standing]]:
    """Each cell's standing; that of one without an ok run is its task's or, failing that, all's."""
    known = [(cell, _standing(cell)) for cell in found]
    of_task: dict[str, set[Standing]] = defaultdict(set)
    for cell, standing in known:
        if standing is not Standing.UNKNOWN:
            of_task[cell.task].add(standing)
    of_all = set().union(*of_task.values())

    def of(cell: Cell, standing: Standing) -> Standing:
        for others in (of_task[cell.task], of_all):
            if standing is Standing.UNKNOWN and len(others) == 1:
                return next(iter(others))
        return standing

    return [(cell, of(cell, standing)) for cell, standing in known]


def _standing(cell: Cell) -> Standing:
    source = cell.records[0].source
    if source.kind == TOY:
        return Standing.TOY
    if source.kind == OWN:
        return Standing.OWN
    if source.max_train or source.max_eval:
        return Standing.SUBSET
    own = cell.has_own_rows
    if not own:
        return Standing.UNKNOWN
    return Standing.OFFICIAL if all(own.values()) else Standing.SUBSET


def where(source: Source) -> str:
    """Which rows were asked for, as titles say it."""
    said = SOURCES[source.kind].format(revision=(source.revision or "unknown")[:7])
    for cap, name in ((source.max_train, "training"), (source.max_eval, "dev")):
        said += f", {cap} {name} rows" if cap else ""
    return said


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
