"""A GLUE submission from stored runs. Needs no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.commands.common import Results, complain, existing
from harness.errors import Exit
from harness.files import paths
from harness.planning.project import RESULTS
from harness.terminal import say
from harness.text.values import shown_path

ZIP = "submission.zip"


def submit(
    results: Results = RESULTS,
    output: Annotated[Path, typer.Option("-o", "--output", help="the zip to write: a file")] = Path(
        ZIP
    ),
    model: Annotated[str | None, typer.Option(help="the model whose runs are submitted")] = None,
    target: Annotated[str | None, typer.Option(help="their target")] = None,
    recipe: Annotated[str | None, typer.Option(help="their recipe")] = None,
    seed: Annotated[
        int | None, typer.Option(help="runs of this seed alone; default: the best on dev")
    ] = None,
    fill: Annotated[
        str | None,
        typer.Option(
            metavar="TASK,TASK|all",
            help="put the most frequent training label where a task has no run",
        ),
    ] = None,
) -> None:
    """Write the zip that gluebenchmark.com takes: for each task the best run's test predictions.

    Exits with 4 where a file has no run, naming it and the command that makes it.
    """
    from harness.files import outputs
    from harness.records.store import Store
    from harness.submission import archive
    from harness.submission.selection import RunFilter

    inside = paths.is_folder(output)
    example = shown_path(output / ZIP) if inside else ZIP
    outputs.check_file(output, "-o", example)  # before all predictions are read
    store = Store(existing(results))
    found = store.find()
    wanted = RunFilter(model, target, recipe, seed)
    may_fill = archive.filled(fill) if fill else frozenset()
    plan = archive.plan(found.records, wanted, may_fill)
    if plan.missing:
        say(f"glue-bench: {archive.missing(plan, results)}", err=True)
        complain(found.damaged)
        raise typer.Exit(Exit.NOTHING)
    outputs.replace(output, archive.archive(plan, store), "-o", example)
    say(archive.table(plan, output).text())
    complain(found.damaged)
