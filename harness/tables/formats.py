"""A table as Markdown, CSV, LaTeX and JSON: the same numbers in each, and names made harmless."""

from __future__ import annotations

import csv as csv_format
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal

from tabulate import tabulate

from harness.tables import markup
from harness.tables.columns import Column, Kind
from harness.tables.table import FILL, Figure, Table, TableValue
from harness.text import escape

LEADERS = {1: "**{}**", 2: "*{}*"}
STYLES = {1: r"\textbf{{{}}}", 2: r"\underline{{{}}}"}
LEADING_NOTE = {
    "markdown": "Bold: best of its column; italic: second. Figures with a mark are not ranked.",
    "latex": "Bold: best of its column; underlined: second. Figures with a mark are not ranked.",
}
LONG = 25  # the most rows that fit on a page of LaTeX with their notes
WIDE = 8  # the most columns that fit between its margins unscaled


def markdown(table: Table, level: int = 2) -> str:
    """The table as GitHub renders it, under a heading of this level."""
    parts = [f"{'#' * level} {markup.markdown(table.title)}"]
    parts += [body(table)] if table.rows else []
    parts += [markup.paragraph(note) for note in _notes(table, "markdown")]
    if table.fill:
        parts += [FILL, _fenced([escape.visible(line) for line in table.fill])]
    return "\n\n".join(parts)


def _fenced(lines: Sequence[str]) -> str:
    """Lines of code in a fence that is longer than any in the lines."""
    fence = "```"
    while any(fence in line for line in lines):
        fence += "`"
    return "\n".join([f"{fence}sh", *lines, fence])


def body(table: Table) -> str:
    """The header and rows alone, in Markdown."""
    rows = _written(table, markup.markdown, LEADERS)
    header = [markup.markdown(heading) for heading in table.header]
    sides = ["left" if column.kind.is_text else "right" for column in table.columns]
    return tabulate(rows, header, tablefmt="github", disable_numparse=True, colalign=sides)


def _written(
    table: Table, write: Callable[[str], str], styles: Mapping[int, str]
) -> list[list[str]]:
    """The rows as a format writes text; `styles` are for the best and second of a column."""
    places = table.places()
    return [
        [
            styles.get(places.get((row, place), 0), "{}").format(write(_brief(column, entry)))
            for place, (column, entry) in enumerate(zip(table.columns, entries, strict=True))
        ]
        for row, entries in enumerate(table.rows)
    ]


def _brief(column: Column, entry: TableValue) -> str:
    return escape.brief(str(entry)) if column.kind is Kind.NAME else str(entry)


def _notes(table: Table, form: str) -> list[str]:
    return [*table.notes, *([LEADING_NOTE[form]] if table.places() else [])]


def csv(tables: Sequence[tuple[str, Table]]) -> str:
    """Tables of one kind as one CSV file; the first column, `board`, names each row's board.

    Text is quoted and numbers are not. The parts of a figure have columns of their own, such as
    `score sd`. An apostrophe stands before text that a spreadsheet would take for a formula.
    """
    lines: list[dict[str, Decimal | int | str]] = []
    for board, table in tables:
        for row in table.rows:
            line: dict[str, Decimal | int | str] = {"board": markup.spreadsheet(board)}
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
    """The columns of all tables; after each, the parts that some figure in it has."""
    parts: dict[str, dict[str, None]] = {}
    for table in tables:
        for column, name in enumerate(table.header):
            own = parts.setdefault(name, {})
            for row in table.rows:
                if isinstance(entry := row[column], Figure):
                    own |= dict.fromkeys(f"{name} {part}" for part in entry.parts if part)
    return ["board", *(column for name, own in parts.items() for column in (name, *own))]


def latex(table: Table) -> str:
    """A booktabs table; the best figure of a column is bold, the second underlined.

    A wide table is scaled to the text's width, and a long one continues over pages.
    """
    notes = [rf"{markup.latex(note)}\par" for note in _notes(table, "latex")]
    if not table.rows:
        return "\n".join([rf"\noindent {markup.latex(table.title)}\par", *notes])
    fill = [f"% {escape.visible(line)}" for line in [FILL, *table.fill]] if table.fill else []
    if len(table.rows) > LONG:
        small = "\n".join([r"{\footnotesize", *notes]) + "}"
        return "\n".join([*_longtable(table), *fill, small])
    small = [r"\par\smallskip\raggedright\footnotesize", *notes] if notes else [""]
    return "\n".join([*_float(table, small), *fill, ""])


def _float(table: Table, notes: Sequence[str]) -> list[str]:
    """The lines of a table on one page, with lines of notes below it."""
    start, end = rf"\begin{{tabular}}{{{_sides(table)}}}", r"\end{tabular}"
    if len(table.columns) > WIDE:
        start, end = rf"\resizebox{{\textwidth}}{{!}}{{{start}", f"{end}}}"
    return [
        r"\begin{table}",
        r"\centering",
        *_caption(table, r"\caption{{{}}}"),
        start,
        *_head(table),
        *_rows(table),
        r"\bottomrule",
        end,
        *notes,
        r"\end{table}",
    ]


def _longtable(table: Table) -> list[str]:
    """The lines of a table that continues over pages and repeats its head on each."""
    count = len(table.columns)
    return [
        rf"\begin{{longtable}}{{{_sides(table)}}}",
        *_caption(table, r"\caption{{{}}} \\"),
        *_head(table),
        r"\endfirsthead",
        *_caption(table, r"\caption[]{{{}}} \\"),
        *_head(table),
        r"\endhead",
        r"\midrule",
        rf"\multicolumn{{{count}}}{{r}}{{Continued on next page}} \\",
        r"\midrule",
        r"\endfoot",
        r"\bottomrule",
        r"\endlastfoot",
        *_rows(table),
        r"\end{longtable}",
    ]


def _sides(table: Table) -> str:
    return "".join("l" if column.kind.is_text else "r" for column in table.columns)


def _caption(table: Table, form: str) -> list[str]:
    return [form.format(markup.latex(table.title))] if table.title else []


def _head(table: Table) -> list[str]:
    return [r"\toprule", _row(map(markup.latex, table.header)), r"\midrule"]


def _rows(table: Table) -> list[str]:
    return [_row(entries) for entries in _written(table, markup.latex, STYLES)]


def _row(entries: Iterable[str]) -> str:
    return rf"{' & '.join(entries)} \\"


def as_json(table: Table) -> dict[str, object]:
    """A table for `json`. A figure is an object: its exact value, its unit and how it is shown.

    Names are not changed, since JSON escapes them.
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


def _exact(entry: TableValue) -> str | dict[str, object]:
    if not isinstance(entry, Figure):
        return entry
    said: dict[str, object] = {"shown": str(entry), "value": entry.value, "unit": entry.unit.name}
    for name in ("sd", "of", "low", "high", "rank"):
        if getattr(entry, name) is not None:
            said[name] = getattr(entry, name)
    return said | ({"mark": entry.mark} if entry.mark else {})
