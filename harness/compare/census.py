"""How much the seeds of each stored cell differ, and which margin a number of seeds can hold."""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, median, stdev

from harness.compare import averaged_runs, gate, stats
from harness.compare.measures import MEASURES
from harness.records.cells import Cell, cells
from harness.records.revisions import Revision
from harness.records.schema import Record, Source
from harness.spec import Combination

FEWEST_SEEDS = 5
"""Fewer say too little about how far seeds differ: the bound of their spread is over twice it."""
ENOUGH_SEEDS = 10
CONFIDENCE = 0.80
"""The chance that the spread which a census takes is not too small."""
FAR = 5.0
"""Robust standard deviations from the median from which a seed is called far from the others."""
WIDE = 0.05
"""A margin from which only gross failures show, as a fraction."""


@dataclass(frozen=True)
class CellCensus:
    """What the stored runs of one cell show about its seeds. Scores are fractions."""

    cell: Cell
    scores: tuple[float, ...]  # of the runs that are averaged
    went_wrong: int
    seconds: float | None  # the median of its runs' load, training and evaluation

    @property
    def name(self) -> str:
        return self.cell.name

    @property
    def seeds(self) -> int:
        """How many seeds ran, in whatever way they ended."""
        return len(self.cell.records)

    @property
    def share_wrong(self) -> float:
        """The share of seeds that collapsed, were unstable or did not end ok."""
        return self.went_wrong / self.seeds

    @property
    def sd(self) -> float | None:
        """The standard deviation of the scores; None for fewer than two."""
        return stdev(self.scores) if len(self.scores) > 1 else None

    @property
    def is_known(self) -> bool:
        """Whether there are enough seeds, all of which count, to say how far they differ."""
        return len(self.scores) >= FEWEST_SEEDS and not self.cell.ignores_its_seed

    @functools.cached_property
    def cautious_sd(self) -> float | None:
        """An upper bound of the true standard deviation, of `CONFIDENCE`; None if not known.

        From the chi-squared distribution of the variance of normal scores. It is at least what one
        dev row changes, as the gate takes it.
        """
        from scipy.stats import chi2

        if not self.is_known or self.sd is None:
            return None
        degrees_of_freedom = len(self.scores) - 1
        least = float(chi2.ppf(1 - CONFIDENCE, degrees_of_freedom))
        step = gate.row_resolution(MEASURES["score"], self.cell)
        return max(step, self.sd * math.sqrt(degrees_of_freedom / least))

    def margin(self, new_seeds: int, base_seeds: int) -> float | None:
        """The smallest margin that so many seeds hold; None if the spread is not known.

        With this margin, a change that costs nothing is "not worse" with a chance of
        `stats.POWER`, and one that costs the margin is so with a chance of `stats.ALPHA` at most.
        """
        if self.cautious_sd is None:
            return None
        return stats.minimum_detectable_effect(self.cautious_sd, base_seeds, new_seeds)

    def why_unstable(self, new_seeds: int, base_seeds: int) -> list[str]:
        """What makes its verdicts doubtful, a sentence each; [] if nothing does."""
        reasons = []
        if self.went_wrong:
            reasons.append(f"{self.went_wrong} of {self.seeds} seeds went wrong ({self._endings}).")
        if self.cell.ignores_its_seed:
            reasons.append("Its seeds gave the same run, so they count as one.")
        if far := self._far_seeds():
            reasons.append(f"Far from the other seeds: {', '.join(far)}.")
        margin = self.margin(new_seeds, base_seeds)
        if margin is not None and margin >= WIDE:
            reasons.append(
                f"{new_seeds} seeds beside {base_seeds} show only losses of {100 * margin:.1f} pt "
                "or more."
            )
        return reasons

    @property
    def _endings(self) -> str:
        wrong = averaged_runs.went_wrong(self.cell)
        words = Counter(
            run.status
            if run.status != "ok"
            else ", ".join(sorted(averaged_runs.NOT_AVERAGED & {*run.flags}))
            for run in wrong
        )
        return ", ".join(f"{count} {what}" for what, count in words.items())

    def _far_seeds(self) -> list[str]:
        """The seeds whose scores are far from the median, with their scores.

        The spread is the median distance from the median, times 1.4826 (Hampel, Journal of the
        American Statistical Association 69, 1974), so that the far seeds do not widen it.
        """
        if len(self.scores) < ENOUGH_SEEDS:
            return []
        centre = median(self.scores)
        spread = 1.4826 * median(abs(score - centre) for score in self.scores)
        spread = max(spread, gate.row_resolution(MEASURES["score"], self.cell))
        return [
            f"seed {run.case.seed} ({100 * run.score:.2f})"
            for run in averaged_runs.runs(self.cell)
            if run.score is not None and spread and abs(run.score - centre) > FAR * spread
        ]


def of_one_code(records: Iterable[Record]) -> list[Record]:
    """Of each task, model and target on the same rows, the runs of the code that ran it most.

    Seeds of a change that is worse differ from those before it, and that is no spread of seeds.
    """
    of_cells: dict[tuple[Combination, Source], dict[object, list[Record]]] = {}
    for record in records:
        code = Revision.of(record)
        by_code = of_cells.setdefault((record.combination, record.source), {})
        by_code.setdefault(code if code.commit else None, []).append(record)
    return [run for by_code in of_cells.values() for run in max(by_code.values(), key=len)]


def take(records: Iterable[Record]) -> list[CellCensus]:
    """The census of every cell of stored runs; skipped cases do not count."""
    return [_of_cell(cell) for cell in cells(run for run in records if run.status != "skipped")]


def _of_cell(cell: Cell) -> CellCensus:
    scores = [run.score for run in averaged_runs.runs(cell) if run.score is not None]
    times = [
        run.timing.load_s + run.timing.train_s + run.timing.eval_s for run in cell.ok if run.timing
    ]
    return CellCensus(
        cell,
        tuple(scores),
        len(averaged_runs.went_wrong(cell)),
        median(times) if times else None,
    )


def seconds_of_matrix(counted: Sequence[CellCensus], seeds: int) -> float | None:
    """How long so many seeds of every cell take, one after another; None if no time is known.

    A cell without a time is taken to need the mean of the others.
    """
    known = [cell.seconds for cell in counted if cell.seconds is not None]
    return seeds * len(counted) * fmean(known) if known else None


def suggested_margin(margin: float) -> float | None:
    """A margin in points, rounded up to one decimal; None if it is no threshold."""
    points = math.ceil(round(1000 * margin, 6)) / 10
    return max(0.1, points) if points < 100 else None
