"""The verb `flips`: the dev rows that two stored runs predict differently. Needs no torch."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from harness.errors import Exit, NotComparable, UsageError
from harness.planning.project import RESULTS
from harness.terminal import say, say_document

RUN = "a case (its newest ok run), a record's file, or the beginning of a run's id"


class Form(StrEnum):
    """What `flips` writes."""

    text = "text"
    markdown = "markdown"
    csv = "csv"
    json = "json"


def flips(
    a: Annotated[str, typer.Argument(help=RUN)],
    b: Annotated[str, typer.Argument(help=f"what is compared with A: {RUN}")],
    results: Annotated[Path, typer.Option(help="where cases and ids are looked up")] = RESULTS,
    with_text: Annotated[
        bool, typer.Option("--with-text", help="show each row's texts too")
    ] = False,
    data: Annotated[
        str | None,
        typer.Option(help="for --with-text: hub, toy or a folder, if the rows came from a folder"),
    ] = None,
    form: Annotated[Form, typer.Option("--format", help="what to write")] = Form.text,
    limit: Annotated[
        int | None,
        typer.Option(min=0, help="rows to list; 0: all (default: 20; csv and json: all)"),
    ] = None,
) -> None:
    """List the dev rows that stored runs A and B of one task predict differently.

    Exits with 0, or with 4 if the two runs cannot be compared.
    """
    from harness.compare import flip_tables
    from harness.compare import flips as comparing
    from harness.planning import stored_run

    if data is not None and not with_text:
        raise UsageError(
            "--data: only --with-text needs it. Mend: add --with-text, or leave --data out"
        )
    if with_text and form is Form.csv:
        raise UsageError("--with-text: CSV has no column for texts; expected another --format")
    run_a, run_b = (stored_run.find(run, results) for run in (a, b))
    for note in filter(None, (run_a.note, run_b.note)):
        say(note, err=True)
    try:
        ledger = comparing.compare_stored(run_a, run_b)
    except NotComparable as error:
        say(f"glue-bench: {error}", err=True)
        raise typer.Exit(Exit.NOTHING) from error
    source = stored_run.source_of(ledger.a, data) if with_text else None
    texts = comparing.read_texts(ledger, source) if source else None
    if form is Form.text:
        say(flip_tables.text(ledger, texts, limit))
    elif form is Form.csv:
        say_document(flip_tables.csv(ledger, limit))
    else:
        write = flip_tables.json if form is Form.json else flip_tables.markdown
        say_document(f"{write(ledger, texts, limit)}\n")
