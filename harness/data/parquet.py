"""Rows of a Parquet file: texts, whole numbers, floating-point numbers and booleans."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.data.tabular import FORM, Row, Rows
from harness.files.lines import at, error
from harness.files.reading import ROWS
from harness.text.values import shown

if TYPE_CHECKING:
    from pyarrow import DataType, Table
    from pyarrow.parquet import ParquetFile

SIGNATURE = b"PAR1"
MOST_ROWS = 100_000_000
BATCH = 1024  # rows read at a time: a few bytes of a file can stand for as many long texts


def read(path: Path, raw: bytes, wanted: Collection[str]) -> Rows:
    """The names of all columns, and the rows with only the wanted ones.

    Raises `DataError` for a file that is not Parquet, and for a wanted column of another type.
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
        present = [name for name in names if name in wanted]
        for name in present:
            _check_type(path, name, file.schema_arrow.field(name).type)
        _check_count(file)
        empty_rows = [{}] * file.metadata.num_rows
        fields = table(file, present).to_pylist() if present else empty_rows
    except (pa.ArrowException, OSError, ValueError, OverflowError) as cause:
        reason = " ".join(str(cause).split())
        raise error(at(path), f"no Parquet: {reason[:200]}", FORM.file, "save it again") from cause
    rows: list[Row] = [(f"{at(path)}, row {number}", row) for number, row in enumerate(fields)]
    return Rows(names, rows, _classes(file.schema_arrow.metadata or {}))


def table(file: ParquetFile, names: Sequence[str]) -> Table:
    """The columns of a Parquet file that `names` lists.

    Raises `ValueError` where they hold more bytes than `ROWS` allows, whatever the file's header
    says.
    """
    import pyarrow as pa

    _check_count(file)
    batches, size = [], 0
    for batch in file.iter_batches(BATCH, columns=list(names), use_threads=False):
        size += batch.nbytes
        if size > ROWS.most:
            raise ValueError(f"its columns hold more than {ROWS.most:,} bytes")
        batches.append(batch)
    schema = pa.schema([file.schema_arrow.field(name) for name in names])
    return pa.Table.from_batches(batches, batches[0].schema if batches else schema)


def _check_count(file: ParquetFile) -> None:
    count = file.metadata.num_rows
    if not 0 <= count <= MOST_ROWS:
        raise ValueError(f"it announces {count:,} rows; expected at most {MOST_ROWS:,}")


def _check_type(path: Path, name: str, kind: DataType) -> None:
    from pyarrow import types

    value = kind.value_type if types.is_dictionary(kind) else kind
    readable = (
        types.is_string,
        types.is_large_string,
        types.is_string_view,
        types.is_integer,
        types.is_floating,
        types.is_boolean,
        types.is_null,
    )
    if not any(fits(value) for fits in readable):
        raise error(
            at(path),
            f"the column {shown(name)} is of type {shown(kind)}",
            "texts or numbers",
            "name another column, or save it as texts",
        )


def _classes(metadata: Mapping[bytes, bytes]) -> dict[str, Sequence[str]]:
    """The class names of columns of ids, which `datasets` keeps in files that it writes."""
    try:
        note = json.loads(metadata.get(b"huggingface", b"{}"))
        features = note.get("info", {}).get("features", {})
        return {
            name: feature["names"]
            for name, feature in features.items()
            if isinstance(feature, dict) and feature.get("_type") == "ClassLabel"
        }
    except (ValueError, AttributeError, KeyError):  # another program's note under this name
        return {}
