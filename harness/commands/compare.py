"""The verb `compare`: the gate on two sets of stored runs. Needs no torch."""

from __future__ import annotations

import textwrap
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.commands.common import POLICY_HELP, chosen_policy, complain, expected_runs
from harness.errors import Exit, UsageError
from harness.planning.project import BASELINES, RESULTS
from harness.records.parts import SUBJECTS
from harness.spec import Policy
from harness.tables import markup
from harness.tables.table import WIDTH
from harness.terminal import say, say_document
from harness.text.values import plain

if TYPE_CHECKING:
    from harness.compare.sides import Side

SIDES = "a baseline, a folder of results, FOLDER@COMMIT, FOLDER@SESSION, BRANCH@COMMIT or @COMMIT"


class Form(StrEnum):
    """What `compare` writes."""

    text = "text"
    markdown = "markdown"


def compare(
    base: Annotated[str, typer.Argument(help=f"what to compare with: {SIDES}")],
    new: Annotated[str, typer.Argument(help="what is judged, named in the same way")],
    fail_on: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MEASURE:LOSS",
            help="the smallest loss that counts as worse, such as accuracy:-1pt or step_time:+10% "
            "(default: [tool.glue-bench.thresholds]); once for each measure",
        ),
    ] = None,
    subject: Annotated[
        str | None,
        typer.Option(
            metavar="A,B",
            help=f"what is compared, and so may differ: {', '.join(SUBJECTS)} (default: commit, "
            "which means whatever the project's change moved)",
        ),
    ] = None,
    policy: Annotated[
        Policy | None,
        typer.Option(help=POLICY_HELP),
    ] = None,
    form: Annotated[Form, typer.Option("--format", help="what to write")] = Form.text,
    results: Annotated[
        Path, typer.Option(help="the folder of @COMMIT and BRANCH@COMMIT")
    ] = RESULTS,
    baselines: Annotated[Path, typer.Option(help="where baselines are kept")] = BASELINES,
) -> None:
    """Judge the stored runs of NEW against those of BASE, cell by cell.

    Exits with 0 if no cell is worse, 1 if one is, 4 if a cell is gone, cannot be compared, or
    nothing was; with the policy `strict` 3 if it cannot tell, with `report` 0.
    """
    from harness.compare import comparison as comparing
    from harness.compare import sides, thresholds, verdict_tables
    from harness.compare.subject import DEFAULT, Subject
    from harness.planning import option_sources

    here = Path.cwd()
    limits = thresholds.from_option(fail_on) if fail_on else thresholds.from_pyproject(here)
    try:
        settings = option_sources.merge({"subject": subject}, here, here)
    except UsageError as error:
        raise UsageError(str(error).replace("--glue-subject", "--subject")) from None
    chosen = chosen_policy(policy)
    then = sides.find(base, results, baselines)
    now = sides.find(new, results, baselines, beside=then)
    for side in (then, now):
        _require_runs(side)
    comparison = comparing.compare(
        then.records,
        now.records,
        limits,
        then.notes,
        Subject(settings.subject or DEFAULT.names, "--subject"),
    )
    titles = [f"base {then}", f"new  {now}", *sides.remarks(now)]
    if form is Form.markdown:
        tables = verdict_tables.text(comparison, chosen, markdown=True)
        say_document("\n\n".join([*map(markup.paragraph, titles), tables]) + "\n")
    else:
        say("\n".join(textwrap.fill(line, WIDTH, subsequent_indent="  ") for line in titles))
        say(f"\n{verdict_tables.text(comparison, chosen)}")
    complain([*then.damaged, *now.damaged])
    raise typer.Exit(comparison.exit_code(chosen))


def _require_runs(side: Side) -> None:
    """Leave with `NOTHING` if a side has no runs."""
    if side.records or side.damaged:
        return
    if side.left_out:
        why = f"its {side.left_out} runs are the base's own, or older. Fix: `pytest benchmarks`"
    else:
        why = f"holds no run; {expected_runs(Path(side.name))}"
    say(f"{plain(side.name)}: {why}", err=True)
    raise typer.Exit(Exit.NOTHING)
