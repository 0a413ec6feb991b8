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
    │   │   ├── WorkerKilled    by SIGKILL: as a rule, for want of memory
    │   │   └── WorkerLost      together with the fork server, which is no fault of its own
    │   └── WorkerTimeout
    └── StorageError        a record that could not be written or read
        └── NotStored           a run's own: it holds the record

Messages say where (file and line, or key), what was found, what was expected and how to mend it.
Nothing in the package raises a bare ``Exception``; the runner turns each of these into a status.
"""

from __future__ import annotations

import errno
from enum import IntEnum

from harness.text.escape import harmless


class GlueBenchError(Exception):
    """Base class of every error that glue-bench raises on purpose.

    Its text is harmless wherever it is shown: names and values of others stand in it.
    """

    def __str__(self) -> str:
        return harmless(super().__str__())


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
    """A worker process that did not return a result."""


class WorkerCrashed(WorkerError):
    """A worker process that died before it returned a result."""


class WorkerKilled(WorkerCrashed):
    """A worker process that SIGKILL ended, as the system does when the machine's memory is full.

    A user's own `kill -9` looks no different, and is taken for the same.
    """


class WorkerLost(WorkerCrashed):
    """A worker process that was forked by a server which is gone, or hung and was killed."""


class WorkerTimeout(WorkerError):
    """A worker process that was stopped because it ran too long."""


class StorageError(GlueBenchError):
    """A record that could not be written or read."""


class NotStored(StorageError):
    """A run that is over and whose record could not be written: here it is, as text.

    `lines` are its session's announcement and `line`, the record: `glue-bench import` takes them
    back, if `can_import`, and a traceback shows them too.
    """

    def __init__(self, message: str, lines: str, *, can_import: bool = True) -> None:
        super().__init__(message)
        self.can_import = can_import
        self.lines, self.line = lines, lines.rpartition("\n")[2]
        self.add_note(lines)


class Exit(IntEnum):
    """What a command came to. A benchmark session has pytest's own codes, and `STORAGE`."""

    FINE = 0  # not worse
    WORSE = 1  # or different, or broken
    USAGE = 2  # or bad input
    UNDECIDED = 3  # cannot tell
    NOTHING = 4  # nothing to compare, or to show
    STORAGE = 5  # something could not be written or read


FULL = (
    "allocate memory",  # torch, on a CPU
    "out of memory",  # on mps, and outside torch's own allocators
    "ALLOC_FAILED",  # cuBLAS, cuDNN
    "bad_alloc",  # C++
    "could not create a primitive",  # oneDNN, which has no other words for it
)
"""What a RuntimeError says where memory ran out."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error, or one that led to it, says that memory ran out."""
    for link in chain(error):
        if isinstance(link, MemoryError) or type(link).__name__ == "OutOfMemoryError":  # torch's
            return True
        if isinstance(link, RuntimeError) and any(words in str(link) for words in FULL):
            return True
        if isinstance(link, OSError) and link.errno == errno.ENOMEM:
            return True
    return False


def chain(error: BaseException) -> list[BaseException]:
    """An error and all those that led to it."""
    found: list[BaseException] = []
    todo: list[BaseException | None] = [error]
    while todo:
        link = todo.pop()
        if link is not None and link not in found:
            found.append(link)
            todo += [link.__cause__, link.__context__]
    return found
