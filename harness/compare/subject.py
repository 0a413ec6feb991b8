"""What a comparison is about: the subject may differ between its two sides, and nothing else.

Every input of a run belongs to one part (`records.parts`). A part is the subject, or it is a
condition and has to be the same on both sides. The task, its metrics and the rows that are scored
are always conditions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from harness.records.cells import Cell, used_digests
from harness.records.diff import apart, brief
from harness.records.parts import COMMIT, PARTS
from harness.records.revisions import Revision
from harness.records.schema import Record

MOST_LINES = 6
"""So many differences are listed of one cell; of the others there is the number."""


@dataclass(frozen=True)
class Difference:
    """An input that differs between two cells: a line about it, and the part it belongs to."""

    part: str | None  # None: it always has to be the same
    line: str


@dataclass(frozen=True)
class Subject:
    """The parts that may differ. `option` is how the user names them, for messages."""

    names: tuple[str, ...] = (COMMIT,)
    option: str = "--glue-subject"

    def allows(self, part: str | None, base: Cell, new: Cell) -> bool:
        """Whether a part may differ between two cells."""
        if part is None:
            return False
        return part in self.names or (COMMIT in self.names and _is_other_code(base, new))

    def compared(self, base: Cell, new: Cell) -> list[str]:
        """What differs between two cells and may: what the comparison is about."""
        allowed = [one for one in differences(base, new) if self.allows(one.part, base, new)]
        return [one.line for one in allowed if one.part != "code"]

    def obstacle(self, base: Cell, new: Cell) -> str | None:
        """What differs and may not, with the option that would allow it; None: nothing does."""
        refused = [one for one in differences(base, new) if not self.allows(one.part, base, new)]
        if not refused:
            return None
        lines = shortened([one.line for one in refused])
        parts = [one.part for one in refused]
        if None in parts:
            return f"{lines}. This has to be the same on both sides"
        kept = [] if self.names == (COMMIT,) else self.names
        wanted = ",".join(dict.fromkeys([*kept, *map(str, parts)]))
        return f"{lines}. Fix: {self.option} {wanted}, if that is what you compare"


DEFAULT = Subject()


def shortened(lines: list[str]) -> str:
    """Lines in one, at most `MOST_LINES` of them."""
    more = len(lines) - MOST_LINES
    return "; ".join([*lines[:MOST_LINES], *([f"and {more} more"] if more > 0 else [])])


def differences(base: Cell, new: Cell) -> list[Difference]:
    """Every input in which two cells differ, conditions first."""
    found = [*_of_identity(base, new), *_of_rows(base, new), *_of_facts(base, new)]
    return sorted(found, key=lambda one: one.part is not None)


SCORED = ("validation", "test")  # beginnings of the names of splits that are predicted
PART_OF_KEY = {key: part.name for part in PARTS.values() for key in part.identity}


def _of_identity(base: Cell, new: Cell) -> Iterator[Difference]:
    if base.key is None or new.key is None or base.key == new.key:
        return
    then, now = (next(r.identity for r in cell.records if r.cell_key) for cell in (base, new))
    found = apart(then, now)
    for one in found:
        if one.path[:2] == ("data", "source") and one.path[-1].startswith(SCORED):
            continue  # these rows are compared as they were used, in `_of_rows`
        part = None if one.path[:2] == ("data", "max_eval") else PART_OF_KEY.get(one.path[0])
        yield Difference(part, f"{one.key}: was {brief(one.a)}, is {brief(one.b)}")
    if not found:
        yield Difference(None, "cell_key differs")


def _of_rows(base: Cell, new: Cell) -> Iterator[Difference]:
    """The splits in which the two sides used different rows."""
    then, now = (_hashes_by_split(cell) for cell in (base, new))
    for name in then:
        if name in now and then[name] != now[name]:
            was, is_ = (" or ".join(sorted(map(brief, side[name]))) for side in (then, now))
            part = "data" if name == "train" else None
            yield Difference(part, f"rows of {name}: was {was}, is {is_}")


def _hashes_by_split(cell: Cell) -> dict[str, set[str]]:
    hashes: dict[str, set[str]] = {}
    for run in cell.ok:
        for name, sha256, _ in used_digests(run):
            hashes.setdefault(name, set()).add(sha256)
    return hashes


def _of_facts(base: Cell, new: Cell) -> Iterator[Difference]:
    then, now = (_facts(cell.records) for cell in (base, new))
    for part in PARTS.values():
        for name in part.facts:
            if then.get(name) and now.get(name) and then[name] != now[name]:
                was, is_ = (" or ".join(sorted(map(brief, side[name]))) for side in (then, now))
                yield Difference(part.name, f"{name}: was {was}, is {is_}")
    if _is_other_code(base, new):
        was, is_ = (" or ".join(sorted(_revisions(cell))) for cell in (base, new))
        yield Difference("code", f"code: was {was}, is {is_}")


def _facts(runs: Iterable[Record]) -> Mapping[str, set[str]]:
    """The values that runs have of each fact, without local labels of versions such as `+cpu`."""
    values: dict[str, set[str]] = {}
    for run in runs:
        for name, value in run.environment.items():
            if value is not None:
                values.setdefault(name, set()).add(str(value).partition("+")[0])
    return values


def _is_other_code(base: Cell, new: Cell) -> bool:
    """Whether the two sides ran other files of the project, as far as is known."""
    then, now = (
        {(run.commit, run.session) for run in map(Revision.of, cell.records)}
        for cell in (base, new)
    )
    return then != now


def _revisions(cell: Cell) -> set[str]:
    return {str(Revision.of(run)) for run in cell.records}
