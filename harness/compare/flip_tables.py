"""A ledger of flips as text, Markdown, CSV and JSON.

The texts of rows come from elsewhere: what a terminal or a renderer would obey in them is escaped.
"""

from __future__ import annotations

import csv as csv_format
import io
import json as json_format
import textwrap
from collections.abc import Iterable, Iterator, Mapping

from harness.compare.flips import Flip, Ledger, SplitFlips, Texts
from harness.records import cells
from harness.records.diff import brief
from harness.records.schema import Record
from harness.tables import formats, markup
from harness.tables.columns import figures, words
from harness.tables.table import WIDTH, Table, percent
from harness.text import escape
from harness.text.escape import foldable, short, visible

SHOWN = 20
"""How many rows a reader is shown by default."""

COUNTS = (
    *words("split"),
    *figures("n", "gained", "lost", "other", "acc A", "acc B", "difference", "McNemar p"),
)
ROWS = (*words("split"), *figures("row"), *words("label", "A", "B", "flip"))
NOTES = (
    "gained: only B is right; lost: only A is right; other: both are wrong, differently",
    "McNemar's exact p treats the rows as a sample and takes no account of seeds, though two seeds "
    "of one model differ in rows too. To judge a change, use `glue-bench compare`.",
)
_INDENT = " " * 4


def text(ledger: Ledger, texts: Texts | None = None, limit: int | None = None) -> str:
    """As the terminal shows it, at most 80 columns wide. `limit`: 0 means all rows."""
    shown, left = _first(ledger, SHOWN if limit is None else limit)
    head = [
        textwrap.fill(line, WIDTH, subsequent_indent=_INDENT, break_on_hyphens=False)
        for line in _head(ledger)
    ]
    parts = ["\n".join(head), _counts(ledger).text()]
    if shown:
        top, rule, *lines = _rows(ledger, shown).text().splitlines()
        body = [top, rule]
        for (split, flip), line in zip(shown, lines, strict=True):
            texts_of_row = _visible_texts(ledger, split, flip, texts)
            body += [line, *(_text_line(*column) for column in texts_of_row)]
        parts.append("\n".join(body))
    if left:
        parts.append(_more(left))
    return "\n\n".join(parts)


def markdown(ledger: Ledger, texts: Texts | None = None, limit: int | None = None) -> str:
    """As GitHub renders it; texts are shortened as in the terminal."""
    shown, left = _first(ledger, SHOWN if limit is None else limit)
    head = "\n".join(f"* {markup.paragraph(line)}" for line in _head(ledger))
    counts = _counts(ledger)
    parts = [f"## {markup.markdown(counts.title)}", head, formats.body(counts)]
    if shown:
        columns = ledger.task.text_columns if texts is not None else ()
        rows = _rows(ledger, shown).rows
        wide = tuple(
            (*row, *(short(said, WIDTH) for _, said in _visible_texts(ledger, *place, texts)))
            for row, place in zip(rows, shown, strict=True)
        )
        parts.append(formats.body(Table("", (*ROWS, *words(*columns)), wide)))
    parts += [_more(left)] if left else []
    return "\n\n".join([*parts, *map(markup.paragraph, counts.notes)])


def csv(ledger: Ledger, limit: int | None = None) -> str:
    """One line per flip: labels by their names, without the texts."""
    out = io.StringIO()
    writer = csv_format.writer(out, lineterminator="\n")
    table = _rows(ledger, _first(ledger, limit or 0)[0])
    writer.writerows([table.header, *(map(escape.distinct, map(str, r)) for r in table.rows)])
    return out.getvalue()


def json(ledger: Ledger, texts: Texts | None = None, limit: int | None = None) -> str:
    """All of the ledger, with whole texts; ASCII, accuracies as fractions."""
    shown, _ = _first(ledger, limit or 0)
    document = json_format.dumps(
        {
            "task": ledger.task.name,
            "a": _run(ledger.a),
            "b": _run(ledger.b),
            "differs": [{"what": name, "a": a, "b": b} for name, a, b in ledger.differs],
            "splits": {part.split: _numbers(part) for part in ledger.splits},
            "rows": [
                dict(zip((c.heading for c in ROWS), _words(ledger, split, flip), strict=True))
                | {"row": flip.row}
                | ({} if texts is None else {"text": _columns(ledger, split, flip, texts)})
                for split, flip in shown
            ],
        },
        indent=1,
    )
    return escape.json(document)


def _first(ledger: Ledger, limit: int) -> tuple[list[tuple[str, Flip]], int]:
    """The first `limit` flips, and how many are left out; 0: all flips."""
    rows = [(part.split, flip) for part in ledger.splits for flip in part.flips]
    shown = rows[:limit] if limit else rows
    return shown, len(rows) - len(shown)


def _more(left: int) -> str:
    return f"{left} more: --limit 0"


def _head(ledger: Ledger) -> Iterator[str]:
    """Lines that name the two runs, and what differs between them."""
    for name, record in (("A", ledger.a), ("B", ledger.b)):
        yield foldable(
            f"{name}: {record.case.id}, run {record.id[:8]}, score {percent(record.score)}"
        )
    differs = ledger.differs
    for name, a, b in differs:
        yield foldable(f"differs: {name}: A {brief(a)}, B {brief(b)}")
    if not differs:
        yield "differs: nothing that is recorded"


def _counts(ledger: Ledger) -> Table:
    rows = tuple(
        (
            part.split,
            str(part.rows),
            *(str(len(ids)) for ids in (part.gained, part.lost, part.other)),
            *map(percent, part.accuracies),
            f"{100 * part.difference:+.2f}",
            f"{part.p:.3g}",
        )
        for part in ledger.splits
    )
    title = f"Flips of {ledger.task.title} on {cells.where(ledger.a.source)}"
    return Table(title, COUNTS, rows, NOTES)


def _rows(ledger: Ledger, shown: Iterable[tuple[str, Flip]]) -> Table:
    rows = tuple(_words(ledger, split, flip) for split, flip in shown)
    return Table("", ROWS, rows)


def _words(ledger: Ledger, split: str, flip: Flip) -> tuple[str, ...]:
    labels = ledger.task.labels
    named = (labels[label] for label in (flip.label, flip.a, flip.b))
    return (split, str(flip.row), *named, flip.kind)


def _columns(ledger: Ledger, split: str, flip: Flip, texts: Texts) -> dict[str, str]:
    return dict(zip(ledger.task.text_columns, texts[split][flip.row], strict=True))


def _visible_texts(
    ledger: Ledger, split: str, flip: Flip, texts: Texts | None
) -> Iterable[tuple[str, str]]:
    """Each text of a row after its column's name, on one line; nothing if `texts` is None."""
    if texts is None:
        return ()
    columns = _columns(ledger, split, flip, texts)
    return [(column, visible(text)) for column, text in columns.items()]


def _text_line(column: str, text: str) -> str:
    start = f"{_INDENT}{column}: "
    return start + short(text, WIDTH - len(start))


def _run(record: Record) -> dict[str, object]:
    return {"id": record.id, "case": record.case.id, "score": record.score}


def _numbers(part: SplitFlips) -> Mapping[str, object]:
    a, b = part.accuracies
    return {
        "n": part.rows,
        "gained": len(part.gained),
        "lost": len(part.lost),
        "other": len(part.other),
        "accuracy_a": a,
        "accuracy_b": b,
        "difference": part.difference,
        "mcnemar_p": part.p,
    }
