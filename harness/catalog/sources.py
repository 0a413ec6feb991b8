"""Sources as rows: what may hold the rows of a run, by the name that records have for it."""

from __future__ import annotations

from dataclasses import dataclass

from harness.spec import SourceKind


@dataclass(frozen=True)
class RowSource:
    """What is true of all rows of a source."""

    kind: SourceKind
    rows: str  # what its rows are called
    title: str  # of a table of their scores; `{revision}` is the commit of a data set of the Hub
    is_glue: bool  # GLUE's rows, as far as they were checked
    is_named: bool = (
        False  # `--glue-data` takes the name; else a folder, or a task file, holds them
    )
    has_glue_tasks: bool = True  # their tasks are rows of `tasks.TASKS`, not a user's


SOURCES: dict[SourceKind, RowSource] = {
    row.kind: row
    for row in (
        RowSource(
            "toy", "toy data", "toy data (generated, no GLUE scores)",
            is_glue=False, is_named=True,
        ),
        RowSource(
            "hub", "nyu-mll/glue", "GLUE dev (nyu-mll/glue, revision {revision})",
            is_glue=True, is_named=True,
        ),
        RowSource("glue_data", "a glue_data folder", "GLUE dev (glue_data folder)", is_glue=True),
        RowSource(
            "own", "custom data", "custom data (no GLUE task)",
            is_glue=False, has_glue_tasks=False,
        ),
    )
}  # fmt: skip
NAMED = frozenset(row.kind for row in SOURCES.values() if row.is_named)
