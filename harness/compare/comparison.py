"""Two sides of runs: which of their cells belong together, and the verdict on each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, stdev
from types import MappingProxyType

from harness.compare import averaged_runs, gate, machines, stages, stats
from harness.compare import subject as subjects
from harness.compare.gate import Finding
from harness.compare.stats import Change
from harness.compare.subject import Subject
from harness.compare.thresholds import Thresholds
from harness.compare.verdicts import Verdict, exit_code, worst
from harness.errors import Exit
from harness.records.cells import Cell, cells, used_digests
from harness.records.schema import Record
from harness.spec import Policy

NO_NOTES: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class CellVerdict:
    """A cell of one side or of both, and the finding for each measure."""

    base: Cell | None
    new: Cell | None
    findings: tuple[Finding, ...] = ()
    why: str = ""  # the reason for the verdict on a cell that one side lacks
    note: str = ""  # the baseline's note on this cell
    stages: int = 1
    compared: tuple[str, ...] = ()  # what differs between the sides, and may: see `subject`

    @property
    def name(self) -> str:
        """The new side's name of the cell; the base's if only the base has it."""
        cell = self.new or self.base
        if cell is None:
            raise ValueError("a verdict is on a cell of one side or of both; found none")
        return cell.name

    @property
    def was(self) -> str | None:
        """The base's name of the cell, if the new side has another name for it."""
        if self.base is None or self.new is None or self.base.name == self.new.name:
            return None
        return self.base.name

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of the gated measures."""
        if self.base is None:
            return Verdict.NEW
        if self.new is None:
            return Verdict.GONE
        gated = [f.verdict for f in self.findings if f.is_gated and f.verdict]
        return worst(gated) if gated else Verdict.INCOMPARABLE

    @property
    def reasons(self) -> list[str]:
        """Why the verdict is what it is, one line per reason."""
        if self.why:
            return [self.why]
        explained = [f for f in self.findings if f.why and (f.threshold or f.measure.is_score)]
        if len({f.why for f in explained}) == 1:
            return [explained[0].why]
        return [f"{f.measure.name}: {f.why}" for f in explained]

    @property
    def bits(self) -> str:
        """How many seeds are bit-identical: see `machines.count_bit_identical`."""
        return machines.count_bit_identical(self.base, self.new) if self.base and self.new else "-"


@dataclass(frozen=True)
class Comparison:
    """The verdicts: first on the new side's cells, in its order, then on those that are gone."""

    verdicts: list[CellVerdict]
    pooled: Change | None = None  # of all cells' scores: see `pooled_change`

    @property
    def compared(self) -> int:
        """The number of cells that could be compared."""
        return sum(cell.verdict.is_decided for cell in self.verdicts)

    def exit_code(self, policy: Policy) -> Exit:
        """The exit code of the worst verdict."""
        return exit_code((cell.verdict for cell in self.verdicts), policy)

    def of(self, name: str) -> CellVerdict | None:
        """The verdict on a cell, by the new side's name or else the base's; None: no such cell."""
        by_name = [cell for cell in self.verdicts if cell.name == name]
        by_old_name = [cell for cell in self.verdicts if cell.was == name]
        return next(iter([*by_name, *by_old_name]), None)


def compare(
    base: Iterable[Record],
    new: Iterable[Record],
    thresholds: Thresholds,
    notes: Mapping[str, str] = NO_NOTES,
    subject: Subject = subjects.DEFAULT,
    level: Callable[[Cell, Cell], float] = lambda base, new: stats.ALPHA,
) -> Comparison:
    """Judge every cell of both sides. Raises `UsageError` for contradictory thresholds.

    `notes` has notes on the base's cells, by their names. `subject` says what may differ between
    the sides. `level` has the chance with which a bound may be wrong.
    """
    base_cells, new_cells = (
        cells(run for run in side if run.status != "skipped") for side in (base, new)
    )
    verdicts = []
    for old, fresh in _pair_cells(base_cells, new_cells, subject):
        if old and fresh:
            findings = gate.judge(
                old,
                fresh,
                thresholds.of(fresh.name),
                subject=subject,
                alpha=level(old, fresh),
            )
            note, compared = notes.get(old.name, ""), tuple(subject.compared(old, fresh))
            verdicts.append(CellVerdict(old, fresh, findings, note=note, compared=compared))
        else:
            why = (
                "the base has no run of it"
                if fresh
                else "the base has runs of it, the new side has none"
            )
            verdicts.append(CellVerdict(old, fresh, why=why))
    return Comparison(verdicts, pooled_change(verdicts))


Feature = Callable[[Cell], object]
PAIRED_BY: tuple[Feature, ...] = (
    lambda cell: cell.key and (cell.key, cell.name, {*map(used_digests, cell.ok)}),
    lambda cell: cell.key and (cell.key, cell.name),
    lambda cell: cell.key,
    lambda cell: (cell.name, cell.recipe, cell.records[0].source),
    lambda cell: (cell.name, cell.records[0].source),
    lambda cell: cell.name,
)
"""What two cells that belong together have in common: the first of these that any two share."""
ACROSS: Mapping[str, Feature] = MappingProxyType(
    {"target": lambda cell: (cell.task, cell.model), "model": lambda cell: (cell.task, cell.target)}
)
"""Likewise, if the subject is what names them: then it has to be the only cell on each side."""


def _pair_cells(
    base: list[Cell], new: list[Cell], subject: Subject
) -> list[tuple[Cell | None, Cell | None]]:
    """Each cell of the new side with the base's, if there is one; then the base's that are left.

    If several cells fit, the newest is taken, on both sides.
    """
    unpaired = sorted(base, key=_newest_first)
    places = sorted(range(len(new)), key=lambda place: _newest_first(new[place]))
    partners: dict[int, Cell] = {}  # by the place of the new side's cell
    for feature in PAIRED_BY:
        for place in places:
            cell = new[place]
            if place in partners or not feature(cell):
                continue
            match = next((old for old in unpaired if feature(old) == feature(cell)), None)
            if match:
                unpaired.remove(match)
                partners[place] = match
    for name in subject.names:
        if feature := ACROSS.get(name):
            alone = [place for place in places if place not in partners]
            for place in alone:
                fits = [old for old in unpaired if feature(old) == feature(new[place])]
                rivals = [other for other in alone if feature(new[other]) == feature(new[place])]
                if len(fits) == len(rivals) == 1:
                    unpaired.remove(fits[0])
                    partners[place] = fits[0]
    paired = [(partners.get(place), cell) for place, cell in enumerate(new)]
    return [*paired, *((cell, None) for cell in base if cell in unpaired)]


def _newest_first(cell: Cell) -> float:
    """A key by which to sort cells, by their newest run."""
    return -max(run.created for run in cell.records).timestamp()


def pooled_change(verdicts: Sequence[CellVerdict]) -> Change | None:
    """The change of all cells' scores at once, in standard deviations of a cell's runs.

    It finds a small loss in all cells before any single cell can. Cells share models and seeds, so
    they are not independent, and one observation is a seed: the mean over all cells of how far that
    seed's score is from the cell's mean. Mean and standard deviation are those of the runs of both
    sides together. With a standard deviation within the sides, which leaves their difference out,
    up to 2.7% of unchanged code would be called worse, most with few runs.
    """
    base, new = [], []
    for cell in verdicts:
        score = next((f for f in cell.findings if f.measure.name == "score"), None)
        if not (cell.base and cell.new and cell.verdict.is_decided and score and score.change):
            continue
        if cell.base.ignores_its_seed or cell.new.ignores_its_seed:
            continue
        runs = (*averaged_runs.runs(cell.base), *averaged_runs.runs(cell.new))
        scores = [run.score for run in runs if run.score is not None]
        if sd := stdev(scores):
            base.append(_distances(cell.base, fmean(scores), sd))
            new.append(_distances(cell.new, fmean(scores), sd))
    return stats.change(mean_by_seed(base), mean_by_seed(new)) if len(base) > 1 else None


def _distances(cell: Cell, centre: float, sd: float) -> dict[int, float | None]:
    """How many `sd` each seed's score is from `centre`; None: its run is not averaged."""
    distances: dict[int, float | None] = {run.case.seed: None for run in cell.records}
    for run in averaged_runs.runs(cell):
        if run.score is not None:
            distances[run.case.seed] = (run.score - centre) / sd
    return distances


def mean_by_seed(cells: Sequence[Mapping[int, float | None]]) -> list[float]:
    """For each seed that all cells ran, the mean of its values; cells with None are left out."""
    common = set.intersection(*({*cell} for cell in cells))
    values = ([cell[seed] for cell in cells] for seed in sorted(common))
    known = ([value for value in of_seed if value is not None] for of_seed in values)
    return [fmean(of_seed) for of_seed in known if of_seed]


def confirm(first: CellVerdict, second: CellVerdict | None) -> CellVerdict:
    """A cell's verdict after a second stage, on fresh runs of both sides."""
    if second is None or first.verdict is not Verdict.WORSE:
        return first
    by_measure = {finding.measure.name: finding for finding in second.findings}
    findings = tuple(stages.confirm(f, by_measure.get(f.measure.name)) for f in first.findings)
    return replace(first, findings=findings, stages=2)


def unconfirmed(first: CellVerdict, why: str) -> CellVerdict:
    """The verdict of a first stage whose second proves nothing, with the reason."""
    return replace(first, findings=tuple(stages.unconfirmed(f, why) for f in first.findings))
