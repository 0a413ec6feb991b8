"""A run's predictions as a table, to Parquet and back, with checks of what is read.

The sha256 of a file says that it is the one a record names, and not that it holds predictions. So
the declared sizes are checked before anything is unpacked, and then each column's type and values.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Collection, Sequence, Sized
from itertools import chain
from typing import TYPE_CHECKING, Any

from harness.errors import StorageError
from harness.records.codec import FIX
from harness.records.schema import PredictionTable
from harness.text.values import shown

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

COLUMNS = ("split", "row", "label", "prediction", "logits")
NEVER_EMPTY = ("split", "row", "prediction", "logits")  # a label is missing on test rows
MAX_PREDICTION_BYTES = 4 * 1024**3
MOST_ROWS = 5_000_000  # GLUE's largest run predicts 431,395
MOST_LOGITS = 1000  # of a row
MOST_BYTES = 2 * 1024**3  # all columns together, unpacked
MOST = 1e40  # the largest logit or score; fp32 holds 3.4e38


def load_libraries() -> None:
    """Import what `to_parquet` needs, which takes a moment."""
    with contextlib.suppress(ImportError):  # `to_parquet` raises it again
        to_parquet({"row": [0]})


def to_parquet(table: PredictionTable) -> bytes:
    """The content of a file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({name: _array(values) for name, values in table.items()}), sink)
    return sink.getvalue().to_pybytes()


def _array(values: list[Any]) -> pa.Array:
    """`pa.array(values)`; lists of the usual values are converted without pandas.

    pyarrow imports pandas for the first list that it converts itself, which takes 0.3 s, and as
    long again when the process ends.
    """
    import pyarrow as pa

    kinds = {*map(type, values)}
    try:
        if kinds <= {int, type(None)} or kinds <= {float, type(None)}:
            return _numbers(values)
        if kinds == {str}:
            texts = [text.encode() for text in values]
            buffers = [None, pa.py_buffer(_offsets(texts)), pa.py_buffer(b"".join(texts))]
            return pa.Array.from_buffers(pa.string(), len(values), buffers)
        if kinds == {list} and {*map(type, chain.from_iterable(values))} == {float}:
            numbers = _numbers([*chain.from_iterable(values)])
            buffers = [None, pa.py_buffer(_offsets(values))]
            of_lists = pa.list_(pa.float64())
            return pa.Array.from_buffers(of_lists, len(values), buffers, children=[numbers])
    except (OverflowError, UnicodeEncodeError):
        pass  # pyarrow says what is wrong
    return pa.array(values)


def _numbers(values: list[Any]) -> pa.Array:
    """Integers or floats, or None: as int64 or float64."""
    import numpy as np
    import pyarrow as pa

    is_there = [value is not None for value in values]
    if not any(is_there):
        return pa.nulls(len(values))
    dtype = np.float64 if float in {*map(type, values)} else np.int64
    numbers = np.array([0 if value is None else value for value in values], dtype=dtype)
    bits = None if all(is_there) else pa.py_buffer(np.packbits(is_there, bitorder="little"))
    buffers = [bits, pa.py_buffer(numbers)]
    return pa.Array.from_buffers(pa.from_numpy_dtype(dtype), len(values), buffers)


def _offsets(values: Sequence[Sized]) -> np.ndarray:
    """Where each value begins in all of them together, and where the last one ends: int32."""
    import numpy as np

    ends = np.cumsum([0, *map(len, values)])
    if ends[-1] > np.iinfo(np.int32).max:
        raise OverflowError
    return ends.astype(np.int32)


def from_parquet(
    content: bytes, columns: Collection[str] = (), rows: int | None = None
) -> PredictionTable:
    """The table of a file: all of `COLUMNS`, or those named. `rows` is how many it has to have.

    Every row has a split, a row number that occurs once in its split, a prediction and finite
    logits. Raises `StorageError` that says what is wrong, without the file's name.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    wanted = [name for name in COLUMNS if name in columns or not columns]
    try:
        file = pq.ParquetFile(pa.BufferReader(content))
        _check_sizes(file.metadata, rows)
        _check_names(file.schema_arrow.names, wanted)
        # Threads that still start when the program ends would abort it.
        table = file.read(wanted, use_threads=False)
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise _wrong(f"cannot be read as parquet: {shown(error)}", "predictions") from error
    for name in wanted:
        _check_column(name, table.column(name))
    found = table.to_pydict()
    if {"split", "row"} <= {*wanted}:
        _check_rows(found)
    return found


def _wrong(found: str, expected: str) -> StorageError:
    return StorageError(f"{found}; expected {expected}. {FIX}")


def _check_sizes(said: pq.FileMetaData, rows: int | None) -> None:
    """Refuse a file that would unpack to too much, before it is unpacked."""
    if rows is not None and said.num_rows != rows:
        raise _wrong(f"found {said.num_rows:,} rows", f"{rows:,}, as the record has it")
    parts = [said.row_group(place) for place in range(said.num_row_groups)]
    chunks = [part.column(place) for part in parts for place in range(part.num_columns)]
    unpacked = sum(max(0, chunk.total_uncompressed_size) for chunk in chunks)
    values = max((chunk.num_values for chunk in chunks), default=0)
    if said.num_rows > MOST_ROWS or values > MOST_LOGITS * max(1, said.num_rows):
        raise _wrong(
            f"found {said.num_rows:,} rows with up to {values:,} values in a column",
            f"at most {MOST_ROWS:,} rows, and {MOST_LOGITS:,} logits in each",
        )
    if unpacked > MOST_BYTES:
        raise _wrong(f"found {unpacked:,} bytes, unpacked", f"at most {MOST_BYTES:,}")


def _check_names(found: Sequence[str], wanted: Sequence[str]) -> None:
    if missing := [name for name in wanted if name not in found]:
        among = ", ".join(map(shown, found[:10])) or "none"
        raise _wrong(f"no column {', '.join(missing)} among {among}", ", ".join(COLUMNS))
    if twice := [name for name in wanted if found.count(name) > 1]:
        raise _wrong(f"column {twice[0]} twice", ", ".join(COLUMNS))


def _check_column(name: str, column: pa.ChunkedArray) -> None:
    import numpy as np
    import pyarrow as pa

    if name in NEVER_EMPTY and column.null_count:
        raise _wrong(f"column {name}: found {column.null_count:,} empty values", "none")
    kind, is_number = column.type, _is_number(column.type)
    if name == "split":
        fits, expected = pa.types.is_string(kind) or pa.types.is_large_string(kind), "texts"
    elif name == "row":
        fits, expected = pa.types.is_signed_integer(kind), "whole numbers"
    elif name == "label":
        fits, expected = is_number or pa.types.is_null(kind), "numbers"
    elif name == "prediction":
        fits, expected = is_number, "numbers"
    else:
        fits = pa.types.is_list(kind) and _is_number(kind.value_type)
        expected = "lists of numbers"
    if not fits and len(column):
        raise _wrong(f"column {name}: found values of type {shown(kind)}", expected)
    if not len(column) or name == "split" or pa.types.is_null(kind):
        return
    flat = column.combine_chunks()
    values = flat.flatten() if name == "logits" else flat
    if name == "logits" and values.null_count:
        raise _wrong(f"column {name}: found an empty value in a list", "numbers")
    figures = values.drop_null().to_numpy()
    if len(figures) and not (np.isfinite(figures).all() and np.abs(figures).max() <= MOST):
        raise _wrong(f"column {name}: found NaN, or a number over {MOST:g}", "finite numbers")


def _is_number(kind: object) -> bool:
    import pyarrow as pa

    return pa.types.is_signed_integer(kind) or (
        pa.types.is_float32(kind) or pa.types.is_float64(kind)
    )


def _check_rows(table: PredictionTable) -> None:
    """Refuse a row that occurs twice or has a negative number."""
    pairs = list(zip(table["split"], table["row"], strict=True))
    if len(set(pairs)) < len(pairs):
        (split, row), _ = Counter(pairs).most_common(1)[0]
        raise _wrong(f"row {row} of {shown(split)} twice", "each row of a split once")
    if table["row"] and min(table["row"]) < 0:
        raise _wrong(f"column row: found {min(table['row'])}", "numbers from 0 on")
