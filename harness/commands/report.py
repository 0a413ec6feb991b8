"""The verb `report`: tables of every run in a results folder. Needs no torch."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.commands.common import Results, complain, existing, expected_runs
from harness.errors import Exit, UsageError
from harness.files import paths
from harness.planning.project import RESULTS
from harness.spec import Axis
from harness.terminal import say, say_document
from harness.text.values import shown_path

if TYPE_CHECKING:
    from harness.records.store import Found, Store
    from harness.reports.report import Report


class Format(StrEnum):
    """What `report` prints."""

    markdown = "markdown"
    csv = "csv"
    latex = "latex"
    json = "json"


FILES = {
    Format.markdown: "report.md",
    Format.csv: "cells.csv",
    Format.latex: "report.tex",
    Format.json: "report.json",
}
"""The file in which `-o` writes the same text."""
SUFFIXES = (".md", ".csv", ".tex", ".json", ".txt")


def report(
    results: Results = RESULTS,
    form: Annotated[Format, typer.Option("--format", help="what to print")] = Format.markdown,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="DIR", help="write every format there")
    ] = None,
    references: Annotated[
        bool, typer.Option("--references", help="published results beside ours")
    ] = False,
    by: Annotated[
        Axis | None, typer.Option(help="compare targets, models, ... with one of them")
    ] = None,
    reference: Annotated[
        str | None, typer.Option(metavar="NAME", help="which one; default: the commonest")
    ] = None,
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="compute each run's metrics again from its stored predictions"
        ),
    ] = False,
) -> None:
    """Tabulate every run of a results folder. Needs no torch."""
    from harness.compare import selftest
    from harness.files import outputs
    from harness.records.store import Store
    from harness.reports import report as reports

    if output and (paths.is_file(output) or output.suffix in SUFFIXES):
        print_it = "leave -o out, and the report is printed"
        fix = f"-o {shown_path(output.with_suffix(''))}" if output.suffix else print_it
        raise UsageError(
            f"-o {shown_path(output)}: names a file; expected a folder, into which every format is "
            f"written. Fix: {fix}"
        )
    if reference and not by:
        raise UsageError("--reference: needs --by target|model|recipe|torch. Fix: add --by")
    if output:
        outputs.check_files(
            output, reports.NAMES, "-o"
        )  # before reading all runs, which may take long
    store = Store(existing(results))
    found = store.find()
    if not found.records and not found.damaged:
        say(f"{shown_path(results)}: holds no run; {expected_runs(results)}", err=True)
        raise typer.Exit(Exit.NOTHING)
    gone = False
    if check:
        found, gone = _checked(found, store)
    made = reports.make(
        found.records,
        str(results),
        references=references,
        by=by,
        reference=reference,
        notes=selftest.notes(results),
    )
    if output:
        _write(made, output)
    else:
        # Files are made one by one, and none after the wanted one.
        texts = (text for name, text in reports.files(made) if name == FILES[form])
        say_document(next(texts, ""))
    complain(found.damaged)
    if gone:
        raise typer.Exit(Exit.UNDECIDED)


def _checked(found: Found, store: Store) -> tuple[Found, bool]:
    """The runs whose metrics follow from their predictions, and errors for the others.

    Also whether some predictions that a run names are missing, so that its metrics cannot be
    checked.
    """
    from harness.records import metric_check
    from harness.records.store import Found

    checked = metric_check.check(found.records, store)
    for line in (checked.text, *checked.gone):
        say(line, err=True)
    return Found(checked.records, [*found.damaged, *checked.wrong]), bool(checked.gone)


def _write(made: Report, folder: Path) -> None:
    """Write every file of a report, in place of older ones. Raises `StorageError`."""
    from harness.files import outputs
    from harness.reports import report as reports

    files = {name: text.encode() for name, text in reports.files(made)}
    outputs.check_files(folder, files, "-o")  # so that either all of them are written or none
    outputs.make_folder(folder, "-o")
    for name, content in files.items():
        outputs.replace(folder / name, content, "-o", f"{folder}-2")
    say(f"{shown_path(folder)}: runs: {made.runs}; {', '.join(files)}", err=True)
