"""Files of predictions that have the sha256 in their record and wrong content."""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from harness.records.store import Store
from tests.support import forger
from tests.support.folder_readers import raw_of
from tests.support.prediction_runs import run as flip_run

ROWS = 20
LABELS, PREDICTED = [0, 1] * 10, [0, 1, 1, 1] * 5
TABLE: dict[str, Any] = {
    "split": ["validation"] * ROWS, "row": list(range(ROWS)), "label": LABELS,
    "prediction": PREDICTED, "logits": [[0.5, 0.25]] * ROWS,
}  # fmt: skip


class Forged(NamedTuple):
    said: str
    content: bytes
    rows: int  # as the record says


def put(folder: Path, content: bytes, rows: int) -> Path:
    """A record that names these predictions, and both files in a results folder."""
    made = flip_run("rte", {"validation": (LABELS, PREDICTED)}, target="cpu-bf16").record
    raw = raw_of(made) | {
        "id": "f" * 32,
        "floor": 0.5,
        "predictions": {
            "name": "forged.parquet", "sha256": hashlib.sha256(content).hexdigest(), "rows": rows,
        },
    }  # fmt: skip
    store = Store(folder)
    (store.predictions / "forged.parquet").write_bytes(content)
    path = store.runs / "forged-predictions.json"
    path.write_bytes(forger.sealed(raw))
    return path


def parquet(columns: Any, **said: Any) -> bytes:
    sink = pa.BufferOutputStream()
    table = columns if isinstance(columns, pa.Table) else pa.table(columns)
    pq.write_table(table, sink, **said)
    return sink.getvalue().to_pybytes()


def forged() -> Iterator[Forged]:
    """Other columns, types, lengths and values; files that are cut, changed, locked or bombs."""
    yield Forged("as it was", parquet(TABLE), ROWS)
    for said, columns in _tables():
        rows = len(next(iter(columns.values()), ()))
        yield Forged(said, parquet(columns), rows)
        yield Forged(f"{said}; other rows in the record", parquet(columns), ROWS + 1)
    whole = parquet(TABLE)
    yield from (Forged(f"cut at {n}", whole[:n], ROWS) for n in range(0, len(whole), 197))
    drawn = random.Random(0)
    for number in range(100):
        content = bytearray(whole)
        for _ in range(drawn.choice((1, 3, 20))):
            content[drawn.randrange(len(content))] = drawn.randrange(256)
        yield Forged(f"changed bytes {number}", bytes(content), ROWS)
    yield Forged("many rows", _repeated(6_000_000), 6_000_000)
    yield Forged("many rows, few in the record", _repeated(6_000_000), ROWS)
    bomb = pa.table({**TABLE, "split": ["a" * 2_000_000] * ROWS})
    yield Forged("a bomb of texts", parquet(bomb, compression="zstd", use_dictionary=False), ROWS)
    logits = pa.array([[0.0] * 1_000_000] * ROWS, pa.list_(pa.float32()))
    yield Forged("a bomb of logits", parquet({**TABLE, "logits": logits}), ROWS)
    yield Forged("twice the column", _twice(), ROWS)
    yield Forged("empty", b"", 0)
    yield Forged("a text", b"PAR1" + b"x" * 1000 + b"PAR1", ROWS)
    yield Forged("locked", whole[:-4] + b"PARE", ROWS)


def _tables() -> Iterator[tuple[str, dict[str, Any]]]:
    others: tuple[Any, ...] = (
        None, "x", "", 1.5, math.nan, math.inf, -math.inf, 2, -1, 2**62, 1e300, True, b"\xff", [],
        [1], [[0.5]], {"a": 1},
    )  # fmt: skip
    for name, held in TABLE.items():
        yield f"{name}: gone", {key: value for key, value in TABLE.items() if key != name}
        yield f"{name}: renamed", {**_without(name), f"{name} ": held}
        for value in others:
            yield f"{name}: all {value!r}", {**TABLE, name: [value] * ROWS}
            try:
                mixed = pa.array([value, *held[1:]])
            except (pa.ArrowException, TypeError, OverflowError):  # one column holds no such mix
                continue
            yield f"{name}: one {value!r}", {**TABLE, name: mixed}
    yield "a row twice", {**TABLE, "row": [0, *range(ROWS - 1)]}
    yield "no rows", {name: held[:0] for name, held in TABLE.items()}
    yield "one row", {name: held[:1] for name, held in TABLE.items()}
    yield "another split", {**TABLE, "split": ["test"] * ROWS}
    yield "other predictions", {**TABLE, "prediction": LABELS}
    yield "a column more", {**TABLE, "more": [1] * ROWS}
    yield "no columns", {}


def _without(name: str) -> dict[str, Any]:
    return {key: value for key, value in TABLE.items() if key != name}


def _repeated(rows: int) -> bytes:
    """A small file of very many equal rows."""
    splits = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int8()), ["validation"])
    zeros = pa.array([0] * rows, pa.int64())
    return parquet(
        {"split": splits, "row": zeros, "label": zeros, "prediction": zeros, "logits": zeros}
    )


def _twice() -> bytes:
    table = pa.table(TABLE)
    return parquet(table.append_column("row", table.column("row")))
