"""A table of text and figures, ready for any format; and its text for a terminal of 80 columns.

Figures are kept in the units of records and shown in a reader's: scores x 100, memory in MiB.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from decimal import Decimal
from itertools import zip_longest

from harness.tables.columns import Column, Kind
from harness.text.escape import foldable, short, visible

WIDTH = 80
FILL = "To fill the missing scores, run:"


@dataclass(frozen=True)
class Unit:
    """How a figure is shown: its value times `scale`, with `digits` decimals, and a sign if asked.

    `name` is the unit in which records keep it.
    """

    name: str
    scale: float = 1.0
    digits: int = 2
    sign: str = ""
    has_bar: bool = False  # a part of a whole is also drawn as a bar

    def shown(self, value: float) -> str:
        return format(value * self.scale, f"{self.sign}.{self.digits}f")


SCORE = Unit("fraction", scale=100)
CHANGE = Unit("fraction", scale=100, sign="+")
SECONDS = Unit("seconds", digits=1)
PER_SECOND = Unit("examples per second", digits=0)
MB = Unit("bytes", scale=2**-20, digits=0)
SMALL_MB = Unit("bytes", scale=2**-20)
MILLIONS = Unit("parameters", scale=1e-6, digits=3)
COUNT = Unit("runs", digits=0)
TASKS = Unit("tasks", digits=0, has_bar=True)
POINTS = Unit("points", digits=1)
RATIO = Unit("ratio")
SDS = Unit("standard deviations", digits=1, sign="+")


@dataclass(frozen=True)
class Figure:
    """A number of a table, in the unit of records, and what belongs to it.

    `of` is the whole that it is a part of; `low` and `high` are its bounds; `rank` is the best and
    the worst rank that it can have.
    """

    value: float | None
    unit: Unit = SCORE
    sd: float | None = None
    of: int | None = None
    low: float | None = None
    high: float | None = None
    rank: tuple[int, int] | None = None
    mark: str = ""

    def __str__(self) -> str:
        number = MISSING if self.value is None else self.unit.shown(self.value)
        if self.of is not None:
            # Not "6/9", which a spreadsheet takes for a date.
            number = f"{self._bar()}{number} of {self.of}"
        sd = f" ±{self.unit.shown(self.sd).lstrip('+')}" if self.sd is not None else ""
        between = ""
        if self.low is not None and self.high is not None:
            between = f" ({self.unit.shown(self.low)} to {self.unit.shown(self.high)})"
        return f"{number}{sd}{self.mark}{between}{self._place()}"

    def _bar(self) -> str:
        if not self.unit.has_bar or self.value is None or self.of is None:
            return ""
        done = int(self.value)
        return f"{'=' * done}{'.' * (self.of - done)} "

    def _place(self) -> str:
        if self.rank is None:
            return ""
        best, worst = self.rank
        return f" ({best})" if best == worst else f" ({best}-{worst})"

    @property
    def parts(self) -> dict[str, Decimal | int | str]:
        """Every number of it by name, as it is shown; the value itself has the name ``""``."""
        numbers = {"": self.value, "sd": self.sd, "low": self.low, "high": self.high}
        found: dict[str, Decimal | int | str] = {
            name: Decimal(self.unit.shown(value).lstrip("+"))
            for name, value in numbers.items()
            if value is not None
        }
        if self.of is not None:
            found["of"] = self.of
        if self.rank is not None:
            found["best rank"], found["worst rank"] = self.rank
        if self.mark:
            found["mark"] = self.mark
        return found


TableValue = str | Figure


@dataclass(frozen=True)
class Table:
    """A title, columns, rows of an entry for each column, and notes, ready for any format.

    `fill` has the commands that bring what the rows lack.
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[TableValue, ...], ...]
    notes: tuple[str, ...] = ()
    _: KW_ONLY
    fill: tuple[str, ...] = ()

    @property
    def header(self) -> tuple[str, ...]:
        """The headings of the columns."""
        return tuple(column.heading for column in self.columns)

    def text(self) -> str:
        """The table for a terminal, at most 80 columns wide: gaps, names and words give way."""
        title = textwrap.wrap(foldable(self.title), WIDTH, break_on_hyphens=False)
        notes = [
            textwrap.fill(foldable(note), WIDTH, subsequent_indent="  ", break_on_hyphens=False)
            for note in self.notes
        ]
        fill = [FILL, *map(visible, self.fill)] if self.fill else []
        text = "\n".join([*title, *self._lines(), *notes, *fill])
        return "\n".join(line.rstrip() for line in text.splitlines()).rstrip("\n")

    def _lines(self) -> list[str]:
        """The header and the rows, each entry cut or folded to the width of its column."""
        header = [visible(heading) for heading in self.header]
        texts = [
            [_plain(column, entry) for column, entry in zip(self.columns, row, strict=True)]
            for row in self.rows
        ]
        widths, gap = self._widths([header, *texts])
        rows = [
            [
                short(text, width) if column.kind is Kind.NAME else text
                for column, text, width in zip(self.columns, row, widths, strict=True)
            ]
            for row in texts
        ]
        forms = [
            f"{'<' if column.kind.is_text else '>'}{width}"
            for column, width in zip(self.columns, widths, strict=True)
        ]
        return [
            (" " * gap).join(map(format, line, forms))
            for row in [header, ["-" * width for width in widths], *rows]
            for line in _folded(row, widths)
        ]

    def _widths(self, lines: Sequence[Sequence[str]]) -> tuple[list[int], int]:
        """How many characters wide each column is for these lines, and the gap between two."""
        widths = [max(map(len, texts)) for texts in zip(*lines, strict=True)]
        gap = 2 if sum(widths) + 2 * (len(widths) - 1) <= WIDTH else 1
        for place in sorted(range(len(widths)), key=lambda place: self.columns[place].turn):
            excess = max(0, sum(widths) + gap * (len(widths) - 1) - WIDTH)
            least = _narrowest(self.columns[place], [line[place] for line in lines])
            widths[place] = max(min(least, widths[place]), widths[place] - excess)
        return widths, gap

    def places(self) -> dict[tuple[int, int], int]:
        """Which entries, by row and column, are the best (1) or second (2) of a ranked column.

        Figures that are shown alike share a place. A marked figure has none, and a column with
        fewer than two figures that could have one has no best.
        """
        found: dict[tuple[int, int], int] = {}
        for place, column in enumerate(self.columns):
            if not column.is_ranked:
                continue
            shown = {
                row: Decimal(entry.unit.shown(entry.value))
                for row, entries in enumerate(self.rows)
                if isinstance(entry := entries[place], Figure)
                and entry.value is not None
                and not entry.mark
            }
            best = sorted({*shown.values()})[-2:]
            if len(shown) > 1:
                for row, value in shown.items():
                    if value in best:
                        found[row, place] = len(best) - best.index(value)
        return found


def _plain(column: Column, entry: TableValue) -> str:
    """An entry as the terminal shows it where there is room; a name keeps its spaces."""
    return visible(str(entry)) if column.kind is Kind.NAME else foldable(str(entry))


def _narrowest(column: Column, texts: Sequence[str]) -> int:
    """How narrow a column may get; `texts` are its heading and its entries."""
    if column.kind.is_text:
        return column.width
    heading, *entries = texts
    parts = heading.split() if column.kind is Kind.SCORE else [heading]
    return max(map(len, [*parts, *entries]), default=0)


def _folded(row: Sequence[str], widths: Sequence[int]) -> Iterator[tuple[str, ...]]:
    """The lines of a row whose texts are folded to these widths."""
    texts = [
        textwrap.wrap(text, width, break_on_hyphens=False) if len(text) > width else [text]
        for text, width in zip(row, widths, strict=True)
    ]
    return zip_longest(*texts, fillvalue="")


def percent(fraction: float | None) -> str:
    """A score as a table shows it: times 100, two decimals."""
    return str(Figure(fraction))


MISSING = "-"
