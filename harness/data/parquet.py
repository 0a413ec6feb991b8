"""Rows of a Parquet file: texts, whole numbers, floating-point numbers and booleans."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.data.tabular import FORM, Row, Rows
from harness.files.lines import at, error
from harness.files.reading import ROWS
from harness.text.values import shown

SIGNATURE = b"PAR1"
MOST_ROWS = 100_000_000
BATCH = 1024  # rows at a time: a few bytes of a file can stand for as many long texts


def read(path: Path, raw: bytes, wanted: Collection[str]) -> Rows:
    """The names of all columns, and the rows with those of them that are wanted.

    Raises `DataError` for what is no Parquet file, and for a column of another type.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(pa.BufferReader(raw))
        names = list(file.schema_arrow.names)
        if twice := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
            raise error(
                at(path), f"two columns called {shown(twice[0])}", "a name each", "rename one"
            )
        chosen = [name for name in names if name in wanted]
        for name in chosen:
            _check_type(path, name, file.schema_arrow.field(name).type)
        _check_count(file)
        rows_of_none = [{}] * file.metadata.num_rows
        found = table(file, chosen).to_pylist() if chosen else rows_of_none
    except (pa.ArrowException, OSError, ValueError, OverflowError) as cause:
        said = " ".join(str(cause).split())
        raise error(at(path), f"no Parquet: {said[:200]}", FORM.file, "save it again") from cause
    rows: list[Row] = [(f"{at(path)}, row {number}", row) for number, row in enumerate(found)]
    return Rows(names, rows, _classes(file.schema_arrow.metadata or {}))


def table(file: Any, names: Sequence[str]) -> Any:
    """Columns of a `pyarrow.parquet.ParquetFile` as a `pyarrow.Table`.

    Raises `ValueError` where they are more than `ROWS` allows, whatever the file says of itself.
    """
    import pyarrow as pa

    _check_count(file)
    batches, held = [], 0
    for batch in file.iter_batches(BATCH, columns=list(names), use_threads=False):
        held += batch.nbytes
        if held > ROWS.most:
            raise ValueError(f"its columns hold more than {ROWS.most:,} bytes")
        batches.append(batch)
    schema = pa.schema([file.schema_arrow.field(name) for name in names])
    return pa.Table.from_batches(batches, batches[0].schema if batches else schema)


def _check_count(file: Any) -> None:
    if not 0 <= file.metadata.num_rows <= MOST_ROWS:
        said = f"it announces {file.metadata.num_rows:,} rows; expected at most {MOST_ROWS:,}"
        raise ValueError(said)


def _check_type(path: Path, name: str, kind: Any) -> None:
    from pyarrow import types

    value = kind.value_type if types.is_dictionary(kind) else kind
    readable = (
        types.is_string, types.is_large_string, types.is_string_view, types.is_integer,
        types.is_floating, types.is_boolean, types.is_null,
    )  # fmt: skip
    if not any(fits(value) for fits in readable):
        raise error(
            at(path), f"the column {shown(name)} is of type {shown(kind)}", "texts or numbers",
            "name another column, or save it as texts",
        )  # fmt: skip


def _classes(metadata: Mapping[bytes, bytes]) -> dict[str, Sequence[str]]:
    """The names of ids, where `datasets` wrote the file and left them in it."""
    try:
        said = json.loads(metadata.get(b"huggingface", b"{}"))
        features = said.get("info", {}).get("features", {})
        return {
            name: feature["names"]
            for name, feature in features.items()
            if isinstance(feature, dict) and feature.get("_type") == "ClassLabel"
        }
    except (ValueError, AttributeError, KeyError):  # someone else's note of the same name
        return {}
