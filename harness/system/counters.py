"""What a process and the machine have used so far: CPU time, stolen time, instructions.

All are totals since some start; what a piece of work took is the difference of two readings.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import platform
import struct
import sys
import time
from dataclasses import dataclass
from pathlib import Path

STAT = Path("/proc/stat")
TICKS = 8  # user nice system idle iowait irq softirq steal; guests' time is part of user and nice
STEAL = 7

PERF_EVENT_OPEN = {"x86_64": 298, "aarch64": 241}
"""The number of the system call perf_event_open(2) on Linux, by `platform.machine()`."""
INSTRUCTIONS = (0, 1)  # PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS
CPU_CLOCK = (1, 1)  # PERF_TYPE_SOFTWARE, PERF_COUNT_SW_TASK_CLOCK: nanoseconds
ATTRIBUTES = struct.Struct("<IIQQQQQ")  # type, size, config, period, sample, read_format, flags
ATTRIBUTES_SIZE = 120
READ_FORMAT = 1 | 2  # the time the event was enabled, and the time it was counted
FLAGS = 1 << 1 | 1 << 5 | 1 << 6  # inherit, exclude_kernel, exclude_hv
PERF_FLAG_FD_CLOEXEC = 8
READING = struct.Struct("<QQQ")  # count, time enabled, time counted


@dataclass(frozen=True)
class MachineTicks:
    """Clock ticks of all CPUs of the machine together: those stolen, and all."""

    stolen: int
    total: int


def machine_ticks() -> MachineTicks | None:
    """The first line of /proc/stat (proc(5)); None on other systems than Linux."""
    try:
        with STAT.open() as file:
            ticks = [int(word) for word in file.readline().split()[1 : 1 + TICKS]]
    except (OSError, ValueError):
        return None
    return MachineTicks(ticks[STEAL], sum(ticks)) if len(ticks) == TICKS else None


def cpu_seconds() -> float:
    """User and system time of this process, all its threads together."""
    return time.process_time()


class PerfCounter:
    """Counts an event of this process, all threads together, outside the kernel.

    Uses perf_event_open(2): one counter for each thread that exists now, each inherited by the
    threads that its thread starts. `count` is None where the kernel does not allow it
    (`/proc/sys/kernel/perf_event_paranoid` above 2, seccomp), where the machine has no such counter
    (most virtual machines), or where the counter was shared with others and so is an estimate.
    """

    def __init__(self, event: tuple[int, int] = INSTRUCTIONS) -> None:
        self._descriptors: list[int] = []
        try:
            for thread in _threads():
                self._descriptors.append(_open_event(event, thread))
        except OSError:
            self.close()

    @property
    def count(self) -> int | None:
        """The events so far; None if they cannot be counted."""
        if not self._descriptors:
            return None
        total = 0
        for descriptor in self._descriptors:
            try:
                count, enabled, counted = READING.unpack(os.read(descriptor, READING.size))
            except (OSError, struct.error):
                return None
            if counted < enabled:
                return None
            total += count
        return total

    def close(self) -> None:
        """Stop counting."""
        while self._descriptors:
            with contextlib.suppress(OSError):
                os.close(self._descriptors.pop())


def _threads() -> list[int]:
    """The ids of this process's threads. Raises `OSError` on other systems than Linux."""
    return [int(name) for name in os.listdir("/proc/self/task")]  # noqa: PTH208  (names only)


def _open_event(event: tuple[int, int], thread: int) -> int:
    """The descriptor of a new counter. Raises `OSError`."""
    number = PERF_EVENT_OPEN.get(platform.machine())
    if sys.platform != "linux" or number is None or sys.maxsize < 2**32:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    kind, config = event
    attributes = ctypes.create_string_buffer(ATTRIBUTES_SIZE)
    ATTRIBUTES.pack_into(attributes, 0, kind, ATTRIBUTES_SIZE, config, 0, 0, READ_FORMAT, FLAGS)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    every_cpu, no_group = -1, -1
    arguments = (thread, every_cpu, no_group, PERF_FLAG_FD_CLOEXEC)
    descriptor = libc.syscall(
        ctypes.c_long(number), attributes, *(ctypes.c_long(word) for word in arguments)
    )
    if descriptor < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return int(descriptor)
