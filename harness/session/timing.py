"""Shows pytest-benchmark the times that a worker measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

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


def show_times(benchmark: BenchmarkFixture, clock: VirtualClock, record: Record) -> None:
    """Give pytest-benchmark the seconds that the worker measured, one round per epoch.

    `clock` is the benchmark's timer. A run that an earlier session computed is not shown.
    """
    if record.session != clock.session or record.timing is None:
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
        lambda: clock.advance(next(epochs, 0.0)),
        setup=clock.reset,
        rounds=len(record.timing.epoch_s),
        iterations=1,
    )
