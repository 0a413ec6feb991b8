"""Whether a stored run can be had once more."""

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
        str | None, typer.Option(help="hub, toy or a folder: the rows, where they were a folder's")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="the model's folder, where it came from one")
    ] = None,
    vectors: Annotated[
        Path | None, typer.Option(help="the file of word vectors that a +vectors run began with")
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, max=1024, help="in place of as many as the run had")
    ] = None,
    results: Annotated[Path, typer.Option(help="where cases and ids are looked for")] = RESULTS,
) -> None:
    """Compute a stored run's first steps again; name the first input that differs."""
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
        found = replay.verify(
            record, engine, data=data, model=model, threads=threads,
            vectors=str(vectors.resolve()) if vectors else None,
        )  # fmt: skip
    finally:
        engine.close()
    if found is None:
        said = f"{record.status}: {record.reason}" if record.reason else record.status
        say(f"{record.case.id}: holds no losses to compare ({said})", err=True)
        raise typer.Exit(Exit.NOTHING)
    say(replay.text(found))
    raise typer.Exit(found.exit)
