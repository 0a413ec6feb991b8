"""The verb `verify`: whether a stored run can be reproduced."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.commands.flips import RUN
from harness.errors import Exit
from harness.planning.project import RESULTS
from harness.terminal import say


def verify(
    result: Annotated[str, typer.Argument(help=RUN)],
    data: Annotated[
        str | None, typer.Option(help="the rows, if they came from a folder: its path, hub or toy")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="the model's folder, if it came from one")
    ] = None,
    vectors: Annotated[
        Path | None, typer.Option(help="the file of word vectors that a +vectors run started from")
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(
            min=1, max=1024, help="the number of threads; default: as many as the run had"
        ),
    ] = None,
    results: Annotated[Path, typer.Option(help="where cases and ids are looked up")] = RESULTS,
) -> None:
    """Compute a stored run's first steps again, and name the first input that differs."""
    from harness.execution import replay
    from harness.execution.process import ProcessEngine
    from harness.planning import stored_run

    stored = stored_run.find(result, results)
    if stored.note:
        say(stored.note, err=True)
    record = stored.record
    engine = ProcessEngine()
    try:
        engine.start()
        verification = replay.verify(
            record,
            engine,
            data=data,
            model=model,
            threads=threads,
            vectors=str(vectors.resolve()) if vectors else None,
        )
    finally:
        engine.close()
    if verification is None:
        outcome = f"{record.status}: {record.reason}" if record.reason else record.status
        say(f"{record.case.id}: holds no losses to compare ({outcome})", err=True)
        raise typer.Exit(Exit.NOTHING)
    say(replay.text(verification))
    raise typer.Exit(verification.exit)
