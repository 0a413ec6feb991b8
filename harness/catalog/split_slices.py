"""Slices of a data set's splits, as `datasets` writes them: `train[:80%]`, `train[100:]`, `a+b`.

Bounds mean what `datasets.ReadInstruction` says: a percentage is rounded to the nearest row, a
negative number counts from the end, and what lies outside the split is left out.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.errors import UsageError
from harness.text.values import shown

FORM = "a split, a slice such as train[:80%] or train[1000:], or several with + between them"
PART = re.compile(
    r"(?P<split>\w+(?:\.\w+)*)(?:\[(?P<first>-?\d+%?)?:(?P<last>-?\d+%?)?\])?", re.ASCII
)
MANY = 10**12  # rows: far more than any number that stands in a slice


@dataclass(frozen=True)
class Part:
    """Rows of one split, from a bound to before another; None: from the start, or to the end."""

    split: str
    first: str | None = None
    last: str | None = None

    def rows(self, count: int) -> range:
        """The row numbers it stands for in a split of `count` rows."""
        first = 0 if self.first is None else _row(self.first, count)
        last = count if self.last is None else _row(self.last, count)
        return range(min(first, count), min(last, count))

    def __str__(self) -> str:
        if self.first is None and self.last is None:
            return self.split
        return f"{self.split}[{self.first or ''}:{self.last or ''}]"

    @property
    def units(self) -> set[bool]:
        """Whether its bounds are percentages: empty where it has none."""
        return {bound.endswith("%") for bound in (self.first, self.last) if bound}


def parse(text: str) -> list[Part]:
    """The parts of a slice. Raises `UsageError`."""
    found = [_part(text, part.strip()) for part in text.split("+")]
    for one, other in itertools.combinations(found, 2):
        if _meet(one, other, None):
            raise UsageError(f"found {shown(text)}, which holds rows of {one.split} twice")
    return found


def apart(train: Sequence[Part], validation: str, twice: str) -> str:
    """How to mend training rows of which some of the split `twice` are validation rows too.

    It is left out of training where other splits remain, else cut in two.
    """
    rest = "+".join(str(part) for part in train if part.split != twice)
    if not rest:
        return f"cut one split in two, as in {advice(twice)}"
    return f'splits = {{ train = "{rest}", validation = "{validation}" }}'


def advice(split: str) -> str:
    """How to take a split's last fifth for validation, as the task file says it."""
    return f'splits = {{ train = "{split}[:80%]", validation = "{split}[80%:]" }}'


def overlap(
    one: Sequence[Part], other: Sequence[Part], counts: Mapping[str, int] | None = None
) -> str | None:
    """The split of which both hold the same rows; None if there is none.

    `counts` are the rows of each split. Without them only what is the same for every large split
    is seen: percentages and row numbers are not compared with each other.
    """
    for a, b in itertools.product(one, other):
        if _meet(a, b, None if counts is None else counts.get(a.split, 0)):
            return a.split
    return None


def _part(text: str, part: str) -> Part:
    found = PART.fullmatch(part)
    if found is None:
        raise UsageError(f"found {shown(text)}; expected {FORM}")
    made = Part(found["split"], found["first"], found["last"])
    for bound in (made.first, made.last):
        if bound and bound.endswith("%") and abs(int(bound[:-1])) > 100:
            raise UsageError(f"found {shown(text)}; expected at most 100%")
    if len(made.units) > 1:
        raise UsageError(f"found {shown(text)}; expected two percentages, or two row numbers")
    if not made.rows(MANY):
        raise UsageError(f"found {shown(text)}, which holds no row; expected {FORM}")
    return made


def _row(bound: str, count: int) -> int:
    value = round(int(bound[:-1]) * count / 100) if bound.endswith("%") else int(bound)
    return max(count + value, 0) if value < 0 else value


def _meet(one: Part, other: Part, count: int | None) -> bool:
    if one.split != other.split:
        return False
    if count is None and len(one.units | other.units) > 1:
        return False
    a, b = (part.rows(MANY if count is None else count) for part in (one, other))
    return max(a.start, b.start) < min(a.stop, b.stop)
