"""The verb `import`: stores records that a session could only print. Needs no torch."""

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
    results: Annotated[Path, typer.Argument(help="the results folder to store them in")],
    file: Annotated[
        Path,
        typer.Argument(
            help="a log, as text; `-`: standard input, as in `zcat LOG.gz | glue-bench import DIR`"
        ),
    ] = Path("-"),
    unannounced: Annotated[
        bool,
        typer.Option(
            "--unannounced",
            help="also store records whose session the log does not announce, as in logs of older "
            "versions; only if you trust everything that the session printed, since a model's "
            "files could have made it print a record of their own",
        ),
    ] = False,
) -> None:
    """Store the records that a session printed because it could not store them.

    A record that cannot be stored is named, with the reason; all others are stored.
    """
    _require_folder(results, file)
    count, damaged = _store_records(results, file, unannounced=unannounced)
    if not count:
        where = "standard input" if file == Path("-") else shown_path(file)
        raise UsageError(
            f"{where}: holds no record; expected the log of a session that could not store one "
            f"(docs/results.md). A session that stored all of its records prints none. Fix: name "
            f"the log of such a session, as in `{EXAMPLE}`"
        )
    if damaged:
        raise typer.Exit(Exit.STORAGE)


def _store_records(results: Path, file: Path, *, unannounced: bool) -> tuple[int, int]:
    """Store what the log holds; returns how many records it has, and how many were not stored."""
    from harness.records import logs
    from harness.records.store import Store

    store, count, damaged = Store(results), 0, 0
    with logs.opened(file) as read:
        for record in logs.records(read, unannounced=unannounced):
            count += 1
            try:
                if isinstance(record, StorageError):
                    raise record
                is_new = store.take(record)
            except StorageError as error:
                damaged += 1
                complain([error], leave=False)
                continue
            say(f"{record.case.id}: {'stored' if is_new else 'was there already'}")
    return count, damaged


def _require_folder(results: Path, file: Path) -> None:
    """Raise `UsageError` if this is no results folder, or probably not the one that was meant."""
    if paths.is_file(results):
        raise UsageError(
            f"{shown_path(results)}: it is a file; expected a results folder before it. Fix: "
            f"glue-bench import results/local {shown_path(results)}"
        )
    if obstacle := paths.obstacle(results):
        place, why = obstacle
        raise UsageError(f"{shown_path(place)}: {why}; expected a results folder. Fix: {EXAMPLE}")
    if not paths.is_folder(results) and file == Path("-") and sys.stdin.isatty():
        raise UsageError(
            f"{shown_path(results)}: no such folder, and no log is named. Fix: {EXAMPLE}"
        )
    if other := other_folder(results):
        raise UsageError(
            f"{shown_path(results)}: holds no runs/. Fix: name {shown_path(other)}, which does, "
            "or a folder that does not exist yet"
        )
