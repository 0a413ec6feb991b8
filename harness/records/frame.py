"""Records as a tidy DataFrame: one row a run, and the same columns whatever the records hold.

Each metric is a column, `SPLIT/METRIC`, so that a run stays one row. `frame.melt(value_vars=...)`
makes a row of each metric.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from harness.records.columns import (
    COLUMNS,
    COUNT,
    FIGURE,
    KNOWN_YES,
    METRICS,
    TEXT,
    TIME,
    YES,
    Column,
)
from harness.records.schema import Record
from harness.text.values import shown

if TYPE_CHECKING:
    import pandas as pd

Found = dict[str, Sequence[object]]  # the value that each record has, by the path to it

KINDS: Mapping[str, tuple[type, ...]] = {
    TEXT: (str,),
    COUNT: (int, float),
    FIGURE: (int, float),
    TIME: (datetime,),
    YES: (bool,),
    KNOWN_YES: (bool,),
}
"""The Python types whose values a column of each dtype holds."""
TOGETHER = 64  # records read at once: few enough to stay in the CPU's cache


def of(records: Sequence[Record]) -> tuple[pd.DataFrame, list[str]]:
    """A row per record, in their order, under `COLUMNS`; and what they hold that no column shows.

    That is a value that does not fit its column's dtype, which is missing in the frame, and a
    metric that has no column.
    """
    import pandas as pd

    held: list[list[object]] = [[] for _ in COLUMNS]
    for start in range(0, len(records), TOGETHER):
        some = records[start : start + TOGETHER]
        found: Found = {"": some}
        for column, values in zip(COLUMNS, held, strict=True):
            place = column.place
            values += _along(place, found) if isinstance(place, str) else map(place, some)
    filled, complaints = {}, []
    for column, values in zip(COLUMNS, held, strict=True):
        series = _series(values, column.dtype)
        if series is None:
            complaints += _without_misfits(column, values, records)
            series = pd.Series(values, dtype=column.dtype)
        filled[column.name] = series
    return pd.DataFrame(filled), complaints + _without_column(records)


def _along(path: str, found: Found) -> Sequence[object]:
    """The value that each record has at a path; None where the record ends before it."""
    if path not in found:
        before, _, step = path.rpartition(".")
        found[path] = [
            value.get(step) if isinstance(value, dict) else getattr(value, step, None)
            for value in _along(before, found)
        ]
    return found[path]


def _series(values: Sequence[object], dtype: str) -> pd.Series | None:
    """The values as pandas holds them; None where some do not fit `dtype`."""
    import pandas as pd

    try:
        return pd.Series(values, dtype=dtype)
    except (TypeError, ValueError, OverflowError):
        return None


def _without_misfits(column: Column, values: list[object], records: Sequence[Record]) -> list[str]:
    """Put None in place of the values that do not fit a column; a message for each of them."""
    complaints = []
    for row, value in enumerate(values):
        fits = _series([value], column.dtype) is not None
        if not fits or (value is not None and _is_other(value, column.dtype)):
            complaints.append(
                f"run {records[row].id}: {column.name} is {shown(value)}; expected "
                f"{column.dtype}: missing in the frame"
            )
            values[row] = None
    return complaints


def _is_other(value: object, dtype: str) -> bool:
    """Whether pandas takes a value by itself, but not beside others of `dtype`."""
    is_yes = dtype in (YES, KNOWN_YES)
    return not isinstance(value, KINDS[dtype]) or isinstance(value, bool) != is_yes


def _without_column(records: Sequence[Record]) -> list[str]:
    unknown = Counter(
        name
        for record in records
        for split, metrics in record.metrics.items()
        for metric in metrics
        if (name := f"{split}/{metric}") not in METRICS
    )
    return [
        f"metric {shown(name)} of {runs} run(s) has no column: not in the frame"
        for name, runs in unknown.items()
    ]
