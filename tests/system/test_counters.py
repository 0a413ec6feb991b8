"""What a process has used: as the system says, and None where it says nothing."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from harness.system import counters
from harness.system.counters import CPU_CLOCK, MachineTicks, PerfCounter


def _burn(seconds: float) -> None:
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


def test_every_threads_time_is_counted_whenever_it_began() -> None:
    go, early = threading.Event(), threading.Thread(target=lambda: go.wait() and _burn(0.02))
    early.start()
    counter = PerfCounter(CPU_CLOCK)
    if counter.count is None:
        go.set()
        pytest.skip("this kernel does not let a process count its own events")
    before_s = counters.cpu_seconds()
    late = threading.Thread(target=_burn, args=(0.02,))
    go.set()
    late.start()
    early.join()
    late.join()
    took_s, count = counters.cpu_seconds() - before_s, counter.count
    counter.close()
    assert took_s >= 0.04
    assert count is not None
    assert count >= 0.04e9  # nanoseconds
    assert counter.count is None  # once it is closed


@pytest.mark.parametrize("machine", ["x86_64", "sparc64"])
def test_an_event_that_cannot_be_counted_has_no_count(
    machine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counters.platform, "machine", lambda: machine)
    assert PerfCounter((9999, 0)).count is None


def test_without_a_list_of_threads_nothing_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent() -> list[int]:
        raise FileNotFoundError

    monkeypatch.setattr(counters, "_threads", absent)
    assert PerfCounter(CPU_CLOCK).count is None


@pytest.mark.parametrize(
    ("text", "ticks"),
    [
        ("cpu  1 2 3 4 5 6 7 8 9 10\ncpu0 1 1 1\n", MachineTicks(stolen=8, total=36)),
        ("cpu  1 2 3 4\n", None),
        ("cpu  1 2 3 x 5 6 7 8\n", None),
        (None, None),
    ],
)
def test_ticks_of_the_machine(
    text: str | None, ticks: MachineTicks | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if text is not None:
        (tmp_path / "stat").write_text(text)
    monkeypatch.setattr(counters, "STAT", tmp_path / "stat")
    assert counters.machine_ticks() == ticks
