"""GLUE's metrics, under Hugging Face's names, as fractions.

They are scikit-learn's and scipy's, which is what the official GLUE metric script calls. Both are
imported when a score is computed: collecting benchmark cases must stay quick.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import fmean

from harness.errors import UsageError
from harness.spec import Task
from harness.text.names import unknown

Labels = Sequence[int] | Sequence[float]


def accuracy(labels: Labels, predictions: Labels) -> float:
    """Share of rows that are right."""
    from sklearn.metrics import accuracy_score

    return float(accuracy_score(labels, predictions))


def f1(labels: Labels, predictions: Labels) -> float:
    """Binary F1 of class 1; 0.0 where class 1 neither occurs nor is predicted."""
    from sklearn.metrics import f1_score

    return float(f1_score(labels, predictions, pos_label=1, zero_division=0.0))


def matthews_correlation(labels: Labels, predictions: Labels) -> float:
    """Matthews correlation; 0.0 where labels or predictions are constant."""
    from sklearn.metrics import matthews_corrcoef

    return (
        0.0
        if is_constant(labels) or is_constant(predictions)
        else float(matthews_corrcoef(labels, predictions))
    )


def pearson(labels: Labels, predictions: Labels) -> float:
    """Pearson correlation; 0.0 where labels or predictions are constant, never NaN."""
    from scipy.stats import pearsonr

    return _correlation(lambda: pearsonr(labels, predictions).statistic, labels, predictions)


def spearmanr(labels: Labels, predictions: Labels) -> float:
    """Spearman rank correlation; 0.0 where labels or predictions are constant, never NaN."""
    from scipy import stats

    return _correlation(lambda: stats.spearmanr(labels, predictions).statistic, labels, predictions)


def _correlation(compute: Callable[[], float], labels: Labels, predictions: Labels) -> float:
    if is_constant(labels) or is_constant(predictions):
        return 0.0
    return float(compute())


METRICS: dict[str, Callable[[Labels, Labels], float]] = {
    function.__name__: function
    for function in (accuracy, f1, matthews_correlation, pearson, spearmanr)
}

LEAST: Mapping[str, float] = {"accuracy": 0.0, "f1": 0.0}
"""The least that a metric can be; of the others, which are correlations, -1. The most is 1."""


def is_constant(values: Labels) -> bool:
    """Whether all values are the same: then a correlation is undefined and counted as 0.0."""
    return len(set(values)) <= 1


def evaluate(task: Task, labels: Labels, predictions: Labels) -> dict[str, float]:
    """Each of the task's metrics on one split.

    Raises `ValueError` where the two do not belong together, `UsageError` for a metric that there
    is not.
    """
    for name in task.metrics:
        if name not in METRICS:
            raise UsageError(f"task {task.name}: {unknown('metric', name, METRICS)}")
    if len(labels) != len(predictions) or not labels:
        raise ValueError(
            f"{len(labels)} labels and {len(predictions)} predictions: expected as many"
        )
    return {name: METRICS[name](labels, predictions) for name in task.metrics}


def score(by_split: Mapping[str, Mapping[str, float]]) -> float:
    """A task's one number: its metrics averaged on each split, then the splits averaged.

    GLUE paper, section 3.4: MNLI matched and mismatched count as one task.
    """
    return fmean(fmean(metrics.values()) for metrics in by_split.values())


def floor(task: Task, by_split: Mapping[str, Labels]) -> float:
    """The score of the best constant predictor on these labels; 0.0 for a regression task."""
    if task.is_regression:
        return 0.0
    return max(
        score({
            split: evaluate(task, labels, [constant] * len(labels))
            for split, labels in by_split.items()
        })
        for constant in range(len(task.labels))
    )  # fmt: skip
