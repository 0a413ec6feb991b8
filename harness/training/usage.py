"""What training takes, measured from outside the loop: seconds of each step, CPU time, and more.

The loop calls `after_step` and `after_epoch`; `UsageMeter` reads the clocks there. Evaluation is
not counted.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median

from harness.spec import Progress
from harness.system import counters
from harness.system.counters import MachineTicks, PerfCounter


@dataclass(frozen=True)
class Readings:
    """What the counters say at one moment."""

    cpu_s: float
    instructions: int | None
    ticks: MachineTicks | None


class UsageMeter:
    """Adds up what training takes. A step's seconds are the time from the end of the one before.

    On an accelerator, too, each of these times covers one step's work, though nothing waits for the
    device at the end of a step: the loop reads the loss of every step, which waits for the forward
    and backward pass. Only the update is still under way then; it falls into the next step's time.
    """

    def __init__(self) -> None:
        self.step_seconds: list[float] = []
        self.cpu_s = 0.0
        self.instructions: int | None = 0  # None: they cannot be counted
        self._stolen = self._ticks = 0
        self._counter = PerfCounter()
        self._before: Readings | None = None  # None: nothing is counted now
        self._last = 0.0  # when the last step ended, or counting began

    @contextmanager
    def running(self) -> Generator[None]:
        """Count during the block; `after_epoch` leaves out what its own function does."""
        try:
            self._resume()
            yield
            self._pause()
        finally:
            self._counter.close()

    def after_step(self, report: Progress) -> Progress:
        """`report`, which notes the time first."""

        def noted(step: int, steps: int) -> None:
            now = time.perf_counter()
            self.step_seconds.append(now - self._last)
            self._last = now
            report(step, steps)

        return noted

    def after_epoch(self, evaluate: Callable[[int, float], None]) -> Callable[[int, float], None]:
        """`evaluate`, during which nothing is counted."""

        def uncounted(epoch: int, loss: float) -> None:
            self._pause()
            evaluate(epoch, loss)
            self._resume()

        return uncounted

    @property
    def step_s(self) -> float | None:
        """Median seconds of a step. The first is left out, if it is not the only one.

        It allocates memory and starts threads, and the optimizer is made before it.
        """
        steps = self.step_seconds[1:] or self.step_seconds
        return median(steps) if steps else None

    @property
    def steal_share(self) -> float | None:
        """The share of the machine's CPU time that its hypervisor gave to other machines."""
        return self._stolen / self._ticks if self._ticks else None

    def _resume(self) -> None:
        self._before = self._readings()
        self._last = time.perf_counter()

    def _pause(self) -> None:
        now, before = self._readings(), self._before
        if before is None:
            return
        self._before = None
        self.cpu_s += now.cpu_s - before.cpu_s
        if self.instructions is None or now.instructions is None or before.instructions is None:
            self.instructions = None
        else:
            self.instructions += now.instructions - before.instructions
        if now.ticks and before.ticks:
            self._stolen += max(0, now.ticks.stolen - before.ticks.stolen)
            self._ticks += max(0, now.ticks.total - before.ticks.total)

    def _readings(self) -> Readings:
        return Readings(counters.cpu_seconds(), self._counter.count, counters.machine_ticks())
