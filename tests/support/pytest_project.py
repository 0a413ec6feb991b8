"""pytest sessions and `glue-bench` commands inside tests."""

from __future__ import annotations

from typing import Any

import pytest

from harness import cli
from harness.session import regression  # noqa: F401  (see ARGS)

ARGS = ("-p", "no:cacheprovider", "-p", "no:randomly")
"""A session in this process forgets the modules that it was the first to import. Imported again,
their classes are others; so the gate's are imported here."""


def run(project: pytest.Pytester, *args: str) -> pytest.RunResult:
    """A session on the benchmarks of `project`, in this process."""
    return project.runpytest_inprocess("benchmarks", *ARGS, *args)


def glue_bench(capsys: Any, monkeypatch: pytest.MonkeyPatch, *args: object) -> tuple[int, str, str]:
    """The command with these arguments: its exit code, what it printed, and its errors."""
    capsys.readouterr()
    monkeypatch.setattr("sys.argv", ["glue-bench", *map(str, args)])
    try:
        cli.main()
    except SystemExit as ended:
        return int(ended.code or 0), *capsys.readouterr()
    return 0, *capsys.readouterr()
