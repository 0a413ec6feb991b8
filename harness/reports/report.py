"""The report of a results folder: the tables of every board, the same in each format."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from harness.records.schema import Record
from harness.reports import board_tables, by_axis, cell_tables, published
from harness.reports.boards import Standing, boards
from harness.spec import Axis
from harness.tables import formats, markup
from harness.tables.table import Table
from harness.text import escape

VERSION = 1
"""The version of the JSON document; it rises with each change that breaks a reader."""
LATEX_NEEDS = r"% Needs \usepackage{booktabs,graphicx,longtable} and \usepackage[T1]{fontenc}."


KINDS = ("scores", "averages", "cells", "references", "comparison")
NAMES = ("report.md", "report.tex", "report.json", *(f"{kind}.csv" for kind in KINDS))
"""The names of the files of a report."""


@dataclass(frozen=True)
class Report:
    """Each board's title with its tables, by their kinds."""

    boards: Sequence[tuple[str, Mapping[str, Table]]]
    runs: int
    notes: Sequence[str] = ()  # on the machine, in the Markdown file

    @property
    def tables(self) -> list[Table]:
        """All of them, board by board."""
        return [table for _, found in self.boards for table in found.values()]

    def of(self, kind: str) -> list[tuple[str, Table]]:
        """The tables of one kind, each with its board's title."""
        return [(title, found[kind]) for title, found in self.boards if kind in found]


def make(
    records: Sequence[Record],
    results: str,
    *,
    references: bool = False,
    by: Axis | None = None,
    reference: str | None = None,
    notes: Sequence[str] = (),
) -> Report:
    """Every board's tables; `results` names the folder of the records.

    With `references` published results are compared with ours. With `by` the choices on an axis are
    compared with one of them, `reference`; raises `UsageError` if nothing was run with it.
    """
    found = boards(records)
    compared = by_axis.tables(found, by, reference) if by else []
    made: list[tuple[str, dict[str, Table]]] = []
    for board in found:
        tables = {"cells": cell_tables.every_figure(board)}
        if board.rows:
            shown = {"scores": board_tables.scores(board)}
            if board.standing is not Standing.CUSTOM:  # the averages are defined for GLUE's tasks
                shown["averages"] = board_tables.averages_of(board, results)
            tables = shown | tables
        if references:
            tables["references"] = replace(
                published.table(published.gaps(board.cells)),
                title=f"Published, and ours on {board.title}",
            )
        made.append((board.title, tables))
    for (_, tables), table in zip(made, compared, strict=False):
        tables["comparison"] = table
    return Report(made, len(records), notes)


def markdown(report: Report) -> str:
    """As GitHub renders it."""
    parts = [formats.markdown(table) for table in report.tables]
    notes = map(markup.paragraph, report.notes)
    return "\n\n".join([f"# glue-bench report\n\nRuns: {report.runs}", *notes, *parts]) + "\n"


def latex(report: Report) -> str:
    """Tables to include in a LaTeX document."""
    parts = [formats.latex(table) for table in report.tables]
    return "\n\n".join([LATEX_NEEDS, *parts]) + "\n"


def as_json(report: Report) -> str:
    """A JSON document in ASCII; figures are in the units of records."""
    document = {
        "version": VERSION,
        "runs": report.runs,
        "boards": [
            {
                "title": title,
                "tables": {kind: formats.as_json(table) for kind, table in found.items()},
            }
            for title, found in report.boards
        ],
    }
    return escape.json(json.dumps(document, indent=1, allow_nan=False)) + "\n"


def files(report: Report) -> Iterator[tuple[str, str]]:
    """Every format's files: name and text. A CSV file holds one kind of table of all boards."""
    yield "report.md", markdown(report)
    yield "report.tex", latex(report)
    yield "report.json", as_json(report)
    for kind in KINDS:
        if found := report.of(kind):
            yield f"{kind}.csv", formats.csv(found)
