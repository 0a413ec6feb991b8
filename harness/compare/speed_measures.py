"""What of a run the two sides of an A/B comparison are compared by: one row per measure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from harness.errors import UsageError
from harness.records.schema import Record, Timing
from harness.text.names import unknown
from harness.text.values import shown

MB = 2**20
MOST_PERCENT = 1000.0


@dataclass(frozen=True)
class SpeedMeasure:
    """One figure of a run, of which less is better; `of` returns None for a run that lacks it."""

    name: str
    heading: str  # of its table, with the unit
    scale: float  # from the record's unit to the shown one
    digits: int
    of: Callable[[Record], float | None]
    is_gated: bool  # unless the user names measures
    instead: Callable[[Record], float | None] | None = None
    """Used for all runs of a cell if some of them lack the figure that `of` reads."""

    def reader(self, runs: Iterable[Record]) -> Callable[[Record], float | None]:
        """The function that gives the figure of each of these runs."""
        if self.instead and any(self.of(run) is None for run in runs):
            return self.instead
        return self.of

    def shown(self, value: float | None) -> str:
        return "-" if value is None else f"{value * self.scale:.{self.digits}f}"


def _of_timing(figure: Callable[[Timing], float | None]) -> Callable[[Record], float | None]:
    return lambda record: (figure(record.timing) or None) if record.timing else None


def _per_step(figure: Callable[[Timing], float | None]) -> Callable[[Record], float | None]:
    return _of_timing(lambda timing: (figure(timing) or 0) / max(timing.steps, 1))


def _device_memory(record: Record) -> float | None:
    return (record.memory.peak_device_memory_bytes or None) if record.memory else None


def _process_memory(record: Record) -> float | None:
    return (record.memory.peak_memory_bytes or None) if record.memory else None


STEP_TIME = SpeedMeasure(
    "step_time",
    "step time, ms",
    1e3,
    2,
    _of_timing(lambda timing: timing.step_s),
    is_gated=True,
    instead=_per_step(lambda timing: timing.train_s),  # the mean step
)
ROWS = (
    STEP_TIME,
    SpeedMeasure(
        "peak_memory",
        "peak memory, MB",
        1 / MB,
        0,
        _device_memory,
        is_gated=True,
        instead=_process_memory,  # where no accelerator is used, or on one side only
    ),
    SpeedMeasure(
        "cpu_time", "CPU time of a step, ms", 1e3, 2, _per_step(lambda t: t.cpu_s), is_gated=False
    ),
    SpeedMeasure(
        "instructions",
        "instructions of a step, millions",
        1e-6,
        1,
        _per_step(lambda timing: timing.instructions),
        is_gated=False,
    ),
)
MEASURES = {row.name: row for row in ROWS}
Effects = Mapping[str, float]
"""The measures that are gated -> the smallest relative change that counts."""
FORM = re.compile(r"\+?(\d+(?:\.\d+)?|\.\d+)\s*%")


def default_effects(effect: float) -> dict[str, float]:
    """The same effect for every measure that is gated by default."""
    return {row.name: effect for row in ROWS if row.is_gated}


def effects_from_option(texts: Iterable[str], option: str = "--fail-on") -> dict[str, float]:
    """Effects from texts such as `step_time:+5%`. Raises `UsageError`."""
    effects: dict[str, float] = {}
    for text in texts:
        name, _, amount = text.partition(":")
        if name not in MEASURES:
            raise UsageError(f"{option}: {unknown('measure', name, MEASURES)}")
        if name in effects:
            raise UsageError(f"{option}: {name} is given twice; expected once")
        form = FORM.fullmatch(amount.strip())
        if form is None or not 0 < float(form[1]) <= MOST_PERCENT:
            raise UsageError(
                f"{option}: found {shown(text)}; expected a measure and an increase in percent, "
                f"such as {name}:+5%"
            )
        effects[name] = float(form[1]) / 100
    return effects
