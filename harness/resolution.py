"""How much of a score hangs on one dev row: a figure of few rows moves in steps, and seeds that
agree to a step say nothing of how far apart they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

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
