"""The verb `ab`: the speed of two sides that take turns on this machine."""

from __future__ import annotations

import contextlib
import re
import shlex
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.commands.common import POLICY_HELP, chosen_policy, complain
from harness.commands.compare import Form
from harness.errors import Exit, UsageError
from harness.planning import option_sources, option_values
from harness.planning.project import RESULTS
from harness.spec import Policy
from harness.tables import markup
from harness.tables.table import WIDTH
from harness.terminal import say, say_document
from harness.text.values import plain, shown, shown_path

if TYPE_CHECKING:
    from harness.compare.speed_cells import SpeedComparison
    from harness.execution.ab import Request, Result

TESTS = "benchmarks/test_finetune.py"  # not the tests that compare with a baseline
FIXTURE = "glue_case"  # what a test takes that runs a case
SIDE = "a branch, commit or tag, . (the working tree), env:PATH, target:NAME or option:NAME=VALUE"
INTERRUPTED = 130  # as a shell says it of a program that SIGINT ended


def ab(
    context: typer.Context,
    a: Annotated[
        str | None, typer.Option("--a", metavar="SIDE", help=f"what to compare with: {SIDE}")
    ] = None,
    b: Annotated[str, typer.Option("--b", metavar="SIDE", help="what is judged")] = ".",
    select: Annotated[
        str | None, typer.Option("-k", metavar="EXPR", help="which cases, as for pytest")
    ] = None,
    pairs: Annotated[
        int | None,
        typer.Option(min=5, max=500, help="how many processes of each side  [default: 10]"),
    ] = None,
    max_pairs: Annotated[
        int | None,
        typer.Option(
            min=5,
            max=500,
            help="up to how many while a cell cannot tell  [default: three times --pairs]",
        ),
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="do not take longer, such as 15m or 1h30m"),
    ] = None,
    pinned: Annotated[
        bool,
        typer.Option("--pinned", help="a machine of its own with fixed clocks: 3% counts, not 5%"),
    ] = False,
    fail_on: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MEASURE:+N%",
            help="what is judged, and the increase that counts: step_time, peak_memory, cpu_time "
            "or instructions; once for each (default: the first two, +5%)",
        ),
    ] = None,
    tests: Annotated[
        str, typer.Option(metavar="PATH", help="the tests that run the cases")
    ] = TESTS,
    results: Annotated[Path, typer.Option(help="the results folder; records go to its ab/")] = (
        RESULTS
    ),
    stored: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="judge a stored comparison again; runs nothing"),
    ] = None,
    policy: Annotated[Policy | None, typer.Option(help=POLICY_HELP)] = None,
    form: Annotated[Form, typer.Option("--format", help="what to write")] = Form.text,
) -> None:
    """Compare the speed and memory of two sides, which take turns on this machine.

    Each process is one session of pytest, in the order A B B A A B ... Arguments after -- go to
    pytest. Exits with 0 if no cell is worse, 1 if one is, 4 if nothing could be compared; with the
    policy `strict` 3 if it cannot tell, with `report` 0.
    """
    from harness.compare import census_tables, selftest, speed, speed_measures

    effects = speed_measures.default_effects(speed.PINNED_EFFECT if pinned else speed.SHARED_EFFECT)
    if fail_on:
        effects = speed_measures.effects_from_option(fail_on)
    if stored:
        _judge_again(stored, effects if fail_on or pinned else None, chosen_policy(policy), form)
    if a is None:
        raise UsageError(f"--a: missing; expected {SIDE}. Fix: --a main, say")
    if max_pairs and max_pairs < (pairs or speed.PAIRS):
        raise UsageError(
            f"--max-pairs: found {max_pairs}; expected {pairs or speed.PAIRS} (--pairs) or more"
        )
    require_tests(tests)
    from harness.execution import ab as comparing
    from harness.execution import ab_sides

    here = Path.cwd()
    selection = [] if select is None else ["-k", select]
    selection += one_seed(context.args)
    request = comparing.Request(
        a=ab_sides.named(a, here),
        b=ab_sides.named(b, here),
        project=here,
        arguments=[tests, *selection, *ab_sides.with_absolute_paths(context.args, here)],
        results=results.absolute(),
        effects=effects,
        pairs=pairs or speed.PAIRS,
        max_pairs=max_pairs or min(speed.MOST_PAIRS, speed.LOOKS * (pairs or speed.PAIRS)),
        budget_s=None if budget is None else seconds(budget),
    )
    chosen = chosen_policy(policy)
    result = run(request)
    sides = f"A: {request.a.label}; B: {request.b.label}"
    took = f"{len(result.sessions)} processes in {census_tables.duration(result.seconds)}"
    _write(result.comparison, f"{plain(sides)}; {took}", chosen, form)
    for line in selftest.notes(results):
        say(textwrap.fill(line, WIDTH, subsequent_indent="  ", break_on_hyphens=False))
    say(f"judge again: glue-bench ab --stored {shown_path(result.folder)}", err=True)
    raise typer.Exit(result.comparison.exit_code(chosen))


def one_seed(words: Sequence[str]) -> list[str]:
    """The option for the project's first seed, unless `words` name seeds.

    Another seed is no other speed.
    """
    if any(word.startswith("--glue-seeds") for word in words):
        return []
    here = Path.cwd()
    seeds = option_sources.merge({}, here, here).seeds or (option_values.FIRST_SEED,)
    return ["--glue-seeds", f"{seeds[0]},"]


def require_tests(tests: str) -> None:
    """Raise `UsageError` unless the tests that --tests names are here."""
    if not (Path.cwd() / tests.partition("::")[0]).exists():
        files = _tests_of_cases(Path.cwd())
        fix = "name it, or run this in the project's folder"
        if len(files) == 1:
            fix = f"--tests {shlex.quote(shown_path(files[0]))}, which uses {FIXTURE}"
        raise UsageError(
            f"--tests: {shown(tests)} is not here; expected the file or folder of the tests that "
            f"run cases. Fix: {fix}"
        )


def _tests_of_cases(project: Path) -> list[Path]:
    """The test files in the project's benchmarks/ that name the fixture of a case."""
    found = []
    for file in sorted((project / Path(TESTS).parent).glob("test_*.py")):
        with contextlib.suppress(OSError):  # a file that cannot be read is no advice
            if file.is_file() and re.search(rf"\b{FIXTURE}\b", file.read_text(errors="replace")):
                found.append(file.relative_to(project))
    return found


def run(request: Request) -> Result:
    """Run a comparison, and say how far it is. Leaves the command where nothing can be compared."""
    from harness.execution import ab as comparing

    try:
        return comparing.run(request, lambda line: say(line, err=True))
    except comparing.NothingRan as error:
        say(f"glue-bench: {error}", err=True)
        raise typer.Exit(Exit.NOTHING) from None
    except KeyboardInterrupt:
        say("glue-bench: interrupted; every process has ended, and nothing was judged", err=True)
        raise typer.Exit(INTERRUPTED) from None


def _judge_again(
    folder: Path, effects: dict[str, float] | None, policy: Policy, form: Form
) -> None:
    """Print a stored comparison and exit, with other effects if they are given."""
    from harness.compare import speed_cells, speed_store

    info, sessions, damaged = speed_store.load(folder)
    comparison = speed_cells.compare(sessions, effects or info.effects, info.differing, info.alpha)
    if {session.stage for session in sessions} == {1}:
        comparison = speed_cells.undecided(comparison, "worse, and it was not repeated")
    _write(comparison, plain(f"A: {info.a.label}; B: {info.b.label}"), policy, form)
    complain(damaged)
    raise typer.Exit(comparison.exit_code(policy))


def _write(comparison: SpeedComparison, title: str, policy: Policy, form: Form) -> None:
    from harness.compare import speed_tables

    if form is Form.markdown:
        tables = speed_tables.text(comparison, policy, markdown=True)
        say_document(f"{markup.paragraph(title)}\n\n{tables}\n")
    else:
        say(f"{title}\n\n{speed_tables.text(comparison, policy)}")


def seconds(text: str) -> float:
    """The value of --budget in seconds. Raises `UsageError`."""
    try:
        return option_values.duration(text)
    except ValueError as error:
        raise UsageError(f"--budget: found {shown(text)}; {error}") from None
