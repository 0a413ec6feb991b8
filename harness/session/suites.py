"""Suites: files `test_NAME.py` of benchmarks that run only when they are named.

`--glue-suite NAME` runs the tests of `test_NAME.py` alone. A file whose mark is `glue_suite` runs
only with that option, or if its path is an argument of pytest; every other file, such as that of
the fine-tuning matrix, runs also without it. The module is a pytest plugin, which `harness.plugin`
registers.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.errors import UsageError
from harness.session.session import SESSION, GlueSession
from harness.spec import Case
from harness.terminal import say
from harness.text.escape import harmless
from harness.text.names import unknown

if TYPE_CHECKING:
    from harness.planning.plan import Plan

MARK = "glue_suite"
CELL = "glue_suite_cell"  # the parameter by which a test says that it measures a cell of the plan
PARAMETERS = ("glue_case", "glue_cell", "glue_speed_cell", CELL)
PREFIX = "test_"


@dataclass
class _Suites:
    """What of suites was seen in a session, and what they print at its end."""

    wanted: str | None = None  # the suite that was named
    files: dict[str, None] = field(default_factory=dict)  # the names of the files with tests
    sections: list[tuple[str, str]] = field(default_factory=list)


SUITES = pytest.StashKey[_Suites]()


def pytest_configure(config: pytest.Config) -> None:
    """Declare the mark of a suite."""
    config.stash[SUITES] = _Suites(wanted=config.stash[SESSION].typed["suite"])
    config.addinivalue_line(
        "markers",
        f"{MARK}(tasks, models, targets): the tests of this file run only when they are named; of "
        "the plan they take these tasks, models and targets, where no option names any",
    )


def pytest_pycollect_makeitem(collector: pytest.Collector, obj: object) -> list[pytest.Item] | None:
    """Leave out the tests of suites that are not named; with `--glue-suite`, all other tests."""
    if not inspect.isfunction(obj):
        return None
    glue = collector.config.stash[SESSION]
    is_ours = not {*PARAMETERS}.isdisjoint(inspect.signature(obj).parameters)
    suites = collector.config.stash[SUITES]
    if is_ours:  # settings are read for no other test
        try:
            suites.wanted = glue.settings.suite  # the project's file may name it too
        except UsageError as error:
            raise pytest.Collector.CollectError(str(error)) from None
    elif suites.wanted is None:
        return None
    name = collector.path.stem.removeprefix(PREFIX)
    suites.files[name] = None
    if suites.wanted is not None:
        return None if name == suites.wanted else []
    if collector.get_closest_marker(MARK) is None or _is_argument(collector):
        return None
    return []


def _is_argument(collector: pytest.Collector) -> bool:
    """Whether pytest was given the path of this file, or of a test in it."""
    config = collector.config
    named = (config.invocation_params.dir / arg.partition("::")[0] for arg in config.args)
    return collector.path in {path.absolute().resolve() for path in named}


@pytest.hookimpl(trylast=True)  # after the plugin, which reports a wrong setting
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make a test for each cell that the suite takes of the plan."""
    if CELL in metafunc.fixturenames:
        glue = metafunc.config.stash[SESSION]
        mark = metafunc.definition.get_closest_marker(MARK)
        cells = dict.fromkeys(case.cell for case in _cases(glue.plan, mark.kwargs if mark else {}))
        metafunc.parametrize(CELL, [*cells], ids=[*cells])


def _cases(plan: Plan, defaults: Mapping[str, tuple[str, ...]]) -> list[Case]:
    """The cases of the plan; on an axis that no option names, only those of `defaults`."""
    if "profile" in plan.named:  # it names what runs on each axis
        return plan.cases
    keep = {axis: names for axis, names in defaults.items() if axis not in plan.named}
    return [
        case
        for case in plan.cases
        if all(getattr(case, axis.removesuffix("s")) in names for axis, names in keep.items())
    ]


def pytest_collection_finish(session: pytest.Session) -> None:
    """Refuse the name of a suite that has no file among those that were collected."""
    suites = session.config.stash[SUITES]
    if suites.wanted is not None and suites.wanted not in suites.files:
        known = unknown("suite", suites.wanted, suites.files)
        raise pytest.UsageError(f"--glue-suite: {known}")


@dataclass
class Suite:
    """What a test of a suite needs of its session."""

    glue: GlueSession

    @property
    def plan(self) -> Plan:
        """The plan of the session."""
        return self.glue.plan

    @property
    def results(self) -> Path:
        """The results folder."""
        return self.glue.results

    def cases(self, cell: str) -> list[Case]:
        """The planned cases of a cell, one of each seed."""
        return [case for case in self.plan.cases if case.cell == cell]

    def say(self, line: str) -> None:
        """Print how far the suite is, past pytest's capturing."""
        plugins = self.glue.config.pluginmanager
        capture, reporter = map(plugins.get_plugin, ("capturemanager", "terminalreporter"))
        with capture.global_and_fixture_disabled() if capture else contextlib.nullcontext():
            if reporter:
                reporter.ensure_newline()
            say(line)

    def show(self, title: str, text: str) -> None:
        """Print a text at the end of the session; texts with one title stand together."""
        self.glue.config.stash[SUITES].sections.append((title, text))


@pytest.fixture
def glue_suite(request: pytest.FixtureRequest) -> Suite:
    """The plan and the results folder of the session, and how a suite prints its tables."""
    return Suite(request.config.stash[SESSION])


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """A session whose suites measured nothing does not pass."""
    if _measured_nothing(session) and exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.NO_TESTS_COLLECTED


def _measured_nothing(session: pytest.Session) -> bool:
    if session.config.stash[SESSION].runs_nothing:
        return False
    is_there = any(item.get_closest_marker(MARK) for item in session.items)
    return is_there and not session.config.stash[SUITES].sections


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Write what the suites have to show."""
    sections = config.stash[SUITES].sections
    for title in dict.fromkeys(title for title, _ in sections):
        terminalreporter.section(harmless(title))
        for text in (text for of, text in sections if of == title):
            for line in [*text.splitlines(), ""]:
                terminalreporter.write_line(harmless(line))
