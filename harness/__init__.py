"""glue-bench: fine-tune and evaluate any model on any GLUE task, and compare what came of it.

`run` runs one case and returns its record; `load_results` reads a results folder as a DataFrame.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.api import load_results, run

__all__ = ["load_results", "run"]


def __getattr__(name: str) -> Any:
    # Late, because the pytest plugin lives in this package and loads in every pytest session.
    if name in __all__:
        from harness import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
