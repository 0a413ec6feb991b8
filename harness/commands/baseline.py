"""The verbs of `glue-bench baseline`. None of them needs torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.commands.common import Results, complain, existing
from harness.errors import Exit, StorageError, UsageError
from harness.planning.project import BASELINES, RESULTS
from harness.terminal import say
from harness.text.values import shown_path

if TYPE_CHECKING:
    from harness.compare.baselines import Baseline
    from harness.compare.history import BaselineChange
    from harness.compare.selection import Selection

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,  # as of the whole command
    help="Manage baselines: stored runs that new runs are compared with.",
)

Name = Annotated[str, typer.Argument(help="its name, or its folder (a path with a `/`)")]
Reason = Annotated[str, typer.Option(help="why, on one line; it is stored")]
Commit = Annotated[
    str | None,
    typer.Option(help="the commit whose runs are taken, may be abbreviated; default: the newest"),
]
Branch = Annotated[str, typer.Option(help="the branch whose history has to contain the commit")]
Baselines = Annotated[Path, typer.Option(help="the folder that holds the baselines")]


@app.command()
def save(
    name: Name,
    reason: Reason,
    results: Results = RESULTS,
    commit: Commit = None,
    branch: Branch = "main",
    baselines: Baselines = BASELINES,
) -> None:
    """Make a baseline of the runs of one commit, including failed ones."""
    from harness.compare import baselines as stored

    folder, selection = stored.locate(name, baselines), _select(results, commit)
    _say(stored.save(folder, selection, reason, branch), folder, selection)


@app.command(short_help="Replace a baseline's runs of the same cells by new ones.")
def promote(
    name: Name,
    reason: Reason,
    results: Results = RESULTS,
    commit: Commit = None,
    branch: Branch = "main",
    worse: Annotated[bool, typer.Option("--worse", help="even if cells are worse")] = False,
    baselines: Baselines = BASELINES,
) -> None:
    """Replace a baseline's runs of the same cells by new ones; the other cells stay."""
    from harness.compare import baselines as stored

    folder, selection = stored.locate(name, baselines), _select(results, commit)
    if not worse:
        _require_none_worse(stored.load(folder), selection)
    _say(stored.promote(folder, selection, reason, branch), folder, selection)


@app.command()
def accept(
    name: Name,
    cell: Annotated[str, typer.Argument(help="a cell, such as sst2-minilm-cpu-fp32")],
    reason: Reason,
    results: Results = RESULTS,
    gone: Annotated[bool, typer.Option("--gone", help="remove the cell from the baseline")] = False,
    commit: Commit = None,
    baselines: Baselines = BASELINES,
) -> None:
    """Replace one cell of a baseline, whatever its verdict."""
    from harness.compare import baselines as stored

    if gone and commit:
        raise UsageError("--gone removes a cell and takes no runs; expected it without --commit")
    folder = stored.locate(name, baselines)
    selection = None if gone else _select(results, commit, cell)
    _say(stored.accept(folder, cell, selection, reason), folder, selection)


@app.command("list")
def list_(baselines: Baselines = BASELINES) -> None:
    """List the baselines, including damaged ones."""
    from harness.compare import baseline_tables as tables
    from harness.compare import baselines as stored

    by_name: dict[str, Baseline | StorageError] = {}
    for name in stored.names(baselines):
        try:
            by_name[name] = stored.load(baselines / name)
        except StorageError as error:
            by_name[name] = error
    if not by_name:
        say(
            f"{shown_path(baselines)}: holds no baseline; `glue-bench baseline save` makes one",
            err=True,
        )
        raise typer.Exit(Exit.NOTHING)
    say(tables.overview(baselines, by_name).text())
    complain(error for error in by_name.values() if isinstance(error, StorageError))


@app.command()
def show(name: Name, baselines: Baselines = BASELINES) -> None:
    """Show the cells of a baseline and all its changes."""
    from harness.compare import baseline_tables as tables
    from harness.compare import baselines as stored

    baseline = stored.load(stored.locate(name, baselines))
    for table in tables.cell_tables(baseline):
        say(f"{table.text()}\n")
    say("\n".join(["Changes, oldest first", *map(tables.describe_change, baseline.changes)]))


def _select(results: Path, commit: str | None, cell: str | None = None) -> Selection:
    from harness.compare.selection import select
    from harness.records import sessions
    from harness.records.store import Store

    records = Store(existing(results)).load()
    refused, damaged = sessions.refused(results)
    if damaged:
        raise damaged[0]
    try:
        return select(records, commit, cell, refused)
    except UsageError as error:
        raise UsageError(f"{shown_path(results)}: {error}") from error


def _require_none_worse(baseline: Baseline, selection: Selection) -> None:
    """Raise `UsageError` if the gate calls a cell worse."""
    from harness.compare import thresholds, verdict_tables
    from harness.compare.comparison import compare
    from harness.compare.gate import Verdict

    comparison = compare(
        baseline.records,
        selection.records,
        thresholds.from_pyproject(Path.cwd()),
        cells_without_failed=baseline.cells_without_failed,
    )
    worse = [cell for cell in comparison.verdicts if cell.verdict is Verdict.WORSE]
    if worse:
        lines = "\n".join(
            f"  {cell.name}: {cell.verdict}; {verdict_tables.line(cell)}" for cell in worse
        )
        raise UsageError(
            f"{baseline.name}: the new runs are worse, so nothing was changed:\n{lines}\nFix: "
            "--worse, if you want them all the same"
        )


def _say(change: BaselineChange, folder: Path, selection: Selection | None) -> None:
    """Print what a change took and left out, and the size of the baseline now."""
    from harness.compare import baseline_tables as tables
    from harness.compare.baselines import load

    say(tables.describe_change(change))
    for why, count in selection.left_out.items() if selection else ():
        say(f"left out: {count} {why}")
    say(tables.describe_size(load(folder)))
