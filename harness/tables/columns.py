"""The columns of a table: what each is called, what stands in it, and how narrow it may get."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, auto

NARROWEST = 8  # characters that a column of words keeps, unless it says otherwise


class Kind(Enum):
    """What stands in a column. It decides the column's side and what may be cut or folded."""

    NAME = auto()  # a name that a user chose, with any characters: left, cut where it is too long
    WORDS = auto()  # words of glue-bench: left, folded between words where they are too long
    FIGURE = auto()  # a number: right, never cut or folded
    SCORE = auto()  # a number under a task's name: right, and the heading is folded

    @property
    def is_text(self) -> bool:
        """Whether the column stands to the left."""
        return self in (Kind.NAME, Kind.WORDS)


@dataclass(frozen=True)
class Column:
    """One column of a `Table`.

    Where a line of the terminal is too long, columns give way in the order of `turn`, those of one
    `turn` from left to right. A column of names or words keeps at least `width` characters.
    """

    heading: str
    kind: Kind = Kind.FIGURE
    width: int = NARROWEST
    turn: int = 6
    is_ranked: bool = False  # the highest figure of the column is its best, and is marked

    def ranked(self) -> Column:
        """The same column with its best figures marked."""
        return replace(self, is_ranked=True)


def words(*headings: str) -> tuple[Column, ...]:
    """Columns of words."""
    return tuple(Column(heading, Kind.WORDS) for heading in headings)


def figures(*headings: str) -> tuple[Column, ...]:
    """Columns of numbers."""
    return tuple(Column(heading, Kind.FIGURE) for heading in headings)


def scores(*headings: str) -> tuple[Column, ...]:
    """Columns of scores, each under the name of its task."""
    return tuple(Column(heading, Kind.SCORE, turn=0) for heading in headings)


STATUS = Column("status", Kind.WORDS, width=len("contaminated"), turn=1)
CELL = Column("cell", Kind.NAME, width=16, turn=2)
RECIPE = Column("recipe", Kind.NAME, width=6, turn=3)
MODEL = Column("model", Kind.NAME, width=8, turn=4)
TARGET = Column("target", Kind.NAME, width=9, turn=5)
(TASK,) = words("task")
