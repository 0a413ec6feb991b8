"""The benchmark cases of one pytest session: which there are, and how they are run and judged."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Generator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.errors import UsageError
from harness.execution.worker_log import prefixed
from harness.planning import option_sources, options, project
from harness.planning.plan import Plan, make
from harness.session.timing import VirtualClock
from harness.spec import Case, Policy, Progress
from harness.terminal import doors, write_above_bars
from harness.text.escape import harmless
from harness.text.values import shown_path

if TYPE_CHECKING:
    from _pytest.capture import CaptureManager

    from harness.compare.verdicts import Verdict
    from harness.errors import StorageError
    from harness.execution.driver import Driver
    from harness.records.schema import Record
    from harness.session.regression import Regression


SESSION = pytest.StashKey["GlueSession"]()  # where a pytest configuration keeps its session
ALL_CELLS = "all-cells"  # in place of a cell's name: the item that judges all cells together


class GlueSession:
    """One pytest session and its cases. Options are read, and heavy modules loaded, when needed."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        typed = {option.key: config.getoption(f"glue_{option.key}") for option in options.OPTIONS}
        self.was_asked = any(value is not None for value in typed.values())
        self.typed = typed  # the text of each option of the command line, by its key
        self._driver: Driver | None = None
        self.clock = VirtualClock()  # the timer that pytest-benchmark has for cases
        self.items: list[pytest.Item] = []
        self.deselected = 0
        self.was_interrupted = False  # most often by Ctrl-C
        self.was_refused = False  # its cases were, because pytest-xdist runs the session
        self.records: list[Record] = []
        self.reused: list[str] = []  # ids of cases whose stored run was taken
        self.cells: list[str] = []  # names of the cells to be judged
        self.lacks_baseline = False  # verdicts were asked for, and no baseline was named
        self.complaints: list[StorageError] = []  # what could not be stored, or read

    @property
    def runs_nothing(self) -> bool:
        """Whether pytest only lists or plans, so that no case will run."""
        asked = ("collectonly", "showfixtures", "show_fixtures_per_test", "setuponly", "setupplan")
        return any(self.config.getoption(name, False) for name in asked)

    @functools.cached_property
    def settings(self) -> options.Settings:
        """The values of the options. Raises `UsageError`."""
        config, here = self.config, self.config.invocation_params.dir
        _refuse_unread_table(config.rootpath, here)
        return option_sources.merge(self.typed, config.rootpath, here)

    def require_settings_read(self, tests: Path) -> None:
        """Raise `UsageError` if the folder of tests has settings of glue-bench that are not read.

        It may be a project below the rootdir.
        """
        _refuse_unread_table(self.config.rootpath, tests)

    @functools.cached_property
    def plan(self) -> Plan:
        """The cases to collect. Raises `UsageError`."""
        return make(self.settings)

    @functools.cached_property
    def regression(self) -> Regression | None:
        """The gate; None if no baseline was named. Raises `UsageError`, `StorageError`."""
        if self.settings.baseline is None:
            for key, flag in (("recheck", "--glue-recheck"), ("max_seeds", "--glue-max-seeds")):
                if getattr(self.settings, key) and not self.settings.is_of_file(key):
                    raise UsageError(f"{flag}: expected --glue-baseline NAME beside it")
            return None
        from harness.session import recheck
        from harness.session.regression import Regression

        root = self.config.rootpath
        gate = Regression(self.settings.baseline, self.settings, self.plan, root)
        if self.settings.recheck:
            recheck.require_trusted(gate.baseline, self.settings, root)
        return gate

    @property
    def policy(self) -> Policy:
        """Which verdicts fail."""
        return Policy(self.settings.policy or Policy.normal)

    @property
    def results(self) -> Path:
        """The folder that records are stored in."""
        return Path(self.settings.results or self.config.rootpath / project.RESULTS)

    @property
    def name(self) -> str:
        """The id of the session, which its journal has too; empty before it started."""
        return self._driver.journal.session if self._driver else ""

    @property
    def shows_output(self) -> bool:
        """Whether output of tests is shown while they run, as with `-s`."""
        return self.config.getoption("capture", "no") in ("no", "tee-sys")

    @property
    def driver(self) -> Driver:
        """Runs the cases; made when it is first needed."""
        if self._driver is None:
            from harness.execution import driver
            from harness.records import store

            settings = self.settings
            jobs = max(1, min(settings.jobs or 1, len(self.items)))
            engine = driver.make_engine(settings, self.plan)
            if self.shows_output:
                engine.echo = functools.partial(_print_output, is_alone=jobs == 1)
            self._driver = driver.Driver(self.plan, store.Store(self.results), engine, jobs)
            self.clock.session = self._driver.journal.session
        return self._driver

    def judge(self, cell: str) -> tuple[Verdict, str]:
        """The verdict on a cell, by the runs of this session, and its reason in one line.

        Raises `UsageError`.
        """
        from harness.compare import verdict_tables

        gate = self.regression
        if gate is None:
            raise UsageError("no baseline was named. Fix: --glue-baseline NAME")
        if cell == ALL_CELLS:
            return gate.judge_all(self.recheck)
        runs = (self.records, self.reused, self.cells)
        comparison = gate.judge(cell, *runs, self.recheck, self.run_more)
        return comparison.verdict, verdict_tables.line(comparison)

    def recheck(self, cell: str, seeds: list[int]) -> tuple[list[Record], list[Record]]:
        """New runs of a cell, by the baseline's code and by this code. Raises `UsageError`."""
        from harness.session import recheck

        gate = self.regression
        cases = [case for case in self.plan.cases if case.cell == cell]
        if gate is None or not cases:
            raise UsageError(f"{cell}: is no cell of this session")
        fresh = [dataclasses.replace(cases[0], seed=seed) for seed in seeds]
        test = self.test_of(cases[0])
        base = recheck.run_baseline(gate.baseline, fresh, test, self.settings, self.results)
        return base, self._run_by_this_code(fresh)

    def test_of(self, case: Case) -> str:
        """The file and function that runs a case, as pytest names it. Raises `UsageError`."""
        for item in self.items:
            if case_of(item) == case and isinstance(item, pytest.Function):
                return item.nodeid.removesuffix(item.name) + item.originalname
        raise UsageError(f"{case.id}: no test of this session runs it")

    def run_more(self, cell: str, seeds: list[int]) -> list[Record]:
        """New runs of a cell, of seeds that were not planned.

        They are runs of this session like the planned ones. Raises `UsageError`, `NotStored`.
        """
        cases = [case for case in self.plan.cases if case.cell == cell]
        if not cases:
            raise UsageError(f"{cell}: is no cell of this session")
        new = self._run_by_this_code([dataclasses.replace(cases[0], seed=seed) for seed in seeds])
        self.records += new
        return new

    def _run_by_this_code(self, cases: list[Case]) -> list[Record]:
        """The runs of these cases. Raises `UsageError` if other code computed one that is kept."""
        from harness.session.regression import OTHER_CODE, is_of_this_code

        done = [self.driver.run(case) for case in cases]
        self.reused += [each.record.case.id for each in done if each.is_reused]
        project = self.settings.project
        other = [
            each.record.case.id
            for each in done
            if each.is_reused and not is_of_this_code(each.record, project)
        ]
        if other:
            raise UsageError(OTHER_CODE.format(cases=", ".join(other)))
        return [each.record for each in done]

    @property
    def compared_nothing(self) -> bool:
        """Whether a baseline was named, cases ran, and no cell was compared with it."""
        if self.runs_nothing or not (self.items or self.cells):
            return False  # a session without cases, whose settings need not be valid
        return self.regression is not None and not self.regression.comparison.compared

    def check_rows(self) -> None:
        """Read the rows of custom tasks, so that an error in them is reported once, not per case.

        Raises `UsageError`. If rows are missing on this machine, the cases report it.
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

    def start_engine_ahead(self) -> None:
        """Have the fork server import while this process gets ready. Call it if cases will run.

        It waits until everything is collected: only then it is known that a case was selected, and
        modules of tests may have set variables of the environment that workers are to have.
        """
        if self.settings.engine != "inline":
            from harness.execution import forking  # no more than this, to be quick

            forking.start_ahead()

    def start(self) -> None:
        """Prepare to run the selected cases. Raises `UsageError`, `StorageError`."""
        self.check_rows()
        self.driver.start([case for item in self.items if (case := case_of(item))])

    def stop(self) -> None:
        """End all workers, and store the runs that have ended."""
        if self._driver is not None:
            self._driver.stop()
            self._take_complaints(self._driver)

    def close(self, exit_status: int | None = None) -> None:
        """Write the end of the session to the journal."""
        if self._driver is not None:
            self._driver.close(exit_status)
            self._take_complaints(self._driver)
            self._driver = None

    def _take_complaints(self, driver: Driver) -> None:
        self.complaints += driver.complaints
        driver.complaints.clear()  # each is reported once

    def note_outcome(self, case: Case, outcome: str) -> None:
        """Write the outcome of a case in pytest (passed, skipped, failed) to the journal."""
        if self._driver is not None:
            self._driver.note("tested", case=case.id, outcome=outcome)

    def run(self, item: pytest.Item, case: Case) -> Record:
        """Run a case; returns its stored record. Raises `NotStored`."""
        place = self.items.index(item) + 1 if item in self.items else len(self.items)
        upcoming = [later for ahead in self.items[place:] if (later := case_of(ahead))]
        capture = self.config.pluginmanager.getplugin("capturemanager")
        with doors(), _progress_bar(capture, harmless(case.id)) as progress:
            done = self.driver.run(case, upcoming, progress)
        if done.log and not self.shows_output:
            item.add_report_section("call", "worker log", harmless(done.log))
        self.records.append(done.record)
        if done.is_reused:
            self.reused.append(case.id)
        return done.record


def _refuse_unread_table(root: Path, here: Path) -> None:
    """Raise `UsageError` if settings of glue-bench are in another pyproject.toml than that of root.

    pytest reads one file, in its rootdir. Settings in another, such as a strict policy, would be
    left out without a word. Others are looked for from the current folder up to the rootdir; if
    that is below the current folder and has none, in the current folder.
    """
    if root != here and root.is_relative_to(here) and not project.table(root / "pyproject.toml"):
        places = [here]
    else:
        above = [here, *here.parents]
        places = above[: above.index(root)] if root in above else []
    for folder in places:
        file = folder / "pyproject.toml"
        if project.table(file):
            add = "" if places == [here] else "add `[tool.pytest]` to that file, or "
            raise UsageError(
                f"{shown_path(file)}: its [tool.glue-bench] is not read, since pytest's rootdir is "
                f"{shown_path(root)}. Fix: {add}say `--rootdir {shown_path(folder)}`"
            )


def cell_of(item: pytest.Item) -> str | None:
    """The name of the cell that an item judges; None for other tests."""
    spec = getattr(item, "callspec", None)
    return spec.params.get("glue_cell") if spec else None


def case_of(item: pytest.Item) -> Case | None:
    """The case that an item runs; None for other tests."""
    spec = getattr(item, "callspec", None)
    return spec.params.get("glue_case") if spec else None


def _print_output(case_id: str, text: str, *, is_alone: bool) -> None:
    """Print a worker's output above the progress bar; with its case where several run."""
    write_above_bars(text if is_alone else prefixed(text, case_id))


@contextlib.contextmanager
def _progress_bar(capture: CaptureManager | None, title: str) -> Generator[Progress]:
    """Show a progress bar on the terminal, also while pytest captures output; none elsewhere."""
    from tqdm import tqdm

    bars: list[tqdm] = []  # made once the number of steps is known

    def uncaptured() -> AbstractContextManager[None]:
        return capture.global_and_fixture_disabled() if capture else contextlib.nullcontext()

    def progress(step: int, steps: int) -> None:
        with uncaptured():
            if not bars:
                # disable=None: nothing is printed where stderr is no terminal.
                bars.append(tqdm(total=steps, desc=title, unit="step", leave=False, disable=None))
            bars[0].update(step - bars[0].n)

    try:
        yield progress
    finally:
        if bars:
            with uncaptured():
                bars[0].close()
