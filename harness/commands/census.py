"""The verb `census`: how far the seeds of stored cells differ. Needs no torch."""

from __future__ import annotations

from typing import Annotated

import typer

from harness.commands.common import Results, complain, existing, expected_runs
from harness.errors import Exit
from harness.planning.option_values import MOST_SEEDS
from harness.planning.project import RESULTS
from harness.terminal import say
from harness.text.values import shown_path


def census(
    results: Results = RESULTS,
    seeds: Annotated[
        int, typer.Option(min=2, max=MOST_SEEDS, help="new seeds that a session is to run")
    ] = 5,
    base: Annotated[
        int, typer.Option(min=2, max=MOST_SEEDS, help="seeds that the baseline is to have")
    ] = 10,
) -> None:
    """Show how far each cell's seeds differ, and which margin a number of seeds can hold.

    Prints a [tool.glue-bench.thresholds] table to copy. Exits with 4 if there are no runs.
    """
    from harness.compare import census as censuses
    from harness.compare import census_tables
    from harness.records.store import Store

    found = Store(existing(results)).find()
    kept = censuses.of_one_code(found.records)
    counted = censuses.take(kept)
    if not counted and not found.damaged:
        say(f"{shown_path(results)}: holds no run; {expected_runs(results)}", err=True)
        raise typer.Exit(Exit.NOTHING)
    if counted:
        say(census_tables.text(counted, seeds, base))
        if left_out := len(found.records) - len(kept):
            say(f"not counted: {left_out} runs of other commits or states of the code")
    complain(found.damaged)
