"""GLUE's metrics as fractions, under Hugging Face's names, and how much one dev row moves each.

The official GLUE metric script calls scikit-learn and scipy. These functions return the same
values, to the last bit, which `tests/test_metrics.py` checks; a worker need not import the two,
which takes about a second.
"""

from __future__ import annotations

import math
from collections import Counter
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
    return _count_right(labels, predictions) / len(labels)


def f1(labels: Labels, predictions: Labels) -> float:
    """Binary F1 of class 1; 0.0 if class 1 neither occurs nor is predicted."""
    positives, predicted = (sum(value == 1 for value in side) for side in (labels, predictions))
    found = sum(a == b == 1 for a, b in zip(labels, predictions, strict=True))
    return 2 * found / (positives + predicted) if positives + predicted else 0.0


def matthews_correlation(labels: Labels, predictions: Labels) -> float:
    """Matthews correlation; 0.0 if labels or predictions are constant.

    Of any number of classes: Gorodkin, Computational Biology and Chemistry 28, 2004.
    """
    labelled, predicted, squared = Counter(labels), Counter(predictions), len(labels) ** 2
    chance = sum(count * predicted[label] for label, count in labelled.items())
    above_chance = _count_right(labels, predictions) * len(labels) - chance
    spread = math.prod(
        squared - sum(count**2 for count in side.values()) for side in (labelled, predicted)
    )
    return above_chance / math.sqrt(spread) if spread else 0.0


def pearson(labels: Labels, predictions: Labels) -> float:
    """Pearson correlation; 0.0 if labels or predictions are constant.

    NaN only if a value is NaN or infinite, or a sum overflows. scipy computes it in these steps
    too, so the result is the same to the last bit.
    """
    import numpy as np

    if is_constant(labels) or is_constant(predictions):
        return 0.0
    x, y = (_standardized(np.asarray(side, dtype=float)) for side in (labels, predictions))
    value = float(np.clip(np.vecdot(x, y), -1, 1))
    return float(np.round(value)) if len(labels) == 2 else value


def spearmanr(labels: Labels, predictions: Labels) -> float:
    """Spearman rank correlation; 0.0 if labels or predictions are constant, NaN if a value is."""
    import numpy as np

    if is_constant(labels) or is_constant(predictions):
        return 0.0
    sides = [np.asarray(side, dtype=float) for side in (labels, predictions)]
    if any(np.isnan(side).any() for side in sides):
        return math.nan
    x, y = map(_ranks, sides)
    return float(np.corrcoef(x, y)[1, 0])


def _count_right(labels: Labels, predictions: Labels) -> int:
    return sum(a == b for a, b in zip(labels, predictions, strict=True))


def _standardized(values: np.ndarray) -> np.ndarray:
    """Values with the mean 0 and the norm 1; their squares do not overflow."""
    import numpy as np

    with np.errstate(all="ignore"):  # where a sum overflows, values are NaN
        values = values - values.mean()
        largest = np.abs(values).max()
        return values / (largest * np.linalg.norm(values / largest, axis=-1))


def _ranks(values: np.ndarray) -> np.ndarray:
    """The rank of each value, from 1 on; equal values have the mean of their ranks."""
    import numpy as np

    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (counts.cumsum() - (counts - 1) / 2)[places]


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
