"""What of a run can be compared: one row each, with its direction, its units and what it needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from statistics import fmean

from harness.metrics import METRICS
from harness.records.schema import Record

MB = 2**20


class Needs(Enum):
    """What has to be the same on both sides, besides everything that decides the score."""

    NOTHING = "nothing else"
    MACHINE = "the machine, versions and threads"
    MOMENT = "the machine since its last start, within a day"


@dataclass(frozen=True)
class Measure:
    """One figure of a run; `of` is None where a run has none.

    `units` are those in which a change may be said, each with its size in the figure's own unit;
    `%`, which every measure has, is of the base.
    """

    name: str
    higher_is_better: bool
    units: Mapping[str, float]
    of: Callable[[Record], float | None]
    shown_in: str = "pt"
    digits: int = 2
    needs: Needs = Needs.NOTHING

    @property
    def is_score(self) -> bool:
        """Whether it is a fraction that the same inputs decide everywhere."""
        return self.needs is Needs.NOTHING

    def shown(self, value: float, sign: str = "") -> str:
        """A value or a change as a table shows it, in `shown_in`."""
        return format(value / self.units[self.shown_in], f"{sign}.{self.digits}f")


def _metric(name: str) -> Callable[[Record], float | None]:
    def of(record: Record) -> float | None:
        found = [split[name] for split in record.metrics.values() if name in split]
        return fmean(found) if found else None

    return of


def _step_time(record: Record) -> float | None:
    timing = record.timing
    return timing.train_s / timing.steps if timing and timing.steps and timing.train_s else None


def _speed(record: Record) -> float | None:
    return record.timing.examples_per_s or None if record.timing else None


def _memory(record: Record) -> float | None:
    return record.memory.peak_memory_bytes if record.memory else None


POINT = {"pt": 0.01}
MEASURES = {
    row.name: row
    for row in (
        Measure("score", True, POINT, lambda record: record.score),
        *(Measure(name, True, POINT, _metric(name)) for name in METRICS),
        Measure(
            "step_time", False, {"ms": 1e-3, "s": 1.0}, _step_time,
            shown_in="ms", digits=1, needs=Needs.MOMENT,
        ),
        Measure(
            "examples_per_s", True, {"/s": 1.0}, _speed,
            shown_in="/s", digits=1, needs=Needs.MOMENT,
        ),
        Measure(
            "peak_memory", False, {"MB": MB}, _memory,
            shown_in="MB", digits=0, needs=Needs.MACHINE,
        ),
    )
}  # fmt: skip
