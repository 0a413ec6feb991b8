"""The verb `compare`: the gate on two sets of stored runs. Needs no torch."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from harness.commands.common import complain, existing, expected_runs
from harness.errors import Exit, StorageError, UsageError
from harness.files import paths
from harness.planning.project import BASELINES
from harness.tables import markup
from harness.terminal import say, say_document
from harness.text.values import plain

if TYPE_CHECKING:
    from harness.records.schema import Record

SIDE = "a results folder, a baseline's folder, or the name of a baseline"


class Form(StrEnum):
    """What `compare` writes."""

    text = "text"
    markdown = "markdown"


def compare(
    base: Annotated[str, typer.Argument(help=f"what to compare with: {SIDE}")],
    new: Annotated[str, typer.Argument(help=f"what is judged: {SIDE}")],
    fail_on: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MEASURE:CHANGE",
            help="the smallest loss that counts as worse, such as accuracy:-1pt or step_time:+10%; "
            "once for each measure (default: [tool.glue-bench.thresholds])",
        ),
    ] = None,
    form: Annotated[Form, typer.Option("--format", help="what to write")] = Form.text,
    baselines: Annotated[Path, typer.Option(help="where baselines are kept")] = BASELINES,
) -> None:
    """Judge the stored runs of NEW against those of BASE, cell by cell.

    Exits with 0 if no cell is worse, 1 if one is, 3 if it cannot tell, 4 if a cell is gone, cannot
    be compared, or nothing was.
    """
    from harness.compare import comparison as comparing
    from harness.compare import thresholds, verdict_tables

    limits = thresholds.from_option(fail_on) if fail_on else thresholds.from_pyproject(Path.cwd())
    then, now = (_runs(side, baselines) for side in (base, new))
    comparison = comparing.compare(
        then.records, now.records, limits, then.notes, then.cells_without_failed
    )
    sides = f"{plain(base)} against {plain(new)}"
    if form is Form.markdown:
        tables = verdict_tables.text(comparison, markdown=True)
        say_document(f"{markup.paragraph(sides)}\n\n{tables}\n")
    else:
        say(f"{sides}\n\n{verdict_tables.text(comparison)}")
    complain([*then.damaged, *now.damaged])
    raise typer.Exit(comparison.exit)


class Side(NamedTuple):
    """The runs of one side, and the records that cannot be read."""

    records: Sequence[Record]
    damaged: Sequence[StorageError] = ()
    notes: Mapping[str, str] = MappingProxyType({})
    cells_without_failed: Collection[str] = ()


def _runs(side: str, root: Path) -> Side:
    from harness.compare import baseline_tables, baselines, manifest
    from harness.records.store import Store

    folder = existing(Path(side)) if "/" in side else Path(side)
    if not paths.is_folder(folder) or manifest.is_in(folder):
        try:
            baseline = baselines.load(baselines.locate(side, root))
            notes = baseline_tables.acceptance_notes(baseline)
            return Side(
                baseline.records,
                notes=notes,
                cells_without_failed=baseline.cells_without_failed,
            )
        except UsageError as error:
            raise UsageError(f"{error} (or name a results folder)") from error
    stored = Store(folder).find()
    if not stored.records and not stored.damaged:
        say(f"{plain(side)}: holds no run; {expected_runs(folder)}", err=True)
        raise typer.Exit(Exit.NOTHING)
    return Side(stored.records, stored.damaged)
