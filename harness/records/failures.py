"""How an error becomes the outcome of a run: the one place that says which status each kind has."""

from __future__ import annotations

from harness.errors import (
    GlueBenchError,
    TrainingDiverged,
    Unavailable,
    WorkerError,
    WorkerKilled,
    WorkerTimeout,
    is_out_of_memory,
)
from harness.records.schema import Batching, Memory, Outcome, Status
from harness.text.escape import harmless

STATUSES: tuple[tuple[type[Exception], Status], ...] = (
    (Unavailable, "skipped"),
    (TrainingDiverged, "diverged"),
    (WorkerKilled, "oom"),  # as the system kills what takes more memory than there is
    (WorkerTimeout, "timeout"),
    (WorkerError, "crashed"),
)
"""The status of a run by what was raised; the first kind that fits.

Any other error is `oom` where it says that memory ran out, and `failed` where it does not.
"""


def status_of(error: BaseException) -> Status:
    """The status of a run that `error` ended."""
    of_kind = (status for kind, status in STATUSES if isinstance(error, kind))
    return next(of_kind, "oom" if is_out_of_memory(error) else "failed")


def reason_of(error: BaseException) -> str:
    """Why a run has no result, on one line: the message, after the type of an error not ours."""
    message = harmless(" ".join(str(error).split())) or "no message"
    return message if isinstance(error, GlueBenchError) else f"{type(error).__name__}: {message}"


def outcome_of(
    error: BaseException, *, batching: Batching | None = None, memory: Memory | None = None
) -> Outcome:
    """What became of a run that `error` ended; `batching` and `memory` are what is known of it."""
    return Outcome(
        status=status_of(error), reason=reason_of(error), batching=batching, memory=memory
    )


def of_harness(error: Exception) -> Outcome:
    """What became of a run for which the harness itself broke."""
    lines = str(error).strip().splitlines()
    what = f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
    return Outcome(status="crashed", reason=f"glue-bench could not run it: {what}")


def peak_memory(held_bytes: int | None) -> Memory:
    """The memory of a run of which its driver saw the peak alone, in bytes."""
    return Memory(
        peak_memory_bytes=held_bytes, floor_memory_bytes=None, peak_device_memory_bytes=None
    )
