from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import fmean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.reports.averages import AVERAGES, ScoreRow, of
from harness.reports.ranks import CORRELATIONS, PLACES, Interval, borda, borda_ranks, ranks

NINE = AVERAGES["GLUE-9"]
POLICIES: dict[str, Callable[[Sequence[ScoreRow]], list[Interval]]] = {
    **{name: lambda s, a=average: ranks(a, s) for name, average in AVERAGES.items()},
    "Borda": borda_ranks,
}
RTE, COLA = ("rte", "accuracy"), ("cola", "matthews_correlation")


def least(entry: tuple[str, str]) -> float:
    return -1.0 if entry[1] in CORRELATIONS else 0.0


def figure(entry: tuple[str, str]) -> st.SearchStrategy[float]:
    """Few values, so that ties come often, and any other one."""
    return st.sampled_from([least(entry), 0.5, 0.7, 1.0]) | st.floats(least(entry), 1.0)


def whole(**given: float) -> ScoreRow:
    """A row that has 0.5 everywhere but in the tasks that are given."""
    return {entry: given.get(entry[0], 0.5) for entry in NINE.entries}


def without(sheet: ScoreRow, *lost: tuple[str, str]) -> ScoreRow:
    return {entry: value for entry, value in sheet.items() if entry not in lost}


@st.composite
def boards(draw: st.DrawFn) -> list[ScoreRow]:
    """Up to five rows that differ in a few figures, some of them missing."""
    rows = []
    for _ in range(draw(st.integers(1, 5))):
        row = whole()
        for entry in draw(st.sets(st.sampled_from(NINE.entries), max_size=6)):
            row = row | {entry: draw(figure(entry))}
        rows.append(without(row, *draw(st.sets(st.sampled_from(NINE.entries), max_size=4))))
    return rows


def filled(draw: st.DrawFn, sheets: Sequence[ScoreRow]) -> list[ScoreRow]:
    """The board with each row's holes filled: all least, all greatest, or each at will."""
    done = []
    for sheet in sheets:
        how = draw(st.sampled_from([least, lambda entry: 1.0, lambda entry: draw(figure(entry))]))
        done.append({entry: sheet.get(entry, how(entry)) for entry in NINE.entries})
    return done


@settings(max_examples=120)
@given(st.data(), st.sampled_from(list(POLICIES)))
def test_no_filling_leaves_the_interval(data: st.DataObject, name: str) -> None:
    sheets = data.draw(boards())
    found = POLICIES[name](sheets)
    whole_board = filled(data.draw, sheets)
    for interval, rank in zip(found, POLICIES[name](whole_board), strict=True):
        assert 1 <= interval.low <= rank.low == rank.high <= interval.high <= len(sheets)


@settings(max_examples=60)
@given(boards(), st.sampled_from(list(AVERAGES)), st.data())
def test_some_filling_reaches_each_end(
    sheets: list[ScoreRow], name: str, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(sheets) - 1))
    low, high = POLICIES[name](sheets)[at]
    for is_best, end in ((True, low), (False, high)):
        done = [
            {e: s.get(e, 1.0 if (place == at) == is_best else least(e)) for e in NINE.entries}
            for place, s in enumerate(sheets)
        ]
        assert POLICIES[name](done)[at] == (end, end)


@settings(max_examples=40)
@given(st.data())
def test_borda_is_counted_pair_by_pair(data: st.DataObject) -> None:
    sheets = filled(data.draw, data.draw(boards()))
    scores = [
        [round(fmean(sheet[entry] for entry in term), PLACES) for term in NINE.terms]
        for sheet in sheets
    ]
    points = [
        sum((a > b) + (a == b) / 2 for other in scores for a, b in zip(row, other, strict=True))
        - len(NINE.terms) / 2  # against itself
        for row in scores
    ]
    assert borda(sheets) == points
    of_points = [1 + sum(other > own for other in points) for own in points]
    assert borda_ranks(sheets) == [(rank, rank) for rank in of_points]


@pytest.mark.parametrize("name", POLICIES)
def test_ranks_of_a_board_without_holes(name: str) -> None:
    sheets = [whole(rte=0.6), whole(rte=0.9), whole(rte=0.6), whole(rte=0.1)]
    assert POLICIES[name](sheets) == [(2, 2), (1, 1), (2, 2), (4, 4)]


def test_a_hole_widens_its_own_rank_and_those_it_may_pass() -> None:
    sheets = [whole(rte=0.9), whole(rte=0.6), without(whole(), RTE)]
    assert ranks(NINE, sheets) == borda_ranks(sheets) == [(1, 2), (2, 3), (1, 3)]
    # A hole in MRPC is none under an average that leaves that metric out.
    lacking = without(whole(rte=0.7), ("mrpc", "f1"))
    assert ranks(AVERAGES["ELECTRA"], [*sheets[:2], lacking]) == [(1, 1), (3, 3), (2, 2)]


def test_a_correlation_can_be_negative() -> None:
    lacking = without(whole(rte=1.0), COLA)
    # 0.0 for CoLA would tie with the other row; only less than 0.0 is below it.
    assert ranks(NINE, [lacking, whole(cola=0.0, rte=1.0)]) == [(1, 2), (1, 2)]


def test_equal_averages_tie_though_their_sums_differ_in_floating_point() -> None:
    none = dict.fromkeys(NINE.entries, 0.0)
    sheets = [none | {RTE: 0.1, ("wnli", "accuracy"): 0.2}, none | {RTE: 0.3}]
    assert of(NINE, sheets[0]) != of(NINE, sheets[1])
    assert ranks(NINE, sheets) == [(1, 1), (1, 1)]


def test_the_borda_count_is_mtebs() -> None:
    sheets = [whole(rte=0.9), whole(rte=0.6), whole(rte=0.6, cola=0.4)]
    # The number of rows less the mean of the places that tied rows share: 1 each in seven tasks,
    # then RTE, then CoLA.
    assert borda(sheets) == [7 + 2 + 1.5, 7 + 0.5 + 1.5, 7 + 0.5 + 0]
    assert borda([*sheets, without(whole(), RTE)]) == [*borda(sheets), None]
    assert borda([]) == borda_ranks([]) == ranks(NINE, []) == []


def test_borda_ranks_are_no_wider_than_two_rows_can_make_them() -> None:
    # A row that has one metric of a pair is surely above another, or surely below it.
    lost = [("mrpc", "f1"), ("stsb", "pearson"), ("qqp", "f1"), ("mnli_m", "accuracy")]
    high, low = (
        dict.fromkeys(("mrpc", "stsb", "qqp", "mnli_m", "mnli_mm"), value) for value in (0.9, 0.1)
    )
    better, worse = (dict.fromkeys(("cola", "sst2", "qnli", "rte"), v) for v in (0.6, 0.4))
    ahead = without(whole(**high), *lost), whole(**better, **low | {"stsb": -0.9})
    behind = without(whole(**low), *lost), whole(**worse, **high)
    for board in (ahead, behind):  # above in four tasks, below in four, and a tie
        assert borda_ranks(board) == [(1, 1), (1, 1)]
    # Whatever the third row has in CoLA, the first two tie there.
    third = without(whole(rte=0.1), COLA)
    assert borda_ranks([whole(rte=0.9), whole(rte=0.6), third]) == [(1, 1), (2, 3), (2, 3)]


def test_a_row_above_another_in_every_task_is_never_below_it() -> None:
    upper, lower = dict.fromkeys(NINE.entries, 0.7), dict.fromkeys(NINE.entries, 0.6)
    sheets: list[ScoreRow] = [upper, lower, {}, {}]
    assert borda_ranks(sheets)[:2] == [(1, 3), (2, 4)]
