"""GLUE's metrics as fractions, under Hugging Face's names, and how much one dev row moves each.

They are computed by scikit-learn and scipy, which the official GLUE metric script calls too. Both
are imported only when a score is computed, so that collecting benchmark cases stays quick.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

from harness.errors import UsageError
from harness.spec import Task
from harness.text.names import unknown

if TYPE_CHECKING:
    import numpy as np

Labels = Sequence[int] | Sequence[float]


def accuracy(labels: Labels, predictions: Labels) -> float:
    """The share of rows that are predicted correctly."""
    from sklearn.metrics import accuracy_score

    return float(accuracy_score(labels, predictions))


def f1(labels: Labels, predictions: Labels) -> float:
    """Binary F1 of class 1; 0.0 if class 1 neither occurs nor is predicted."""
    from sklearn.metrics import f1_score

    return float(f1_score(labels, predictions, pos_label=1, zero_division=0.0))


def matthews_correlation(labels: Labels, predictions: Labels) -> float:
    """Matthews correlation; 0.0 if labels or predictions are constant."""
    from sklearn.metrics import matthews_corrcoef

    return (
        0.0
        if is_constant(labels) or is_constant(predictions)
        else float(matthews_corrcoef(labels, predictions))
    )


def pearson(labels: Labels, predictions: Labels) -> float:
    """Pearson correlation; 0.0 if labels or predictions are constant, never NaN."""
    from scipy.stats import pearsonr

    return _correlation(lambda: pearsonr(labels, predictions).statistic, labels, predictions)


def spearmanr(labels: Labels, predictions: Labels) -> float:
    """Spearman rank correlation; 0.0 if labels or predictions are constant, never NaN."""
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
"""The smallest value of a metric; -1 for the others, which are correlations. The largest is 1."""


def is_constant(values: Labels) -> bool:
    """Whether all values are equal. A correlation is then undefined, and counts as 0.0."""
    return len(set(values)) <= 1


def evaluate(task: Task, labels: Labels, predictions: Labels) -> dict[str, float]:
    """Each of the task's metrics on one split, as fractions.

    Raises `ValueError` unless there are as many labels as predictions, `UsageError` for an unknown
    metric.
    """
    for name in task.metrics:
        if name not in METRICS:
            raise UsageError(f"task {task.name}: {unknown('metric', name, METRICS)}")
    if len(labels) != len(predictions) or not labels:
        raise ValueError(
            f"{len(labels)} labels and {len(predictions)} predictions: expected as many of both"
        )
    return {name: METRICS[name](labels, predictions) for name in task.metrics}


def score(by_split: Mapping[str, Mapping[str, float]]) -> float:
    """A task's score: the mean of its metrics on each split, then the mean over the splits.

    GLUE paper, section 3.4: MNLI matched and mismatched count as one task.
    """
    return fmean(fmean(metrics.values()) for metrics in by_split.values())


def floor(task: Task, by_split: Mapping[str, Labels]) -> float:
    """The score of the best constant predictor on these labels; 0.0 for a regression task."""
    if task.is_regression:
        return 0.0
    scores = []
    for constant in range(len(task.labels)):
        evaluated = {
            split: evaluate(task, labels, [constant] * len(labels))
            for split, labels in by_split.items()
        }
        scores.append(score(evaluated))
    return max(scores)


SCORE = "score"
ABOUT = {"accuracy": 1.0, "f1": 2.0, "matthews_correlation": 4.0}
"""About how much one row can change a metric, in 1/rows, if each class has at least a quarter.

A correlation of real numbers has no such step: a prediction can change by any small amount.
"""


def largest_steps(
    by_split: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    names: Sequence[str],
    classes: int,
) -> dict[str, float]:
    """The most that one changed prediction can change each metric, and their mean, `score`.

    `by_split` has labels and predictions of each dev set: numbers below `classes`, as many of both.
    A metric of several dev sets is the mean over them. Results are fractions. They are exact for
    `accuracy`, `f1` of class 1 and `matthews_correlation` of any number of classes. Metrics of
    other `names` have no steps and are left out.
    """
    import numpy as np

    names = [name for name in names if name in FROM_COUNTS]
    if not names:
        return {}
    most: dict[str, float] = {}
    for labels, predictions in by_split.values():
        changes = _changes(labels, predictions, names, classes)
        by_name = dict(zip(names, changes, strict=True)) | {SCORE: changes.mean(axis=0)}
        for name, change in by_name.items():
            most[name] = max(most.get(name, 0.0), float(np.abs(change).max()) / len(by_split))
    return most


def estimate_step(name: str, metrics: Iterable[str], rows: int, dev_sets: int) -> float:
    """About how much one row can change a metric, or the `score`, from the number of rows alone.

    `metrics` has the names of the task's metrics, `rows` is the size of its smallest dev set.
    """
    names = [*metrics] if name == SCORE else [name]
    if not rows or not names:
        return 0.0
    return sum(ABOUT.get(one, 0.0) for one in names) / len(names) / rows / dev_sets


@dataclass(frozen=True)
class _Counts:
    """What metrics are computed from: arrays with an entry for each possible change of one row."""

    rows: int
    right: np.ndarray
    true_positives: np.ndarray  # of class 1
    predicted_positives: np.ndarray
    positives: int
    chance: np.ndarray  # sum over classes of rows predicted so x rows labelled so
    predicted_squares: np.ndarray  # sum over classes of the square of the rows predicted so
    label_squares: int


def _accuracy(counts: _Counts) -> np.ndarray:
    return counts.right / counts.rows


def _f1(counts: _Counts) -> np.ndarray:
    both = counts.predicted_positives + counts.positives
    return 2 * counts.true_positives / both.clip(1)


def _matthews(counts: _Counts) -> np.ndarray:
    """Gorodkin, Computational Biology and Chemistry 28, 2004; 0 if one side is constant."""
    squared = float(counts.rows) ** 2
    spread = (squared - counts.predicted_squares) * (squared - counts.label_squares)
    above_chance = counts.right * float(counts.rows) - counts.chance
    return above_chance * (spread > 0) / spread.clip(1) ** 0.5


FROM_COUNTS: Mapping[str, Callable[[_Counts], np.ndarray]] = {
    "accuracy": _accuracy,
    "f1": _f1,
    "matthews_correlation": _matthews,
}


def _changes(
    labels: Sequence[float], predictions: Sequence[float], names: Sequence[str], classes: int
) -> np.ndarray:
    """How much each metric changes with each possible change of one prediction.

    Returns an array of (metrics, changes), in fractions; the first change is none.
    """
    import numpy as np

    confusion = np.zeros((classes, classes), dtype=np.int64)  # rows by label and prediction
    np.add.at(confusion, (np.asarray(labels, dtype=int), np.asarray(predictions, dtype=int)), 1)
    labelled, predicted, right = confusion.sum(1), confusion.sum(0), np.diag(confusion)
    gain, before, after = _possible_changes(confusion)
    label = np.where(gain < 0, before, np.where(gain > 0, after, -1))
    step = np.where(before == after, 0, 1)
    to_one = step * ((after == 1).astype(int) - (before == 1))
    counts = _Counts(
        rows=len(labels),
        right=right.sum() + gain,
        true_positives=confusion[1, 1] + to_one * (label == 1),
        predicted_positives=predicted[1] + to_one,
        positives=int(labelled[1]),
        chance=(labelled @ predicted + labelled[after] - labelled[before]).astype(float),
        predicted_squares=(
            predicted @ predicted + 2 * step * (predicted[after] - predicted[before] + 1)
        ).astype(float),
        label_squares=int(labelled @ labelled),
    )
    values = np.stack([FROM_COUNTS[name](counts) for name in names])
    return values - values[:, :1]


def _possible_changes(confusion: np.ndarray) -> np.ndarray:
    """All kinds of change of one prediction that the rows allow; the first one changes nothing.

    Returns an array of (3, changes): 1 if the row becomes right, -1 if it becomes wrong, otherwise
    0; the class predicted before; the class predicted after. `confusion` counts rows by label and
    prediction.
    """
    import numpy as np

    predicted, right = confusion.sum(0), np.diag(confusion)
    before, after = (axis.ravel() for axis in np.indices(confusion.shape))
    wrong_twice = predicted[before] - right[before] - confusion[after, before]
    kinds = [(-1, right[before] > 0), (1, confusion[after, before] > 0), (0, wrong_twice > 0)]
    parts = []
    for gain, exists in kinds:
        changes = np.flatnonzero(exists & (before != after))
        parts.append(np.stack([np.full(len(changes), gain), before[changes], after[changes]]))
    return np.concatenate([[[0], [0], [0]], *parts], axis=1)
