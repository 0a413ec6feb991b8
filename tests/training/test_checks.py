"""Flags and faults of a run: each by one thing that is not as it should be."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import metrics
from harness.catalog import tasks
from harness.records.cells import cells
from harness.records.flags import FLAGS
from harness.spec import Case
from harness.training import checks
from harness.training.checks import Evidence
from tests.support.builders import observed, outcome, record

LABELS = [0, 1] * 50
RIGHT = [label if row % 10 else 1 - label for row, label in enumerate(LABELS)]  # nine of ten
MNLI = [0, 1, 2] * 30


def healthy(
    task: str = "sst2", labels: Any = LABELS, predicted: Any = RIGHT, **changed: Any
) -> Any:
    """What is known of a run in which all is well."""
    row = tasks.get(task)
    found = {"validation": metrics.evaluate(row, labels, predicted)}
    timing = outcome().timing
    assert timing is not None
    ids = range(len(labels))
    values: dict[str, Any] = {
        "task": row,
        "target_arithmetic": "float32",
        "epochs": 2,
        "score": metrics.score(found),
        "floor": metrics.floor(row, {"validation": labels}),
        "metrics": found,
        "labels": {"validation": labels},
        "predictions": {"validation": predicted},
        "rows": {"validation": ids},
        "predicted_rows": {"validation": ids},
        "losses": [1.0 - step / 25 for step in range(20)],
        "timing": timing,
        "observed": observed(),
        "parameter_dtypes": frozenset({"float32"}),
    }
    return Evidence(**values | changed)


def seen(**changed: Any) -> Any:
    return observed().model_copy(update=changed)


def timed(**changed: Any) -> Any:
    return outcome().timing.model_copy(update=changed)


@pytest.mark.parametrize("task", ["sst2", "cola", "mrpc", "qqp", "rte", "mnli", "stsb"])
def test_a_healthy_run_has_neither_flag_nor_fault(task: str) -> None:
    labels = {"mnli": MNLI, "stsb": [0.1 * row for row in range(50)]}.get(task, LABELS)
    predicted = {"mnli": [0, *MNLI[1:]], "stsb": labels[::-1][::-1]}.get(task, RIGHT)
    run = healthy(task, labels, predicted)
    assert checks.of_run(run) == ()
    assert checks.fault(run) is None


FLAGGED: dict[str, dict[str, Any]] = {
    "collapsed": {"predictions": {"validation": [1] * 100}},
    "at_floor": {"score": 0.5},
    "flat_loss": {"losses": [0.7] * 20},
    "unstable": {"observed": seen(skipped_updates=3, skipped_late=2, updates=17)},
    "degraded": {"degraded": True},
    "noisy": {"observed": seen(calibration_s=(0.010, 0.013))},
    "subset": {"subset": True},
    "train_overlap": {"train_overlap": True},
    "missing_labels": {"missing_labels": True},
    "contaminated": {"contaminated": True},
    "warm_start": {"warm_start": True},
    "shared_cores": {"jobs": 2},
}


@pytest.mark.parametrize("name", FLAGGED)
def test_each_flag_by_its_own_cause(name: str) -> None:
    assert checks.of_run(healthy(**FLAGGED[name])) == (name,)


def test_every_flag_of_a_run_is_tried() -> None:
    assert set(FLAGGED) | {"same_seed"} == set(FLAGS)


FAULTY: dict[str, tuple[dict[str, Any], str]] = {
    "a step without an update": ({"observed": seen(updates=15)}, "made 15 updates"),
    "a step that was not computed": ({"losses": [0.7, 0.6]}, "20 steps were planned, 2 computed"),
    "a batch left out": ({"timing": timed(examples=608, examples_per_s=608 / 3)},
                         "640 examples were planned, and 608 were trained on"),
    "speed by another formula": ({"timing": timed(examples_per_s=300.0)}, "are 900 examples"),
    "an epoch without its time": ({"timing": timed(epoch_s=[3.0])}, "2 epochs were planned"),
    "epochs that do not add up": ({"timing": timed(epoch_s=[1.0, 1.0])}, "training took 3 s"),
    "a row without a prediction": ({"predicted_rows": {"validation": range(99)}},
                                   "99 predictions for 100 rows; 1 rows have none"),
    "a row predicted twice": ({"predicted_rows": {"validation": [0, *range(99)]}},
                              "100 predictions for 100 rows; 1 rows have none"),
    "no predictions of a split": ({"rows": {"test": range(3)}}, "test: 0 predictions for 3"),
    "metrics of other predictions": ({"predictions": {"validation": RIGHT[::-1]}},
                                     "but predictions give"),
    "a score of other metrics": ({"score": 0.99}, "the score is 0.99"),
    "a head that does not learn": ({"unchanged": ["classifier.weight"]},
                                   "did not change classifier.weight"),
    "half precision": ({"parameter_dtypes": frozenset({"float16"})}, "parameters are float16"),
    "no autocast": ({"target_arithmetic": "bfloat16"}, "products were float32"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTY)
def test_each_fault_by_its_own_cause(name: str) -> None:
    changed, words = FAULTY[name]
    found = checks.fault(healthy(**changed))
    assert found is not None
    assert words in found


@pytest.mark.parametrize("order", [(1, 2, 0), (2, 0, 1), (0, 2, 1), (1, 0, 2), (2, 1, 0)])
def test_labels_in_another_order_are_found(order: tuple[int, ...]) -> None:
    predicted = [order[label] for label in [0, *MNLI[1:]]]
    found = checks.fault(healthy("mnli", MNLI, predicted))
    assert found is not None
    assert "would be 100.0" in found
    meant = [tasks.get("mnli").labels[order.index(place)] for place in range(3)]
    assert f"meant {', '.join(meant)}. Fix:" in found


def test_a_turned_score_is_found() -> None:
    scores = [0.1 * row for row in range(50)]
    found = checks.fault(healthy("stsb", scores, scores[::-1]))
    assert found is not None
    assert "Pearson -1.00" in found


@pytest.mark.parametrize("task", ["sst2", "stsb"])
def test_a_head_that_was_hardly_trained_may_be_worse_than_chance(task: str) -> None:
    labels = [0.1 * row for row in range(50)] if task == "stsb" else LABELS
    turned = labels[::-1] if task == "stsb" else [1 - label for label in LABELS]
    assert checks.fault(healthy(task, labels, turned)) is not None
    assert checks.fault(healthy(task, labels, turned, losses=[2.1] * 20)) is None


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=40, max_size=200))
def test_chance_is_no_other_order(pairs: list[tuple[int, int]]) -> None:
    """Fires only where renaming makes less than half the errors of the best constant."""
    labels, predicted = [a for a, _ in pairs], [b for _, b in pairs]
    found = checks.fault(healthy("rte", labels, predicted))
    wrong = sum(a == b for a, b in pairs) / len(pairs)  # after renaming
    floor = min(sum(labels), len(labels) - sum(labels)) / len(labels)
    assert (found is not None) == (wrong <= floor / 2 and 1 - 2 * wrong >= 0.2 - 1e-12)


def test_few_rows_and_rows_made_to_mislead_prove_nothing() -> None:
    turned = [1 - label for label in LABELS]
    assert checks.fault(healthy("rte", LABELS[:38], turned[:38])) is None
    assert checks.fault(healthy("rte", LABELS[:40], turned[:40])) is not None
    assert checks.fault(healthy("wnli", LABELS, turned)) is None


def test_one_step_an_epoch_has_one_order() -> None:
    case = Case("rte", "toy-bert", "cpu-fp32", 1)
    one = observed().model_copy(update={"steps_planned": 1})
    runs = [record(dataclasses.replace(case, seed=s), cell_key="k", observed=one) for s in (1, 2)]
    assert "same_seed" not in cells(runs)[0].states


def test_a_seed_without_effect_is_a_flag_of_its_cell() -> None:
    case = Case("rte", "toy-bert", "cpu-fp32", 1)
    runs = [record(dataclasses.replace(case, seed=seed), cell_key="k") for seed in (1, 2, 3)]
    (cell,) = cells(runs)
    assert "same_seed" not in cell.states
    same = runs[2].model_copy(update={"first_losses": runs[0].first_losses})
    (cell,) = cells([*runs[:2], same])
    assert cell.states["same_seed"] == 3
    one_order = [run.model_copy(update={"observed": observed()}) for run in runs]
    assert cells(one_order)[0].states["same_seed"] == 3
