"""Flags: what to know about a run that did end."""

from __future__ import annotations

from collections.abc import Mapping

from harness.metrics import Labels, is_constant

FLAGS = {
    "collapsed": "predicts one class, or one value, for every row",
    "at_floor": "scores no better than the best constant predictor",
    "subset": "rows are not all of their source's own: a part of them, or changed",
    "contaminated": "the model's pretraining saw this task's texts",
    "shared_cores": "ran beside other runs: its times are not comparable",
}


def of_run(
    *,
    score: float,
    floor: float,
    predictions: Mapping[str, Labels],
    contaminated: bool,
    subset: bool,
    jobs: int,
) -> tuple[str, ...]:
    """The flags of a run, in the order of `FLAGS`."""
    found = {
        "collapsed": any(is_constant(values) for values in predictions.values()),
        "at_floor": score <= floor,
        "subset": subset,
        "contaminated": contaminated,
        "shared_cores": jobs > 1,
    }
    return tuple(flag for flag in FLAGS if found[flag])
