"""Which flags a run has, and the faults that make a run fail although it ended.

A flag is a fact beside a score (`records.flags` says what each means). A fault means that the score
is not valid: figures of the run contradict each other, or the order of the labels in the data is
not that of the model.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from statistics import fmean, pvariance

from harness import metrics
from harness.metrics import Labels, is_constant
from harness.records.flags import FLAGS
from harness.records.schema import Observed, Timing
from harness.spec import Task

FAR_HIGHER = 0.2  # accuracy that another order of the labels must gain to be suspected
FAR_NEGATIVE = -0.5  # a Pearson correlation that does not come about by chance
MOST_SKIPPED = 0.05  # share of updates that fp16 may skip once its scale has settled
MOST_DRIFT = 1.25  # ratio of the calibration times before and after training
LEARNED = 0.7  # ratio of the final training loss to the best loss of a constant prediction
LEAST_FALL = 0.99  # ratio of the final training loss to the first
FEW_ROWS = 40  # so few that chance alone may give most of them another label
FEW_IN_A_QUARTER = 4  # steps in a quarter of a run, too few to see whether the loss fell
ROUNDING = 1e-6  # relative


@dataclass(frozen=True)
class Evidence:
    """What was planned for a run, what was observed, and its results.

    `labels` and `predictions` hold the scored splits. `rows` and `predicted_rows` hold, for every
    predicted split, the row numbers of the split and those of its predictions.
    """

    task: Task
    target_arithmetic: str  # the dtype that the target has for matrix products
    epochs: int
    score: float
    floor: float
    metrics: Mapping[str, Mapping[str, float]]
    labels: Mapping[str, Labels]
    predictions: Mapping[str, Labels]
    rows: Mapping[str, Sequence[int]]
    predicted_rows: Mapping[str, Sequence[int]]
    losses: Sequence[float]  # of each step
    timing: Timing
    observed: Observed
    parameter_dtypes: frozenset[str]
    unchanged: Sequence[str] = field(default=())  # tensors of the head that training did not change
    contaminated: bool = False
    warm_start: bool = False
    subset: bool = False
    train_overlap: bool = False
    missing_labels: bool = False  # among the training rows
    degraded: bool = False  # computed in smaller parts than the recipe's
    jobs: int = 1


def _collapsed(run: Evidence) -> bool:
    return any(is_constant(values) for values in run.predictions.values())


def _is_flat(run: Evidence) -> bool:
    part = len(run.losses) // 4
    if part < FEW_IN_A_QUARTER:
        return False
    return fmean(run.losses[-part:]) > LEAST_FALL * fmean(run.losses[:part])


def _is_unstable(run: Evidence) -> bool:
    return run.observed.skipped_late > MOST_SKIPPED * run.observed.steps_planned


def _is_noisy(run: Evidence) -> bool:
    times = run.observed.calibration_s
    return times is not None and max(times) > MOST_DRIFT * min(times)


HAS_FLAG: dict[str, Callable[[Evidence], bool]] = {
    "collapsed": _collapsed,
    "at_floor": lambda run: run.score <= run.floor,
    "flat_loss": _is_flat,
    "unstable": _is_unstable,
    "degraded": lambda run: run.degraded,
    "noisy": _is_noisy,
    "subset": lambda run: run.subset,
    "train_overlap": lambda run: run.train_overlap,
    "missing_labels": lambda run: run.missing_labels,
    "contaminated": lambda run: run.contaminated,
    "warm_start": lambda run: run.warm_start,
    "shared_cores": lambda run: run.jobs > 1,
}
"""When a run has a flag. Flags that are missing here belong to cells, not to runs."""


def of_run(run: Evidence) -> tuple[str, ...]:
    """The flags of a run, in the order of `FLAGS`."""
    return tuple(name for name in FLAGS if name in HAS_FLAG and HAS_FLAG[name](run))


def fault(run: Evidence) -> str | None:
    """Why a run that ended has no valid score: its first fault, with advice; None without any."""
    return next(chain.from_iterable(check(run) for check in FAULTS), None)


def _label_order(run: Evidence) -> Iterator[str]:
    """If labels are permuted between model and data, a good model scores worse than chance.

    A run that learned little, a split of few rows and an adversarial dev set can score so without
    any fault: they are not judged.
    """
    end = fmean(run.losses[-max(1, len(run.losses) // 4) :])
    for name, labels in run.labels.items():
        if len(labels) < FEW_ROWS or run.task.is_adversarial:
            continue
        if end > LEARNED * _loss_of_a_constant(run.task, labels):
            continue
        if run.task.is_regression:
            correlation = metrics.pearson(labels, run.predictions[name])
            if correlation <= FAR_NEGATIVE:
                yield (
                    f"{name}: predictions fall where the labels rise (Pearson {correlation:.2f}). "
                    "Fix: look for a wrong sign in the data or in the model"
                )
            continue
        accuracy, best, order = _best_order(run.task, labels, run.predictions[name])
        wrong_at_floor = 1 - max(labels.count(label) for label in set(labels)) / len(labels)
        if best - accuracy >= FAR_HIGHER and 1 - best <= wrong_at_floor / 2:
            permuted = ", ".join(order)
            yield (
                f"{name}: accuracy is {100 * accuracy:.1f}, and would be {100 * best:.1f} if the "
                f"labels {', '.join(run.task.labels)} meant {permuted}. Fix: compare the order of "
                "the labels in the data with the model's id2label"
            )


def _loss_of_a_constant(task: Task, labels: Labels) -> float:
    """The least loss of one prediction for all rows: the labels' variance, or their entropy."""
    if task.is_regression:
        return pvariance(labels)
    shares = [labels.count(label) / len(labels) for label in set(labels)]
    return -sum(share * math.log(share) for share in shares)


def _best_order(task: Task, labels: Labels, predictions: Labels) -> tuple[float, float, list[str]]:
    """The accuracy, the accuracy under the best permutation of classes, and that permutation."""
    import numpy as np
    from scipy.optimize import linear_sum_assignment

    counts = np.zeros((task.outputs, task.outputs), dtype=int)
    np.add.at(counts, (np.asarray(predictions), np.asarray(labels)), 1)
    predicted, meant = linear_sum_assignment(counts, maximize=True)
    best = counts[predicted, meant].sum() / len(labels)
    return counts.trace() / len(labels), float(best), [task.labels[label] for label in meant]


def _updates(run: Evidence) -> Iterator[str]:
    seen, planned = run.observed, run.observed.steps_planned
    done = seen.updates + seen.skipped_updates
    if not len(run.losses) == done == planned:
        yield (
            f"{planned} steps were planned, {len(run.losses)} computed, and the optimizer made "
            f"{seen.updates} updates and skipped {seen.skipped_updates}: steps planned, steps "
            "computed, and updates made or skipped must be equal"
        )


def _examples(run: Evidence) -> Iterator[str]:
    seen, planned = run.timing.examples, run.observed.examples_planned
    if seen != planned:
        yield f"{planned} examples were planned, and {seen} were trained on: they must be equal"


def _speed(run: Evidence) -> Iterator[str]:
    timing = run.timing
    product = timing.examples_per_s * timing.train_s
    if abs(product - timing.examples) > ROUNDING * timing.examples:
        yield (
            f"{timing.examples_per_s:g} examples/s in {timing.train_s:g} s are {product:g} "
            f"examples, but there were {timing.examples}"
        )
    if len(timing.epoch_s) != run.epochs:
        yield f"{run.epochs} epochs were planned, and {len(timing.epoch_s)} were timed"
    if abs(sum(timing.epoch_s) - timing.train_s) > ROUNDING * timing.train_s:
        yield f"epochs took {sum(timing.epoch_s):g} s, but training took {timing.train_s:g} s"


def _one_prediction_a_row(run: Evidence) -> Iterator[str]:
    for name, rows in run.rows.items():
        predicted = run.predicted_rows.get(name, ())
        if sorted(predicted) != sorted(rows):
            missing, foreign = len({*rows} - {*predicted}), len({*predicted} - {*rows})
            yield (
                f"{name}: {len(predicted)} predictions for {len(rows)} rows; {missing} rows have "
                f"none, and {foreign} are for rows that do not exist: expected one for each row"
            )


def _scores(run: Evidence) -> Iterator[str]:
    for name, labels in run.labels.items():
        recomputed = metrics.evaluate(run.task, labels, run.predictions[name])
        if recomputed != run.metrics[name]:
            yield f"{name}: metrics {dict(run.metrics[name])}, but predictions give {recomputed}"
    if run.score != metrics.score(run.metrics):
        yield f"the score is {run.score}, but its metrics give {metrics.score(run.metrics)}"


def _head(run: Evidence) -> Iterator[str]:
    if run.unchanged and run.observed.updates > 1:  # the first may have a learning rate of 0
        yield (
            f"training did not change {', '.join(run.unchanged)}. Fix: see that the optimizer has "
            "it, and that it requires a gradient"
        )


def _dtypes(run: Evidence) -> Iterator[str]:
    if run.parameter_dtypes != {"float32"}:
        yield f"parameters are {', '.join(sorted(run.parameter_dtypes))}; expected float32"
    seen = run.observed.arithmetic
    if seen and seen != run.target_arithmetic:
        yield f"matrix products were {seen}; the target expects {run.target_arithmetic}"


FAULTS: tuple[Callable[[Evidence], Iterator[str]], ...] = (
    _updates,
    _examples,
    _speed,
    _one_prediction_a_row,
    _scores,
    _head,
    _dtypes,
    _label_order,
)
