"""What new runs are compared with: save, promote, accept, list, show. None of it needs torch."""

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
    help="What new runs are compared with: moved only by save, promote and accept.",
)

Name = Annotated[str, typer.Argument(help="its name, or its folder, with a `/` in it")]
Reason = Annotated[str, typer.Option(help="why, on one line; it is kept")]
Commit = Annotated[
    str | None,
    typer.Option(help="the commit whose runs are taken, or how it begins; default: the newest"),
]
Branch = Annotated[str, typer.Option(help="the branch whose history has to hold the commit")]
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
    """Make a baseline of the runs of one commit, those that failed too."""
    from harness.compare import baselines as kept

    folder, chosen = kept.located(name, baselines), _chosen(results, commit)
    _say(kept.save(folder, chosen, reason, branch), folder, chosen)


@app.command(short_help="Put runs in place of a baseline's of the same cells.")
def promote(
    name: Name,
    reason: Reason,
    results: Results = RESULTS,
    commit: Commit = None,
    branch: Branch = "main",
    worse: Annotated[bool, typer.Option("--worse", help="also where cells are worse")] = False,
    baselines: Baselines = BASELINES,
) -> None:
    """Put runs in place of a baseline's of the same cells; the others stay."""
    from harness.compare import baselines as kept

    folder, chosen = kept.located(name, baselines), _chosen(results, commit)
    if not worse:
        _require_none_worse(kept.load(folder), chosen)
    _say(kept.promote(folder, chosen, reason, branch), folder, chosen)


@app.command()
def accept(
    name: Name,
    cell: Annotated[str, typer.Argument(help="a cell, such as sst2-minilm-cpu-fp32")],
    reason: Reason,
    results: Results = RESULTS,
    gone: Annotated[bool, typer.Option("--gone", help="take the cell out of the baseline")] = False,
    commit: Commit = None,
    baselines: Baselines = BASELINES,
) -> None:
    """Move one cell of a baseline, whatever a comparison says of it."""
    from harness.compare import baselines as kept

    if gone and commit:
        raise UsageError("--gone takes no runs; expected it without --commit")
    folder = kept.located(name, baselines)
    chosen = None if gone else _chosen(results, commit, cell)
    _say(kept.accept(folder, cell, chosen, reason), folder, chosen)


@app.command("list")
def list_(baselines: Baselines = BASELINES) -> None:
    """List the baselines, and those that are damaged."""
    from harness.compare import baseline_tables as tables
    from harness.compare import baselines as kept

    found: dict[str, Baseline | StorageError] = {}
    for name in kept.names(baselines):
        try:
            found[name] = kept.load(baselines / name)
        except StorageError as error:
            found[name] = error
    if not found:
        say(
            f"{shown_path(baselines)}: holds no baseline; `glue-bench baseline save` makes one",
            err=True,
        )
        raise typer.Exit(Exit.NOTHING)
    say(tables.overview(baselines, found).text())
    complain(one for one in found.values() if isinstance(one, StorageError))


@app.command()
def show(name: Name, baselines: Baselines = BASELINES) -> None:
    """Show what a baseline consists of, and every act, oldest first."""
    from harness.compare import baseline_tables as tables
    from harness.compare import baselines as kept

    found = kept.load(kept.located(name, baselines))
    for table in tables.per_cell(found):
        say(f"{table.text()}\n")
    say("\n".join(["Acts, oldest first", *map(tables.told, found.acts)]))


def _chosen(results: Path, commit: str | None, cell: str | None = None) -> Selection:
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


def _require_none_worse(baseline: Baseline, chosen: Selection) -> None:
    """Raise `UsageError` where the gate would call a cell worse: that is not moved in passing."""
    from harness.compare import thresholds, verdict_tables
    from harness.compare.comparison import compare
    from harness.compare.gate import Verdict

    limits = thresholds.configured(Path.cwd())
    found = compare(baseline.records, chosen.records, limits, ok_alone=baseline.ok_alone)
    worse = [cell for cell in found.verdicts if cell.verdict is Verdict.WORSE]
    if worse:
        lines = "\n".join(
            f"  {cell.name}: {cell.verdict}; {verdict_tables.line(cell)}" for cell in worse
        )
        raise UsageError(
            f"{baseline.name}: the new runs are worse, and it is left as it is:\n{lines}\nMend: "
            "--worse, if that is meant"
        )


def _say(act: BaselineChange, folder: Path, chosen: Selection | None) -> None:
    """What an act took and left out, and what the baseline is now."""
    from harness.compare import baseline_tables as tables
    from harness.compare.baselines import load

    say(tables.told(act))
    for why, count in chosen.left_out.items() if chosen else ():
        say(f"left out: {count} {why}")
    say(tables.size(load(folder)))
