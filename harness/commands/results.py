"""What is stored: report, status, import. None of it needs torch."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from harness.errors import StorageError, UsageError
from harness.exits import Exit
from harness.options import RESULTS

Results = Annotated[Path, typer.Argument(help="a results folder")]


class Format(StrEnum):
    """What `report` writes."""

    markdown = "markdown"
    csv = "csv"


def report(
    results: Results = RESULTS,
    form: Annotated[Format, typer.Option("--format", help="what to write")] = Format.markdown,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="a file; default: the terminal")
    ] = None,
) -> None:
    """Tabulate every run of a results folder. Needs no torch."""
    from harness import tables
    from harness.store import Store

    found = Store(existing(results)).find()
    if not found.records and not found.damaged:
        typer.echo(f"{results}: holds no run; expected runs/*.json", err=True)
        raise typer.Exit(Exit.NOTHING)
    records = found.records
    text = tables.csv(records) if form is Format.csv else tables.report(records)
    if output is None:
        typer.echo(text, nl=False)
    else:
        try:
            output.write_text(text, "utf-8")
        except OSError as error:
            raise StorageError(f"{output}: could not write: {error.strerror}") from error
        typer.echo(f"{output}: runs: {len(records)}", err=True)
    complain(found.damaged)


def status(results: Results = RESULTS) -> None:
    """Say of each session what ran, what did not, and what was cut off."""
    from harness import status as states

    found = states.read(existing(results))
    if not found.sessions:
        typer.echo(f"{results}: holds no journal; expected journal/*.jsonl", err=True)
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
        raise UsageError(f"{file}: holds no record; expected lines with {codec.MARK}")
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
    if not results.is_dir():
        raise UsageError(f"{results}: no such folder. Mend: run `pytest benchmarks` first")
    return results


def _text(file: Path) -> str:
    try:
        content = sys.stdin.buffer.read() if file == Path("-") else file.read_bytes()
    except OSError as error:
        raise UsageError(f"{file}: cannot be read: {error.strerror or error}") from error
    return content.decode("utf-8", errors="replace")


def complain(damaged: Iterable[StorageError]) -> None:
    """Name what could not be read; then the command's exit code says so too."""
    damaged = list(damaged)
    for error in damaged:
        typer.echo(f"glue-bench: {error}", err=True)
    if damaged:
        raise typer.Exit(Exit.STORAGE)
