"""A table as Markdown, CSV, LaTeX and JSON: the same numbers in each, and no harmful name."""

from __future__ import annotations

import csv as csv_format
import io
from collections.abc import Iterable, Sequence
from typing import Any

from tabulate import tabulate

from harness.tables import markup
from harness.tables.table import FILL, NAMES, Figure, Table, TableValue
from harness.text import escape

LEADERS = {1: "**{}**", 2: "*{}*"}
STYLES = {1: "textbf: --rwrap;", 2: "underline: --rwrap;"}
LEADING_NOTE = {
    "markdown": "Bold: the best of its column; italic: the second. Marked figures take no place.",
    "latex": "Bold: the best of its column; underlined: the second. Marked figures take no place.",
}
LONG = 25  # rows that, with notes, a page of LaTeX cannot hold
WIDE = 8  # columns that it cannot hold at their size


def markdown(table: Table, level: int = 2) -> str:
    """As GitHub renders it, under a heading of this level."""
    parts = [f"{'#' * level} {markup.markdown(table.title)}"]
    parts += [body(table)] if table.rows else []
    parts += [markup.paragraph(note) for note in _notes(table, "markdown")]
    if table.fill:
        parts += [FILL, _fenced([escape.visible(line) for line in table.fill])]
    return "\n\n".join(parts)


def _fenced(lines: Sequence[str]) -> str:
    """Lines of code, between fences that none of them ends."""
    fence = "```"
    while any(fence in line for line in lines):
        fence += "`"
    return "\n".join([f"{fence}sh", *lines, fence])


def body(table: Table) -> str:
    """Its header and rows alone, in Markdown."""
    places = table.places()
    rows = [
        [
            LEADERS.get(places.get((row, column), 0), "{}").format(_said(name, entry))
            for column, (name, entry) in enumerate(zip(table.header, entries, strict=True))
        ]
        for row, entries in enumerate(table.rows)
    ]
    header = [markup.markdown(name) for name in table.header]
    return tabulate(
        rows, header, tablefmt="github", disable_numparse=True, colalign=table.alignment
    )


def _said(name: str, entry: TableValue) -> str:
    return markup.markdown(_brief(name, entry))


def _brief(name: str, entry: TableValue) -> str:
    return escape.brief(str(entry)) if name in NAMES else str(entry)


def _notes(table: Table, form: str) -> list[str]:
    return [*table.notes, *([LEADING_NOTE[form]] if table.places() else [])]


def csv(tables: Sequence[tuple[str, Table]]) -> str:
    """Tables of one kind as one CSV file; the first column, `board`, says whose row it is.

    Text is quoted and numbers are not. What belongs to a figure has columns of its own, such as
    `score sd`. What a spreadsheet would take for a formula begins with an apostrophe.
    """
    lines: list[dict[str, Any]] = []
    for board, table in tables:
        for row in table.rows:
            line: dict[str, Any] = {"board": markup.spreadsheet(board)}
            for name, entry in zip(table.header, row, strict=True):
                if isinstance(entry, Figure):
                    line |= {f"{name} {part}".rstrip(): v for part, v in entry.parts.items()}
                    line.setdefault(name, "")
                else:
                    line[name] = markup.spreadsheet(entry)
            lines.append(line)
    out = io.StringIO()
    header = _header([table for _, table in tables])
    writer = csv_format.DictWriter(
        out, header, restval="", lineterminator="\n", quoting=csv_format.QUOTE_NONNUMERIC
    )
    writer.writerow({name: markup.spreadsheet(name) for name in header})
    writer.writerows(lines)
    return out.getvalue()


def _header(tables: Iterable[Table]) -> list[str]:
    """The columns of all tables, each with the parts that some figure of it has beside it."""
    parts: dict[str, dict[str, None]] = {}
    for table in tables:
        for column, name in enumerate(table.header):
            own = parts.setdefault(name, {})
            for row in table.rows:
                if isinstance(entry := row[column], Figure):
                    own |= dict.fromkeys(f"{name} {part}" for part in entry.parts if part)
    return ["board", *(column for name, own in parts.items() for column in (name, *own))]


def latex(table: Table) -> str:
    """A booktabs table; its best figures are bold, the second ones underlined.

    A wide one is scaled to the width of the text, a long one goes over pages.
    """
    notes = [markup.latex(note) for note in _notes(table, "latex")]
    told = "".join(f"\n{note}\\par" for note in notes)
    if not table.rows:
        return rf"\noindent {markup.latex(table.title)}\par{told}"
    fill = [FILL, *map(escape.visible, table.fill)] if table.fill else []
    body = _tabular(table) + "".join(f"% {line}\n" for line in fill)
    if len(table.rows) > LONG:
        return f"{body}{{\\footnotesize{told}}}"
    if len(table.header) > WIDE:
        body = body.replace(r"\begin{tabular}", r"\resizebox{\textwidth}{!}{\begin{tabular}")
        body = body.replace(r"\end{tabular}", r"\end{tabular}}")
    small = rf"\par\smallskip\raggedright\footnotesize{told}" if notes else ""
    return body.replace("\n\\end{table}", f"\n{small}\n\\end{{table}}")


def _tabular(table: Table) -> str:
    import pandas as pd

    texts = [
        [markup.latex(_brief(name, entry)) for name, entry in zip(table.header, row, strict=True)]
        for row in table.rows
    ]
    frame = pd.DataFrame(texts, columns=[markup.latex(name) for name in table.header])
    styles = pd.DataFrame("", index=frame.index, columns=frame.columns)
    for (row, column), place in table.places().items():
        styles.iloc[row, column] = STYLES[place]
    return frame.style.hide(axis="index").apply(lambda _: styles, axis=None).to_latex(
        hrules=True,
        caption=markup.latex(table.title),
        column_format="".join(side[0] for side in table.alignment),
        environment="longtable" if len(table.rows) > LONG else None,
        position_float=None if len(table.rows) > LONG else "centering",
    )  # fmt: skip


def as_json(table: Table) -> dict[str, Any]:
    """A table for `json`: a figure is an object with its exact value, its unit and how it is shown.

    Names are as they are, since JSON escapes them.
    """
    return {
        "title": table.title,
        "columns": list(table.header),
        "rows": [
            {name: _exact(entry) for name, entry in zip(table.header, row, strict=True)}
            for row in table.rows
        ],
        "notes": list(table.notes),
        "fill": list(table.fill),
    }


def _exact(entry: TableValue) -> str | dict[str, Any]:
    if not isinstance(entry, Figure):
        return entry
    said: dict[str, Any] = {"shown": str(entry), "value": entry.value, "unit": entry.unit.name}
    for name in ("sd", "of", "low", "high", "rank"):
        if getattr(entry, name) is not None:
            said[name] = getattr(entry, name)
    return said | ({"mark": entry.mark} if entry.mark else {})
