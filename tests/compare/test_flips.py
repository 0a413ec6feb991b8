"""Flips from one run to another: counts, what they add up to, and what is refused."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from harness.catalog import tasks
from harness.compare.flips import Ledger, compare_runs
from harness.errors import IntegrityError, NotComparable
from harness.records.store import file_name
from tests.support.prediction_runs import Run, run

LABELS, A, B = [0, 1, 2, 0, 1], [0, 2, 0, 0, 1], [0, 1, 1, 1, 1]


def ledger_of(a: Run, b: Run) -> Ledger:
    return compare_runs(a.record, b.record, a.table, b.table)


def mnli(predictions: list[int], **changed: Any) -> Run:
    half = (LABELS, predictions)
    return run("mnli", {"validation_matched": half, "validation_mismatched": half}, **changed)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Run, Run]:
    task = draw(st.sampled_from(["sst2", "cola", "mnli"]))
    answer = st.integers(0, len(tasks.get(task).labels) - 1)
    a, b = {}, {}
    for name in tasks.get(task).evaluated:
        rows = draw(st.lists(st.tuples(answer, answer, answer), min_size=1, max_size=40))
        labels, of_a, of_b = (list(column) for column in zip(*rows, strict=True))
        a[name], b[name] = (labels, of_a), (labels, of_b)
    return run(task, a), run(task, b)


@settings(max_examples=30)
@given(pairs())
def test_accuracy_changes_by_gained_less_lost(runs: tuple[Run, Run]) -> None:
    a, b = runs
    for there, back in zip(ledger_of(a, b).splits, ledger_of(b, a).splits, strict=True):
        rows = [
            (row, label, x, y)
            for split, row, label, x, y in zip(
                *(a.table[c] for c in ("split", "row", "label", "prediction")),
                b.table["prediction"], strict=True,
            )
            if split == there.split
        ]  # fmt: skip
        right = [sum(label == said[k] for _, label, *said in rows) for k in (0, 1)]
        assert [there.rows, there.right_a, there.right_b] == [len(rows), *right]
        assert Fraction(there.right_b, there.rows) - Fraction(there.right_a, there.rows) == (
            Fraction(len(there.gained) - len(there.lost), there.rows)
        )
        assert there.gained == tuple(r for r, label, x, y in rows if y == label != x)
        assert there.lost == tuple(r for r, label, x, y in rows if x == label != y)
        assert there.other == tuple(r for r, label, x, y in rows if len({label, x, y}) == 3)
        assert (back.gained, back.lost, back.other) == (there.lost, there.gained, there.other)
        assert back.difference == -there.difference
        assert back.p == there.p


def test_the_ids_are_those_of_the_source() -> None:
    ids = [3, 8, 9, 20, 41]
    found = ledger_of(mnli(A, ids=ids), mnli(B, ids=ids))
    assert [part.split for part in found.splits] == ["validation_matched", "validation_mismatched"]
    part = found.splits[1]
    assert (part.gained, part.lost, part.other) == ((8,), (20,), (9,))
    assert part.accuracies == (0.6, 0.6)


@pytest.mark.parametrize(("gained", "lost"), [(0, 0), (1, 0), (9, 2), (4, 4)])
def test_the_p_of_mcnemar_is_that_of_a_fair_coin(gained: int, lost: int) -> None:
    right, wrong = [1] * gained + [0] * lost + [1], [0] * gained + [1] * lost + [1]
    labels = [1] * (gained + lost + 1)
    a, b = (run("sst2", {"validation": (labels, said)}) for said in (wrong, right))
    tail = binom.cdf(min(gained, lost), gained + lost, 0.5)
    assert ledger_of(a, b).splits[0].p == pytest.approx(min(1.0, 2 * tail))


def test_unlabelled_splits_take_no_part() -> None:
    def with_test(said: list[int]) -> Run:
        made = run("sst2", {"validation": ([0, 1], [0, 1]), "test": ([], said)}, ids=[5, 6])
        return made._replace(table=made.table | {"label": [0, 1, None, None]})

    (part,) = ledger_of(with_test([0, 0]), with_test([1, 1])).splits
    assert (part.split, part.flips) == ("validation", ())


def test_what_differs_between_the_runs_is_told() -> None:
    recipe = {"name": "toy", "learning_rate": 1e-4, "source": "x"}
    a = mnli(A, environment={"commit": "a" * 40}).record.model_copy(update={"recipe": recipe})
    b = mnli(B, target="cpu-bf16", environment={"commit": "b" * 40}).record
    b = b.model_copy(update={"recipe": recipe | {"learning_rate": 2e-4, "source": "y"}})
    assert Ledger(a, b, ()).differs == [
        ("target", "cpu-fp32", "cpu-bf16"),
        ("recipe.learning_rate", 1e-4, 2e-4),
        ("environment.commit", "a" * 40, "b" * 40),
    ]
    assert Ledger(a, a, ()).differs == []


def sst2(labels: list[int], said: list[int], **changed: Any) -> Run:
    return run("sst2", {"validation": (labels, said)}, **changed)


@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        (mnli(A), sst2([0], [0]), "A is a run of mnli, B one of sst2"),
        (
            *[run("stsb", {"validation": ([1, 2], [1, 2])})] * 2,
            "stsb: predictions of a regression task are neither right",
        ),
        (
            sst2([0, 1, 1], [0, 1, 1]), sst2([0, 0, 0], [0, 1, 1]),
            "place 2: found row 1 with label 1 in A and row 1 with label 0 in B",
        ),
        (
            sst2([0, 1], [0, 1], ids=[0, 4]), sst2([0, 1], [0, 1], ids=[0, 7]),
            "place 2: found row 4 with label 1 in A and row 7 with label 1 in B",
        ),
        (
            sst2([0, 1], [0, 1]), sst2([0], [0]),
            "place 2: found row 1 with label 1 in A and nothing in B",
        ),
        (*[sst2([], [])] * 2, "sst2: neither run predicted any row of validation"),
    ],
    ids=["tasks", "regression", "labels", "rows", "number of rows", "no rows"],
)  # fmt: skip
def test_runs_that_share_no_rows_are_refused(a: Run, b: Run, words: str) -> None:
    with pytest.raises(NotComparable) as raised:
        ledger_of(a, b)
    assert words in str(raised.value)


@pytest.mark.parametrize(
    ("task", "metrics", "words"),
    [
        (
            "sst2",
            {"accuracy": 0.5},
            "accuracy is stored as 0.5, but its predictions (3 of 4 right)",
        ),
        ("cola", {"matthews_correlation": 0.5}, "matthews_correlation is stored as 0.5, but its"),
        ("mrpc", {"accuracy": 0.75, "f1": 0.75}, "f1 is stored as 0.75, but its predictions"),
    ],
)
def test_a_run_that_contradicts_its_predictions_is_an_error(
    task: str, metrics: dict[str, float], words: str
) -> None:
    good = run(task, {"validation": ([0, 1, 1, 1], [0, 1, 1, 0])})
    stored = {"validation": metrics}
    bad = good._replace(record=good.record.model_copy(update={"metrics": stored}))
    for a, b in ((good, bad), (bad, good)):
        with pytest.raises(IntegrityError) as raised:
            ledger_of(a, b)
        assert str(raised.value).startswith(f"runs/{file_name(bad.record)}: validation: {words}")


def test_a_prediction_that_is_no_label_is_an_error() -> None:
    good = sst2([0, 1], [0, 1])
    bad = good._replace(table=good.table | {"prediction": [0, -1]})
    with pytest.raises(IntegrityError, match="row 1 has label 1 and prediction -1; expected whole"):
        ledger_of(good, bad)
