"""What of a run can be compared: one row per measure, with its direction, units and conditions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from statistics import fmean

from harness.metrics import METRICS
from harness.records.schema import Record

MB = 2**20


class Needs(Enum):
    """What has to be the same on both sides, besides the inputs that decide the score."""

    NOTHING = "nothing else"
    MACHINE = "the machine, versions and threads"
    MOMENT = "the machine since its last start, within a day"


@dataclass(frozen=True)
class Measure:
    """One figure of a run; `of` returns None for a run that lacks it.

    `units` are the units in which a threshold may be given, each with its size in the unit of the
    figure. Every measure also has `%`, which is a part of the base's mean.
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
        """Whether it is a score: a fraction that does not depend on the machine."""
        return self.needs is Needs.NOTHING

    def shown(self, value: float, sign: str = "") -> str:
        """A value or a change as a table shows it, in `shown_in`."""
        return format(value / self.units[self.shown_in], f"{sign}.{self.digits}f")


def _metric(name: str) -> Callable[[Record], float | None]:
    def of(record: Record) -> float | None:
        values = [split[name] for split in record.metrics.values() if name in split]
        return fmean(values) if values else None

    return of


def _step_time(record: Record) -> float | None:
    timing = record.timing
    return timing.train_s / timing.steps if timing and timing.steps and timing.train_s else None


def _speed(record: Record) -> float | None:
    return record.timing.examples_per_s or None if record.timing else None


def _memory(record: Record) -> float | None:
    return record.memory.peak_memory_bytes if record.memory else None


POINT = {"pt": 0.01}
ROWS = (
    Measure("score", True, POINT, lambda record: record.score),
    *(Measure(name, True, POINT, _metric(name)) for name in METRICS),
    Measure("step_time", False, {"ms": 1e-3, "s": 1.0}, _step_time, "ms", 1, Needs.MOMENT),
    Measure("examples_per_s", True, {"/s": 1.0}, _speed, "/s", 1, Needs.MOMENT),
    Measure("peak_memory", False, {"MB": MB}, _memory, "MB", 0, Needs.MACHINE),
)
MEASURES = {row.name: row for row in ROWS}
