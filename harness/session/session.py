"""What one pytest session knows of its benchmark cases, and how it runs them."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.errors import UsageError
from harness.execution.worker_log import prefixed
from harness.planning import options, project
from harness.planning.plan import Plan, make
from harness.session.timing import VirtualClock
from harness.spec import Case
from harness.terminal import doors, write_above_bars
from harness.text.escape import harmless

if TYPE_CHECKING:
    from harness.compare.gate import Verdict
    from harness.errors import StorageError
    from harness.execution.driver import Driver
    from harness.records.schema import Record
    from harness.session.regression import Regression


ALL_CELLS = "all-cells"  # an item of its own, in place of a cell's name


class GlueSession:
    """What one pytest session knows of its cases."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        typed = {option.key: config.getoption(f"glue_{option.key}") for option in options.OPTIONS}
        self.was_asked = any(value is not None for value in typed.values())
        self._typed = typed
        self._driver: Driver | None = None
        self.clock = VirtualClock()  # the timer that pytest-benchmark has for cases
        self.items: list[pytest.Item] = []
        self.deselected = 0
        self.was_interrupted = False  # by Ctrl-C, as a rule
        self.records: list[Record] = []
        self.reused: list[str] = []  # cases
        self.cells: list[str] = []  # that are to be judged
        self.lacks_baseline = False  # verdicts were collected, and there is none to judge by
        self.complaints: list[StorageError] = []  # what could not be kept, or read

    @property
    def runs_nothing(self) -> bool:
        """Whether pytest was asked to list or to plan, so that no case will run."""
        asked = ("collectonly", "showfixtures", "show_fixtures_per_test", "setuponly", "setupplan")
        return any(self.config.getoption(name, False) for name in asked)

    @functools.cached_property
    def settings(self) -> options.Settings:
        """What options, environment and pyproject.toml say."""
        return options.merge(self._typed, self.config.rootpath, self.config.invocation_params.dir)

    @functools.cached_property
    def plan(self) -> Plan:
        """The cases to collect. Raises `UsageError`."""
        return make(self.settings)

    @functools.cached_property
    def regression(self) -> Regression | None:
        """The gate, if a baseline was named. Raises `UsageError`, `StorageError`."""
        if self.settings.baseline is None:
            if self.settings.recheck:
                raise UsageError("--glue-recheck: expected --glue-baseline NAME beside it")
            return None
        from harness.session.regression import Regression

        return Regression(self.settings.baseline, self.settings, self.plan, self.config.rootpath)

    @property
    def results(self) -> Path:
        """Where records go."""
        return Path(self.settings.results or self.config.rootpath / project.RESULTS)

    @property
    def name(self) -> str:
        """The session's id, that of its journal; empty before it started."""
        return self._driver.journal.session if self._driver else ""

    @property
    def shows_output(self) -> bool:
        """Whether what tests print is shown while they print it, as with `-s`."""
        return self.config.getoption("capture", "no") in ("no", "tee-sys")

    @property
    def driver(self) -> Driver:
        """Runs the cases; made when the first is about to run."""
        if self._driver is None:
            from harness.execution import driver
            from harness.records import store

            settings = self.settings
            jobs = min(settings.jobs or 1, len(self.items))
            engine = driver.make_engine(settings, self.plan)
            if self.shows_output:
                engine.echo = functools.partial(_print_output, is_alone=jobs == 1)
            self._driver = driver.Driver(self.plan, store.Store(self.results), engine, jobs)
        return self._driver

    def judge(self, cell: str) -> tuple[Verdict, str]:
        """The verdict on a cell, by the runs of this session, and what it rests on.

        Raises `UsageError`.
        """
        from harness.compare import verdict_tables

        gate = self.regression
        if gate is None:
            raise UsageError("no baseline was named. Mend: --glue-baseline NAME")
        if cell == ALL_CELLS:
            return gate.judge_all(self.recheck)
        found = gate.judge(cell, self.records, self.reused, self.cells, self.recheck)
        return found.verdict, verdict_tables.line(found)

    def recheck(self, cell: str, seeds: list[int]) -> tuple[list[Record], list[Record]]:
        """Fresh runs of a cell: the baseline's code's, and this code's. Raises `UsageError`."""
        from harness.session import recheck

        gate = self.regression
        cases = [case for case in self.plan.cases if case.cell == cell]
        if gate is None or not cases:
            raise UsageError(f"{cell}: is no cell of this session")
        fresh = [dataclasses.replace(cases[0], seed=seed) for seed in seeds]
        base = recheck.run_baseline(gate.baseline, fresh, self.settings, self.results)
        return base, [self.driver.run(case).record for case in fresh]

    @property
    def compared_nothing(self) -> bool:
        """Whether a baseline was named, cases ran, and no cell was compared with it."""
        if self.runs_nothing or not (self.items or self.cells):
            return False  # any session of the environment: its settings are not ours to read
        return self.regression is not None and not self.regression.comparison.compared

    def check_rows(self) -> None:
        """Read the rows of the user's own tasks, so that what is wrong with them is told once.

        Raises `UsageError`. Rows that this machine lacks are left to the cases, which say so.
        """
        from harness.data import load, row_sources
        from harness.errors import DataError, DataUnavailable

        selected = {case.task for item in self.items if (case := case_of(item))}
        for name, task in self.plan.custom_tasks.items():
            if name in selected:
                try:
                    load.load(row_sources.located(self.plan.data, task), task)
                except DataUnavailable:
                    continue
                except DataError as error:
                    raise UsageError(str(error)) from None

    def start(self) -> None:
        """Get ready for the selected cases. Raises `UsageError`, `StorageError`."""
        self.check_rows()
        self.driver.start([case for item in self.items if (case := case_of(item))])
        self.clock.session = self.driver.journal.session

    def stop(self) -> None:
        """Leave no worker behind."""
        if self._driver is not None:
            self._driver.stop()
            self._hear_complaints(self._driver)

    def close(self, exit_status: int | None = None) -> None:
        """Write down that the session ended."""
        if self._driver is not None:
            self._driver.close(exit_status)
            self._hear_complaints(self._driver)
            self._driver = None

    def _hear_complaints(self, driver: Driver) -> None:
        self.complaints += driver.complaints
        driver.complaints.clear()  # each is told once

    def note_outcome(self, case: Case, outcome: str) -> None:
        """Write down what pytest made of a case."""
        if self._driver is not None:
            self._driver.note("tested", case=case.id, outcome=outcome)

    def run(self, item: pytest.Item, case: Case) -> Record:
        """The stored record of a case."""
        place = self.items.index(item) + 1 if item in self.items else len(self.items)
        upcoming = [ahead for later in self.items[place:] if (ahead := case_of(later))]
        capture = self.config.pluginmanager.getplugin("capturemanager")
        with doors(), _progress_bar(capture, harmless(case.id)) as progress:
            ran = self.driver.run(case, upcoming, progress)
        if ran.log and not self.shows_output:
            item.add_report_section("call", "worker log", harmless(ran.log))
        self.records.append(ran.record)
        if ran.is_reused:
            self.reused.append(case.id)
        return ran.record


def cell_of(item: pytest.Item) -> str | None:
    """The cell an item judges; None for any other test."""
    spec = getattr(item, "callspec", None)
    return spec.params.get("glue_cell") if spec else None


def case_of(item: pytest.Item) -> Case | None:
    """The case an item runs; None for any other test."""
    spec = getattr(item, "callspec", None)
    return spec.params.get("glue_case") if spec else None


def _print_output(case_id: str, text: str, *, is_alone: bool) -> None:
    """Print what a worker printed, above the progress bar; with the case where several run."""
    write_above_bars(text if is_alone else prefixed(text, case_id))


@contextlib.contextmanager
def _progress_bar(capture: Any, title: str) -> Generator[Callable[[int, int], None]]:
    """A bar on the terminal while a case runs, also while pytest captures; none elsewhere."""
    from tqdm import tqdm

    bars: list[Any] = []

    def progress(step: int, steps: int) -> None:
        with capture.global_and_fixture_disabled() if capture else contextlib.nullcontext():
            if not bars:
                # disable=None: nothing is printed where stderr is no terminal.
                bars.append(tqdm(total=steps, desc=title, unit="step", leave=False, disable=None))
            bars[0].update(step - bars[0].n)

    try:
        yield progress
    finally:
        if bars:
            with capture.global_and_fixture_disabled() if capture else contextlib.nullcontext():
                bars[0].close()
