"""The command `glue-bench`: its verbs are in `commands`."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import typer

from harness import paths
from harness.commands import (
    baseline,
    cases,
    compare,
    flips,
    listing,
    machine,
    results,
    score,
    submit,
    verify,
)
from harness.errors import GlueBenchError, StorageError, printable, shown_path
from harness.exits import Exit

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Fine-tune and evaluate models on GLUE, and compare what came of it. "
    "Runs are started by pytest: `pytest benchmarks -k sst2`.",
)
app.command("list")(listing.list_)
app.command()(results.report)
app.command()(compare.compare)
app.command()(flips.flips)
app.command()(results.status)
app.command("import")(results.import_)
app.command(
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    options_metavar="CASE [--glue-OPTION ...]",
)(cases.explain)
app.command()(machine.doctor)
app.command()(machine.fetch)
app.command(context_settings={"ignore_unknown_options": True})(machine.predict)  # "-5 degrees"
app.command()(verify.verify)
app.command()(submit.submit)
app.command()(score.score)
app.add_typer(baseline.app, name="baseline")


def main() -> None:
    """The entry point: an error of ours is one line and the documented exit code.

    So is a file that the system refuses where nothing better is known to say. What the output's
    encoding lacks, as it lacks a file's name that is not UTF-8, is spelt out.
    """
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        app()
    except GlueBenchError as error:
        typer.echo(f"glue-bench: {printable(str(error))}", err=True)
        sys.exit(Exit.STORAGE if isinstance(error, StorageError) else Exit.USAGE)
    except OSError as error:
        where = f"{shown_path(Path(os.fsdecode(error.filename)))}: " if error.filename else ""
        typer.echo(f"glue-bench: {where}{paths.reason(error)}", err=True)
        sys.exit(Exit.STORAGE)
