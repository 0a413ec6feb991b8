"""Shows pytest-benchmark the times that a worker measured."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from harness.records.schema import Record


class VirtualClock:
    """A timer for pytest-benchmark that shows the seconds that a worker measured.

    The run is over, in another process, before pytest-benchmark times anything. What it times only
    moves this clock.
    """

    __name__ = "worker_clock"  # pytest-benchmark stores it as the timer's name

    def __init__(self) -> None:
        self.now = 0.0
        self.session: str | None = None  # the id of the session whose runs it shows

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds

    def reset(self) -> None:
        """Set the clock to zero: the sum over many rounds would add up rounding errors."""
        self.now = 0.0


worker_clock = VirtualClock()


class Benchmark(Protocol):
    """What is used of pytest-benchmark's fixture, which has no annotations."""

    skipped: bool
    extra_info: dict[str, object]

    def pedantic(
        self,
        target: Callable[[], object],
        *,
        setup: Callable[[], object],
        rounds: int,
        iterations: int,
    ) -> object: ...


def show_times(benchmark: Benchmark, record: Record) -> None:
    """Give pytest-benchmark the seconds that the worker measured, one round per epoch.

    A run that an earlier session computed is not shown.
    """
    if record.session != worker_clock.session:
        benchmark.skipped = True  # otherwise it warns that it was not used
        return
    if record.timing is None:
        return
    epochs = iter(record.timing.epoch_s)
    benchmark.extra_info |= {
        "score": record.score,
        "floor": record.floor,
        "flags": record.flags,
        "metrics": record.metrics,
        "train_s": record.timing.train_s,
        "examples_per_s": record.timing.examples_per_s,
        "peak_memory_bytes": record.memory.peak_memory_bytes if record.memory else None,
        "cell_key": record.cell_key,
        "record": record.id,
    }
    benchmark.pedantic(
        lambda: worker_clock.advance(next(epochs, 0.0)),
        setup=worker_clock.reset,
        rounds=len(record.timing.epoch_s),
        iterations=1,
    )
