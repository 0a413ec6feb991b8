"""Samples of a split: their labels are distributed as the whole's, whatever labels these are."""

from __future__ import annotations

import bisect
import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.catalog import tasks
from harness.data import load, row_sources, sample
from harness.spec import DataRequest, Split
from tests.support.custom_task import put, task

cases = pytest.mark.cases
ROWS = 400

SCORES: dict[str, Callable[[float], float]] = {  # rank in [0, 1) -> score
    "0 to 1000": lambda rank: 1000 * rank,
    "0 to 1": lambda rank: rank,
    "-1 to 1": lambda rank: 2 * rank - 1,
    "0 to 5": lambda rank: 5 * rank,
    "1 to 5, whole": lambda rank: 1.0 + int(5 * rank),
    "-1000 to 0": lambda rank: 1000 * (rank - 1),
    "of a long tail": lambda rank: -math.log(1 - rank),
    "nearly all 0": lambda rank: 0.0 if rank < 0.95 else rank,
    "all the same": lambda rank: 3.0,
    "1e-9 to 2e-9": lambda rank: 1e-9 * (1 + rank),
}


def split_of(labels: list[int] | list[float]) -> Split:
    return Split([(f"row {row}",) for row in range(len(labels))], labels, range(len(labels)))


def distance(part: list[float], whole: list[float]) -> float:
    """Kolmogorov and Smirnov's: the largest difference of two distributions."""
    part, whole = sorted(part), sorted(whole)
    shares = [
        bisect.bisect_right(part, value) / len(part)
        - bisect.bisect_right(whole, value) / len(whole)
        for value in whole
    ]
    return max(map(abs, shares))


@cases
@pytest.mark.parametrize("order", ["rising", "falling", "mixed"])
@pytest.mark.parametrize("name", SCORES)
@pytest.mark.parametrize("size", [10, 50, 200, 399])
def test_scores_are_distributed_as_in_the_file(name: str, order: str, size: int) -> None:
    scores = [SCORES[name](rank / ROWS) for rank in range(ROWS)]
    if order == "falling":
        scores.reverse()
    if order == "mixed":
        scores = [scores[row * 7 % ROWS] for row in range(ROWS)]
    found = sample.stratified(split_of(scores), size, "reviews/train")
    assert len(found) == size
    assert distance([*map(float, found.labels or ())], scores) <= 0.5 * math.log2(ROWS) / size


@cases
def test_a_sorted_file_of_scores_keeps_its_mean(tmp_path: Path) -> None:
    rows = "".join(f'"text {row}",{row * 1000 / 399:.3f}\n' for row in range(ROWS))
    files = {"train.csv": f"review,stars\n{rows}", "validation.csv": "review,stars\na song,5\n"}
    path = put(tmp_path, files, "range = [0, 1000]\n")
    found = load.load(row_sources.located(DataRequest("toy", 200), task(path)), task(path))
    assert abs(fmean(found.splits["train"].labels or ()) - 500) < 10


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=120), st.data())
def test_samples_of_scores_are_nested(scores: list[float], data: st.DataObject) -> None:
    whole = split_of(scores)
    large = data.draw(st.integers(1, len(scores)))
    small = data.draw(st.integers(1, large))
    picked = {size: sample.stratified(whole, size, "t/train") for size in (small, large)}
    assert set(picked[small].ids) <= set(picked[large].ids)
    assert len({*picked[large].ids}) == large


@cases
@pytest.mark.parametrize(
    ("classes", "rows", "size"), [(60, 10, 40), (60, 10, 100), (5, 20, 3), (2, 50, 1), (3, 5, 7)]
)
@pytest.mark.parametrize("order", ["by class", "in turn"])
def test_equal_places_are_broken_by_the_draw(
    classes: int, rows: int, size: int, order: str
) -> None:
    labels = [
        row // rows if order == "by class" else row % classes for row in range(classes * rows)
    ]
    drawn = []
    for number in range(8):
        found = sample.stratified(split_of(labels), size, f"task {number}/train")
        counts = Counter(found.labels)
        assert len(counts) == min(size, classes)
        assert max(counts.values()) - min(counts.values()) <= 1
        most = {label for label, count in counts.items() if count == max(counts.values())}
        drawn.append(frozenset(most))
    assert len({*drawn}) > 1  # not the same classes each time
    first = frozenset(range(size % classes or classes))
    assert drawn.count(first) < 8


@pytest.mark.parametrize("name", ["sst2", "stsb", "mnli", "cola"])
@pytest.mark.parametrize("size", [1, 7, 60])
def test_glues_samples_are_those_of_the_first_version(name: str, size: int) -> None:
    found = load.load(DataRequest("toy", size), tasks.TASKS[name]).splits["train"]
    whole = load.load(DataRequest("toy"), tasks.TASKS[name]).splits["train"]
    strata: dict[int, list[int]] = {}
    for row in range(len(whole)):
        strata.setdefault(int((whole.labels or ())[row]), []).append(row)
    places = {}
    for rows in strata.values():
        rows.sort(key=lambda row: sample._draw(f"{name}/train", whole.ids[row]))
        places |= {row: (rank + 0.5) / len(rows) for rank, row in enumerate(rows)}
    expected = sorted(sorted(places, key=lambda row: (places[row], row))[:size])
    assert list(found.ids) == [whole.ids[row] for row in expected]


@pytest.mark.parametrize(("capped", "moved"), [(None, False), (4, True)])
def test_the_key_of_a_users_sample_says_how_it_was_drawn(
    capped: int | None, moved: bool, tmp_path: Path
) -> None:
    own = task(put(tmp_path, {}))
    found = load.fingerprint(row_sources.located(DataRequest("toy", capped), own), own)
    assert (found["sample"] == sample.BY_RANK) == moved
    rte = load.fingerprint(DataRequest("toy", capped), tasks.TASKS["rte"])
    assert rte["sample"] == sample.DATA_SEED
