"""GLUE's metrics, under Hugging Face's names, as fractions; and how much one dev row moves each.

They are scikit-learn's and scipy's, which is what the official GLUE metric script calls. Both are
imported when a score is computed: collecting benchmark cases must stay quick.
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


SCORE = "score"
ABOUT = {"accuracy": 1.0, "f1": 2.0, "matthews_correlation": 4.0}
"""About the most that a row is worth, in 1/rows, if each class has a quarter of them or more.

A correlation of real numbers has no steps: a prediction can move as little as it likes.
"""


def largest_steps(
    by_split: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    names: Sequence[str],
    classes: int,
) -> dict[str, float]:
    """The most that another prediction for one row changes each figure, and their mean, `score`.

    `by_split` holds labels and predictions of each dev set: numbers below `classes`, of as many
    rows. A figure of several dev sets is the mean over them. Exact for `accuracy`, `f1` of class 1
    and `matthews_correlation` of any number of classes; figures of other `names` have no steps,
    and are left out.
    """
    import numpy as np

    names = [name for name in names if name in FIGURES]
    if not names:
        return {}
    most: dict[str, float] = {}
    for labels, predictions in by_split.values():
        changes = _changes(labels, predictions, names, classes)
        found = dict(zip(names, changes, strict=True)) | {SCORE: changes.mean(axis=0)}
        for name, change in found.items():
            most[name] = max(most.get(name, 0.0), float(np.abs(change).max()) / len(by_split))
    return most


def estimated(name: str, metrics: Iterable[str], rows: int, dev_sets: int) -> float:
    """The worth of a row where its labels and predictions are not known: by `ABOUT`.

    `metrics` are those of the task, `rows` those of its smallest dev set.
    """
    names = [*metrics] if name == SCORE else [name]
    if not rows or not names:
        return 0.0
    return sum(ABOUT.get(one, 0.0) for one in names) / len(names) / rows / dev_sets


@dataclass(frozen=True)
class _Counts:
    """What a figure is worked out from, after each of many moves: arrays of one shape."""

    rows: int
    right: np.ndarray
    true_positives: np.ndarray  # of class 1
    predicted_positives: np.ndarray
    positives: int
    chance: np.ndarray  # sum over classes of rows predicted as it x rows labelled so
    predicted_squares: np.ndarray  # sum over classes of the squared rows predicted as it
    label_squares: int


def _accuracy(found: _Counts) -> np.ndarray:
    return found.right / found.rows


def _f1(found: _Counts) -> np.ndarray:
    whole = found.predicted_positives + found.positives
    return 2 * found.true_positives / whole.clip(1)


def _matthews(found: _Counts) -> np.ndarray:
    """Gorodkin, Computational Biology and Chemistry 28, 2004; 0 where either is constant."""
    squared = float(found.rows) ** 2
    spread = (squared - found.predicted_squares) * (squared - found.label_squares)
    above_chance = found.right * float(found.rows) - found.chance
    return above_chance * (spread > 0) / spread.clip(1) ** 0.5


FIGURES: Mapping[str, Callable[[_Counts], np.ndarray]] = {
    "accuracy": _accuracy, "f1": _f1, "matthews_correlation": _matthews,
}  # fmt: skip


def _changes(
    labels: Sequence[float], predictions: Sequence[float], names: Sequence[str], classes: int
) -> np.ndarray:
    """By how much each figure (a row each) changes with every move that some dev row can make."""
    import numpy as np

    held = np.zeros((classes, classes), dtype=np.int64)  # rows by label and prediction
    np.add.at(held, (np.asarray(labels, dtype=int), np.asarray(predictions, dtype=int)), 1)
    labelled, predicted, right = held.sum(1), held.sum(0), np.diag(held)
    before, after = (axis.ravel() for axis in np.indices((classes, classes)))
    other = predicted[before] - right[before] - held[after, before]
    # A row that was right, one that gets right, and one that is wrong before and after.
    kinds = [(-1, right[before] > 0), (1, held[after, before] > 0), (0, other > 0)]
    parts = []
    for gain, exists in kinds:
        moves = np.flatnonzero(exists & (before != after))
        parts.append(np.stack([np.full(len(moves), gain), before[moves], after[moves]]))
    gain, before, after = np.concatenate([[[0], [0], [0]], *parts], axis=1)  # the first: no move
    label = np.where(gain < 0, before, np.where(gain > 0, after, -1))
    step = np.where(before == after, 0, 1)
    to_one = step * ((after == 1).astype(int) - (before == 1))
    counts = _Counts(
        rows=len(labels),
        right=right.sum() + gain,
        true_positives=held[1, 1] + to_one * (label == 1),
        predicted_positives=predicted[1] + to_one,
        positives=int(labelled[1]),
        chance=(labelled @ predicted + labelled[after] - labelled[before]).astype(float),
        predicted_squares=(
            predicted @ predicted + 2 * step * (predicted[after] - predicted[before] + 1)
        ).astype(float),
        label_squares=int(labelled @ labelled),
    )
    figures = np.stack([FIGURES[name](counts) for name in names])
    return figures - figures[:, :1]
