"""The verb `submit`: a GLUE submission from stored runs. Needs no torch."""

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
        int | None, typer.Option(help="only runs of this seed; default: the best on dev")
    ] = None,
    fill: Annotated[
        str | None,
        typer.Option(
            metavar="TASK,TASK|all",
            help="for tasks without a run, submit the most frequent training label",
        ),
    ] = None,
) -> None:
    """Write the zip for gluebenchmark.com: for each task the test predictions of the best run.

    Exits with 4 if no run predicts one of the files, and names the command that runs it.
    """
    from harness.files import outputs
    from harness.records.store import Store
    from harness.submission import archive
    from harness.submission.selection import RunFilter

    example = shown_path(output / ZIP) if paths.is_folder(output) else ZIP
    outputs.check_file(output, "-o", example)  # before the predictions are read
    store = Store(existing(results))
    stored = store.find()
    run_filter = RunFilter(model, target, recipe, seed)
    may_fill = archive.tasks_to_fill(fill) if fill else frozenset()
    plan = archive.plan(stored.records, run_filter, may_fill)
    if plan.missing:
        say(f"glue-bench: {archive.describe_missing(plan, results)}", err=True)
        complain(stored.damaged)
        raise typer.Exit(Exit.NOTHING)
    outputs.replace(output, archive.make_zip(plan, store), "-o", example)
    say(archive.table(plan, output).text())
    complain(stored.damaged)
