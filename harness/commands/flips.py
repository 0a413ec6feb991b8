"""Which dev rows two stored runs predict differently. Needs no torch."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from harness.errors import Exit, NotComparable, UsageError
from harness.planning.project import RESULTS
from harness.terminal import say, say_document

RUN = "a case (its newest ok run), a record's file, or how a run's id begins"


class Form(StrEnum):
    """What `flips` writes."""

    text = "text"
    markdown = "markdown"
    csv = "csv"
    json = "json"


def flips(
    a: Annotated[str, typer.Argument(help=RUN)],
    b: Annotated[str, typer.Argument(help=f"what is compared with A: {RUN}")],
    results: Annotated[Path, typer.Option(help="where cases and ids are looked for")] = RESULTS,
    with_text: Annotated[
        bool, typer.Option("--with-text", help="show each row's sentences too")
    ] = False,
    data: Annotated[
        str | None,
        typer.Option(help="for --with-text, if the rows came from a folder: its path, hub or toy"),
    ] = None,
    form: Annotated[Form, typer.Option("--format", help="what to write")] = Form.text,
    limit: Annotated[
        int | None,
        typer.Option(min=0, help="rows to list; 0: all (default: 20; csv and json: all)"),
    ] = None,
) -> None:
    """List the dev rows that stored runs A and B of one task predict differently.

    Exits with 0, or with 4 if the two runs have no common rows.
    """
    from harness.compare import flip_tables
    from harness.compare import flips as ledgers
    from harness.planning import stored_run

    if data is not None and not with_text:
        raise UsageError(
            "--data: only --with-text needs it. Fix: add --with-text, or leave --data out"
        )
    if with_text and form is Form.csv:
        raise UsageError("--with-text: CSV holds no sentences; expected another --format")
    one, other = (stored_run.find(run, results) for run in (a, b))
    for note in filter(None, (one.note, other.note)):
        say(note, err=True)
    try:
        found = ledgers.compare_stored(one, other)
    except NotComparable as error:
        say(f"glue-bench: {error}", err=True)
        raise typer.Exit(Exit.NOTHING) from error
    source = stored_run.source_of(found.a, data) if with_text else None
    texts = ledgers.read_texts(found, source) if source else None
    if form is Form.text:
        say(flip_tables.text(found, texts, limit))
    elif form is Form.csv:
        say_document(flip_tables.csv(found, limit))
    else:
        write = flip_tables.json if form is Form.json else flip_tables.markdown
        say_document(f"{write(found, texts, limit)}\n")
