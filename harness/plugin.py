"""The pytest plugin: options, one item per case, and tables at the end of the session.

Every pytest session of the environment loads it, so it imports little and does nothing until a test
asks for one of its fixtures. docs/architecture.md follows a case from here to its record.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import warnings
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING

import pytest

from harness.catalog import tasks
from harness.errors import Exit, NotStored, StorageError, UsageError
from harness.execution import interrupt
from harness.planning import options
from harness.session import pytest_output, speed_tests, suites, summary
from harness.session.session import ALL_CELLS, SESSION, GlueSession, case_of, cell_of
from harness.session.timing import VirtualClock, show_times
from harness.spec import Case
from harness.terminal import say_record
from harness.text import log_marks
from harness.text.escape import harmless

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

    from harness.records.schema import Record

NO_XDIST = (
    "benchmark cases do not run under pytest-xdist (-n), which would time several at once. "
    "Fix: leave -n out and say --glue-jobs N"
)
IMPORT = (
    "Its session and its record were printed, one line each. Put both lines, or the whole log, "
    "into a file: `glue-bench import RESULTS FILE` stores it"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("glue", "GLUE benchmark cases (defaults: [tool.glue-bench])")
    for option in options.OPTIONS:
        group.addoption(option.flag, dest=f"glue_{option.key}", **option.form)


@pytest.hookimpl(trylast=True)  # once every conftest.py has added its options
def pytest_load_initial_conftests(parser: pytest.Parser, args: list[str]) -> None:
    _, rest = parser.parse_known_and_unknown_args(args)
    with _raised_as(pytest.UsageError):
        for complaint in options.unknown_flags(rest):
            raise UsageError(complaint)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "glue(task, model, target, seed): one benchmark case; select exactly with "
        "-m \"glue(task='sst2', target='cpu-fp32')\"",
    )
    session = config.stash[SESSION] = GlueSession(config)
    config.pluginmanager.register(speed_tests)
    config.pluginmanager.register(suites)
    if _is_under_xdist(config):
        config.pluginmanager.register(_Refusals(session))
    if session.was_asked:
        with _raised_as(pytest.UsageError):
            # A wrong option or baseline is reported before anything is collected.
            _ = session.plan, session.regression


def _is_under_xdist(config: pytest.Config) -> bool:
    """Whether this is a worker of pytest-xdist, or its controller."""
    return hasattr(config, "workerinput") or bool(getattr(config.option, "numprocesses", None))


class _Refusals:
    """A plugin for sessions with pytest-xdist: notes that benchmark cases were refused.

    Workers refuse them, since only they collect, and the controller hears of it.
    """

    def __init__(self, glue: GlueSession) -> None:
        self.glue = glue

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self.glue.was_refused |= NO_XDIST in str(report.longrepr)


def pytest_pycollect_makeitem(collector: pytest.Collector, obj: object) -> list[pytest.Item] | None:
    """Collect no tests of cells if no baseline is named, since each would have to be skipped."""
    if not inspect.isfunction(obj) or "glue_cell" not in inspect.signature(obj).parameters:
        return None
    glue = collector.config.stash[SESSION]
    with _raised_as(pytest.Collector.CollectError):
        glue.lacks_baseline = glue.regression is None
    return [] if glue.lacks_baseline else None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    parameters = {*suites.PARAMETERS} & {*metafunc.fixturenames}
    if parameters or "glue_run" in metafunc.fixturenames:
        pytest_output.shut(metafunc.config)
    if not parameters:
        return
    if _is_under_xdist(metafunc.config):
        raise pytest.Collector.CollectError(NO_XDIST)
    glue = metafunc.config.stash[SESSION]
    with _raised_as(pytest.Collector.CollectError):
        glue.require_settings_read(metafunc.definition.path.parent)
        cases = glue.plan.cases
    if "glue_case" in parameters:
        params = [pytest.param(case, id=case.id, marks=_marks(case)) for case in cases]
        metafunc.parametrize("glue_case", params)
    if "glue_cell" in parameters and glue.regression:
        cells = [*glue.regression.cells, *([ALL_CELLS] if glue.settings.recheck else [])]
        marks = {cell: [m for c in cases if c.cell == cell for m in _marks(c)] for cell in cells}
        params = [pytest.param(cell, id=cell, marks=marks[cell]) for cell in cells]
        metafunc.parametrize("glue_cell", params)


def _marks(case: Case) -> list[pytest.MarkDecorator]:
    fields = {"task": case.task, "model": case.model, "target": case.target, "seed": case.seed}
    names = [case.task, *(part.name for part in tasks.parts(case.task))]
    return [pytest.mark.glue(**fields | {"task": name}) for name in names]


def pytest_itemcollected(item: pytest.Item) -> None:
    case, cell = case_of(item), cell_of(item)
    glue = item.config.stash[SESSION]
    if case:  # so that `-k ax` selects the run that predicts ax
        item.extra_keyword_matches.update(part.name for part in tasks.parts(case.task))
    if "glue_show_times" in getattr(item, "fixturenames", ()):
        _time_by(item, glue.clock)
    if cell:  # so that `-k s42` selects the runs of that seed and the verdict on them
        cases = glue.plan.cases
        item.extra_keyword_matches.update(c.id for c in cases if cell in (c.cell, ALL_CELLS))


def _time_by(item: pytest.Item, clock: VirtualClock) -> None:
    """Have pytest-benchmark read this clock; the test's own mark may name another group."""
    own = item.get_closest_marker("benchmark")
    options = {"group": "fine-tuning, seconds per epoch", **(own.kwargs if own else {})}
    item.add_marker(pytest.mark.benchmark(**options | {"timer": clock}), append=False)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Generator[None]:
    yield
    # Verdicts come last, also after plugins that reorder tests.
    items.sort(key=lambda item: bool(cell_of(item) or speed_tests.cell_of(item)))
    cells = [cell for item in items if (cell := cell_of(item))]
    if ALL_CELLS in cells and len(cells) < 3:  # one cell is judged by its own item
        items[:] = [item for item in items if cell_of(item) != ALL_CELLS]


def pytest_deselected(items: list[pytest.Item]) -> None:
    for item in items:
        if case_of(item):
            item.config.stash[SESSION].deselected += 1


@pytest.hookimpl(tryfirst=True)  # before the header is printed
def pytest_collection_finish(session: pytest.Session) -> None:
    glue = session.config.stash[SESSION]
    glue.items = [item for item in session.items if case_of(item)]
    glue.cells = [cell for item in session.items if (cell := cell_of(item))]
    if glue.items and not glue.runs_nothing:
        with _raised_as(pytest.UsageError):
            glue.start_engine_ahead()
            session_line = log_marks.announcement(glue.driver.journal.session)
            pytest_output.let_through(session.config, session_line)
            glue.start()
        session.config.pluginmanager.register(_Interrupted())


class _Interrupted:
    """A plugin for sessions with cases: lets them end undisturbed after a Ctrl-C."""

    @pytest.hookimpl(tryfirst=True)  # pytest's own report of it takes a while
    def pytest_keyboard_interrupt(self) -> None:
        interrupt.begin_to_end()


def pytest_report_collectionfinish(config: pytest.Config) -> list[str]:
    glue = config.stash[SESSION]
    announced = [log_marks.announcement(glue.name)] if glue.name else []  # see `import`
    return [*announced, *map(harmless, summary.header(glue))]


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    with interrupt.deferred() if case_of(item) else contextlib.nullcontext():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    case = case_of(item)
    if case or cell_of(item):
        pytest_output.clean(report)
    if case and (report.when == "call" or not report.passed):
        item.config.stash[SESSION].note_outcome(case, report.outcome)
    return report


@pytest.fixture
def glue_run(request: pytest.FixtureRequest) -> Callable[[Case], Record]:
    """Runs a case and returns its record, which is on disk by then.

    Skips a case of the profile for which this machine lacks something; fails if the run failed.
    """

    def run(case: Case) -> Record:
        glue = request.config.stash[SESSION]
        record, unstored = None, ""
        try:
            record = glue.run(request.node, case)
        except NotStored as error:
            glue.complaints.append(error)
            _print_lines(request.config, error.lines)
            unstored = harmless(f"{error}\n{IMPORT}" if error.can_import else str(error))
        if record is None:  # outside of `except`, or the failure would show the exception too
            pytest.fail(unstored, pytrace=False)
        if record.status == "skipped":
            pytest.skip(harmless(record.reason or ""))
        complaint = complaint_about(record, above_floor=glue.plan.expects_above_floor(case))
        if complaint:
            pytest.fail(harmless(complaint), pytrace=False)
        return record

    return run


@pytest.fixture
def glue_show_times(
    request: pytest.FixtureRequest, benchmark: BenchmarkFixture
) -> Generator[Callable[[Record], None]]:
    """Shows a record's seconds per epoch in pytest-benchmark's table."""
    yield functools.partial(show_times, benchmark, request.config.stash[SESSION].clock)
    # A case that failed, was kept or was interrupted has no times, which is no cause for a warning.
    benchmark.skipped = True


@pytest.fixture
def glue_verdict(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Compares a cell's runs of this session with those of the baseline.

    Fails if the cell is worse, is gone or cannot be compared; skips if it is new, or if there are
    too few runs to tell, which fails under the policy `strict`. Under `report` nothing fails.
    """
    from harness.compare.verdicts import Verdict

    glue = request.config.stash[SESSION]

    def judge(cell: str) -> None:
        try:
            verdict, why = glue.judge(cell)
        except (UsageError, StorageError) as error:
            verdict, why = Verdict.INCOMPARABLE, str(error)
        request.node.user_properties.append(("verdict", str(verdict)))
        line = harmless(f"{verdict}; {why}" if why else str(verdict))
        if verdict.fails(glue.policy):
            pytest.fail(line, pytrace=False)
        if verdict not in (Verdict.NOT_WORSE, Verdict.BETTER):
            pytest.skip(line)

    return judge


def _print_lines(config: pytest.Config, lines: str) -> None:
    """Print a record that could not be stored, past pytest's capturing."""
    capture = config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled() if capture else contextlib.nullcontext():
        say_record(lines)


def complaint_about(record: Record, *, above_floor: bool) -> str | None:
    """Why a run does not pass; None where it does."""
    if record.status != "ok":
        return f"{record.status}: {record.reason}"
    if above_floor and "at_floor" in record.flags:
        return (
            f"ended at its floor: score {100 * (record.score or 0):.2f}, and the best constant "
            f"predictor has {100 * (record.floor or 0):.2f}"
        )
    return None


def pytest_keyboard_interrupt() -> None:
    """Let `-W error` not change the exit code because a Ctrl-C leaves files open."""
    warnings.filterwarnings("ignore", category=pytest.PytestUnraisableExceptionWarning)


@pytest.hookimpl(trylast=True)  # after pytest-benchmark's own tables
def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    summary.write(config.stash[SESSION], terminalreporter)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    glue = session.config.stash[SESSION]
    glue.was_interrupted = exitstatus == pytest.ExitCode.INTERRUPTED
    told = len(glue.complaints)
    glue.stop()
    for complaint in glue.complaints[told:]:  # of cases that were started in advance
        if isinstance(complaint, NotStored):
            _print_lines(session.config, complaint.lines)
    measured = any(record.status == "ok" for record in glue.records)
    ran = glue.items and not glue.runs_nothing
    if ((ran and not measured) or glue.compared_nothing) and exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.NO_TESTS_COLLECTED
    if glue.was_refused:
        session.exitstatus = pytest.ExitCode.USAGE_ERROR
    if glue.complaints:
        session.exitstatus = Exit.STORAGE
    glue.close(int(session.exitstatus))
    if glue.complaints:  # also if only the end of the session could not be written
        session.exitstatus = Exit.STORAGE


def pytest_unconfigure(config: pytest.Config) -> None:
    if SESSION not in config.stash:
        return
    glue = config.stash[SESSION]
    glue.close()
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter and (line := summary.how_to_go_on(glue)):
        reporter.ensure_newline()
        reporter.write_line(harmless(line))
    interrupt.have_ended()


@contextlib.contextmanager
def _raised_as(kind: type[Exception]) -> Generator[None]:
    """Raise our errors as one that pytest shows without a traceback at this point."""
    try:
        yield
    except (UsageError, StorageError) as error:
        raise kind(str(error)) from None
