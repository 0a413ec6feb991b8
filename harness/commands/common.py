"""What several verbs share: a results folder that must be there, what is said of damage."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from harness.errors import Exit, StorageError, UsageError
from harness.files import paths
from harness.terminal import say
from harness.text.values import shown_path

Results = Annotated[Path, typer.Argument(help="a results folder")]


PARTS = ("runs", "journal")  # of a results folder
MOST_LOOKED_AT = 1000  # names of a folder, for the results folder that was meant


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
