"""The errors glue-bench raises.

    GlueBenchError
    ├── UsageError          a wrong option, name or combination of them
    ├── DataError           a data file that is missing, malformed or inconsistent
    ├── ModelError          weights or a tokenizer that are missing or do not fit
    ├── Unavailable         something this machine does not have
    │   ├── ModelUnavailable    weights that are not installed and cannot be fetched
    │   ├── DataUnavailable     a data set that is not cached and cannot be fetched
    │   └── TargetUnavailable   a device or precision that it cannot run
    ├── TrainingDiverged    a loss or logit that is not finite
    ├── NotComparable       two runs whose predictions cannot be compared
    ├── IntegrityError      a run whose figures contradict each other
    ├── WorkerError         a worker process that did not return a result
    │   ├── WorkerCrashed
    │   │   ├── WorkerKilled    by SIGKILL, mostly because memory ran out
    │   │   └── WorkerLost      because its fork server was gone
    │   └── WorkerTimeout
    └── StorageError        a record that could not be written or read
        └── NotStored           a run's record; the error holds it as text

Messages say where (file and line, or key), what was found, what was expected and how to fix it.
Nothing in the package raises a bare ``Exception``. `records.failures` has the status for each.
"""

from __future__ import annotations

import errno
from enum import IntEnum

from harness.text.escape import harmless


class GlueBenchError(Exception):
    """Base class of every error that glue-bench raises on purpose.

    Its text contains names and values from elsewhere, so it is made harmless for terminals and
    logs.
    """

    def __str__(self) -> str:
        return harmless(super().__str__())


class UsageError(GlueBenchError):
    """A wrong option, a wrong name, or a combination of them that makes no sense."""


class DataError(GlueBenchError):
    """A data file that is missing, malformed or inconsistent."""


class ModelError(GlueBenchError):
    """Weights or a tokenizer that are missing or do not fit."""


class Unavailable(GlueBenchError):
    """Something this machine does not have: a failure if the user named it, otherwise a skip."""


class ModelUnavailable(Unavailable):
    """Weights that are not installed and cannot be fetched."""


class DataUnavailable(Unavailable):
    """A data set that is not cached and cannot be fetched."""


class TargetUnavailable(Unavailable):
    """A device or precision that this machine cannot run."""


class TrainingDiverged(GlueBenchError):
    """A loss or logit that is not finite."""


class NotComparable(GlueBenchError):
    """Two runs whose predictions cannot be compared row by row."""


class IntegrityError(GlueBenchError):
    """A run whose figures contradict each other."""


class WorkerError(GlueBenchError):
    """A worker process that did not return a result."""


class WorkerCrashed(WorkerError):
    """A worker process that died before it returned a result."""


class WorkerKilled(WorkerCrashed):
    """A worker process that SIGKILL ended, which the system sends when memory is full.

    A user's `kill -9` looks the same, and is treated the same.
    """


class WorkerLost(WorkerCrashed):
    """A worker process whose fork server is gone, or hung and was killed."""


class WorkerTimeout(WorkerError):
    """A worker process that was stopped because it ran too long."""


class StorageError(GlueBenchError):
    """A record that could not be written or read."""


class NotStored(StorageError):
    """A run is over and its record could not be written: the error holds it as text.

    `line` is the record, `lines` the announcement of its session and the record. If `can_import`,
    `glue-bench import` stores them. A traceback shows them too.
    """

    def __init__(self, message: str, lines: str, *, can_import: bool = True) -> None:
        super().__init__(message)
        self.can_import = can_import
        self.lines, self.line = lines, lines.rpartition("\n")[2]
        self.add_note(lines)


class Exit(IntEnum):
    """The exit codes of a command. A benchmark session has pytest's codes, and `STORAGE`."""

    FINE = 0  # not worse
    WORSE = 1  # or different, or broken
    USAGE = 2  # or bad input
    UNDECIDED = 3  # cannot tell
    NOTHING = 4  # nothing to compare, or to show
    STORAGE = 5  # something could not be written or read


OUT_OF_MEMORY = (
    "allocate memory",  # torch, on a CPU
    "out of memory",  # on mps, and outside torch's own allocators
    "ALLOC_FAILED",  # cuBLAS, cuDNN
    "bad_alloc",  # C++
    "could not create a primitive",  # oneDNN has no other message for it
)
"""Parts of the messages by which a RuntimeError says that memory ran out."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error, or one that led to it, says that memory ran out."""
    for link in chain(error):
        if isinstance(link, MemoryError) or type(link).__name__ == "OutOfMemoryError":  # torch's
            return True
        if isinstance(link, RuntimeError) and any(words in str(link) for words in OUT_OF_MEMORY):
            return True
        if isinstance(link, OSError) and link.errno == errno.ENOMEM:
            return True
    return False


def chain(error: BaseException) -> list[BaseException]:
    """An error and all those that led to it."""
    links: list[BaseException] = []
    todo: list[BaseException | None] = [error]
    while todo:
        link = todo.pop()
        if link is not None and link not in links:
            links.append(link)
            todo += [link.__cause__, link.__context__]
    return links
