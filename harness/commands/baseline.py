"""The verbs of `glue-bench baseline`. None of them needs torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.commands.common import Results, complain, existing
from harness.errors import Exit, StorageError, UsageError
from harness.planning.project import BASELINES, RESULTS
from harness.records.cells import cells
from harness.system import git
from harness.terminal import say
from harness.text.values import plain, shown_path

if TYPE_CHECKING:
    from harness.compare.baselines import Baseline
    from harness.compare.comparison import CellVerdict
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
Session = Annotated[
    str | None,
    typer.Option(
        help="the session whose runs are taken, may be abbreviated; default: all of the commit, or "
        "the newest if there is no git repository"
    ),
]
Tasks = Annotated[
    list[str] | None, typer.Option("--task", help="take only this task; may be repeated")
]
Models = Annotated[
    list[str] | None, typer.Option("--model", help="take only this model; may be repeated")
]
Targets = Annotated[
    list[str] | None, typer.Option("--target", help="take only this target; may be repeated")
]
Branch = Annotated[
    str, typer.Option(help="the branch whose history has to contain the commit, if there is one")
]
Baselines = Annotated[Path, typer.Option(help="the folder that holds the baselines")]


@app.command()
def save(
    name: Name,
    reason: Reason,
    results: Results = RESULTS,
    commit: Commit = None,
    session: Session = None,
    task: Tasks = None,
    model: Models = None,
    target: Targets = None,
    branch: Branch = "main",
    baselines: Baselines = BASELINES,
) -> None:
    """Make a baseline of the runs of one commit, including failed ones.

    Without a git repository it takes the runs of one session.
    """
    from harness.compare import baselines as stored

    folder = stored.locate(name, baselines)
    selection = _select(results, commit, session, task, model, target)
    _say(None, stored.save(folder, selection, reason, branch), selection)


@app.command(short_help="Replace a baseline's runs of the same cells by new ones.")
def promote(
    name: Name,
    reason: Reason,
    results: Results = RESULTS,
    commit: Commit = None,
    session: Session = None,
    task: Tasks = None,
    model: Models = None,
    target: Targets = None,
    branch: Branch = "main",
    worse: Annotated[bool, typer.Option("--worse", help="even if cells are worse")] = False,
    baselines: Baselines = BASELINES,
) -> None:
    """Replace a baseline's runs of the same cells by new ones; the other cells stay.

    Cells that the baseline lacks are added. Exits with 1 if a cell is worse; nothing is changed
    then.
    """
    from harness.compare import baselines as stored

    folder = stored.locate(name, baselines)
    selection = _select(results, commit, session, task, model, target)
    before = stored.load(folder)
    stored.require_on_branch(selection, branch)
    if not worse:
        _require_none_worse(before, selection)
    _say(before, stored.promote(folder, selection, reason, branch), selection)


@app.command()
def accept(
    name: Name,
    cell: Annotated[str, typer.Argument(help="a cell, such as sst2-minilm-cpu-fp32")],
    reason: Reason,
    results: Results = RESULTS,
    gone: Annotated[bool, typer.Option("--gone", help="remove the cell from the baseline")] = False,
    commit: Commit = None,
    session: Session = None,
    baselines: Baselines = BASELINES,
) -> None:
    """Replace one cell of a baseline, whatever its verdict."""
    from harness.compare import baselines as stored

    if gone and (commit or session):
        option = "--commit" if commit else "--session"
        raise UsageError(f"--gone removes a cell and takes no runs; expected it without {option}")
    folder = stored.locate(name, baselines)
    selection = None if gone else _select(results, commit, session, cell=cell)
    before = stored.load(folder)
    _say(before, stored.accept(folder, cell, selection, reason), selection)


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
    say(f"{tables.describe_size(baseline)}\n")
    changes = (
        tables.describe_change(number, change) for number, change in enumerate(baseline.changes, 1)
    )
    say("\n".join(["Changes, oldest first", *changes]))


def _select(
    results: Path,
    commit: str | None,
    session: str | None,
    tasks: Sequence[str] | None = None,
    models: Sequence[str] | None = None,
    targets: Sequence[str] | None = None,
    cell: str | None = None,
) -> Selection:
    from harness.compare.selection import list_reasons, narrowed, select
    from harness.records import journal, sessions
    from harness.records.store import Store

    store = Store(existing(results))
    found, _ = journal.sessions(store.journal)
    if running := [one.name for one in found if one.is_running]:
        raise UsageError(
            f"{shown_path(results)}: session {running[0]} is still running there, and a baseline "
            "would get a part of its runs. Fix: wait until it has ended"
        )
    records = store.load()
    refused, damaged = sessions.refused(results)
    if damaged:
        raise damaged[0]
    try:
        chosen = narrowed(records, tasks or (), models or (), targets or ())
        selection = select(chosen, commit, cell, refused, session)
    except UsageError as error:
        raise UsageError(f"{shown_path(results)}: {error}") from error
    if selection.revision.commit is None and session is None and git.head(Path.cwd()):
        raise UsageError(
            f"{shown_path(results)}: its newest run was made without a repository, and here is one"
            f"{list_reasons(selection.left_out)}. Fix: commit, and run `pytest benchmarks` again; "
            f"or --session {selection.revision.session}"
        )
    return selection


def _require_none_worse(baseline: Baseline, selection: Selection) -> None:
    """Say which cells the gate calls worse, if any, and end with the exit code `WORSE`."""
    from harness.compare import thresholds, verdict_tables
    from harness.compare.comparison import compare

    comparison = compare(
        baseline.records,
        selection.records,
        thresholds.from_pyproject(Path.cwd()),
    )
    worse = [cell for cell in comparison.verdicts if _is_worse(cell)]
    if worse:
        lines = "\n".join(
            f"  {cell.name}: {cell.verdict}; {verdict_tables.line(cell)}" for cell in worse
        )
        say(
            f"glue-bench: {plain(baseline.name)}: the new runs are worse, so nothing was changed:\n"
            f"{lines}\nFix: --worse, if you want them all the same",
            err=True,
        )
        raise typer.Exit(Exit.WORSE)


def _is_worse(cell: CellVerdict) -> bool:
    """Whether a cell is worse, a larger share of its runs went wrong, or its seeds are no more."""
    from harness.compare.averaged_runs import WrongRuns
    from harness.compare.verdicts import Verdict

    if cell.base is None or cell.new is None:
        return False
    lost_seeds = cell.new.ignores_its_seed and not cell.base.ignores_its_seed
    is_failing = WrongRuns.of(cell.base, cell.new).is_larger_share or lost_seeds
    return cell.verdict is Verdict.WORSE or (cell.verdict is Verdict.INCOMPARABLE and is_failing)


def _renamed(after: Baseline, selection: Selection | None) -> Iterator[tuple[str, str]]:
    """Cells of a baseline whose inputs a cell of another name has that was just added."""
    added = cells(selection.records) if selection else []
    new_names = {cell.key: cell.name for cell in added if cell.key}
    taken = {cell.name for cell in added}
    for cell in cells(after.records):
        if cell.key in new_names and cell.name not in taken:
            yield cell.name, new_names[cell.key]


SAME_SEED = (
    "runs of different seeds had the same losses or the same order of rows. They count as one run, "
    "so no loss of this cell can be shown"
)
NONE_SOUND = "every run failed or collapsed, so no later run can be compared with them"


def _say(before: Baseline | None, after: Baseline, selection: Selection | None) -> None:
    """Print a change, what it took and left out, and the size of the baseline now."""
    from harness.compare import averaged_runs
    from harness.compare import baseline_tables as tables

    say(tables.describe_change(len(after.changes), after.last))
    if selection:
        say(tables.describe_selection(selection))
        for cell in cells(selection.records):
            warnings = [SAME_SEED] if cell.ignores_its_seed else []
            warnings += [] if averaged_runs.runs(cell) else [NONE_SOUND]
            for warning in warnings:
                say(f"glue-bench: warning: {cell.name}: {warning}", err=True)
    if before and (difference := tables.describe_difference(before, after)):
        say(difference)
    for old, new in _renamed(after, selection):
        accept = f"glue-bench baseline accept {plain(after.name)} {old} --gone --reason TEXT"
        say(
            f"glue-bench: warning: {old} stays, and has the inputs of {new}. Fix: if that is its "
            f"new name, `{accept}`",
            err=True,
        )
    say(tables.describe_size(after))
