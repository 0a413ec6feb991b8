from __future__ import annotations

import pytest

from harness import metrics
from harness.catalog import tasks
from harness.errors import UsageError
from harness.spec import Split


def test_every_row_is_whole() -> None:
    assert {*tasks.GLUE_9, "ax", "cola-ood"} <= set(tasks.TASKS)
    for task in tasks.TASKS.values():
        assert set(task.metrics) <= set(metrics.METRICS)
        assert len(task.text_columns) in (1, 2)
        assert set(task.class_counts) <= set(task.rows)
        assert {*task.evaluated, *task.predicted} <= set(task.rows)
        assert task.is_regression == (task.label_range is not None)
        for split, counts in task.class_counts.items():
            assert sum(counts) == task.rows[split]
            assert len(counts) == len(task.labels)


def test_label_orders_are_those_of_the_hub() -> None:
    assert tasks.TASKS["rte"].labels == ("entailment", "not_entailment")
    assert tasks.TASKS["wnli"].labels == tuple(reversed(tasks.TASKS["rte"].labels))
    assert tasks.TASKS["mnli"].labels == ("entailment", "neutral", "contradiction")


def test_mnli_keeps_both_dev_sets_and_ax_is_part_of_it() -> None:
    assert tasks.TASKS["mnli"].evaluated == ("validation_matched", "validation_mismatched")
    assert tasks.TASKS["ax"].part_of == "mnli"


@pytest.mark.parametrize("name", ["SST-2", "sst2", " sst-2 "])
def test_common_spellings(name: str) -> None:
    assert tasks.get(name).name == "sst2"


def test_an_unknown_name_is_told_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"unknown task 'ret'\. Did you mean 'rte'"):
        tasks.get("ret")


def test_mccormicks_rows_are_the_second_half_of_colas_dev_set() -> None:
    ood = tasks.TASKS["cola-ood"]
    start, stop = ood.only["validation"]
    assert (ood.source, stop - start, stop) == ("cola", 516, tasks.TASKS["cola"].rows["validation"])


def test_qqps_older_training_set_counts_as_official() -> None:
    qqp = tasks.TASKS["qqp"]
    for rows, own in ((363_849, True), (363_846, False), (363_848, False)):
        found = Split([("a", "b")] * rows, [0] * rows, range(rows))
        assert all(tasks.agreement(qqp, "train", found).values()) is own  # all of one class
