"""What is stored: report, status. Neither needs torch."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.errors import Exit, StorageError, UsageError
from harness.files import paths
from harness.planning.options import RESULTS
from harness.spec import Axis
from harness.terminal import say, say_document
from harness.text.values import shown_path

if TYPE_CHECKING:
    from harness.records.store import Found, Store
    from harness.reports.report import Report

Results = Annotated[Path, typer.Argument(help="a results folder")]


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
"""The file in which `-o` puts the same."""
PARTS = ("runs", "journal")  # of a results folder
MOST_LOOKED_AT = 1000  # names of a folder, for the results folder that was meant
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
        Axis | None, typer.Option(help="hold targets, models, ... against one of them")
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
    from harness.files import outputs
    from harness.records.store import Store
    from harness.reports import report as reports

    if output and (paths.is_file(output) or output.suffix in SUFFIXES):
        print_it = "leave -o out, and the report is printed"
        mend = f"-o {shown_path(output.with_suffix(''))}" if output.suffix else print_it
        raise UsageError(
            f"-o {shown_path(output)}: names a file; expected a folder, into which every format is "
            f"written. Mend: {mend}"
        )
    if reference and not by:
        raise UsageError("--reference: holds for --by target|model|recipe|torch. Mend: add --by")
    if output:
        outputs.check_files(output, reports.NAMES, "-o")  # before all runs are read
    store = Store(existing(results))
    found = store.find()
    if not found.records and not found.damaged:
        say(f"{shown_path(results)}: holds no run; {expected_runs(results)}", err=True)
        raise typer.Exit(Exit.NOTHING)
    gone = False
    if check:
        found, gone = _checked(found, store)
    made = reports.make(
        found.records, str(results), references=references, by=by, reference=reference
    )
    if output:
        _write(made, output)
    else:
        # Files are made one by one: those behind the wanted one never are.
        texts = (text for name, text in reports.files(made) if name == FILES[form])
        say_document(next(texts, ""))
    complain(found.damaged)
    if gone:
        raise typer.Exit(Exit.UNDECIDED)


def _checked(found: Found, store: Store) -> tuple[Found, bool]:
    """What is left of a folder's runs once those with other metrics than predictions are out.

    And whether predictions that a run names are gone, so that nobody can tell.
    """
    from harness.records import metric_check
    from harness.records.store import Found

    checked = metric_check.check(found.records, store)
    for line in (checked.text, *checked.gone):
        say(line, err=True)
    return Found(checked.records, [*found.damaged, *checked.wrong]), bool(checked.gone)


def _write(made: Report, folder: Path) -> None:
    """Every file of a report, each in place of an older one. Raises `StorageError`."""
    from harness.files import outputs
    from harness.reports import report as reports

    files = {name: text.encode() for name, text in reports.files(made)}
    outputs.check_files(folder, files, "-o")  # so that all of them are written, or none
    outputs.make_folder(folder, "-o")
    for name, content in files.items():
        outputs.replace(folder / name, content, "-o", f"{folder}-2")
    say(f"{shown_path(folder)}: runs: {made.runs}; {', '.join(files)}", err=True)


def status(results: Results = RESULTS) -> None:
    """Say of each session what ran, what did not, and what was cut off."""
    from harness.records import sessions as states

    found = states.read(existing(results))
    if not found.sessions:
        complain(found.damaged)
        mend = f". Mend: name {shown_path(meant)}" if (meant := other_folder(results)) else ""
        mend = mend or f" (`glue-bench report {shown_path(results)}` shows runs without one)"
        say(f"{shown_path(results)}: holds no journal; expected journal/*.jsonl{mend}", err=True)
        raise typer.Exit(Exit.NOTHING)
    say(states.text(found))
    complain(found.damaged)


def existing(results: Path) -> Path:
    """A results folder that is there. Raises `UsageError`."""
    if why := paths.why_no_folder(results):
        mend = "run `pytest benchmarks` first, or name the folder that holds runs/"
        raise UsageError(f"{shown_path(results)}: {why}. Mend: {mend}")
    return results


def other_folder(results: Path) -> Path | None:
    """The results folder that was probably meant by one that holds neither runs nor a journal."""
    if not paths.is_folder(results) or any(paths.is_folder(results / name) for name in PARTS):
        return None
    around = [results / "local", *_folders_in(results), results.parent]
    return next((place for place in around if paths.is_folder(place / "runs")), None)


def expected_runs(results: Path) -> str:
    """What a results folder without runs should hold, and which one does."""
    meant = other_folder(results)
    mend = f"name {shown_path(meant)}, which does" if meant else "run `pytest benchmarks` first"
    return f"expected runs/*.json. Mend: {mend}"


def _folders_in(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())[:MOST_LOOKED_AT]
    except OSError:
        return []


def complain(damaged: Iterable[StorageError], *, leave: bool = True) -> None:
    """Name what could not be read; then the command's exit code says so too."""
    damaged = list(damaged)
    for error in damaged:
        say(f"glue-bench: {error}", err=True)
    if damaged and leave:
        raise typer.Exit(Exit.STORAGE)
