"""What several verbs share: checks of a results folder, and messages about damaged files."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from harness.errors import Exit, StorageError, UsageError
from harness.files import paths
from harness.planning import option_sources, options
from harness.spec import Policy
from harness.terminal import say
from harness.text.values import shown_path

POLICY_HELP = (
    "which verdicts give another exit code than 0 (default: normal, in which a cell that cannot be "
    "told is a warning)"
)
Results = Annotated[Path, typer.Argument(help="a results folder")]
PARTS = ("runs", "journal")  # of a results folder
MOST_LOOKED_AT = 1000  # entries of a folder, in search of the results folder that was meant


def existing(results: Path) -> Path:
    """The folder, if it exists. Raises `UsageError`."""
    if why := paths.why_no_folder(results):
        fix = "run `pytest benchmarks` first, or name the folder that holds runs/"
        raise UsageError(f"{shown_path(results)}: {why}. Fix: {fix}")
    return results


def other_folder(results: Path) -> Path | None:
    """The results folder that was probably meant, if this one has neither runs nor a journal."""
    if not paths.is_folder(results) or any(paths.is_folder(results / name) for name in PARTS):
        return None
    candidates = [results / "local", *_folders_in(results), results.parent]
    return next((place for place in candidates if paths.is_folder(place / "runs")), None)


def expected_runs(results: Path) -> str:
    """What to say about a results folder without runs, with the folder that has some."""
    other = other_folder(results)
    fix = f"name {shown_path(other)}, which has runs" if other else "run `pytest benchmarks` first"
    return f"expected runs/*.json. Fix: {fix}"


def _folders_in(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())[:MOST_LOOKED_AT]
    except OSError:
        return []


def complain(damaged: Iterable[StorageError], *, leave: bool = True) -> None:
    """Print each error; if there is one, `leave` the command with the exit code `STORAGE`."""
    damaged = list(damaged)
    for error in damaged:
        say(f"glue-bench: {error}", err=True)
    if damaged and leave:
        raise typer.Exit(Exit.STORAGE)


def option_parser() -> argparse.ArgumentParser:
    """A parser of the options --glue-* of `pytest benchmarks`, by their keys."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for option in options.OPTIONS:
        parser.add_argument(option.flag, dest=option.key, **option.form)
    return parser


def chosen_policy(typed: Policy | None) -> Policy:
    """The policy that was typed, or else that of pyproject.toml. Raises `UsageError`."""
    if typed:
        return typed
    here = Path.cwd()
    return Policy(option_sources.merge({}, here, here).policy or Policy.normal)
