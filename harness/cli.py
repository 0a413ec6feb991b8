"""The command `glue-bench`: its verbs are in `commands`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from harness.commands import (
    baseline,
    cases,
    compare,
    flips,
    import_log,
    listing,
    predict,
    report,
    score,
    submit,
    verify,
)
from harness.errors import Exit, GlueBenchError, StorageError
from harness.files import paths
from harness.terminal import command, flush, say
from harness.text.values import shown_path

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # rich takes what stands in square brackets for markup, and drops it
)


@app.callback()
def glue_bench(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=predict.print_version, is_eager=True, help="Show the version."
        ),
    ] = False,
) -> None:
    """Fine-tune and evaluate models on GLUE, and compare what came of it.

    Runs are started by pytest: `pytest benchmarks -k sst2`.
    """


app.command("list", short_help="List tasks, models, targets, ... or published results.")(
    listing.list_
)
app.command(short_help="Tabulate every run of a results folder.")(report.report)
app.command(short_help="Judge NEW's runs against BASE's, cell by cell.")(compare.compare)
app.command(short_help="List the rows that two runs answer differently.")(flips.flips)
app.command(short_help="Say what each session ran, and what it did not.")(report.status)
app.command("import", short_help="Store records that a session could only print.")(
    import_log.import_
)
app.command(
    short_help="Say whether --glue-resume would keep a CASE's run.",
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    options_metavar="CASE [--glue-OPTION ...]",
)(cases.explain)
app.command(short_help="Say what this machine can run, and what is broken.")(predict.doctor)
app.command(short_help="Bring tasks and models from the Hub here.")(predict.fetch)
app.command(
    short_help="Say what a fine-tuned model makes of a text.",
    context_settings={"ignore_unknown_options": True},  # a text may be "-5 degrees"
)(predict.predict)
app.command(short_help="Compute a run's first steps again, and compare.")(verify.verify)
app.command(short_help="Write the zip that gluebenchmark.com takes.")(submit.submit)
app.command(short_help="Score a file of predictions.")(score.score)
app.add_typer(
    baseline.app, name="baseline", short_help="Make, move and show what new runs are compared with."
)
for verb in cases.NO_VERBS:
    app.command(
        verb,
        hidden=True,
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    )(cases.run)


def main() -> None:
    """The entry point: an error of ours is one line and the documented exit code.

    So is a file that the system refuses where nothing better is known to say. What the output's
    encoding lacks, as it lacks a file's name that is not UTF-8, is spelt out. If nobody reads on,
    as after `| head`, the exit code is still that of what was found.
    """
    with command():
        try:
            try:
                app(prog_name="glue-bench")
            finally:
                flush()  # here, where a full disk is told
        except GlueBenchError as error:
            say(f"glue-bench: {error}", err=True)
            sys.exit(Exit.STORAGE if isinstance(error, StorageError) else Exit.USAGE)
        except OSError as error:
            where = f"{shown_path(Path(os.fsdecode(error.filename)))}: " if error.filename else ""
            say(f"glue-bench: {where}{paths.reason(error)}", err=True)
            sys.exit(Exit.STORAGE)
