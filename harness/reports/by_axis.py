"""What one choice changes: targets, models, recipes or versions of torch against one of them.

Scores are compared only on the same rows, and times only on one machine since its last start.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from harness.catalog import models, recipes, targets
from harness.compare import gate, stats
from harness.compare.gate import Verdict
from harness.compare.measures import MEASURES
from harness.compare.stats import ALPHA
from harness.errors import UsageError
from harness.records.cells import Cell, cells
from harness.records.diff import ABSENT, Difference, apart, brief
from harness.records.flags import CONTAMINATED, marked
from harness.reports.boards import Board, model_names, trained_name, training_sets
from harness.reports.cell_tables import mixed_code
from harness.spec import Axis
from harness.tables.columns import MODEL, RECIPE, TARGET, TASK, Column, Kind, figures, words
from harness.tables.table import CHANGE, COUNT, MISSING, RATIO, Figure, Table, TableValue
from harness.text.names import unknown

SPEED, SCORE = MEASURES["examples_per_s"], MEASURES["score"]
REFERENCE = "reference"


CONTEXT = {
    Axis.target: ("task", "model", "recipe"),
    Axis.model: ("task", "target"),
    Axis.recipe: ("task", "model", "target"),
    Axis.torch: ("task", "model", "target", "recipe"),
}
"""What two cells of one group have in common."""
AXIS_COLUMNS = {
    "task": TASK,
    Axis.model: MODEL,
    Axis.target: TARGET,
    Axis.recipe: RECIPE,
    Axis.torch: Column(Axis.torch, Kind.WORDS),
}
MAY_DIFFER = {
    Axis.target: {"target"},
    Axis.model: {"model_files", "adaptation", "recipe"},
    Axis.recipe: {"recipe"},
    Axis.torch: set(),
}
"""The inputs of a run that an axis changes; scores are comparable if no others differ."""
ORDER: Mapping[Axis, Sequence[str]] = {
    Axis.target: list(targets.TARGETS),
    Axis.model: list(models.MODELS),
    Axis.recipe: list(recipes.RECIPES),
    Axis.torch: [],
}
NOTES = (
    "change: in points, of the mean score; speed-up: ratio of the training examples per second. "
    f"In brackets their bounds, each wrong with a chance of {ALPHA:.0%} if both sides vary equally "
    "from run to run (docs/gate.md). Bounds need two runs on at least one side.",
)


@dataclass(frozen=True)
class Choice:
    """What a cell was run with on the axis that is compared."""

    value: str
    recipe: str = ""  # the recipe, for a model that was run with several

    @property
    def name(self) -> str:
        """As tables and `--reference` name it."""
        return f"{self.value} by {self.recipe}" if self.recipe else self.value


@dataclass(frozen=True)
class Group:
    """Cells that differ only in the choice on the axis, by that choice."""

    context: tuple[str, ...]
    cells: Mapping[Choice, Cell]


def tables(boards: Sequence[Board], axis: Axis, reference: str | None = None) -> list[Table]:
    """For each board a line per cell: its score, and its change and speed-up from the reference.

    If `reference` is None, a board's reference is the choice that most groups have; among equals,
    the first in the registry. Raises `UsageError` for a name that nothing was run with.
    """
    grouped = [_groups(board, axis) for board in boards]
    known = {choice.name: choice for choice in _choices(chain.from_iterable(grouped), axis)}
    if reference is not None and reference not in known:
        raise UsageError(f"--reference: {unknown(axis, reference, known)}")
    named = None if reference is None else known[reference]
    return [
        _table(board, axis, groups, named or _commonest(groups, axis))
        for board, groups in zip(boards, grouped, strict=True)
    ]


def _table(board: Board, axis: Axis, groups: Sequence[Group], reference: Choice) -> Table:
    rows: list[tuple[TableValue, ...]] = []
    reasons: dict[str, dict[str, None]] = defaultdict(dict)
    several = [group for group in groups if len(group.cells) > 1]
    for group in several:
        for choice in sorted(group.cells, key=lambda one: (one != reference, _place(axis, one))):
            cell = group.cells[choice]
            change, speed_up, why = _against(group.cells.get(reference), cell, axis)
            for reason in filter(None, why):
                reasons[reason][" ".join((*group.context, choice.name))] = None
            n, score = (
                Figure(len(cell.scores), COUNT),
                Figure(cell.mean, sd=cell.sd, mark=cell.mark),
            )
            rows.append((*group.context, choice.name, n, score, change, speed_up))
    notes = [*NOTES] if rows else []
    if any(cell.is_contaminated for group in several for cell in group.cells.values()):
        notes.append(marked(CONTAMINATED))
    notes += [f"{reason}: {', '.join(named)}" for reason, named in reasons.items()]
    notes += mixed_code(cell for group in several for cell in group.cells.values())
    if alone := len(groups) - len(several):
        notes.append(f"left out, since they were run with one {axis} alone: {alone} cells")
    return Table(
        title=f"By {axis}, against {reference.name}, on {board.title}",
        columns=(
            *(AXIS_COLUMNS[name] for name in (*CONTEXT[axis], axis)),
            *figures("n", "score"),
            *words("change"),
            *figures("speed-up"),
        ),
        rows=tuple(rows),
        notes=tuple(notes),
    )


def _groups(board: Board, axis: Axis) -> list[Group]:
    """The board's cells with scores, grouped by all but the axis; of equals the newest."""
    found: dict[tuple[str, ...], dict[Choice, Cell]] = defaultdict(dict)
    scored = [cell for cell in _cells(board, axis) if cell.mean is not None]
    scored.sort(key=lambda cell: max(record.created for record in cell.records))
    names = model_names(scored)
    several = _of_several_recipes(scored)
    columns = [board.column(cell) for cell in scored]
    trained = training_sets(zip(scored, columns, strict=True))
    places = {column: place for place, (_, column) in enumerate(board.placed)}
    place_of: dict[tuple[str, ...], int] = {}
    for cell, column in zip(scored, columns, strict=True):
        model, task = names[cell.model, cell.weights], column
        if axis is Axis.model:  # models are compared only on the same training rows
            task += trained_name({column: cell}, trained)
        else:
            model += trained_name({column: cell}, trained)
        facts: dict[str, str] = {"task": task, "model": model, "target": cell.target}
        facts |= {"recipe": cell.recipe, "torch": _torch(cell)}
        by_recipe = axis is Axis.model and cell.model in several
        context = tuple(facts[name] for name in CONTEXT[axis])
        found[context][Choice(facts[axis], cell.recipe if by_recipe else "")] = cell
        place_of[context] = places[column]
    order = sorted(found, key=lambda context: (place_of[context], context))
    return [Group(context, found[context]) for context in order]


def _cells(board: Board, axis: Axis) -> Sequence[Cell]:
    """The board's cells; for the axis torch, separately for each version."""
    if axis is not Axis.torch:
        return board.cells
    apart_by_version = defaultdict(list)
    for record in (run for cell in board.cells for run in (*cell.records, *cell.replaced)):
        apart_by_version[str(record.environment.get("torch", MISSING))].append(record)
    return [cell for records in apart_by_version.values() for cell in cells(records)]


def _of_several_recipes(found: Iterable[Cell]) -> set[str]:
    by_model: dict[str, set[str]] = defaultdict(set)
    for cell in found:
        by_model[cell.model].add(cell.recipe)
    return {model for model, used in by_model.items() if len(used) > 1}


def _torch(cell: Cell) -> str:
    return str(cell.records[0].environment.get("torch", MISSING))


def _choices(groups: Iterable[Group], axis: Axis) -> list[Choice]:
    """Every choice that some group has, in the registry's order."""
    return sorted(
        {choice for group in groups for choice in group.cells}, key=lambda one: _place(axis, one)
    )


def _commonest(groups: Sequence[Group], axis: Axis) -> Choice:
    # Among choices with equally many groups, `max` returns the first.
    return max(
        _choices(groups, axis),
        key=lambda choice: sum(choice in group.cells for group in groups),
        default=Choice(MISSING),
    )


def _place(axis: Axis, choice: Choice) -> tuple[int, list[int], str]:
    """A choice's place in its registry; versions by their numbers, unknown names last."""
    version = re.findall(r"\d+", choice.value) if axis is Axis.torch else []
    order = ORDER[axis]
    place = order.index(choice.value) if choice.value in order else len(order)
    return (place, [int(part) for part in version], choice.name)


def _against(
    base: Cell | None, cell: Cell, axis: Axis
) -> tuple[TableValue, TableValue, Sequence[str]]:
    """The change of the score, the speed-up, and the reasons why they are missing."""
    if base is None:
        return Figure(None, CHANGE), Figure(None, RATIO), ["the reference has no such run"]
    if cell is base:
        return REFERENCE, Figure(1.0, RATIO), []
    change, obstacle = _change(base, cell, axis)
    speed_up, other = _speed_up(base, cell, axis)
    return change, speed_up, [obstacle, other]


def _change(base: Cell, cell: Cell, axis: Axis) -> tuple[Figure, str]:
    """The difference of the mean score from the reference's; or why it means nothing."""
    then, now = (side.ok[0].identity for side in (base, cell))
    others = [
        f"{found.key} differs: {brief(found.a)} and {brief(found.b)}"
        for found in apart(then, now)
        if found.path[0] not in MAY_DIFFER[axis] and not _is_of_one_side(found)
    ]
    if others:
        return Figure(None, CHANGE), f"scores are not comparable, {'; '.join(others)}"
    assert cell.mean is not None and base.mean is not None  # noqa: PT018 (both have scores)
    figure = Figure(cell.mean - base.mean, CHANGE)
    if base.ignores_its_seed or cell.ignores_its_seed:
        return figure, "no bounds, since its seeds gave the same run"
    found = stats.change(base.scores, cell.scores, gate.row_resolution(SCORE, base, cell))
    return (replace(figure, low=found.low, high=found.high) if found else figure), ""


def _is_of_one_side(found: Difference) -> bool:
    """Whether this is a part of numerics that affects runs of one side only."""
    return len(found.path) > 1 and found.path[0] == "numerics" and ABSENT in (found.a, found.b)


def _speed_up(base: Cell, cell: Cell, axis: Axis) -> tuple[Figure, str]:
    """How many times as fast as the reference it trains; or why that is not known."""
    but_for = (axis.value,) if axis is Axis.torch else ()
    found = gate.judge_cost(base, cell, SPEED, but_for=but_for)
    if found.base is None or found.new is None or found.verdict is Verdict.INCOMPARABLE:
        return Figure(None, RATIO), f"times are not comparable, {found.why}"
    figure = Figure(found.new / found.base, RATIO)
    if found.change is None:
        return figure, ""
    low, middle, high = (
        math.exp(end) for end in (found.change.low, found.change.change, found.change.high)
    )
    return replace(figure, value=middle, low=low, high=high), ""
