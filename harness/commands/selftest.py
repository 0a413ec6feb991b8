"""The verb `selftest`: how well this machine tells speeds apart, by the rule of `ab`."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from harness.commands import ab
from harness.commands.common import option_parser
from harness.errors import Exit, UsageError
from harness.planning.project import RESULTS
from harness.tables.table import WIDTH
from harness.terminal import say
from harness.text.values import shown_path

PREFERRED = "sst2-toy-bert-cpu-fp32"  # a short one


def selftest(
    context: typer.Context,
    select: Annotated[
        str | None,
        typer.Option(
            "-k",
            metavar="EXPR",
            help=f"which cases, as for pytest (default: {PREFERRED}, or the project's first cell)",
        ),
    ] = None,
    processes: Annotated[
        int, typer.Option(min=12, max=1000, help="how many processes; a multiple of 4")
    ] = 24,
    pinned: Annotated[
        bool, typer.Option("--pinned", help="as for `ab`: 3% counts, not 5%")
    ] = False,
    tests: Annotated[
        str, typer.Option(metavar="PATH", help="the tests that run the cases")
    ] = ab.TESTS,
    results: Annotated[Path, typer.Option(help="the results folder; stored in its selftest/")] = (
        RESULTS
    ),
) -> None:
    """Compare the working tree with itself, and say how much noise this machine has.

    Arguments after -- go to pytest. Exits with 0, or with 1 if equal code looks worse in more than
    1 of 100 ways to call the processes A and B.
    """
    from harness.compare import selftest as selftests
    from harness.compare import speed, speed_measures
    from harness.execution import ab as comparing
    from harness.execution import ab_sides
    from harness.system import environment

    if processes % selftests.BLOCK:
        raise UsageError(f"--processes: found {processes}; expected a multiple of 4, such as 24")
    ab.require_tests(tests)
    effect = speed.PINNED_EFFECT if pinned else speed.SHARED_EFFECT
    here = Path.cwd()
    tree = ab_sides.named(ab_sides.TREE, here)
    selection = ["-k", select or _first_cell(context.args), *ab.one_seed(context.args)]
    request = comparing.Request(
        a=tree,
        b=tree,
        project=here,
        arguments=[tests, *selection, *ab_sides.with_absolute_paths(context.args, here)],
        results=results.absolute(),
        effects=speed_measures.default_effects(effect),
        pairs=processes // 2,
        max_pairs=processes // 2,
        repeats_red=False,
    )
    result = ab.run(request)
    values = {
        name: found
        for name, found in result.step_times.items()
        if len(found) >= selftests.LEAST_PROCESSES
    }
    if not values:
        raise UsageError("no case ran often enough. Fix: look into the records, or name another -k")
    made = selftests.SelfTest(
        boot=environment.boot(),
        cpu=environment.cpu_name(),
        effect=effect,
        cells={name: selftests.study(found, effect) for name, found in values.items()},
    )
    path = selftests.save(results, made)
    for line in made.lines:
        say(textwrap.fill(line, WIDTH, subsequent_indent="  ", break_on_hyphens=False))
    say(f"stored: {shown_path(path)}")
    raise typer.Exit(Exit.WORSE if made.has_false_alarms else Exit.FINE)


def _first_cell(words: Sequence[str]) -> str:
    """The cell that is run if none is selected, with these options of pytest."""
    from harness.planning import option_sources, plan

    typed, _ = option_parser().parse_known_args(words)
    here = Path.cwd()
    cells = [case.cell for case in plan.make(option_sources.merge(vars(typed), here, here)).cases]
    return PREFERRED if PREFERRED in cells or not cells else cells[0]
