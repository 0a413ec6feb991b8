"""The errors glue-bench raises.

    GlueBenchError
    ├── UsageError          an option, name or combination that cannot be meant
    ├── DataError           a data file that is missing, malformed or inconsistent
    ├── ModelError          weights or a tokenizer that are missing or do not fit
    ├── Unavailable         something this machine does not have
    │   ├── ModelUnavailable    weights that are neither installed nor to be fetched
    │   ├── DataUnavailable     a data set that is neither cached nor to be fetched
    │   └── TargetUnavailable   a device or precision it cannot run
    ├── TrainingDiverged    a loss or logit that is not finite
    ├── NotComparable       two runs that have no rows in common to be compared by
    ├── IntegrityError      a run whose own figures contradict each other
    ├── WorkerError         a worker process that did not return a result
    │   ├── WorkerCrashed
    │   │   └── WorkerKilled    by SIGKILL: as a rule, for want of memory
    │   └── WorkerTimeout
    └── StorageError        a record that could not be written or read
        └── NotStored           a run's own: it holds the record

Messages say where (file and line, or key), what was found, what was expected and how to mend it.
Nothing in the package raises a bare ``Exception``; the runner turns each of these into a status.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

VALUE_WIDTH = 80


class GlueBenchError(Exception):
    """Base class of every error that glue-bench raises on purpose."""


class UsageError(GlueBenchError):
    """An option, a name or a combination of both that cannot be meant."""


class DataError(GlueBenchError):
    """A data file that is missing, malformed or inconsistent."""


class ModelError(GlueBenchError):
    """Weights or a tokenizer that are missing or do not fit."""


class Unavailable(GlueBenchError):
    """Something this machine does not have: a failure if the user named it, else a skip."""


class ModelUnavailable(Unavailable):
    """Weights that are neither installed nor to be fetched."""


class DataUnavailable(Unavailable):
    """A data set that is neither cached nor to be fetched."""


class TargetUnavailable(Unavailable):
    """A device or precision that this machine cannot run."""


class TrainingDiverged(GlueBenchError):
    """A loss or logit that is not finite."""


class NotComparable(GlueBenchError):
    """Two runs that have no rows in common to be compared by."""


class IntegrityError(GlueBenchError):
    """A run whose own figures contradict each other."""


class WorkerError(GlueBenchError):
    """A worker process that did not return a result; what it printed, and its peak memory.

    `batching` is a `records.Batching` if it got as far as training.
    """

    batching: Any = None

    def __init__(self, message: str, log: str = "", peak_memory_bytes: int | None = None) -> None:
        super().__init__(message)
        self.log, self.peak_memory_bytes = log, peak_memory_bytes


class WorkerCrashed(WorkerError):
    """A worker process that died before it returned a result."""


class WorkerKilled(WorkerCrashed):
    """A worker process that SIGKILL ended, as the system does when the machine's memory is full.

    A user's own `kill -9` looks no different, and is taken for the same.
    """


class WorkerTimeout(WorkerError):
    """A worker process that was stopped because it ran too long."""


class StorageError(GlueBenchError):
    """A record that could not be written or read."""


class NotStored(StorageError):
    """A run that is over and whose record could not be written: here it is, as one line.

    `glue-bench import` takes the line back; a traceback shows it too.
    """

    def __init__(self, message: str, line: str) -> None:
        super().__init__(message)
        self.line = line
        self.add_note(line)


def shown(value: object) -> str:
    """`value` as it may stand in a message: on one line, escaped, at most 80 characters."""
    text = value if isinstance(value, str) else str(value)
    if len(text) > VALUE_WIDTH:
        text = text[: VALUE_WIDTH - 3] + "..."
    return ascii(text) if not text.isprintable() else f"'{text}'"


def plain(text: str) -> str:
    """A name as it may stand in a message or a table: whole, on one line, escaped if it must be."""
    return text if text.isprintable() else ascii(text)


def shown_path(path: Path) -> str:
    """A path as it may stand in a message, whole: files are found by it."""
    return plain(str(path))
