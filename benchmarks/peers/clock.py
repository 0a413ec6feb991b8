"""The clock of every side: seconds of training steps, tokens computed, and the machine's state.

It is the same code in the process of each side. A step's seconds are the time from the end of the
step before. The first `WARM_UP` steps of each epoch are not counted: they allocate memory, start
threads, and follow an evaluation.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import torch
from torch.nn import functional

from harness.system.counters import cpu_seconds, machine_ticks

WARM_UP = 2
SIZE, PRODUCTS, ROUNDS, FIRST = 384, 4, 25, 5  # of the calibration; the first rounds warm up


@dataclass
class StepClock:
    """Notes when each training step has ended; call `after_step` there."""

    steps_per_epoch: int
    synchronize: Callable[[], object]  # waits for the device
    seconds: list[float] = field(default_factory=list)  # of each counted step
    cpu_s: float = 0.0  # of all threads, in the counted steps
    steps: int = 0
    threads: int = 0
    _last: tuple[float, float] = (0.0, 0.0)

    def after_step(self) -> None:
        """Count the step that has just ended, unless it is one of the first of its epoch."""
        place = self.steps % self.steps_per_epoch + 1
        self.steps += 1
        self.threads = torch.get_num_threads()
        if place in (WARM_UP, self.steps_per_epoch):  # in between, nothing waits for the device
            self.synchronize()
        now, cpu_s = time.perf_counter(), cpu_seconds()
        if place > WARM_UP:
            self.seconds.append(now - self._last[0])
            self.cpu_s += cpu_s - self._last[1]
        self._last = now, cpu_s


def waiter(device: str) -> Callable[[], object]:
    """A function that returns once the device has done its work; of a CPU it has."""
    return (lambda: None) if device == "cpu" else getattr(torch, device).synchronize


@dataclass
class TokenCounter:
    """Counts the ids that the word embedding looks up during training, padding included.

    The count is 0 for a network that looks up words in another way than torch's `embedding`.
    """

    vocabulary: int  # the rows of the word embedding
    computed: int = 0

    @contextlib.contextmanager
    def counting(self) -> Generator[None]:
        """A block in which lookups are counted."""
        lookup = functional.embedding

        def counted(ids: torch.Tensor, weight: torch.Tensor, *args: Any, **options: Any) -> Any:
            if weight.shape[0] == self.vocabulary and torch.is_grad_enabled():
                self.computed += ids.numel()
            return lookup(ids, weight, *args, **options)

        with mock.patch.object(functional, "embedding", counted):
            yield


@dataclass
class MachineWatch:
    """Whether the machine was disturbed during a block: stolen CPU time, and a change of speed."""

    device: str
    threads: int  # those that the run computes with
    steal_share: float | None = None  # None: this system does not tell
    calibration_s: tuple[float, float] = (0.0, 0.0)  # before the block and after it

    @contextlib.contextmanager
    def running(self) -> Generator[None]:
        """Watch during the block."""
        torch.set_num_threads(self.threads)
        before_s, before = self._calibrate(), machine_ticks()
        yield
        after, after_s = machine_ticks(), self._calibrate()
        if before and after and after.total > before.total:
            self.steal_share = (after.stolen - before.stolen) / (after.total - before.total)
        self.calibration_s = before_s, after_s

    def _calibrate(self) -> float:
        """Seconds of a fixed amount of work: the fastest of several rounds."""
        factor, wait = torch.full((SIZE, SIZE), 1 / SIZE, device=self.device), waiter(self.device)
        rounds = []
        for _ in range(FIRST + ROUNDS):
            start = time.perf_counter()
            product = factor
            for _ in range(PRODUCTS):
                product = product @ factor
            wait()
            rounds.append(time.perf_counter() - start)
        return min(rounds[FIRST:])
