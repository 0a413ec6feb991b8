"""A user's own task in a folder: a task file and files of rows."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.catalog import task_file
from harness.data import load, row_sources
from harness.spec import DataRequest, Task

TOML = """[[task]]
name = "reviews"
data = "rows"
text = ["review"]
label = "stars"
"""
CLASSES = 'labels = ["bad", "good"]\n'
TRAIN = "review,stars\na dull film,bad\na fine film,good\n"
VALIDATION = "review,stars\na dull song,bad\na fine song,good\n"


def put(folder: Path, files: Mapping[str, str | bytes | None], more: str = CLASSES) -> Path:
    """A task file with `more` below `TOML`, and files; of `TRAIN`, `VALIDATION` unless None."""
    rows = folder / "rows"
    rows.mkdir(parents=True, exist_ok=True)
    for name, content in {"train.csv": TRAIN, "validation.csv": VALIDATION, **files}.items():
        if content is not None:
            (rows / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    path = folder / "mine.toml"
    path.write_text(TOML + more)
    return path


def task(path: Path) -> Task:
    """The one task of a file."""
    (found,) = task_file.read(path).values()
    return found


def loaded(path: Path, **request: Any) -> load.Data:
    """The rows that a run of the file's one task reads."""
    found = task(path)
    return load.load(row_sources.located(DataRequest("toy", **request), found), found)


def parquet(**columns: Any) -> bytes:
    """A Parquet file with these columns."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    return out.getvalue()
