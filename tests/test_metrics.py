from __future__ import annotations

import math
import warnings
from statistics import fmean

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harness import metrics
from harness.catalog import tasks

COLA, MRPC, STSB, MNLI = (tasks.TASKS[name] for name in ("cola", "mrpc", "stsb", "mnli"))
classes = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=1, max_size=60)
scores = st.lists(
    st.tuples(st.integers(0, 25), st.integers(-10, 60)).map(lambda p: (p[0] / 5, p[1] / 10)),
    min_size=2,
    max_size=60,
)


@given(classes)
def test_binary_metrics_are_those_of_the_confusion_matrix(rows: list[tuple[int, int]]) -> None:
    labels, guesses = zip(*rows, strict=True)
    tp, tn, fp, fn = (rows.count(cell) for cell in ((1, 1), (0, 0), (0, 1), (1, 0)))
    found = metrics.evaluate(MRPC, labels, guesses)
    assert found["accuracy"] == pytest.approx((tp + tn) / len(rows), abs=1e-12)
    assert found["f1"] == pytest.approx(2 * tp / max(1, 2 * tp + fp + fn), abs=1e-12)
    spread = math.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
    expected = (tp * tn - fp * fn) / spread if spread else 0.0
    assert metrics.evaluate(COLA, labels, guesses) == {
        "matthews_correlation": pytest.approx(expected, abs=1e-12)
    }


@given(scores)
def test_correlations_are_numbers_whatever_comes_in(rows: list[tuple[float, float]]) -> None:
    labels, guesses = zip(*rows, strict=True)
    found = metrics.evaluate(STSB, labels, guesses)
    assert all(math.isfinite(value) and abs(value) <= 1 + 1e-12 for value in found.values())
    if metrics.is_constant(labels) or metrics.is_constant(guesses):
        assert set(found.values()) == {0.0}
    else:
        x, y = ([value - fmean(side) for value in side] for side in (labels, guesses))
        dot = sum(a * b for a, b in zip(x, y, strict=True))
        norms = math.sqrt(sum(a * a for a in x) * sum(b * b for b in y))
        assert found["pearson"] == pytest.approx(dot / norms, abs=1e-9)


several_classes = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=60)


@given(several_classes)
@example([(0, 0)])
@example([(0, 1), (0, 1)])
@example([(1, 1), (1, 1)])
@example([(2, 0), (0, 2)])
def test_classes_are_scored_as_by_scikit_learn(rows: list[tuple[int, int]]) -> None:
    from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

    labels, guesses = zip(*rows, strict=True)
    assert metrics.accuracy(labels, guesses) == accuracy_score(labels, guesses)
    with warnings.catch_warnings(action="ignore"):  # scikit-learn warns if there is one class
        assert metrics.matthews_correlation(labels, guesses) == matthews_corrcoef(labels, guesses)
    if max(map(max, rows)) <= 1:
        expected = f1_score(labels, guesses, pos_label=1, zero_division=0.0)
        assert metrics.f1(labels, guesses) == expected


widely = st.one_of(
    st.integers(-5, 5).map(float),
    st.floats(allow_nan=False, allow_infinity=False, width=32),
    st.floats(allow_nan=False, allow_infinity=False),
)


@given(st.lists(st.tuples(widely, widely), min_size=1, max_size=60))
@example([(0.0, 0.0)])
@example([(1.0, 2.0), (2.0, 1.0)])
@example([(1.0, 3.0), (1.0, 2.0), (1.0, 1.0)])
@example([(1.0, 0.1), (2.0, 0.1), (3.0, 0.1 + 2**-50)])
@example([(0.0, 5e-324), (5e-324, 0.0), (0.0, 0.0)])
@example([(1.7e308, 1.0), (-1.7e308, 2.0), (1.6e308, 3.0)])
def test_correlations_are_those_of_scipy(rows: list[tuple[float, float]]) -> None:
    compare_with_scipy(*zip(*rows, strict=True))


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf])
def test_correlations_of_what_is_no_number_are_those_of_scipy(odd: float) -> None:
    compare_with_scipy((1.0, 2.0, 3.0, 5.0), (2.0, odd, 1.0, 4.0))
    compare_with_scipy((odd, 2.0, 3.0, 5.0), (2.0, 2.5, 1.0, 4.0))


def test_correlations_of_many_rows_are_those_of_scipy() -> None:
    labels = [place * 7919 % 26 / 5 for place in range(20_000)]
    compare_with_scipy(labels, [label + math.sin(place) for place, label in enumerate(labels)])


def compare_with_scipy(labels: metrics.Labels, guesses: metrics.Labels) -> None:
    from scipy import stats

    found = metrics.pearson(labels, guesses), metrics.spearmanr(labels, guesses)
    expected = (0.0, 0.0)
    if not (metrics.is_constant(labels) or metrics.is_constant(guesses)):
        with warnings.catch_warnings(action="ignore"):  # such as: an input is nearly constant
            of_values, of_ranks = stats.pearsonr(labels, guesses), stats.spearmanr(labels, guesses)
        expected = float(of_values.statistic), float(of_ranks.statistic)
    assert found == pytest.approx(expected, rel=0, abs=0, nan_ok=True)


@pytest.mark.parametrize("constant", [0, 1])
def test_mcc_of_a_constant_is_zero(constant: int) -> None:
    labels = [0, 1, 1, 0]
    assert metrics.evaluate(COLA, labels, [constant] * 4) == {"matthews_correlation": 0.0}
    assert metrics.evaluate(COLA, [constant] * 4, labels) == {"matthews_correlation": 0.0}


def test_what_does_not_belong_together_is_refused() -> None:
    for labels, guesses in (([1], [1, 0]), ([], [])):
        with pytest.raises(ValueError, match="labels and"):
            metrics.evaluate(MRPC, labels, guesses)


def test_pairs_are_averaged_first_and_mnli_counts_once() -> None:
    pair = {"validation": {"accuracy": 0.8, "f1": 0.9}}
    assert metrics.score(pair) == pytest.approx(0.85)
    mnli = {"validation_matched": {"accuracy": 0.84}, "validation_mismatched": {"accuracy": 0.85}}
    assert metrics.score(mnli) == pytest.approx(0.845)


# The best constant predictor on the official dev sets, x 100, by hand from the class counts.
FLOORS = {
    "cola": 0.0, "sst2": 50.9174, "mrpc": (68.3824 + 81.2227) / 2, "qqp": (36.8167 + 53.8190) / 2,
    "mnli": (35.4457 + 35.2217) / 2, "qnli": 50.5400, "rte": 52.7076, "wnli": 56.3380,
}  # fmt: skip


@pytest.mark.parametrize("name", FLOORS)
def test_floors_of_the_official_dev_sets(name: str) -> None:
    task = tasks.TASKS[name]
    labels = {
        split: [label for label, count in enumerate(task.class_counts[split]) for _ in range(count)]
        for split in task.evaluated
    }
    assert 100 * metrics.floor(task, labels) == pytest.approx(FLOORS[name], abs=5e-5)


def test_regression_has_the_floor_zero() -> None:
    assert metrics.floor(STSB, {"validation": [0.0, 5.0]}) == 0.0
