"""Verdicts on one cell by its seeds: pairs, runs that agree, and seeds that change nothing."""

from __future__ import annotations

from typing import Any

import pytest

from harness.compare import machines
from harness.compare.verdicts import Verdict
from harness.records.schema import DataRecord, SplitRecord
from tests.support.cell_runs import cell, facts, failed, judged, low, run, side, spread

GOOD, BAD = spread(0.9, 10), spread(0.8, 5)
CANNOT_TELL, NOT_WORSE, WORSE = Verdict.CANNOT_TELL, Verdict.NOT_WORSE, Verdict.WORSE


def test_seeds_that_gave_the_same_run_are_one() -> None:
    same = {"first_losses": [0.7, 0.6]}
    for new in (side(BAD), side(BAD, **same)):
        found = judged(side(GOOD, **same), new)["score"]
        assert found.verdict is Verdict.CANNOT_TELL
        assert found.why.endswith("same losses or order of rows, so they count as one")


@pytest.mark.parametrize("score", [GOOD, BAD])
def test_new_runs_that_no_longer_depend_on_their_seed_are_incomparable(score: list[float]) -> None:
    found = judged(side(GOOD), side(score, first_losses=[0.7, 0.6]))["score"]
    assert found.verdict is Verdict.INCOMPARABLE
    assert "Fix: find what no longer depends on the seed" in found.why


def test_seeds_that_agree_are_no_surer_than_one_row_of_the_dev_set() -> None:
    split = SplitRecord(rows=100, rows_in_source=100, dropped=0, sha256="0" * 64, official=True)
    data = DataRecord(splits={"train": split, "validation": split}, truncated_rows={})
    base = side([0.9] * 10, data=data)
    for lost, verdict in ((1, Verdict.CANNOT_TELL), (2, Verdict.WORSE)):
        new = side([0.9 - lost / 100] * 5, data=data)
        assert judged(base, new)["score"].verdict is verdict
    assert judged(side([0.9] * 10), side([0.89] * 5))["score"].verdict is Verdict.WORSE


def test_all_seeds_bit_identical_prove_not_worse_without_statistics() -> None:
    base = [*side(spread(0.9, 10, 0.05)), *failed([70])]
    new = [run.model_copy(update={"id": f"{run.id}x"}) for run in base[:5]]
    for runs, seeds in ((new, "all 5 seeds are"), (new[:1], "1 seed is")):
        for there in (runs, facts(runs, cpu="another kind")):
            found = judged(base, there)["score"]
            assert found.verdict is NOT_WORSE
            assert found.why == f"{seeds} bit-identical to the base's"


@pytest.mark.parametrize(
    "changed",
    [{"first_losses": [0.1, 0.2]}, {"metrics": {"validation": {"accuracy": 0.1}}},
     {"score": 0.91}, {"case": run(90).case}, {"first_losses": [], "predictions": None}],
)  # fmt: skip
def test_one_seed_that_differs_or_has_no_partner_leaves_it_to_statistics(
    changed: dict[str, Any],
) -> None:
    base = side(spread(0.9, 10, 0.05))
    new = [run.model_copy(update={"id": f"{run.id}x"}) for run in base[:5]]
    if "first_losses" in changed:
        base = [run.model_copy(update={"predictions": None}) for run in base]
        new = [run.model_copy(update={"predictions": None}) for run in new]
    new[0] = new[0].model_copy(update=changed)
    if changed.get("predictions", "") is None:
        base[0] = base[0].model_copy(update=changed)
    assert "bit-identical" not in judged(base, new)["score"].why


def test_runs_of_the_same_seeds_are_compared_seed_by_seed_where_they_go_together() -> None:
    drawn = spread(0.9, 10, 0.02)
    off = [0.0101, 0.0099, 0.0102, 0.0098, 0.01, 0.0101, 0.0099, 0.0102, 0.0098, 0.01]
    lost = [value - by for value, by in zip(drawn, off, strict=True)]
    for seeds, pairs in ((10, 10), (5, 5)):
        found = judged(side(drawn), side(lost[:seeds]))["score"]
        why = f"paired by seed: correlation 1.00, {pairs} pairs"
        assert (found.verdict, found.why) == (WORSE, why)
        assert found.change
        assert found.change.pairs == pairs
        assert found.change.high < 0
        means = [sum(values[:seeds]) / seeds for values in (drawn, lost)]
        assert [found.base, found.new] == pytest.approx(means)  # of the seeds that are paired
        apart = judged(side(drawn), side(lost[:seeds], first=90))["score"]
        assert apart.verdict is CANNOT_TELL
        assert apart.change
        assert apart.change.pairs == 0
    found = judged(side(drawn), side(lost), "score:-1.004pt")["score"]
    assert found.verdict is CANNOT_TELL  # the bounds are on both sides of the margin
    assert found.change
    assert found.why == (
        "paired by seed: correlation 1.00, 10 pairs; 10 pairs show a change of 1.00 pt or more "
        "four times in five, and not this time. Fix: run more seeds"
    )
    off = [-0.008, 0.012, -0.003, 0.007, 0.002, 0.004, 0.0, -0.008, 0.012, 0.002]
    drawn = spread(0.9, 10, 0.1)
    lost = [value - by for value, by in zip(drawn, off, strict=True)]
    found = judged(side(drawn), side(lost), "score:-0.4pt")["score"]
    assert found.verdict is CANNOT_TELL
    assert found.change
    assert found.why == (
        "paired by seed: correlation 1.00, 10 pairs; 10 pairs show a change of "
        f"{100 * found.change.smallest:.2f} pt or more; to decide about -0.4pt, run "
        f"{found.change.runs_needed(0.004)} of the same seeds on each side"
    )


def test_pairs_that_agree_are_no_surer_than_one_row_of_the_dev_set() -> None:
    drawn = spread(0.9, 10, 0.02)
    lost = [value - 0.01 for value in drawn]
    for step, verdict in ((0.002, WORSE), (0.01, CANNOT_TELL)):
        base, new = (side(values, one_row={"score": step}) for values in (drawn, lost))
        assert judged(base, new)["score"].verdict is verdict


def test_bit_identical_runs_beside_more_that_collapsed_prove_nothing() -> None:
    base = side(GOOD)
    new = [run.model_copy(update={"id": f"{run.id}x"}) for run in base[:5]]
    found = judged(base, low(new, 1))["score"]
    assert found.verdict is CANNOT_TELL
    assert "1 of 5 runs failed or collapsed" in found.why
    assert judged(base, low(new, 4))["score"].verdict is WORSE


def test_bits_are_counted_of_seeds_that_both_sides_ran_on_one_machine() -> None:
    base, new = side(GOOD), side([*GOOD[:4], 0.1])
    assert machines.count_bit_identical(cell(base), cell(new)) == "4/5"
    assert machines.count_bit_identical(cell(base), cell(facts(new, boot="another"))) == "4/5"
    assert machines.count_bit_identical(cell(base), cell(facts(new, torch="another"))) == "-"
    assert machines.count_bit_identical(cell(base), cell(side(GOOD, first=90))) == "-"
