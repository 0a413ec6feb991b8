"""pytest sessions inside tests."""

from __future__ import annotations

import pytest

ARGS = ("-p", "no:cacheprovider", "-p", "no:randomly")


def run(project: pytest.Pytester, *args: str) -> pytest.RunResult:
    """A session on the benchmarks of `project`, in this process."""
    return project.runpytest_inprocess("benchmarks", *ARGS, *args)
