"""Slices of a data set's splits, as `datasets` writes them: `train[:80%]`, `train[100:]`, `a+b`.

Bounds mean the same as in `datasets.ReadInstruction`: a percentage is rounded to the nearest row, a
negative number counts from the end, and a bound outside the split means its start or end.
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
MANY = 10**12  # rows of a split whose size is not known: more than any bound


@dataclass(frozen=True)
class Part:
    """Rows of one split, from `first` up to before `last`; None: from the start, or to the end."""

    split: str
    first: str | None = None
    last: str | None = None

    def rows(self, count: int) -> range:
        """Its row numbers in a split of `count` rows."""
        first = 0 if self.first is None else _row(self.first, count)
        last = count if self.last is None else _row(self.last, count)
        return range(min(first, count), min(last, count))

    def __str__(self) -> str:
        if self.first is None and self.last is None:
            return self.split
        return f"{self.split}[{self.first or ''}:{self.last or ''}]"

    @property
    def units(self) -> set[bool]:
        """For its bounds, whether they are percentages: both values if they are mixed."""
        return {bound.endswith("%") for bound in (self.first, self.last) if bound}


def parse(text: str) -> list[Part]:
    """The parts of a slice. Raises `UsageError`."""
    parts = [_parse_part(text, part.strip()) for part in text.split("+")]
    for one, other in itertools.combinations(parts, 2):
        if _share_rows(one, other, None):
            raise UsageError(f"found {shown(text)}, which holds rows of {one.split} twice")
    return parts


def suggest_separate(train: Sequence[Part], validation: str, shared: str) -> str:
    """A line for the task file, where training and validation share rows of the split `shared`.

    It leaves that split out of training. If no other split remains, it cuts the split in two.
    """
    rest = "+".join(str(part) for part in train if part.split != shared)
    if not rest:
        return f"cut one split in two, as in {suggest_cut(shared)}"
    return f'splits = {{ train = "{rest}", validation = "{validation}" }}'


def suggest_cut(split: str) -> str:
    """A line for the task file that takes the last fifth of a split for validation."""
    return f'splits = {{ train = "{split}[:80%]", validation = "{split}[80%:]" }}'


def overlap(
    one: Sequence[Part], other: Sequence[Part], counts: Mapping[str, int] | None = None
) -> str | None:
    """The first split of which both hold the same rows; None if there is none.

    `counts` are the numbers of rows of the splits. Without them a percentage cannot be compared
    with a row number, so only overlaps that do not depend on the size of a split are found.
    """
    for a, b in itertools.product(one, other):
        if _share_rows(a, b, None if counts is None else counts.get(a.split, 0)):
            return a.split
    return None


def _parse_part(text: str, part: str) -> Part:
    match = PART.fullmatch(part)
    if match is None:
        raise UsageError(f"found {shown(text)}; expected {FORM}")
    parsed = Part(match["split"], match["first"], match["last"])
    for bound in (parsed.first, parsed.last):
        if bound and bound.endswith("%") and abs(int(bound[:-1])) > 100:
            raise UsageError(f"found {shown(text)}; expected at most 100%")
    if len(parsed.units) > 1:
        raise UsageError(f"found {shown(text)}; expected two percentages, or two row numbers")
    if not parsed.rows(MANY):
        raise UsageError(f"found {shown(text)}, which holds no row; expected {FORM}")
    return parsed


def _row(bound: str, count: int) -> int:
    value = round(int(bound[:-1]) * count / 100) if bound.endswith("%") else int(bound)
    return max(count + value, 0) if value < 0 else value


def _share_rows(one: Part, other: Part, count: int | None) -> bool:
    """Whether two parts hold a row in common, in a split of `count` rows; None: of any size."""
    if one.split != other.split:
        return False
    if count is None and len(one.units | other.units) > 1:
        return False
    a, b = (part.rows(MANY if count is None else count) for part in (one, other))
    return max(a.start, b.start) < min(a.stop, b.stop)
