"""The command `glue-bench`: its verbs are in `commands`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from harness.commands import (
    ab,
    baseline,
    census,
    compare,
    doctor,
    explain,
    fetch,
    flips,
    import_log,
    init,
    listing,
    predict,
    report,
    score,
    selftest,
    status,
    submit,
    verify,
)
from harness.errors import Exit, GlueBenchError, StorageError, UsageError
from harness.files import paths
from harness.system import environment
from harness.terminal import command, flush, say
from harness.text.values import shown_path

NO_VERBS = ("run", "train", "finetune", "fine-tune", "evaluate", "eval", "benchmark", "test")
"""Names that people expect of a command that starts runs."""

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # rich takes words in square brackets for markup, and drops them
)


def _print_version(is_wanted: bool) -> None:
    """Print the version and exit, if the option was given."""
    if is_wanted:
        say(f"glue-bench {environment.version('glue-bench') or '(not installed)'}")
        raise typer.Exit(Exit.FINE)


def _no_verb(context: typer.Context) -> None:
    """Say how runs are started: by pytest, or from Python."""
    raise UsageError(
        f"there is no verb `{context.info_name}`: pytest starts the runs. Fix: `pytest benchmarks "
        '-k sst2` (`pytest --help` lists the options --glue-*), or `harness.run("sst2")` in Python'
    )


@app.callback()
def glue_bench(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Fine-tune and evaluate models on GLUE, and compare the results.

    pytest starts the runs: `pytest benchmarks -k sst2`.
    """


app.command(short_help="Write a project that benchmarks your own model.")(init.init)
app.command("list", short_help="List tasks, models, targets, ... or published results.")(
    listing.list_
)
app.command(short_help="Tabulate every run of a results folder.")(report.report)
app.command(short_help="Judge NEW's runs against BASE's, cell by cell.")(compare.compare)
app.command(short_help="Say how far seeds differ, and which margin they can hold.")(census.census)
app.command(
    short_help="Compare the speed of two sides, which take turns.",
    context_settings={"allow_extra_args": True},
    options_metavar="--a SIDE [--b SIDE] [-k EXPR] [OPTIONS] [-- PYTEST ARGUMENTS]",
)(ab.ab)
app.command(
    short_help="Say how well this machine tells speeds apart.",
    context_settings={"allow_extra_args": True},
    options_metavar="[OPTIONS] [-- PYTEST ARGUMENTS]",
)(selftest.selftest)
app.command(short_help="List the rows that two runs predict differently.")(flips.flips)
app.command(short_help="Say what each session ran, and what it did not.")(status.status)
app.command("import", short_help="Store records that a session could only print.")(
    import_log.import_
)
app.command(
    short_help="Say whether --glue-resume would keep a CASE's run.",
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    options_metavar="CASE [--glue-OPTION ...]",
)(explain.explain)
app.command(short_help="Say what this machine can run, and what is broken.")(doctor.doctor)
app.command(short_help="Download tasks and models from the Hub.")(fetch.fetch)
app.command(
    short_help="Print what a fine-tuned model predicts for a text.",
    context_settings={"ignore_unknown_options": True},  # a text may be "-5 degrees"
)(predict.predict)
app.command(short_help="Compute a run's first steps again, and compare.")(verify.verify)
app.command(short_help="Write the zip for gluebenchmark.com.")(submit.submit)
app.command(short_help="Score a file of predictions.")(score.score)
app.add_typer(baseline.app, name="baseline", short_help="Make, change and show baselines.")
for verb in NO_VERBS:
    app.command(
        verb,
        hidden=True,
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    )(_no_verb)
COMMAND = typer.main.get_command(app)


def main() -> None:
    """The entry point: an error of glue-bench is one line and the documented exit code.

    So is an error of the system about a file. Characters that the output's encoding lacks are
    escaped. If nobody reads the output to its end, as with `| head`, the exit code is the same.
    """
    with command():
        try:
            try:
                COMMAND(prog_name="glue-bench")
            finally:
                flush()  # here, where the error of a full disk is caught
        except GlueBenchError as error:
            say(f"glue-bench: {error}", err=True)
            sys.exit(Exit.STORAGE if isinstance(error, StorageError) else Exit.USAGE)
        except OSError as error:
            where = f"{shown_path(Path(os.fsdecode(error.filename)))}: " if error.filename else ""
            say(f"glue-bench: {where}{paths.reason(error)}", err=True)
            sys.exit(Exit.STORAGE)
