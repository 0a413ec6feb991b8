"""What one dev row is worth, against scikit-learn asked about every row and class."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from harness import metrics
from harness.compare.gate import row_resolution
from harness.compare.measures import MEASURES
from harness.records.schema import DataRecord, SplitRecord
from harness.spec import Case, DataRequest
from harness.training import runner
from tests.support.cell_runs import cell, of, run
from tests.support.configs import resolved

NAMES = ("accuracy", "f1", "matthews_correlation")


def by_brute_force(
    labels: list[int], predictions: list[int], names: tuple[str, ...], classes: int
) -> dict[str, float]:
    """Every row moved to every class."""

    def figures(predictions: list[int]) -> np.ndarray:
        return np.array([metrics.METRICS[name](labels, predictions) for name in names])

    before, most, score = figures(predictions), np.zeros(len(names)), 0.0
    for row in range(len(labels)):
        for other in range(classes):
            moved = [*predictions[:row], other, *predictions[row + 1 :]]
            change = figures(moved) - before
            most, score = np.maximum(most, abs(change)), max(score, abs(change.mean()))
    return {**dict(zip(names, most.tolist(), strict=True)), "score": score}


@st.composite
def split(draw: st.DrawFn) -> tuple[list[int], list[int], int]:
    classes = draw(st.integers(2, 4))
    numbers = st.integers(0, classes - 1)
    rows = draw(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=9))
    labels, predictions = (list(side) for side in zip(*rows, strict=True))
    return labels, predictions, classes


@pytest.mark.cases
@example(([0, 0, 0, 1], [0, 0, 0, 0], 2))  # constant: the correlation is 0, and no more after it
@example(([1, 1, 1], [1, 1, 1], 2))
@example(([0], [1], 2))
@settings(max_examples=40)
@given(split())
def test_the_largest_step_is_that_of_the_worst_row(
    drawn: tuple[list[int], list[int], int],
) -> None:
    labels, predictions, classes = drawn
    names = NAMES if classes == 2 else (NAMES[0], NAMES[2])
    found = metrics.largest_steps({"validation": (labels, predictions)}, names, classes)
    expected = by_brute_force(labels, predictions, names, classes)
    assert found == pytest.approx(expected, abs=1e-12)


def test_of_several_dev_sets_a_row_moves_its_own_share_of_the_mean() -> None:
    sides = {"matched": ([0, 1, 2, 0], [0, 1, 1, 0]), "mismatched": ([0, 1], [0, 1])}
    found = metrics.largest_steps(sides, ("accuracy",), 3)
    assert found == pytest.approx({"accuracy": 0.25, "score": 0.25})  # of 2 rows, and 2 dev sets


def test_a_correlation_of_real_numbers_has_no_steps() -> None:
    assert metrics.largest_steps({"validation": ([1, 2], [2, 1])}, ("pearson",), 1) == {}
    assert metrics.estimate_step("score", ("pearson", "spearmanr"), 1_500, 1) == 0.0


@pytest.mark.cases
def test_a_row_of_colas_dev_set_is_worth_a_quarter_of_a_point() -> None:
    labels = [1] * 721 + [0] * 322  # as GLUE's own has them
    random = np.random.default_rng(0)
    is_wrong = random.random(1_043) < 0.18
    predictions = [label ^ int(wrong) for label, wrong in zip(labels, is_wrong, strict=True)]
    found = metrics.largest_steps({"validation": (labels, predictions)}, NAMES[2:], 2)
    assert 0.0024 < found["score"] < 0.0030
    assert found["score"] < metrics.estimate_step("score", NAMES[2:], 1_043, 1) < 0.004


@given(st.integers(25, 75), st.integers(0, 10))
def test_the_estimate_is_about_what_a_useful_model_gives(ones: int, wrong: int) -> None:
    labels = [1] * ones + [0] * (100 - ones)
    predictions = [0] * wrong + [1] * ones + [0] * (100 - ones - wrong)
    found = metrics.largest_steps({"validation": (labels, predictions)}, NAMES, 2)
    for name in ("accuracy", "f1", "matthews_correlation"):
        assert 0.3 < found[name] / metrics.estimate_step(name, NAMES, 100, 1) < 1.5


def data(rows: int) -> DataRecord:
    split = SplitRecord(rows=rows, rows_in_source=rows, dropped=0, sha256="0" * 64, official=True)
    return DataRecord(splits={"train": split, "validation": split}, truncated_rows={})


def test_a_recorded_step_stands_before_an_estimate_and_the_larger_of_two_sides() -> None:
    score = MEASURES["score"]
    old = run(1, data=data(100), **of("matthews_correlation", 0.5))
    new = old.model_copy(update={"one_row": {"matthews_correlation": 0.03, "score": 0.03}})
    finer = old.model_copy(update={"one_row": {"matthews_correlation": 0.02, "score": 0.02}})
    assert row_resolution(score, cell([old])) == pytest.approx(0.04)
    assert row_resolution(score, cell([new])) == 0.03
    assert row_resolution(score, cell([finer]), cell([new])) == 0.03
    assert row_resolution(MEASURES["accuracy"], cell([new])) == 0.0
    assert row_resolution(
        score, cell([run(1, data=data(100), **of("score", 0.5))])
    ) == pytest.approx(0.01)


@pytest.mark.parametrize("task", ["cola", "stsb"])
def test_a_run_records_what_its_dev_rows_are_worth(task: str) -> None:
    case = Case(task, "toy-bert+frozen", "cpu-fp32", 1)
    outcome, table = runner.run(resolved(case, DataRequest("toy", 16, 20), threads=1, epochs=1))
    assert table
    if task == "stsb":
        assert outcome.one_row == {}
        return
    rows = [split == "validation" for split in table["split"]]
    labels, predictions = (
        [value for value, is_dev in zip(table[column], rows, strict=True) if is_dev]
        for column in ("label", "prediction")
    )
    expected = by_brute_force(labels, predictions, ("matthews_correlation",), 2)
    assert outcome.one_row == pytest.approx(expected)
