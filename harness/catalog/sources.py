"""Sources of rows as a table: where the rows of a run can come from, by the name in records."""

from __future__ import annotations

from dataclasses import dataclass

from harness.spec import CUSTOM, SourceKind


@dataclass(frozen=True)
class RowSource:
    """What is true of all rows of a source."""

    kind: SourceKind
    rows: str  # what messages call its rows
    title: str  # of a table of their scores; `{revision}` is the commit of a data set of the Hub
    is_glue: bool  # the rows should be GLUE's; each run records how far that was confirmed
    # `--glue-data` takes the name of the source; False: it takes a folder or a task file.
    is_named: bool = False
    has_glue_tasks: bool = True  # their tasks are rows of `tasks.TASKS`; False: custom tasks


SOURCES: dict[SourceKind, RowSource] = {
    row.kind: row
    for row in (
        RowSource(
            "toy",
            "toy data",
            "toy data (generated, no GLUE scores)",
            is_glue=False,
            is_named=True,
        ),
        RowSource(
            "hub",
            "nyu-mll/glue",
            "GLUE dev (nyu-mll/glue, revision {revision})",
            is_glue=True,
            is_named=True,
        ),
        RowSource("glue_data", "a glue_data folder", "GLUE dev (glue_data folder)", is_glue=True),
        RowSource(
            CUSTOM,
            "custom data",
            "custom data (no GLUE task)",
            is_glue=False,
            has_glue_tasks=False,
        ),
    )
}
NAMED = frozenset(row.kind for row in SOURCES.values() if row.is_named)
