"""The tests of `--glue-ab SIDE`: one per cell. All are judged by one A/B comparison.

The module is a pytest plugin, which `harness.plugin` registers.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.errors import StorageError, UsageError
from harness.session.session import SESSION, GlueSession
from harness.spec import Case
from harness.terminal import say
from harness.text.escape import harmless

if TYPE_CHECKING:
    from harness.execution.ab import Result

CELL = "glue_speed_cell"  # the parameter by which a test says that it judges a cell's speed
Failure = UsageError | StorageError
OUTCOME = pytest.StashKey["Result | Failure"]()

NOTHING = (
    "--glue-ab: no test of speed was selected, so nothing was compared. Fix: a test with the "
    "fixtures glue_speed and glue_speed_cell, as in benchmarks/test_speed.py"
)


def cell_of(item: pytest.Item) -> str | None:
    """The name of the cell whose speed an item judges; None for other tests."""
    spec = getattr(item, "callspec", None)
    return spec.params.get(CELL) if spec else None


def pytest_pycollect_makeitem(collector: pytest.Collector, obj: object) -> list[pytest.Item] | None:
    """Collect no tests of speed unless a side is named."""
    if not inspect.isfunction(obj) or CELL not in inspect.signature(obj).parameters:
        return None
    return [] if collector.config.stash[SESSION].settings.ab is None else None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make a test for each planned cell."""
    if CELL in metafunc.fixturenames:
        cells = dict.fromkeys(case.cell for case in metafunc.config.stash[SESSION].plan.cases)
        metafunc.parametrize(CELL, [*cells], ids=[*cells])


def pytest_itemcollected(item: pytest.Item) -> None:
    """Let `-k s42` select the runs of that seed, and the test of their speed."""
    if cell := cell_of(item):
        cases = item.config.stash[SESSION].plan.cases
        item.extra_keyword_matches.update(case.id for case in cases if case.cell == cell)


@pytest.fixture
def glue_speed(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Judges a cell's speed: fails if it is worse or cannot be compared, skips if it cannot tell.

    The session's policy decides, as for scores. The first call runs the comparison of all cells.
    """
    from harness.compare import speed_tables
    from harness.compare.gate import Verdict

    glue = request.config.stash[SESSION]

    def judge(cell: str) -> None:
        outcome = _outcome(request.session)
        if isinstance(outcome, Failure):
            pytest.fail(harmless(str(outcome)), pytrace=False)
        found = outcome.comparison.of(cell)
        if found is None:
            pytest.fail(
                f"{Verdict.INCOMPARABLE}; no session of the two sides ran it", pytrace=False
            )
        request.node.user_properties.append(("verdict", str(found.verdict)))
        line = harmless(f"{found.verdict}; {speed_tables.line(found)}")
        if found.verdict.fails(glue.policy):
            pytest.fail(line, pytrace=False)
        if found.verdict not in (Verdict.NOT_WORSE, Verdict.BETTER):
            pytest.skip(line)

    return judge


def _outcome(session: pytest.Session) -> Result | Failure:
    """The comparison of all selected cells, or the error that it ended with; made once."""
    stash = session.config.stash
    if OUTCOME not in stash:
        cells = [cell for item in session.items if (cell := cell_of(item))]
        try:
            stash[OUTCOME] = _compare(session, cells)
        except (UsageError, StorageError) as error:
            stash[OUTCOME] = error
    return stash[OUTCOME]


def _compare(session: pytest.Session, cells: list[str]) -> Result:
    """Run both sides in turns. Raises `UsageError`, `StorageError`."""
    from harness.compare import speed, speed_measures
    from harness.execution import ab, ab_sides

    config = session.config
    glue = config.stash[SESSION]
    settings, project = glue.settings, config.rootpath
    request = ab.Request(
        a=ab_sides.named(settings.ab or "", project),
        b=ab_sides.named(ab_sides.TREE, project),
        project=project,
        arguments=_arguments(session, glue, cells),
        results=glue.results,
        effects=speed_measures.default_effects(speed.SHARED_EFFECT),
        budget_s=settings.ab_budget,
        budget_option="--glue-ab-budget",
    )
    return ab.run(request, lambda line: _say(config, line))


def _arguments(session: pytest.Session, glue: GlueSession, cells: list[str]) -> list[str]:
    """The arguments of both sides' sessions: the same options, and a mark for each cell.

    One seed is enough: another seed is no other speed.
    """
    from harness.execution import ab_sides

    cases = {case.cell: case for case in reversed(glue.plan.cases) if case.cell in cells}
    typed = [
        word
        for key, text in glue.typed.items()
        if text is not None and key.replace("_", "-") not in (*ab_sides.OURS, "seeds")
        for word in _words(key, text)
    ]
    here = glue.config.invocation_params.dir
    seeds = sorted({case.seed for case in cases.values()})
    return [
        _tests(session, glue),
        *ab_sides.with_absolute_paths(typed, here),
        *("--glue-seeds", "".join(f"{seed}," for seed in seeds)),
        *("-m", " or ".join(map(_mark, cases.values()))),
    ]


def _words(key: str, text: str) -> list[str]:
    from harness.planning import options

    option = next(option for option in options.OPTIONS if option.key == key)
    return [option.flag] if option.is_switch else [option.flag, text]


def _mark(case: Case) -> str:
    """An expression for `-m` that selects a case."""
    fields = {"task": case.task, "model": case.model, "target": case.target, "seed": case.seed}
    return f"glue({', '.join(f'{name}={value!r}' for name, value in fields.items())})"


def _tests(session: pytest.Session, glue: GlueSession) -> str:
    """The test that runs the cases, or else the folder of the test that judges their speed."""
    for case in glue.plan.cases:
        with contextlib.suppress(UsageError):
            return glue.test_of(case)
    item = next(item for item in session.items if cell_of(item))
    return str(Path(item.nodeid.partition("::")[0]).parent)


def _say(config: pytest.Config, line: str) -> None:
    """Print how far a comparison is, past pytest's capturing."""
    capture = config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled() if capture else contextlib.nullcontext():
        say(f"glue-ab: {line}")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """A session that named a side and compared nothing does not pass."""
    if _compared_nothing(session.config) and exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.NO_TESTS_COLLECTED


def _compared_nothing(config: pytest.Config) -> bool:
    glue = config.stash[SESSION]
    if not glue.items or glue.runs_nothing or glue.settings.ab is None:
        return False
    return OUTCOME not in config.stash


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Show the tables of the comparison, if there was one."""
    outcome = config.stash.get(OUTCOME, None)
    if _compared_nothing(config):
        terminalreporter.write_line(NOTHING)
    if outcome is None or isinstance(outcome, Failure):
        return
    from harness.compare import speed_tables

    terminalreporter.section("GLUE speed, A and B in turns")
    side = config.stash[SESSION].settings.ab
    for line in _lines(speed_tables.text(outcome.comparison), f"A: {side}; B: the working tree"):
        terminalreporter.write_line(harmless(line))


def _lines(text: str, title: str) -> list[str]:
    return [title, "", *text.splitlines()]
