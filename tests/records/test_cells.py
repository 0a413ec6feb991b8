from __future__ import annotations

import pytest

from harness.records import cells
from harness.records.schema import Source
from harness.spec import Case
from tests.support.builders import record

CASE = Case("rte", "toy-bert", "cpu-fp32", 1)
DEAD = {"score": None, "floor": None, "timing": None, "memory": None}


def test_a_seed_that_was_run_again_counts_once() -> None:
    runs = [
        record(CASE, status="timeout", reason="x", **DEAD),
        record(CASE, score=0.6),
        record(CASE, score=0.7),
        record(CASE, status="crashed", reason="x", **DEAD),
    ]
    (cell,) = cells.cells(runs)
    assert cell.scores == [0.7]
    assert cell.states == {}


def test_runs_with_other_inputs_never_share_a_cell() -> None:
    assert len(cells.cells([record(CASE, cell_key="a"), record(CASE, cell_key="b")])) == 2


@pytest.mark.parametrize("revisions", [("a",), ("a", "b")])
def test_a_run_that_failed_before_its_revision_was_known_joins_the_only_one(
    revisions: tuple[str, ...],
) -> None:
    failed = record(CASE, source=Source(kind="hub"), status="failed", reason="x", **DEAD)
    runs = [record(CASE, source=Source(kind="hub", revision=40 * r)) for r in revisions]
    apart = cells.by_source([failed, *runs])
    if len(revisions) == 1:
        assert apart == [[*runs, failed]]
    else:
        assert apart == [[failed], *([run] for run in runs)]
