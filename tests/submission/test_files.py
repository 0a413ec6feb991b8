"""The files of a submission as rows: each takes GLUE's rows in order, and refuses any other."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.catalog import tasks
from harness.errors import DataError
from harness.submission import files
from harness.submission.files import SUBMISSION_FILES
from tests.support.submission_runs import answer

BY_NAME = {file.name: file for file in SUBMISSION_FILES}


def whole(name: str) -> dict[str, list[Any]]:
    file = BY_NAME[name]
    rows = range(file.rows)
    told = [answer(file.task, row) for row in rows]
    return {"split": [file.stored_as] * file.rows, "row": [*rows], "prediction": told}


@pytest.mark.parametrize("name", ["WNLI.tsv", "STS-B.tsv"])
@given(data=st.data())
def test_one_wrong_row_is_refused(name: str, data: st.DataObject) -> None:
    table, file = whole(name), BY_NAME[name]
    place = data.draw(st.integers(0, file.rows - 1))
    column, value = data.draw(
        st.sampled_from(
            [
                ("row", (place + 1) % file.rows), ("row", -1), ("row", file.rows),
                ("split", "validation"), ("prediction", math.nan), ("prediction", math.inf),
                ("prediction", None), ("prediction", 2), ("prediction", "1"),
            ]
        )
    )  # fmt: skip
    assert len(files.values(file, table, "run")) == file.rows
    again = {name: [*cells, cells[place]] for name, cells in table.items()}
    with pytest.raises(DataError, match=f"have row {place} twice; expected"):
        files.values(file, again, "run")
    table[column][place] = value
    with pytest.raises(DataError, match=rf"^{name}: the predictions of run have .*; expected rows"):
        files.values(file, table, "run")


def test_every_task_of_glue_has_its_files() -> None:
    assert {file.task for file in SUBMISSION_FILES} == set(tasks.DATA_SETS)
