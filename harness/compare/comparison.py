"""Two sides, cell by cell: which cells belong together, and what the whole comes to."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, stdev
from types import MappingProxyType

from harness.compare import averaged_runs, gate, stats
from harness.compare.gate import Finding, Verdict
from harness.compare.stats import Change
from harness.compare.thresholds import Thresholds
from harness.errors import Exit
from harness.records.cells import Cell, cells, used_digests
from harness.records.schema import Record

NO_NOTES: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class CellVerdict:
    """A cell of either side, or of both, and what was found of it."""

    base: Cell | None
    new: Cell | None
    findings: tuple[Finding, ...] = ()
    why: str = ""  # of a cell that one side lacks
    note: str = ""  # what the baseline says of it
    stages: int = 1

    @property
    def name(self) -> str:
        """As the new side calls it, if it has it."""
        return (self.new or self.base or _never()).name

    @property
    def was(self) -> str | None:
        """The base's name for it, where that is another one."""
        both = self.base and self.new
        return self.base.name if both and self.base and self.base.name != self.name else None

    @property
    def verdict(self) -> Verdict:
        """The worst of the measures that are gated."""
        if self.base is None:
            return Verdict.NEW
        if self.new is None:
            return Verdict.GONE
        gated = [f.verdict for f in self.findings if f.is_gated and f.verdict]
        return gate.worst(gated) if gated else Verdict.INCOMPARABLE

    @property
    def reasons(self) -> list[str]:
        """What a reader needs besides the figures, one line each."""
        if self.why:
            return [self.why]
        told = [f for f in self.findings if f.why and (f.threshold or f.measure.is_score)]
        if len({f.why for f in told}) == 1:  # of every measure: said once
            return [told[0].why]
        return [f"{f.measure.name}: {f.why}" for f in told]

    @property
    def bits(self) -> str:
        """How many seeds ended with the same bits on both sides."""
        return gate.same_bits(self.base, self.new) if self.base and self.new else "-"


def _never() -> Cell:
    raise ValueError("a verdict is on a cell of one side, or of both")


@dataclass(frozen=True)
class Comparison:
    """The verdicts, in the order of the new side's cells, then of those that are gone."""

    verdicts: list[CellVerdict]
    together: Change | None = None  # of all cells' scores, in their runs' sd

    @property
    def compared(self) -> int:
        """Cells that both sides have and that could be compared."""
        return sum(cell.verdict.is_decided for cell in self.verdicts)

    @property
    def exit(self) -> Exit:
        """Worse before anything; then what was not compared; then what cannot be told."""
        found = {cell.verdict for cell in self.verdicts}
        if Verdict.WORSE in found:
            return Exit.WORSE
        if not self.compared or found & {Verdict.GONE, Verdict.INCOMPARABLE}:
            return Exit.NOTHING
        return Exit.UNDECIDED if Verdict.CANNOT_TELL in found else Exit.FINE

    def of(self, name: str) -> CellVerdict | None:
        """The verdict on a cell, by either side's name for it."""
        own = [cell for cell in self.verdicts if cell.name == name]
        return next(iter([*own, *(cell for cell in self.verdicts if cell.was == name)]), None)


def compare(
    base: Iterable[Record],
    new: Iterable[Record],
    thresholds: Thresholds,
    notes: Mapping[str, str] = NO_NOTES,
    ok_alone: Collection[str] = (),
) -> Comparison:
    """Judge every cell of both sides. Raises `UsageError` for thresholds that contradict.

    `notes` say what a reader has to know of the base's cells, by their names; `ok_alone` names
    those from which runs that failed were left out.
    """
    then, now = (cells(run for run in side if run.status != "skipped") for side in (base, new))
    verdicts = []
    for old, fresh in _pairs(then, now):
        if old and fresh:
            limits = thresholds.of(fresh.name)
            findings = gate.judge(old, fresh, limits, is_ok_alone=old.name in ok_alone)
            verdicts.append(CellVerdict(old, fresh, findings, note=notes.get(old.name, "")))
        else:
            why = "the base has no run of it" if fresh else "no run of it, and the base has some"
            verdicts.append(CellVerdict(old, fresh, why=why))
    return Comparison(verdicts, pooled_change(verdicts))


def _pairs(base: list[Cell], new: list[Cell]) -> list[tuple[Cell | None, Cell | None]]:
    """Cells that belong together: by the hash of their inputs, whatever their names; else by name.

    Of several of one name the newest is meant, on either side.
    """
    rest = sorted(base, key=_age)
    places = sorted(range(len(new)), key=lambda place: _age(new[place]))
    found: dict[int, Cell] = {}
    by: list[Callable[[Cell], object]] = [
        lambda cell: cell.key and (cell.key, cell.name, {*map(used_digests, cell.ok)}),
        lambda cell: cell.key and (cell.key, cell.name),
        lambda cell: cell.key,
        lambda cell: cell.name,
    ]
    for what in by:
        for place in places:
            cell = new[place]
            if place in found or not what(cell):
                continue
            match = next((old for old in rest if what(old) == what(cell)), None)
            if match:
                rest.remove(match)
                found[place] = match
    paired = [(found.get(place), cell) for place, cell in enumerate(new)]
    return [*paired, *((cell, None) for cell in base if cell in rest)]


def _age(cell: Cell) -> float:
    return -max(run.created for run in cell.records).timestamp()


def pooled_change(verdicts: Sequence[CellVerdict]) -> Change | None:
    """The change of all cells' scores at once, in standard deviations of a cell's runs.

    A small loss everywhere is certain before it is in any one cell. Cells share models and seeds,
    so one observation is a seed: the mean over all cells of how far it is from the cell's mean.
    That mean and the standard deviation are of both sides' runs: scaled by one that leaves their
    difference out, up to 2.7% of unchanged code is called worse, the more the fewer runs there are.
    """
    base, new = [], []
    for cell in verdicts:
        score = next((f for f in cell.findings if f.measure.name == "score"), None)
        if not (cell.base and cell.new and cell.verdict.is_decided and score and score.change):
            continue
        if cell.base.ignores_its_seed or cell.new.ignores_its_seed:
            continue
        sides = cell.base, cell.new
        known = [
            run.score for side in sides for run in averaged_runs.runs(side) if run.score is not None
        ]
        if spread := stdev(known):
            base.append(_distances(cell.base, fmean(known), spread))
            new.append(_distances(cell.new, fmean(known), spread))
    return stats.change(by_seed(base), by_seed(new)) if len(base) > 1 else None


def _distances(cell: Cell, centre: float, sd: float) -> dict[int, float | None]:
    """How far each seed's score is from `centre`, in `sd`; None: its run is not averaged."""
    found: dict[int, float | None] = {run.case.seed: None for run in cell.records}
    for run in averaged_runs.runs(cell):
        if run.score is not None:
            found[run.case.seed] = (run.score - centre) / sd
    return found


def by_seed(cells: Sequence[Mapping[int, float | None]]) -> list[float]:
    """Of each seed that every cell has run, the mean over the cells that have a figure of it."""
    common = set.intersection(*({*cell} for cell in cells))
    of_each = ([cell[seed] for cell in cells] for seed in sorted(common))
    known = ([figure for figure in figures if figure is not None] for figures in of_each)
    return [fmean(figures) for figures in known if figures]


def confirmed(first: CellVerdict, second: CellVerdict | None) -> CellVerdict:
    """A cell's verdict after a second stage, on fresh runs of both sides."""
    if second is None or first.verdict is not Verdict.WORSE:
        return first
    again = {finding.measure.name: finding for finding in second.findings}
    findings = tuple(gate.confirmed(f, again.get(f.measure.name)) for f in first.findings)
    return replace(first, findings=findings, stages=2)
