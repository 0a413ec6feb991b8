"""What one pytest session knows of its gate: the baseline, its cells, and the verdicts on them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path

from harness.compare import baseline_tables, baselines, thresholds
from harness.compare.comparison import CellVerdict, Comparison, compare, confirmed
from harness.compare.gate import Verdict
from harness.errors import UsageError
from harness.planning.options import Settings
from harness.planning.plan import Plan
from harness.planning.project import BASELINES
from harness.records.schema import Record
from harness.system import environment
from harness.system.environment import MACHINE

CODE = ("commit", "dirty", *MACHINE)  # facts of a run by which it is of this code, here

Recheck = Callable[[str, list[int]], tuple[list[Record], list[Record]]]
"""Runs a cell's fresh seeds on both sides."""


class Regression:
    """The gate of a session. Raises `UsageError` or `StorageError` for a baseline it cannot use."""

    def __init__(self, name: str, settings: Settings, plan: Plan, root: Path) -> None:
        self.settings, self.plan = settings, plan
        self.baseline = baselines.load(baselines.located(name, root / BASELINES))
        self.thresholds = thresholds.configured(root)
        self._comparison: Comparison | None = None
        self.judged: dict[str, CellVerdict] = {}  # those that were asked for, by cell

    @property
    def name(self) -> str:
        return self.baseline.name

    @property
    def said(self) -> str:
        """The baseline in a line of a session's header."""
        last, runs = self.baseline.last, len(self.baseline.records)
        return (
            f"baseline {self.name}: {runs} runs, commit {(last.commit or 'none')[:7]}, "
            f"{last.act} of {last.created:%Y-%m-%d}"
        )

    @functools.cached_property
    def base(self) -> list[Record]:
        """The baseline's runs of what the options ask for: of tasks that were named, and so on."""
        chosen, plan = self.settings, self.plan
        return [
            run
            for run in self.baseline.records
            if (chosen.tasks is None or run.case.task in plan.tasks)
            and (chosen.models is None or run.case.model in plan.models)
            and (chosen.targets is None or run.case.target in plan.targets)
        ]

    @property
    def cells(self) -> list[str]:
        """The names of all cells that a whole session has to have, the plan's first."""
        planned = [case.cell for case in self.plan.cases]
        return list(dict.fromkeys([*planned, *(run.combination.name for run in self.base)]))

    @property
    def comparison(self) -> Comparison:
        """What was judged, for the summary."""
        found = self._comparison.together if self._comparison else None
        return Comparison(list(self.judged.values()), found)

    def judge(
        self,
        name: str,
        records: Sequence[Record],
        reused: Iterable[str],
        cells: Iterable[str],
        recheck: Recheck,
    ) -> CellVerdict:
        """The verdict on one of the `cells` that are judged, from the `records` of this session.

        Of its `reused` cases those count that this very code ran. Where it is worse and the
        settings say so, a second stage follows.
        """
        kept = set(reused)
        if self._comparison is None:
            new = [r for r in records if r.case.id not in kept or is_of_this_code(r)]
            lacking = self.baseline.ok_alone
            self._comparison = self._compared(self.base, new, {*cells}, lacking)
        cell = self._comparison.of(name)
        if cell is None:
            left_out = [r.case.id for r in records if r.combination.name == name]
            raise UsageError(OTHER_CODE.format(cases=", ".join(left_out)) if left_out else ABSENT)
        if cell.verdict is Verdict.WORSE and self.settings.recheck:
            cell = self._again(cell, recheck)
        self.judged[name] = cell
        return cell

    def judge_all(self, recheck: Recheck) -> tuple[Verdict, str]:
        """The verdict on all cells together, after those on each: worse in both stages, or not."""
        change = self._comparison.together if self._comparison else None
        if self._comparison is None or change is None:
            return Verdict.CANNOT_TELL, "it takes two cells with seeds in common"
        if change.high >= 0:
            return Verdict.NOT_WORSE, ""
        base: list[Record] = []
        new: list[Record] = []
        for cell in self._comparison.verdicts:
            if cell.base and cell.new and cell.verdict.is_decided:
                then, now = recheck(cell.name, self._fresh(self._comparison.verdicts))
                base, new = [*base, *then], [*new, *now]
        second = compare(base, new, self.thresholds).together
        if second is None or second.high >= 0:
            return Verdict.CANNOT_TELL, "worse in stage 1, not in stage 2"
        return Verdict.WORSE, (
            f"a small loss everywhere, in both stages: {change.change:+.2f} and "
            f"{second.change:+.2f} sd of a cell's runs"
        )

    def _fresh(self, cells: Iterable[CellVerdict]) -> list[int]:
        """Seeds that neither side of any of these cells has had."""
        sides = [side.records for cell in cells for side in (cell.base, cell.new) if side]
        first = 1 + max(run.case.seed for side in sides for run in side)
        return list(range(first, first + (self.settings.recheck or 0)))

    def _compared(
        self,
        base: Iterable[Record],
        new: Iterable[Record],
        cells: set[str],
        ok_alone: Collection[str] = (),
    ) -> Comparison:
        sides = [[run for run in side if run.combination.name in cells] for side in (base, new)]
        return compare(*sides, self.thresholds, baseline_tables.notes(self.baseline), ok_alone)

    def _again(self, cell: CellVerdict, recheck: Recheck) -> CellVerdict:
        """Stage 2, on seeds that neither side has had."""
        runs = recheck(cell.name, self._fresh([cell]))
        second = self._compared(*runs, {cell.name, cell.was or cell.name})
        return confirmed(cell, second.of(cell.name))


ABSENT = "neither the session nor the baseline has a run of it"
OTHER_CODE = (
    "{cases}: kept from an earlier session, and not run by this code, on this machine. Mend: leave "
    "--glue-resume out"
)


def is_of_this_code(record: Record) -> bool:
    """Whether a stored run is what would be run now: the same clean commit and versions."""
    now = environment.facts()
    if now["commit"] is None or now["dirty"] is not False:
        return False
    return all(record.environment.get(fact) == now[fact] for fact in CODE)
