"""How far our scores are from published ones of the same model, task, split and metric.

Only scores on GLUE's official rows are compared. Notes say what was left out, and why.
"""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from harness.catalog import references
from harness.catalog.references import Published, SeedSd
from harness.catalog.sources import SOURCES
from harness.records.cells import Cell
from harness.records.flags import CONTAMINATED, Spoils, marked, that_spoil
from harness.spec import Provenance
from harness.tables.columns import MODEL, RECIPE, TARGET, TASK, figures, words
from harness.tables.table import CHANGE, COUNT, SCORE, SDS, Figure, Table, TableValue
from harness.text.escape import short

ENOUGH_RUNS = 3  # that a standard deviation of our own needs
SOURCE_WIDTH = 40  # the most characters of a source without an arXiv id
RELATED, IMPOSSIBLE = " (r)", " (?)"  # marks of a result
NOTE = (
    "gap: ours less the published, in points. in sds: the gap divided by the standard deviation of "
    f"one run between seeds, which is our own from {ENOUGH_RUNS} runs on, else the published one "
    "of the same model, task and metric that the number in brackets names"
)


@dataclass(frozen=True)
class PublishedComparison:
    """A published result, and the figures of our runs for its model, task, split and metric."""

    cell: Cell
    published: Published
    figures: tuple[float, ...]  # of each ok run, as fractions
    seed_sd: SeedSd | None  # the published `sd`; None: ours is used, or there is none

    @property
    def ours(self) -> float:
        """The mean over our ok runs."""
        return fmean(self.figures)

    @property
    def gap(self) -> float:
        """Our mean minus the published value."""
        return self.ours - self.published.value

    @property
    def sd(self) -> float | None:
        """The standard deviation of one run between seeds; None: not known."""
        return self.seed_sd.sd if self.seed_sd else own_sd(self.figures)

    @property
    def in_sds(self) -> float | None:
        """The gap in standard deviations; None if `sd` is None or 0."""
        return self.gap / self.sd if self.sd else None

    @property
    def relation(self) -> str:
        """How the published model is related to ours; "": it is the same."""
        return references.names_of(self.cell.model)[self.published.model]


@dataclass(frozen=True)
class Gaps:
    """All comparisons that are possible, and notes on what was left out."""

    rows: tuple[PublishedComparison, ...]
    notes: tuple[str, ...]


def gaps(cells: Sequence[Cell]) -> Gaps:
    """Our cells compared with every published dev result of the same model, task and metric.

    Cells are left out unless their training and dev rows are all of GLUE's official rows.
    """
    left_out: dict[str, dict[str, None]] = defaultdict(dict)
    sound = []
    for cell in cells:
        if reason := why_not(cell):
            left_out[reason][f"{cell.task} of {cell.model}"] = None
        else:
            sound.append(cell)
    rows = tuple(gap for cell in sound for gap in _of_cell(cell))
    said = [f"not compared, {reason}: {', '.join(named)}" for reason, named in left_out.items()]
    return Gaps(rows, (*said, *_unused(sound, rows)))


def why_not(cell: Cell) -> str | None:
    """Why a cell is not compared with published results; None: it is."""
    checked = cell.checked_rows
    source = SOURCES[cell.records[0].source.kind]
    if not source.is_glue:
        return source.rows
    if not references.names_of(cell.model):
        return "nothing is published of the model"
    if not checked:
        return "no run ended as it should"
    for kind, rows in checked.items():
        if rows.is_whole and rows.provenance is Provenance.counted:
            return f"{kind} rows are GLUE's in number alone, their texts are not checked"
        if not rows.is_glues_own:
            return f"{kind} rows are not all of GLUE's own"
    not_all = cell.states.keys() & {*that_spoil(Spoils.PUBLISHED)}
    return "dev rows are not all of GLUE's own" if not_all else None


def own_sd(figures: Sequence[float]) -> float | None:
    """The standard deviation of our own runs (n - 1); None if there are too few."""
    return statistics.stdev(figures) if len(figures) >= ENOUGH_RUNS else None


def _of_cell(cell: Cell) -> Iterable[PublishedComparison]:
    for row in references.of(cell.model, cell.task):
        figures = _figures(cell, row)
        if not figures or not row.is_dev or row.metric is None:
            continue
        known = own_sd(figures) is not None
        elsewhere = None if known else references.seed_sd(cell.model, cell.task, row.metric)
        yield PublishedComparison(cell, row, figures, elsewhere)


def _figures(cell: Cell, row: Published) -> tuple[float, ...]:
    """The figure of each ok run that corresponds to the published one; () if a run lacks it."""
    found = []
    for run in cell.ok:
        values = [run.metrics.get(s, {}).get(m) for s in row.splits for m in row.metrics]
        if not values or None in values:
            return ()
        found.append(fmean(value for value in values if value is not None))
    return tuple(found)


def _unused(sound: Iterable[Cell], rows: Sequence[PublishedComparison]) -> list[str]:
    """How many published results of each task are for other splits, rows or metrics."""
    counts: Counter[str] = Counter()
    for model, task in dict.fromkeys((cell.model, cell.task) for cell in sound):
        counts[task] += sum(
            all(gap.published is not row for gap in rows) for row in references.of(model, task)
        )
    said = ", ".join(f"{task} {count}" for task, count in counts.items() if count)
    return [f"published, but of the test set, other rows or another metric: {said}"] if said else []


def table(found: Gaps) -> Table:
    """A line for each published result; scores and gaps times 100.

    If there are several recipes, they have a column.
    """
    setups = _numbered(found.rows)
    several = len({gap.cell.recipe for gap in found.rows}) > 1
    return Table(
        title="Published, and ours",
        columns=(
            *(TASK, *words("metric", "split"), MODEL, *([RECIPE] if several else []), TARGET),
            *figures("ours", "n"),
            *words("published as"),
            *figures("paper", "gap", "in sds"),
            *words("source"),
        ),
        rows=tuple(_row(gap, setups, with_recipe=several) for gap in found.rows),
        notes=(*(_legend(found.rows, setups) if found.rows else ()), *found.notes),
    )


def _numbered(rows: Iterable[PublishedComparison]) -> dict[tuple[str, str, str], int]:
    """The setups whose standard deviations are used, numbered as in the notes."""
    used = dict.fromkeys(_setup(gap.seed_sd) for gap in rows if gap.seed_sd)
    return {setup: number for number, setup in enumerate(used, 1)}


def _setup(found: SeedSd) -> tuple[str, str, str]:
    runs = f"{found.n} seeds" if found.n else "seeds that are not counted"
    return f"{runs} of {found.model}", found.setup, found.source


def _row(
    gap: PublishedComparison, setups: dict[tuple[str, str, str], int], *, with_recipe: bool
) -> tuple[TableValue, ...]:
    cell, row = gap.cell, gap.published
    as_printed = replace(SCORE, digits=row.decimals)
    setup = f" [{setups[_setup(gap.seed_sd)]}]" if gap.seed_sd else ""
    return (
        cell.task,
        str(row.metric),
        row.split,
        cell.model,
        *([cell.recipe] if with_recipe else []),
        cell.target,
        Figure(gap.ours, mark=cell.mark),
        Figure(len(gap.figures), COUNT),
        row.model + (RELATED if gap.relation else ""),
        Figure(row.value, as_printed, mark="" if row.is_possible else IMPOSSIBLE),
        Figure(gap.gap, CHANGE),
        Figure(gap.in_sds, SDS, mark=setup),
        row.paper or short(row.source, SOURCE_WIDTH),
    )


def _legend(
    rows: Sequence[PublishedComparison], setups: dict[tuple[str, str, str], int]
) -> list[str]:
    notes = [NOTE, *(f"[{n}] {', '.join(setup)}" for setup, n in setups.items())]
    if any(gap.cell.is_contaminated for gap in rows):
        notes.append(marked(CONTAMINATED))
    related = dict.fromkeys((gap.published.model, gap.relation) for gap in rows if gap.relation)
    notes += [f"(r) {name}: {relation}" for name, relation in related]
    if not all(gap.published.is_possible for gap in rows):
        notes.append(
            "(?) no number of right answers on this dev set makes this accuracy: a mean of several "
            "runs, a misprint, or other rows"
        )
    said: dict[tuple[str, str], dict[str, None]] = defaultdict(dict)
    for gap in rows:
        if gap.published.notes:
            said[gap.published.model, gap.published.notes][gap.cell.task] = None
    return notes + [f"{name}, {', '.join(on)}: {words}" for (name, words), on in said.items()]
