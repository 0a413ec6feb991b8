"""Sampling, loading and what is recorded of it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import REAL_GLUE, needs_real_glue
from harness import tasks
from harness.data import load, sample
from harness.errors import DataError
from harness.spec import DataRequest, Split


def split_of(labels: list[int] | list[float]) -> Split:
    return Split([(f"row {i}",) for i in range(len(labels))], labels, range(len(labels)))


@given(st.lists(st.integers(0, 2), min_size=4, max_size=200), st.data())
def test_samples_are_nested_and_keep_the_classes_shares(
    labels: list[int], data: st.DataObject
) -> None:
    whole = split_of(labels)
    large = data.draw(st.integers(2, len(labels)))
    small = data.draw(st.integers(1, large))
    picked = {size: sample.stratified(whole, size, "t/train") for size in (small, large)}
    assert [len(picked[size]) for size in (small, large)] == [small, large]
    assert set(picked[small].ids) <= set(picked[large].ids)
    assert list(picked[large].ids) == sorted(picked[large].ids)
    for label, count in Counter(labels).items():
        share = Counter(picked[large].labels)[label] / large
        assert abs(share - count / len(labels)) <= len(set(labels)) / large
    for row, text, label in zip(
        *(getattr(picked[small], n) for n in ("ids", "texts", "labels")), strict=True
    ):
        assert (text, label) == (whole.texts[row], labels[row])


def test_the_sample_depends_on_the_rows_alone() -> None:
    whole = split_of([0, 1] * 50)
    assert sample.stratified(whole, 10, "a") == sample.stratified(whole, 10, "a")
    assert sample.stratified(whole, 10, "a").ids != sample.stratified(whole, 10, "b").ids
    fixed = [3, 7, 20, 23, 26, 42, 60, 88, 93, 97]  # on every platform, for ever
    assert list(sample.stratified(whole, 10, "sst2/train").ids) == fixed


@pytest.mark.parametrize("size", [None, 100, 200])
def test_no_cap_is_the_split_itself(size: int | None) -> None:
    whole = split_of([0, 1] * 50)
    assert sample.stratified(whole, size, "a") is whole


def test_toy_data_is_no_subset_unless_capped() -> None:
    rte = tasks.TASKS["rte"]
    whole = load.load(DataRequest("toy"), rte)
    assert set(whole.splits) == {"train", "validation"}
    assert not whole.is_subset
    capped = load.load(DataRequest("toy", max_train=100), rte)
    assert capped.is_subset
    assert len(capped.splits["train"]) == 100
    assert capped.info["train"].rows_in_source == len(whole.splits["train"])
    assert capped.info["train"].sha256 != whole.info["train"].sha256
    assert capped.info["validation"] == whole.info["validation"]


def test_mnli_brings_the_diagnostic_set_along() -> None:
    found = load.load(DataRequest("toy"), tasks.TASKS["mnli"])
    assert set(found.splits) == {"train", "validation_matched", "validation_mismatched", "ax"}
    assert found.splits["ax"].labels is None


def test_fingerprints_say_which_rows_there_will_be() -> None:
    rte = tasks.TASKS["rte"]
    prints = [
        load.fingerprint(DataRequest("toy", train, evaluation), rte)
        for train, evaluation in ((None, None), (10, None), (None, 10))
    ]
    assert len({str(found) for found in prints}) == 3


def test_a_folder_that_is_no_glue_data_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="--glue-data"):
        load.fingerprint(DataRequest(str(tmp_path)), tasks.TASKS["rte"])


@needs_real_glue
@pytest.mark.parametrize(
    ("name", "subset"), [("rte", False), ("sst2", False), ("qqp", True), ("mnli", True)]
)
def test_real_sets_know_whether_they_are_whole(name: str, subset: bool) -> None:
    found = load.load(DataRequest(str(REAL_GLUE)), tasks.TASKS[name])
    assert found.is_subset is subset
    if name == "mnli":
        assert len(found.splits["ax"]) == 1104
