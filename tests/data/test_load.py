"""Sampling, loading and what is recorded of it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.catalog import tasks
from harness.catalog.glue_files import FILES
from harness.data import load, sample
from harness.errors import DataError
from harness.planning import plan
from harness.planning.options import Settings
from harness.spec import DataRequest, Split
from tests.support.glue_files import encode, put, row
from tests.support.locations import REAL_GLUE, needs_real_glue


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
    for row_id, text, label in zip(
        *(getattr(picked[small], n) for n in ("ids", "texts", "labels")), strict=True
    ):
        assert (text, label) == (whole.texts[row_id], labels[row_id])


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


def glue_data(folder: Path, task: str, **rows: int) -> Path:
    """A folder with these many rows in each split of a task."""
    for name, count in rows.items():
        file = FILES[task, name]
        put(folder, file, encode(file, [row(file, sentence=str(at)) for at in range(count)]))
    return folder


def test_the_out_of_domain_half_of_colas_dev_set(tmp_path: Path) -> None:
    glue_data(tmp_path, "cola", train=8, validation=1043)
    found = load.load(DataRequest(str(tmp_path)), tasks.TASKS["cola-ood"])
    dev = found.splits["validation"]
    assert list(dev.ids) == list(range(527, 1043))
    assert dev.texts[0] == ("527",)
    assert found.info["validation"].rows_in_source == 516
    assert set(found.splits) == {"train", "validation"}


@pytest.mark.parametrize("rows", [30, 1042, 2000])
def test_a_range_of_another_dev_set_is_refused(tmp_path: Path, rows: int) -> None:
    glue_data(tmp_path, "cola", train=8, validation=rows)
    with pytest.raises(DataError, match=f"has {rows} rows; expected all 1043"):
        load.load(DataRequest(str(tmp_path)), tasks.TASKS["cola-ood"])


def test_tests_that_only_the_profile_wants_may_be_missing(tmp_path: Path) -> None:
    glue_data(tmp_path, "cola", train=8, validation=4)
    wanted = DataRequest(str(tmp_path), predict_test=True)
    assert set(load.load(wanted, tasks.TASKS["cola"]).splits) == {"train", "validation"}
    named = DataRequest(str(tmp_path), predict_test=True, needed=("test",))
    with pytest.raises(DataError, match=r"CoLA.test\.tsv: no .* leave --glue-predict-test out"):
        load.load(named, tasks.TASKS["cola"])


def test_what_is_needed_is_what_the_user_named() -> None:
    for settings, needed in (
        (Settings(profile="paper"), ()),
        (Settings(profile="paper", tasks=("ax",)), ("ax",)),
        (Settings(predict_test=True), ("test",)),
    ):
        assert plan.make(settings).data.needed == needed


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


@pytest.mark.parametrize("task", ["sst2", "mnli"])
@pytest.mark.parametrize("size", [None, 20])
def test_dev_rows_are_those_of_a_run(task: str, size: int | None) -> None:
    request, found = DataRequest("toy", max_eval=size), tasks.get(task)
    whole = load.load(request, found).splits
    assert load.dev_rows(request, found) == {name: whole[name] for name in found.evaluated}
