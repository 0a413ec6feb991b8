"""Predictions as a file: the same bytes as pyarrow's own, without pandas."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harness.records.predictions import to_parquet
from tests.support.locations import ROOT

floats = st.floats(allow_nan=True, allow_infinity=True)
integers = st.integers(-(2**63), 2**63 - 1)
columns = st.one_of(
    st.lists(st.text(st.characters(exclude_categories=["Cs"]))),
    st.lists(integers),
    st.lists(st.none() | integers),
    st.lists(floats),
    st.lists(st.none() | floats),
    st.lists(st.lists(floats)),
    st.lists(st.lists(st.none() | floats)),
    st.lists(st.none() | st.lists(integers)),
    st.lists(st.none() | st.text("ab\u00e9\U0001f600")),
    st.lists(st.booleans()),
)


@given(columns)
@example([None, None])
@example([-0.0, None, float("nan")])
@example([[], []])
@example([[], [0.5]])
@example([1, 2.5])
@example([True, 2])
def test_a_column_is_stored_as_by_pyarrow(values: list[Any]) -> None:
    expected = pa.BufferOutputStream()
    try:
        pq.write_table(pa.table({"column": values}), expected)
    except pa.ArrowException as error:
        with pytest.raises(type(error)):
            to_parquet({"column": values})
    else:
        assert to_parquet({"column": values}) == expected.getvalue().to_pybytes()


@pytest.mark.parametrize("values", [[2**63], [-(2**63) - 1, None], ["\ud800"], [[0.5], 1]])
def test_what_arrow_does_not_hold_is_its_error(values: list[Any]) -> None:
    with pytest.raises((pa.ArrowException, OverflowError, UnicodeError)):
        to_parquet({"column": values})


def test_storing_predictions_needs_no_pandas() -> None:
    done = subprocess.run(
        [
            sys.executable, "-c",
            "import sys\n"
            "from harness.records.predictions import to_parquet\n"
            "to_parquet({'split': ['a'], 'label': [None], 'prediction': [1], 'logits': [[0.5]]})\n"
            "to_parquet({'label': [0.5, None], 'prediction': [1.5, 2.5], 'row': [0, 1]})\n"
            "print(*sys.modules)",
        ],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert "pyarrow" in done.stdout.split()
    assert "pandas" not in done.stdout.split()
