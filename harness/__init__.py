"""glue-bench: fine-tune and evaluate any model on any GLUE task, and compare the results.

`run` runs one case and returns its `Record`; `load_results` reads a results folder as a DataFrame,
whose columns are `COLUMNS`. Everything else is internal and may change.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.api import load_results, run
    from harness.errors import (
        DataError,
        DataUnavailable,
        GlueBenchError,
        IntegrityError,
        ModelError,
        ModelUnavailable,
        NotComparable,
        NotStored,
        StorageError,
        TargetUnavailable,
        TrainingDiverged,
        Unavailable,
        UsageError,
        WorkerCrashed,
        WorkerError,
        WorkerKilled,
        WorkerLost,
        WorkerTimeout,
    )
    from harness.records.columns import COLUMNS
    from harness.records.schema import Record

    __version__: str

__all__ = [
    "COLUMNS",
    "DataError",
    "DataUnavailable",
    "GlueBenchError",
    "IntegrityError",
    "ModelError",
    "ModelUnavailable",
    "NotComparable",
    "NotStored",
    "Record",
    "StorageError",
    "TargetUnavailable",
    "TrainingDiverged",
    "Unavailable",
    "UsageError",
    "WorkerCrashed",
    "WorkerError",
    "WorkerKilled",
    "WorkerLost",
    "WorkerTimeout",
    "__version__",
    "load_results",
    "run",
]

_HOMES = {
    "run": "harness.api",
    "load_results": "harness.api",
    "COLUMNS": "harness.records.columns",
    "Record": "harness.records.schema",
}
"""The modules that members other than errors are defined in."""


def __getattr__(name: str) -> object:
    # Not imported before it is asked for: every pytest session loads this package for its plugin.
    if name == "__version__":
        from harness.system import environment

        return environment.version("glue-bench") or "0"
    if name in __all__:
        return getattr(import_module(_HOMES.get(name, "harness.errors")), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *__all__]
