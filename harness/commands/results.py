"""What is stored: report, status, import. None of it needs torch."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness import paths
from harness.errors import StorageError, UsageError, printable, shown_path
from harness.exits import Exit
from harness.options import RESULTS
from harness.spec import Axis

if TYPE_CHECKING:
    from harness.report import Report
    from harness.store import Found, Store

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
    from harness import report as reports
    from harness.store import Store

    if output and (paths.is_file(output) or output.suffix in SUFFIXES):
        raise UsageError(
            f"-o {shown_path(output)}: names a file; expected a folder, into which every format is "
            f"written. Mend: -o {output.with_suffix('')}"
        )
    if reference and not by:
        raise UsageError("--reference: holds for --by target|model|recipe|torch. Mend: add --by")
    store = Store(existing(results))
    found = store.find()
    if not found.records and not found.damaged:
        typer.echo(f"{shown_path(results)}: holds no run; expected runs/*.json", err=True)
        raise typer.Exit(Exit.NOTHING)
    if check:
        found = _checked(found, store)
    made = reports.make(
        found.records, str(results), references=references, by=by, reference=reference
    )
    if output:
        _write(made, output)
    else:
        # Files are made one by one: those behind the wanted one never are.
        texts = (text for name, text in reports.files(made) if name == FILES[form])
        typer.echo(next(texts, ""), nl=False)
    complain(found.damaged)


def _checked(found: Found, store: Store) -> Found:
    """What is left of a folder's runs once those with other metrics than predictions are out."""
    from harness import metric_check
    from harness.store import Found

    checked = metric_check.check(found.records, store)
    typer.echo(checked.text, err=True)
    return Found(checked.records, [*found.damaged, *checked.wrong])


def _write(made: Report, folder: Path) -> None:
    """Every file of a report, each in place of an older one. Raises `StorageError`."""
    from harness import report as reports
    from harness.disk import DISK, make_folders, replace_file
    from harness.store import cannot_write

    files = {folder / name: text.encode() for name, text in reports.files(made)}
    path = folder
    try:
        make_folders(DISK, folder)
        for path, content in files.items():
            replace_file(DISK, path, content)
    except OSError as error:
        raise StorageError(cannot_write(path, error, "-o", len(files.get(path, b"")))) from error
    names = [path.name for path in files]
    typer.echo(f"{shown_path(folder)}: runs: {made.runs}; {', '.join(names)}", err=True)


def status(results: Results = RESULTS) -> None:
    """Say of each session what ran, what did not, and what was cut off."""
    from harness import status as states

    found = states.read(existing(results))
    if not found.sessions:
        complain(found.damaged)
        typer.echo(f"{shown_path(results)}: holds no journal; expected journal/*.jsonl", err=True)
        raise typer.Exit(Exit.NOTHING)
    typer.echo(states.text(found))
    complain(found.damaged)


def import_(
    results: Annotated[Path, typer.Argument(help="the results folder to put them into")],
    file: Annotated[Path, typer.Argument(help="a log; `-`: standard input")] = Path("-"),
) -> None:
    """Store the records that a session printed because it could not store them."""
    from harness import codec
    from harness.store import Store

    records, damaged = [], []
    for found in codec.records_in(_text(file)):
        (damaged if isinstance(found, StorageError) else records).append(found)
    if not records and not damaged:
        raise UsageError(f"{shown_path(file)}: holds no record; expected lines with {codec.MARK}")
    store = Store(results)
    for record in records:
        try:
            was_new = store.take(record)
        except StorageError as error:
            damaged.append(error)
            continue
        typer.echo(f"{record.case.id}: {'stored' if was_new else 'was there already'}")
    complain(damaged)


def existing(results: Path) -> Path:
    """A results folder that is there. Raises `UsageError`."""
    if why := paths.why_no_folder(results):
        mend = "run `pytest benchmarks` first, or name the folder that holds runs/"
        raise UsageError(f"{shown_path(results)}: {why}. Mend: {mend}")
    return results


def _text(file: Path) -> str:
    try:
        content = sys.stdin.buffer.read() if file == Path("-") else file.read_bytes()
    except OSError as error:
        raise UsageError(f"{shown_path(file)}: cannot be read: {paths.reason(error)}") from error
    return content.decode("utf-8", errors="replace")


def complain(damaged: Iterable[StorageError]) -> None:
    """Name what could not be read; then the command's exit code says so too."""
    damaged = list(damaged)
    for error in damaged:
        typer.echo(f"glue-bench: {printable(str(error))}", err=True)
    if damaged:
        raise typer.Exit(Exit.STORAGE)
