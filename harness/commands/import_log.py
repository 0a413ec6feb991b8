"""Stores the records that a session printed because it could not store them. Needs no torch."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from harness.commands.common import complain, other_folder
from harness.errors import Exit, StorageError, UsageError
from harness.files import paths
from harness.terminal import say
from harness.text.values import shown_path

EXAMPLE = "glue-bench import results/local build.log"


def import_(
    results: Annotated[Path, typer.Argument(help="the results folder to put them into")],
    file: Annotated[
        Path,
        typer.Argument(help="a log, as text; `-`: standard input, such as of `zcat LOG.gz |`"),
    ] = Path("-"),
    unannounced: Annotated[
        bool,
        typer.Option(
            "--unannounced",
            help="also records whose session the log does not announce, as logs of older versions "
            "do not: only if you trust all that the session printed, since a model's files could "
            "have made it print a record of their own",
        ),
    ] = False,
) -> None:
    """Store the records that a session printed because it could not store them.

    Each line that holds none that can be stored is named, with the reason; all others are stored.
    """
    from harness.records import logs
    from harness.records.store import Store

    _require_folder(results, file)
    store, told, damaged = Store(results), 0, 0
    with logs.opened(file) as read:
        for found in logs.records(read, unannounced=unannounced):
            told += 1
            try:
                if isinstance(found, StorageError):
                    raise found
                was_new = store.take(found)
            except StorageError as error:
                damaged += 1
                complain([error], leave=False)
                continue
            say(f"{found.case.id}: {'stored' if was_new else 'was there already'}")
    if not told:
        where = "standard input" if file == Path("-") else shown_path(file)
        raise UsageError(
            f"{where}: holds no record; expected the log of a session that could not store one "
            f"(docs/results.md). A session that stored all of its records prints none. Mend: name "
            f"the log of the other one, as in `{EXAMPLE}`"
        )
    if damaged:
        raise typer.Exit(Exit.STORAGE)


def _require_folder(results: Path, file: Path) -> None:
    """Raise `UsageError` for what is no results folder, or hardly the one that is meant."""
    if paths.is_file(results):
        raise UsageError(
            f"{shown_path(results)}: it is a file; expected a results folder before it. Mend: "
            f"glue-bench import results/local {shown_path(results)}"
        )
    if found := paths.obstacle(results):
        raise UsageError(
            f"{shown_path(found[0])}: {found[1]}; expected a results folder. Mend: {EXAMPLE}"
        )
    if not paths.is_folder(results) and file == Path("-") and sys.stdin.isatty():
        raise UsageError(
            f"{shown_path(results)}: no such folder, and no log is named. Mend: {EXAMPLE}"
        )
    if meant := other_folder(results):
        raise UsageError(
            f"{shown_path(results)}: holds no runs/. Mend: name {shown_path(meant)}, which does; "
            "for a folder of their own, one that is not there yet"
        )
