"""A table of text and figures, ready for any format; and as the terminal shows it, 80 columns wide.

Figures are kept in the store's units and shown in a reader's: scores x 100, memory in MB of 2**20.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY, dataclass, field
from decimal import Decimal
from itertools import zip_longest

from harness.text.escape import foldable, short, visible

WIDTH = 80
NAMES = ("cell", "model", "recipe", "target")
"""The columns of names, which somebody chose: any text may be in them."""
NARROWEST = {"status": len("contaminated"), "cell": 16, "recipe": 6, "model": 8, "target": 9}
"""How narrow a column may get when a line is too long; the first ones give way first.

Words are folded, which loses nothing; names are cut.
"""
LEAST = 8  # of the other columns of words
WORDS = frozenset({
    "task", "cell", "verdict", "model", "target", "recipe", "status", "session", "state",
    "baseline", "commit", "last act", "published as", "source", "metric", "metrics", "split",
    "file", "run",
})  # fmt: skip
"""The columns of words, which stand to the left; figures stand to the right."""

FILL = "The runs that rows lack:"


@dataclass(frozen=True)
class Unit:
    """How a figure is shown: its value times `scale`, with so many digits, and its sign if asked.

    `name` says in which unit the store keeps it.
    """

    name: str
    scale: float = 1.0
    digits: int = 2
    sign: str = ""
    has_bar: bool = False  # a part of a whole is drawn too

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
    """A number of a table, in the store's own unit, and what belongs to it.

    `of` is the whole that it is a part of; `low` and `high` bound it; `rank` is the best and the
    worst place that it may have.
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
        """Every number of it by name, as it is shown; the number itself has the name ``""``."""
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
    """A title, a header and rows, ready for any format.

    `leading` names the columns in which the highest figure is the best one; `words` those of words,
    beside the usual ones. `fill` has the commands that bring what the rows lack.
    """

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[TableValue, ...], ...]
    notes: tuple[str, ...] = ()
    _: KW_ONLY
    fill: tuple[str, ...] = ()
    leading: frozenset[str] = field(default_factory=frozenset)
    words: tuple[str, ...] = ()

    def text(self) -> str:
        """As the terminal shows it, at most 80 columns wide: gaps, names and words give way."""
        header = [visible(name) for name in self.header]
        shown = [
            [
                visible(str(entry)) if name in NAMES else foldable(str(entry))
                for name, entry in zip(self.header, row, strict=True)
            ]
            for row in self.rows
        ]
        widths = [max(map(len, column)) for column in zip(header, *shown, strict=True)]
        gap = 2 if sum(widths) + 2 * (len(widths) - 1) <= WIDTH else 1
        for place, least in self._yielding(shown):
            excess = sum(widths) + gap * (len(widths) - 1) - WIDTH
            widths[place] = max(min(least, widths[place]), widths[place] - max(0, excess))
        rows = [
            [
                short(text, width) if name in NAMES else text
                for name, text, width in zip(self.header, row, widths, strict=True)
            ]
            for row in shown
        ]
        sides = ["<" if side == "left" else ">" for side in self.alignment]
        forms = [f"{side}{width}" for side, width in zip(sides, widths, strict=True)]
        body = [
            (" " * gap).join(map(format, line, forms))
            for row in [header, ["-" * width for width in widths], *rows]
            for line in _folded(row, widths)
        ]
        notes = [
            textwrap.fill(foldable(note), WIDTH, subsequent_indent="  ", break_on_hyphens=False)
            for note in self.notes
        ]
        fill = [FILL, *map(visible, self.fill)] if self.fill else []
        title = textwrap.wrap(foldable(self.title), WIDTH, break_on_hyphens=False)
        text = "\n".join([*title, *body, *notes, *fill])
        return "\n".join(line.rstrip() for line in text.splitlines()).rstrip("\n")

    def _yielding(self, shown: Sequence[Sequence[str]]) -> list[tuple[int, int]]:
        """The columns that may get narrower, by their places, in this order; and how narrow.

        First the figures under long names: the name is folded, what stands below it never.
        """
        words = WORDS.union(self.words) - NARROWEST.keys()
        folded = [
            (column, max(map(len, [*name.split(), *(row[column] for row in shown)])))
            for column, name in enumerate(self.header)
            if "(" in name and name not in words
        ]
        least = NARROWEST | {name: LEAST for name in self.header if name in words}
        named = [(self.header.index(name), least[name]) for name in least if name in self.header]
        return [*folded, *named]

    @property
    def alignment(self) -> list[str]:
        """`left` or `right` for each column."""
        words = WORDS.union(self.words)
        return ["left" if name in words else "right" for name in self.header]

    def places(self) -> dict[tuple[int, int], int]:
        """Which entries, by row and column, are the best (1) or second (2) of a leading column.

        As they are shown: what looks alike has one place. A marked figure has none, and where
        fewer than two have one, nobody leads.
        """
        found: dict[tuple[int, int], int] = {}
        for column, name in enumerate(self.header):
            if name not in self.leading:
                continue
            shown = {
                row: Decimal(entry.unit.shown(entry.value))
                for row, entries in enumerate(self.rows)
                if isinstance(entry := entries[column], Figure)
                and entry.value is not None
                and not entry.mark
            }
            best = sorted({*shown.values()})[-2:]
            if len(shown) > 1:
                for row, value in shown.items():
                    if value in best:
                        found[row, column] = len(best) - best.index(value)
        return found


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
