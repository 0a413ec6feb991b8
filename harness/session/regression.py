"""The gate of one pytest session: the baseline, its cells, and the verdicts on them."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from harness.compare import (
    averaged_runs,
    baseline_tables,
    baselines,
    gate,
    sequential,
    stats,
    thresholds,
)
from harness.compare import subject as subjects
from harness.compare.comparison import CellVerdict, Comparison, compare, confirm, unconfirmed
from harness.compare.subject import Subject, differences
from harness.compare.verdicts import Verdict
from harness.errors import UsageError
from harness.planning.options import Settings
from harness.planning.plan import Plan
from harness.planning.project import BASELINES
from harness.records.cells import Cell, cells
from harness.records.parts import SUBJECTS
from harness.records.schema import Record
from harness.spec import CUSTOM
from harness.system import environment
from harness.system.environment import MACHINE

CODE = ("commit", "dirty", "glue-bench_sha256", *MACHINE)
"""Facts that are the same for runs of this code, here."""

LEAST_PLANNED = 3  # seeds before the first look at them

Recheck = Callable[[str, list[int]], tuple[list[Record], list[Record]]]
"""Runs a cell with fresh seeds and returns the runs of the base and the new ones."""
RunMore = Callable[[str, list[int]], list[Record]]
"""Runs a cell with more seeds and returns the new runs."""


class Regression:
    """The gate of a session. Raises `UsageError` or `StorageError` for a baseline it cannot use."""

    def __init__(self, name: str, settings: Settings, plan: Plan, root: Path) -> None:
        self.settings, self.plan = settings, plan
        self.baseline = baselines.load(baselines.locate(name, root / BASELINES))
        self.thresholds = thresholds.from_pyproject(root)
        self.subject = Subject(settings.subject or subjects.DEFAULT.names)
        self._comparison: Comparison | None = None
        self.judged: dict[str, CellVerdict] = {}  # by the cell's name
        self._refuse_small_budget()
        self._refuse_weak_recheck()

    @property
    def name(self) -> str:
        return self.baseline.name

    @property
    def header(self) -> str:
        """The line about the baseline in a session's header."""
        last, runs = self.baseline.last, len(self.baseline.records)
        return (
            f"baseline {self.name}: {runs} runs, commit {(last.commit or 'none')[:7]}, "
            f"{last.kind} of {last.created:%Y-%m-%d}"
        )

    def notes(self, judged: Collection[str]) -> list[str]:
        """What the header says of cells that are not judged, and of settings without effect."""
        stored = Counter(cell.name for cell in cells(self.baseline.records))
        notes = []
        if left_out := [name for name in stored if name not in judged]:
            names = baseline_tables.first(left_out)
            notes.append(f"cells of the baseline that are not judged: {names}")
        notes += [
            f"the baseline has {count} cells {name}, of different recipes or rows; one is judged"
            for name, count in stored.items()
            if count > 1
        ]
        return notes + [
            f"[tool.glue-bench.thresholds] {pattern!a} fits no cell of this session or the baseline"
            for pattern in self.thresholds.of_no_cell([*self.cells, *stored])
        ]

    @functools.cached_property
    def base(self) -> list[Record]:
        """The baseline's runs of the tasks, models and targets that were typed, if any.

        Those of pyproject.toml are part of what is judged: a cell that is no longer among them is
        gone.
        """
        plan = self.plan
        planned = {"task": plan.tasks, "model": plan.models, "target": plan.targets}
        typed = {axis: names for axis, names in planned.items() if self._is_typed(f"{axis}s")}
        return [
            run
            for run in self.baseline.records
            if all(getattr(run.case, axis) in names for axis, names in typed.items())
            and (run.source.kind in (plan.data.kind, CUSTOM) or not self._has_these_rows)
        ]

    def _is_typed(self, key: str) -> bool:
        return getattr(self.settings, key) is not None and not self.settings.is_of_file(key)

    @property
    def _has_these_rows(self) -> bool:
        """Whether the baseline has a run on the kind of rows that this session has."""
        return any(run.source.kind == self.plan.data.kind for run in self.baseline.records)

    @property
    def cells(self) -> list[str]:
        """The names of the cells that a full session judges: the plan's, then the baseline's."""
        planned = [case.cell for case in self.plan.cases]
        return list(dict.fromkeys([*planned, *(run.combination.name for run in self.base)]))

    @property
    def comparison(self) -> Comparison:
        """The verdicts so far, for the summary."""
        pooled = self._comparison.pooled if self._comparison else None
        return Comparison(list(self.judged.values()), pooled)

    def judge(
        self,
        name: str,
        records: Sequence[Record],
        reused: Iterable[str],
        cells: Iterable[str],
        recheck: Recheck,
        run_more: RunMore,
    ) -> CellVerdict:
        """The verdict on one of the `cells` that are judged, from the `records` of this session.

        `reused` has the ids of cases that were not run again; their records count only if this
        very code computed them. If the verdict is open, and the settings allow more seeds, they
        are run. If the cell is worse, and the settings ask for a second stage, it follows. Raises
        `UsageError` if there is no run to judge.
        """
        if self._comparison is None:
            not_run = set(reused)
            project = self.settings.project
            new = [r for r in records if r.case.id not in not_run or is_of_this_code(r, project)]
            self._comparison = self._compare(self.base, new, {*cells}, self._first_level)
        cell = self._comparison.of(name)
        if cell is None:
            left_out = [r.case.id for r in records if r.combination.name == name]
            raise UsageError(OTHER_CODE.format(cases=", ".join(left_out)) if left_out else ABSENT)
        if cell.name in self.judged:  # it was renamed, and each name has a test
            return self.judged[cell.name]
        if self.settings.max_seeds:
            cell = self._decide(cell, self.settings.max_seeds, run_more)
        if cell.verdict is Verdict.WORSE and self.settings.recheck:
            cell = self._judge_again(cell, recheck)
        if cell.verdict is Verdict.GONE:
            accept = f"glue-bench baseline accept {self.name} {name} --gone --reason TEXT"
            cell = replace(cell, why=f"{cell.why}. Fix: run it, or `{accept}`")
        self.judged[cell.name] = cell
        return cell

    def judge_all(self, recheck: Recheck) -> tuple[Verdict, str]:
        """The verdict on all cells together, with its reason. Call it after `judge`."""
        change = self._comparison.pooled if self._comparison else None
        if self._comparison is None or change is None:
            return Verdict.CANNOT_TELL, "this takes two cells with seeds in common"
        if change.high >= 0:
            return Verdict.NOT_WORSE, ""
        base: list[Record] = []
        new: list[Record] = []
        seeds = self._fresh_seeds([*self._comparison.verdicts, *self.judged.values()])
        for cell in self._comparison.verdicts:
            if cell.base and cell.new and cell.verdict.is_decided:
                then, now = recheck(cell.name, seeds)
                base, new = [*base, *then], [*new, *now]
        outside = [
            self._not_the_baseline(cell, [r for r in base if r.combination.name == cell.name])
            for cell in self._comparison.verdicts
            if cell.verdict.is_decided
        ]
        second = compare(base, new, self.thresholds, subject=self.subject).pooled
        if (second is None or second.high >= 0) and (why := next(filter(None, outside), None)):
            return Verdict.WORSE, f"Worse in stage 1. Stage 2 proves nothing: {why}"
        if second is None or (second.high >= 0 and second.in_sd > change.in_sd):
            return Verdict.WORSE, (
                f"a small loss everywhere in stage 1: {change.change:+.2f} sd of a cell's runs. "
                "Stage 2 compared too few runs to see it"
            )
        if second.high >= 0:
            return Verdict.CANNOT_TELL, "Worse in stage 1, not in stage 2."
        return Verdict.WORSE, (
            f"a small loss everywhere, in both stages: {change.change:+.2f} and "
            f"{second.change:+.2f} sd of a cell's runs"
        )

    def _fresh_seeds(self, cells: Iterable[CellVerdict]) -> list[int]:
        """Seeds that no run of these cells has had, on either side."""
        sides = [side for cell in cells for side in (cell.base, cell.new) if side]
        first = 1 + max(run.case.seed for side in sides for run in side.records)
        return list(range(first, first + (self.settings.recheck or 0)))

    def _refuse_small_budget(self) -> None:
        """Raise `UsageError` if --glue-max-seeds allows no more seeds than are planned."""
        most, planned = self.settings.max_seeds, len(self.plan.seeds)
        if most and most <= planned and not self.settings.is_of_file("max_seeds"):
            raise UsageError(
                f"--glue-max-seeds {most}: {planned} seeds are planned; expected more than these. "
                f"Fix: --glue-max-seeds {4 * planned}"
            )
        if most and planned < LEAST_PLANNED:
            raise UsageError(
                f"--glue-max-seeds: {planned} seeds are planned; expected {LEAST_PLANNED} or more, "
                "since a first look at fewer is wrong too often. Fix: --glue-seeds 5"
            )

    def _refuse_weak_recheck(self) -> None:
        """Raise `UsageError` if a second stage of so few seeds could not see what the first sees.

        The numbers of seeds decide: those of the plan, and those of the baseline that are averaged.
        """
        if not self.settings.recheck:
            return
        planned = Counter(case.cell for case in self.plan.cases)
        needed: dict[str, tuple[int, int, int]] = {}
        for cell in cells(self.base):
            base, new = len(averaged_runs.runs(cell)), planned[cell.name]
            if base and new and base + new > 2:
                needed[cell.name] = (stats.seeds_as_strong(base, new), base, new)
        if needed and (most := max(needed.values()))[0] > self.settings.recheck:
            seeds, base, new = most
            name = next(name for name, counts in needed.items() if counts == most)
            raise UsageError(
                f"--glue-recheck {self.settings.recheck}: the first stage of {name} compares {new} "
                f"seeds with {base} of the baseline; a second stage needs at least {seeds} seeds a "
                f"side to see the same loss. Fix: --glue-recheck {seeds} or more; "
                f"{max(10, seeds)} is usual"
            )

    def _compare(
        self,
        base: Iterable[Record],
        new: Iterable[Record],
        cells: set[str],
        level: Callable[[Cell, Cell], float] = lambda base, new: stats.ALPHA,
    ) -> Comparison:
        then, now = ([r for r in side if r.combination.name in cells] for side in (base, new))
        notes = baseline_tables.acceptance_notes(self.baseline)
        limits, subject = self.thresholds, self.subject
        return compare(then, now, limits, notes, subject, level)

    def _first_level(self, base: Cell, new: Cell) -> float:
        """The level at which the planned seeds decide: lower if more seeds may follow."""
        most = self.settings.max_seeds
        return sequential.level_of(base, new, most) if most else stats.ALPHA

    def _decide(self, cell: CellVerdict, most: int, run_more: RunMore) -> CellVerdict:
        """The verdict after as many more seeds as it takes, up to `most` new ones."""
        if cell.base is None or cell.new is None or not sequential.can_be_decided(cell):
            return cell
        level = sequential.level_of(cell.base, cell.new, most)
        base, new = ([*side.records, *side.replaced] for side in (cell.base, cell.new))
        names = {cell.name, cell.was or cell.name}
        for count in sequential.looks(len(cell.new.records), most)[1:]:
            seeds = [{run.case.seed for run in side} for side in (base, new)]
            new += run_more(cell.name, sequential.next_seeds(*seeds, count - len(seeds[1])))
            again = self._compare(base, new, names, lambda base, new: level).of(cell.name)
            cell = again or cell
            if not sequential.can_be_decided(cell):
                return cell
        return sequential.at_its_end(cell, most)

    def _judge_again(self, cell: CellVerdict, recheck: Recheck) -> CellVerdict:
        """The verdict after the second stage, on seeds that neither side has had."""
        try:
            base, new = recheck(cell.name, self._fresh_seeds([cell]))
        except UsageError as error:
            return unconfirmed(cell, str(error).removeprefix("stage 2: "))
        second = self._compare(base, new, {cell.name, cell.was or cell.name})
        verdict = confirm(cell, second.of(cell.name))
        if verdict.verdict is not Verdict.WORSE and (why := self._not_the_baseline(cell, base)):
            return unconfirmed(cell, why)
        return verdict

    def _not_the_baseline(self, cell: CellVerdict, base: Sequence[Record]) -> str | None:
        """Why new runs of the baseline's code are not what the baseline was; None: they may be.

        A change of glue-bench, of installed packages or of the machine moves both sides of the
        second stage, so that it sees no loss.
        """
        again = next(iter(cells(base)), None)
        if cell.base is None or again is None:
            return None
        apart = differences(cell.base, again)
        if outside := [one.line for one in apart if one.part in ("versions", "glue-bench")]:
            return f"both of its sides have what changed ({'; '.join(outside)})."
        limits = self.thresholds.of(cell.name)
        subject = Subject(SUBJECTS)
        found = [f for f in gate.judge(cell.base, again, limits, subject=subject) if f.is_gated]
        for finding in found:
            if finding.measure.is_score and finding.verdict is Verdict.WORSE:
                was, is_ = (finding.measure.shown(v or 0.0) for v in (finding.base, finding.new))
                return (
                    f"the baseline's code now has a {finding.measure.name} of {is_}, where the "
                    f"baseline has {was}. So something outside the project's files changed."
                )
        return None


ABSENT = "neither this session nor the baseline has a run of this cell"
OTHER_CODE = (
    "{cases}: kept from an earlier session, which ran other code, or on another machine. Fix: "
    "leave out --glue-resume"
)


def is_of_this_code(record: Record, project: Path | None = None) -> bool:
    """Whether a stored run has the clean commit, the versions and the machine of this session."""
    now = environment.facts(project)
    if now["commit"] is None or now["dirty"] is not False:
        return False
    return all(record.environment.get(fact) == now[fact] for fact in CODE)
