"""How far the seeds of a cell differ: what a census counts, and whether its margins hold."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from statistics import stdev

import numpy as np
import pytest
from scipy.stats import chi2

from harness.compare import census, census_tables, stats, thresholds
from harness.compare.gate import decide
from harness.compare.verdicts import Verdict
from tests.support import scoreboard
from tests.support.cell_runs import facts, failed, low, run, side, spread
from tests.support.verdict_rates import is_likely

GOOD = spread(0.9, 10, 0.004)


def one(records) -> census.CellCensus:
    (found,) = census.take(records)
    return found


def test_what_is_counted_of_a_cell() -> None:
    skipped = run(99, status="skipped", score=None)
    found = one([*low(side(GOOD), 1), *failed([70, 71]), skipped])
    assert (found.seeds, found.went_wrong) == (12, 3)
    assert found.share_wrong == pytest.approx(3 / 12)
    assert found.scores == tuple(GOOD[1:])
    assert found.sd == pytest.approx(stdev(GOOD[1:]))
    assert found.seconds == pytest.approx(3.75)
    assert found.why_unstable(5, 10) == ["3 of 12 seeds went wrong (2 oom, 1 collapsed)."]


def test_the_spread_is_taken_at_its_upper_end_and_at_least_one_row() -> None:
    found = one(side(GOOD))
    expected = stdev(GOOD) * math.sqrt(9 / chi2.ppf(0.2, 9))
    assert found.cautious_sd == pytest.approx(expected)
    assert found.margin(5, 10) == pytest.approx(stats.minimum_detectable_effect(expected, 10, 5))
    equal = one(side([0.9] * 10, one_row={"score": 0.01}))
    assert equal.cautious_sd == 0.01


@pytest.mark.parametrize("records", [side(GOOD[:4]), failed(range(9)), low(side(GOOD), 6),
                                     side(GOOD, first_losses=[0.7, 0.6])])  # fmt: skip
def test_too_few_seeds_or_seeds_that_are_ignored_give_no_margin(records) -> None:
    found = one(records)
    assert not found.is_known
    assert found.margin(5, 10) is None
    said = census_tables.text([found], 5, 10)
    assert '# "sst2-toy-bert-cpu-fp32": no margin follows from its runs' in said
    assert "The margin in pt" not in said
    is_ignored = found.cell.ignores_its_seed
    assert ("Its seeds gave the same run, so they count as one." in said) == is_ignored
    assert ("Fix: pytest benchmarks --glue-seeds 10" in " ".join(said.split())) != is_ignored


def test_a_seed_far_from_the_others_and_a_wide_margin_are_named() -> None:
    found = one(side([*GOOD[:9], 0.7]))
    assert found.why_unstable(5, 10)[0] == "Far from the other seeds: seed 51 (70.00)."
    assert found.why_unstable(5, 10)[1].startswith("5 seeds beside 10 show only losses of ")
    assert one(side(GOOD)).why_unstable(5, 10) == []
    assert one(side(GOOD[:9])).why_unstable(5, 10) == []


def test_seldom_is_a_normal_seed_called_far() -> None:
    random = np.random.default_rng(2)
    records = side(GOOD)
    called = sum(
        bool(one([r.model_copy(update={"score": float(score)}) for r, score in
                  zip(records, random.normal(0.8, 0.01, 10), strict=True)])._far_seeds())
        for _ in range(500)
    )  # fmt: skip
    assert called <= 30


def test_the_margins_of_a_census_hold() -> None:
    """A change that costs nothing, one of the margin, and one of 1.25 margins, 5 seeds and 10."""
    random, tries, records = np.random.default_rng(3), 1_500, side(GOOD)
    verdicts = {lost: Counter() for lost in (0, 1, 1.25)}
    for _ in range(tries):
        drawn = random.normal(0.8, 0.01, 10).tolist()
        stored = [r.model_copy(update={"score": s}) for r, s in zip(records, drawn, strict=True)]
        margin = one(stored).margin(5, 10)
        assert margin
        for lost, counts in verdicts.items():
            new = random.normal(0.8 - lost * margin, 0.01, 5).tolist()
            found = stats.change(drawn, new)
            assert found
            counts[decide(found, margin)] += 1
    healthy = verdicts[0][Verdict.NOT_WORSE] + verdicts[0][Verdict.BETTER]
    missed = verdicts[1][Verdict.NOT_WORSE]
    found = verdicts[1.25][Verdict.WORSE]
    scoreboard.add(
        "simulated, margins of a census, 5 seeds and 10", comparisons=tries,
        healthy_not_worse=healthy, loss_of_the_margin_not_worse=missed,
        loss_of_1_25_margins_worse=found,
    )  # fmt: skip
    assert healthy >= 0.8 * tries
    assert found >= 0.8 * tries
    assert is_likely(missed, tries, 0, stats.ALPHA)
    assert is_likely(verdicts[0][Verdict.WORSE], tries, 0, stats.ALPHA)


@pytest.mark.parametrize(
    ("margin", "points"),
    [(0.00001, 0.1), (0.002, 0.2), (0.00201, 0.3), (0.1542, 15.5), (1.0, None)],
)
def test_margins_are_rounded_up(margin: float, points: float | None) -> None:
    assert census.suggested_margin(margin) == points


def test_the_table_to_copy_is_read_as_it_is_meant(tmp_path: Path) -> None:
    records = [*side(GOOD), *side(spread(0.7, 10, 0.02), model="a[b]*c?'d\\")]
    counted = census.take(records)
    (tmp_path / "pyproject.toml").write_text(census_tables.toml(counted, 5, 10))
    limits = thresholds.from_pyproject(tmp_path)
    for cell in counted:
        margin = cell.margin(5, 10)
        assert margin
        amount = limits.of(cell.name)["score"].amount
        assert amount == pytest.approx(100 * margin, abs=0.1)
        assert amount >= 100 * margin
    assert limits.of("sst2-ab-cpu-fp32")["score"].amount == 0.2  # the default


def test_two_cells_of_one_name_get_the_wider_margin() -> None:
    wide = spread(0.9, 10, 0.02)
    records = [*side(GOOD), *side(wide, first=70, cell_key="another")]
    said = census_tables.toml(census.take(records), 5, 10)
    assert said.count("sst2-toy-bert-cpu-fp32") == 1
    margin = one(side(wide)).margin(5, 10)
    assert margin
    assert f'"{census.suggested_margin(margin):g}pt"' in said


@pytest.mark.parametrize(
    ("seconds", "said"), [(40, "40 s"), (119.4, "119 s"), (720, "12 min"), (9000, "2.5 h")]
)
def test_durations_are_in_a_readers_unit(seconds: float, said: str) -> None:
    assert census_tables.duration(seconds) == said


def test_the_time_of_the_matrix_counts_every_cell() -> None:
    counted = census.take([*side(GOOD), *side(GOOD, model="other"), *failed([1], model="third")])
    assert census.seconds_of_matrix(counted, 4) == pytest.approx(4 * 3 * 3.75)
    assert census.seconds_of_matrix(census.take(failed([1], timing=None)), 4) is None


def test_the_seeds_of_another_commit_are_no_spread() -> None:
    healthy = side(spread(0.9, 10))
    broken = facts(side(spread(0.7, 5), cell_key="another"), commit="b" * 40)
    assert census.of_one_code([*healthy, *broken]) == healthy
