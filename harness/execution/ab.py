"""Runs the sessions of an A/B comparison: two sides take turns, each session a fresh process."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.compare import speed, speed_cells, speed_store
from harness.compare.speed import LEAST_PAIRS
from harness.compare.speed_cells import Session, SpeedComparison
from harness.compare.speed_measures import Effects
from harness.compare.speed_store import ComparisonInfo, SideInfo
from harness.errors import UsageError
from harness.execution import ab_sides, other_code
from harness.execution.ab_sides import Side, SideName
from harness.records.store import Store
from harness.text.values import plain, shown_path

BLOCK = 2  # pairs: A B B A
NO_TESTS = 5  # pytest's exit code if it collected none
ALONE = ("--glue-jobs", "1")  # whatever pyproject.toml says: runs beside others have no times
Say = Callable[[str], None]


class NothingRan(UsageError):
    """The tests that were selected run no case."""


@dataclass(frozen=True)
class Request:
    """What to compare, and how thoroughly: `pairs`, and up to `max_pairs` while it cannot tell.

    `arguments` are those of every pytest session; `results` is the results folder of the project.
    """

    a: SideName
    b: SideName
    project: Path
    arguments: Sequence[str]
    results: Path
    effects: Effects
    pairs: int = speed.PAIRS
    max_pairs: int = speed.LOOKS * speed.PAIRS
    budget_s: float | None = None
    budget_option: str = "--budget"  # what messages call it
    repeats_red: bool = True


@dataclass
class Result:
    """The verdicts, where the records are, and how many seconds it took."""

    comparison: SpeedComparison
    folder: Path
    sessions: list[Session]
    seconds: float

    @property
    def step_times(self) -> dict[str, list[float]]:
        """Of each cell, the seconds of a step in the sessions that have them, in their order."""
        return speed_cells.step_times(self.sessions)


def run(request: Request, say: Say) -> Result:
    """Run a comparison; `say` gets a line per pair. A red result is repeated once.

    A stage goes on while a cell cannot tell, up to `max_pairs` and within its part of the budget.

    First each side runs once on trial: it warms caches, shows whether the side works, and how long
    a pair takes. Raises `UsageError`, `StorageError`.
    """
    with contextlib.ExitStack() as stack:
        sides = {
            side: stack.enter_context(ab_sides.opened(name, request.project))
            for side, name in (("a", request.a), ("b", request.b))
        }
        turns = _Turns(request, sides, say)
        try:
            turns.try_sides()
            until_s = turns.end_of_first_stage()
        except UsageError:
            shutil.rmtree(turns.folder, ignore_errors=True)  # it holds nothing to judge
            raise
        comparison = turns.take(stage=1, until_s=until_s)
        if comparison.red and request.repeats_red:
            comparison = _repeat(turns, comparison)
        return Result(comparison, turns.folder, turns.sessions, turns.elapsed_s)


def _repeat(turns: _Turns, first: SpeedComparison) -> SpeedComparison:
    red = ", ".join(first.red)
    if not turns.has_time_for(turns.least_pairs):
        return speed_cells.undecided(first, "worse, and no time is left to repeat it")
    turns.say(f"worse: {red}; repeating with fresh processes")
    turns.take(stage=2, until_s=turns.request.budget_s, cells=first.red)
    return turns.compared()


@dataclass
class _Turns:
    """The sessions of a comparison so far, and its clock."""

    request: Request
    sides: dict[str, Side]
    say: Say
    sessions: list[Session] = field(default_factory=list)
    pair_s: float = 0.0  # seconds that a pair takes, by the last ones

    def __post_init__(self) -> None:
        request = self.request
        self._start = time.monotonic()
        self.differing = ab_sides.differing_axes(request.a, request.b)
        a, b = (
            SideInfo(label=name.label, details=ab_sides.described(name))
            for name in (request.a, request.b)
        )
        info = ComparisonInfo(
            a=a,
            b=b,
            arguments=tuple(request.arguments),
            effects=dict(request.effects),
            differing=self.differing,
            alpha=speed.level(request.pairs, request.max_pairs),
        )
        self.alpha = info.alpha
        self.folder = speed_store.create(request.results, info)

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self._start

    @property
    def least_pairs(self) -> int:
        """The pairs that a stage with a budget runs at least: whole blocks, if more are asked."""
        return min(self.request.pairs, LEAST_PAIRS + LEAST_PAIRS % BLOCK)

    def try_sides(self) -> None:
        """Run each side once, which is not judged. Raises `UsageError` where one runs no case."""
        trials = []
        for side in self.sides:
            self._say_what_it_lacks(side)
            before = self.elapsed_s
            trials.append(self._run(side, self.folder / f"trial-{side}"))
            took = self.elapsed_s - before
            self.pair_s += took
            self.say(f"{side.upper()} {self._label(side)}: on trial, {took:.0f} s")
        found = speed_cells.compare(trials, self.request.effects, self.differing)
        failed = [cell for cell in found.verdicts if not cell.findings]
        if len(failed) == len(found.verdicts):
            why = "; ".join(f"{cell.name}: {cell.why}" for cell in failed)
            raise NothingRan(
                f"no cell ran on both sides: {why}. Fix: run each side alone, or select other "
                "cells (-k)"
            )
        for cell in failed:
            self.say(f"{cell.name}: {cell.why}")
        stages = 2 if self.request.repeats_red else 1
        total_s = self.request.pairs * self.pair_s
        most, more = self.request.max_pairs, ""
        if most > self.request.pairs:
            more = f"; up to {most} are run while a cell cannot tell"
        again = "; a red result is repeated" if stages == 2 else ""
        self.say(f"{self.request.pairs} pairs take about {duration(total_s)}{more}{again}")

    def end_of_first_stage(self) -> float | None:
        """When it has to end, so that a red result can be repeated; None: there is no limit.

        Raises `UsageError` if the budget is too short for both.
        """
        budget_s = self.request.budget_s
        if budget_s is None:
            return None
        stages = 2 if self.request.repeats_red else 1
        needed_s = self.elapsed_s + stages * self.least_pairs * self.pair_s
        if needed_s > budget_s:
            again = ", and as many again if a result is red" if stages == 2 else ""
            option = self.request.budget_option
            raise UsageError(
                f"{option} {duration(budget_s)}: {self.least_pairs} pairs of processes{again} take "
                f"about {duration(needed_s)}, trial included. Fix: {option} {duration(needed_s)} "
                "or more, fewer cells (-k), or fewer rows (--glue-max-train N)"
            )
        return self.elapsed_s + (budget_s - self.elapsed_s) / stages

    def has_time_for(self, pairs: int) -> bool:
        """Whether so many pairs fit into what is left of the budget."""
        budget_s = self.request.budget_s
        return budget_s is None or self.elapsed_s + pairs * self.pair_s <= budget_s

    def take(
        self, stage: int, until_s: float | None, cells: Collection[str] | None = None
    ) -> SpeedComparison:
        """Run the pairs of a stage, and more while one of the cells (all if None) cannot tell."""
        done = 0
        for count in speed.looks(self.request.pairs, self.request.max_pairs):
            is_in_time = self._take_pairs(stage, range(done, count), until_s)
            found = speed_cells.of_stage(stage, self.sessions, *self._rule)
            undecided = [n for n in found.undecided if cells is None or n in cells]
            if not undecided or not is_in_time:
                break
            if count < self.request.max_pairs:
                self.say(f"cannot tell after {count} pairs: {', '.join(undecided)}; running more")
            done = count
        return found

    def _take_pairs(self, stage: int, pairs: range, until_s: float | None) -> bool:
        """Run these pairs; False if there are enough and another block would be too late."""
        order = speed.order(pairs.stop)
        for pair in pairs:
            block_s = min(BLOCK, pairs.stop - pair) * self.pair_s
            is_late = until_s is not None and self.elapsed_s + block_s > until_s
            if is_late and pair % BLOCK == 0 and pair >= self.least_pairs:
                self.say(f"stopped after {pair} pairs: the budget allows no more")
                return False
            before = self.elapsed_s
            for place in (2 * pair, 2 * pair + 1):
                self._take_turn(stage, place, order[place])
            self.pair_s = self.elapsed_s - before
            self.say(f"pair {pair + 1} of {pairs.stop}: {self.pair_s:.0f} s")
        return True

    def compared(self) -> SpeedComparison:
        """The verdicts on what was run so far."""
        return speed_cells.compare(self.sessions, *self._rule)

    @property
    def _rule(self) -> tuple[Effects, tuple[str, ...], float]:
        return self.request.effects, self.differing, self.alpha

    def _take_turn(self, stage: int, place: int, side: str) -> None:
        folder = speed_store.session_folder(self.folder, stage, place + 1, side)
        session = self._run(side, folder)
        self.sessions.append(Session(side, session.records, stage))

    def _run(self, side: str, results: Path) -> Session:
        """Run one session. Raises `UsageError` if it leaves no record."""
        name = self.sides[side].name
        checkout, project = self.sides[side].checkout, self.request.project
        arguments = [*(checkout.moved(project, word) for word in self._given(side)), *ALONE]
        arguments += ["--glue-results", str(results)]
        ended = other_code.run_session(checkout, arguments, name.python)
        records = Store(results).load()
        if not records:
            where = f"side {side.upper()}, {self._label(side)}"
            if ended.code == NO_TESTS:
                raise NothingRan(f"{where}: nothing was selected. Fix: {self._selecting()}")
            raise UsageError(f"{where}: ran no case. The end of its output:\n{ended.printed}")
        return Session(side, records)

    def _given(self, side: str) -> list[str]:
        """The arguments of a side's sessions, with the paths of the working tree."""
        return [*self.request.arguments, *self.sides[side].name.arguments]

    def _say_what_it_lacks(self, side: str) -> None:
        checkout, project = self.sides[side].checkout, self.request.project
        lacking = [path for word in self._given(side) for path in checkout.lacks(project, word)]
        if lacking:
            paths = ", ".join(shown_path(Path(path)) for path in dict.fromkeys(lacking))
            self.say(
                f"{side.upper()} {self._label(side)}: not of the commit, and so the same for both "
                f"sides: {paths}"
            )

    def _label(self, side: str) -> str:
        return plain(self.sides[side].name.label)

    def _selecting(self) -> str:
        return "another -k; `pytest benchmarks --collect-only -q` lists the cases"


def duration(seconds: float) -> str:
    """Seconds as a person writes them, such as `90s` or `15m`; rounded up."""
    whole = int(seconds) + (seconds > int(seconds))
    if whole < 120:
        return f"{whole}s"
    minutes = -(-whole // 60)
    return f"{minutes}m" if minutes < 120 else f"{minutes // 60}h{minutes % 60:02}m"
