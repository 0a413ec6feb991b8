"""The command `glue-bench`: its verbs are in `commands`."""

from __future__ import annotations

import sys

import typer

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
from harness.errors import GlueBenchError, StorageError
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
app.command()(machine.predict)
app.command()(verify.verify)
app.command()(submit.submit)
app.command()(score.score)
app.add_typer(baseline.app, name="baseline")


def main() -> None:
    """The entry point: an error of ours is one line and the documented exit code."""
    try:
        app()
    except GlueBenchError as error:
        typer.echo(f"glue-bench: {error}", err=True)
        sys.exit(Exit.STORAGE if isinstance(error, StorageError) else Exit.USAGE)
