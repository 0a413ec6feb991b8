"""Two sides, cell by cell: which belong together, what the whole comes to, how it is printed."""

from __future__ import annotations

import dataclasses
import math
import random
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from harness.compare import comparison as comparing
from harness.compare import stats, thresholds
from harness.compare import verdict_tables as verdicts
from harness.compare.comparison import CellVerdict, Comparison, compare
from harness.compare.measures import MEASURES
from harness.compare.verdicts import Verdict
from harness.errors import Exit
from harness.records.schema import Record
from harness.spec import Policy
from harness.tables.table import WIDTH
from tests.support import scoreboard
from tests.support.cell_runs import NOW, failed, run, side, spread
from tests.support.verdict_rates import is_likely

GATED = ["score:-0.2pt"]
GOOD, BAD, WIDE = spread(0.9, 10), spread(0.8), spread(0.9, sd=0.05)
OF = {
    Verdict.WORSE: BAD, Verdict.NOT_WORSE: GOOD, Verdict.BETTER: spread(0.97),
    Verdict.CANNOT_TELL: WIDE,
}  # fmt: skip
NAMES = ("a", "b", "c")


def of(base: list[Record], new: list[Record], *said: str) -> Comparison:
    return compare(base, new, thresholds.from_option(said or GATED))


def found(comparison: Comparison) -> dict[str, Verdict]:
    return {cell.name: cell.verdict for cell in comparison.verdicts}


def pair(verdict: Verdict, model: str) -> tuple[list[Record], list[Record]]:
    """Sides of one cell that come to this verdict."""
    own = {"model": model, "cell_key": model}
    base = [] if verdict is Verdict.NEW else side(GOOD, **own)
    if verdict is Verdict.GONE:
        return base, []
    if verdict is Verdict.INCOMPARABLE:
        return base, side(GOOD[:4], **own) + failed([60], **own)
    return base, side(OF.get(verdict, GOOD), **own)


def sides(*verdicts: Verdict) -> tuple[list[Record], list[Record]]:
    pairs = [pair(verdict, f"m{place}") for place, verdict in enumerate(verdicts)]
    return [r for base, _ in pairs for r in base], [r for _, new in pairs for r in new]


W, G, X, C, N, F, B = Verdict


@pytest.mark.parametrize(
    ("cells", "exit_code", "compared"),
    [
        ([W], Exit.WORSE, 1), ([W, G, X, C, N, F, B], Exit.WORSE, 4), ([F, W], Exit.WORSE, 2),
        ([G], Exit.NOTHING, 0), ([F, G], Exit.NOTHING, 1), ([C, G], Exit.NOTHING, 1),
        ([X], Exit.NOTHING, 0), ([F, X], Exit.NOTHING, 1), ([C, B, X], Exit.NOTHING, 2),
        ([N], Exit.NOTHING, 0), ([N, G], Exit.NOTHING, 0), ([], Exit.NOTHING, 0),
        ([C], Exit.UNDECIDED, 1), ([F, C], Exit.UNDECIDED, 2), ([B, C, N], Exit.UNDECIDED, 2),
        ([F], Exit.FINE, 1), ([B], Exit.FINE, 1), ([F, B, N], Exit.FINE, 2),
    ],
)  # fmt: skip
def test_the_exit_code_is_that_of_the_worst(
    cells: list[Verdict], exit_code: Exit, compared: int
) -> None:
    comparison = of(*sides(*cells))
    assert sorted(found(comparison).values()) == sorted(cells)
    assert (comparison.exit_code(Policy.strict), comparison.compared) == (exit_code, compared)


def test_skipped_records_are_no_runs() -> None:
    skipped = side(GOOD, status="skipped")
    assert of(skipped, skipped).exit_code(Policy.strict) is Exit.NOTHING
    assert found(of(side(GOOD), skipped)) == {"sst2-toy-bert-cpu-fp32": Verdict.GONE}
    assert found(of(skipped, side(GOOD))) == {"sst2-toy-bert-cpu-fp32": Verdict.NEW}
    assert of(side(GOOD), side(GOOD) + skipped).exit_code(Policy.strict) is Exit.FINE


def test_a_cell_that_one_side_lacks_says_so() -> None:
    gone, fresh = of(*sides(G)).verdicts[0], of(*sides(N)).verdicts[0]
    assert gone.reasons == ["the base has runs of it, the new side has none"]
    assert fresh.reasons == ["the base has no run of it"]
    assert (gone.was, fresh.was, gone.bits) == (None, None, "-")
    with pytest.raises(ValueError, match="of one side"):
        str(CellVerdict(None, None).name)


def test_the_same_inputs_under_another_name_are_the_same_cell() -> None:
    comparison = of(side(GOOD, model="old"), side(BAD, model="new"))
    (cell,) = comparison.verdicts
    assert (cell.verdict, cell.name, cell.was) == (W, "sst2-new-cpu-fp32", "sst2-old-cpu-fp32")
    assert comparison.of("sst2-new-cpu-fp32") is comparison.of("sst2-old-cpu-fp32") is cell
    assert comparison.of("sst2-other-cpu-fp32") is None
    assert "was sst2-old-cpu-fp32 in the base" in verdicts.text(comparison).replace("\n ", "")


def test_of_two_names_for_the_same_inputs_each_has_its_own() -> None:
    base = side(GOOD, model="a") + side(BAD, model="b")
    for order in ("ab", "ba"):
        new = [r for model in order for r in side(GOOD if model == "a" else BAD, model=model)]
        comparison = of(base, new)
        assert set(found(comparison).values()) == {F}
        assert all(cell.was is None for cell in comparison.verdicts)


def test_the_same_name_for_other_inputs_is_named_and_not_compared() -> None:
    identity = run(1).identity
    other = identity | {"numerics": identity["numerics"] | {"all": -1}}
    comparison = of(side(GOOD), side(GOOD, cell_key="two", identity=other))
    assert found(comparison) == {"sst2-toy-bert-cpu-fp32": X}
    assert comparison.verdicts[0].reasons == [
        "numerics.all: was 2, is -1. Fix: --glue-subject glue-bench, if that is what you compare"
    ]


def test_of_several_cells_of_one_name_each_is_joined_to_its_own_inputs() -> None:
    one, two = ({"cell_key": key, "identity": {"n": key}} for key in ("one", "two"))
    base = side(GOOD, **one) + side(BAD, **two)
    assert [c.verdict for c in of(base, side(BAD, **two) + side(GOOD, **one)).verdicts] == [F, F]
    comparison = of(base, side(BAD, **two))
    assert [cell.verdict for cell in comparison.verdicts] == [F, G]
    later = NOW + timedelta(hours=1)
    for old, new in ((one, two), (two, one)):
        base = side(GOOD, **old) + side(GOOD, **new, created=later)
        comparison = of(base, side(GOOD, cell_key="three", identity={"n": "three"}))
        assert [cell.verdict for cell in comparison.verdicts] == [X, G]
        (why,) = comparison.verdicts[0].reasons
        assert why.startswith(f"n: was '{new['cell_key']}', is 'three'. This has to be the same")
        fresh = side(GOOD, **old) + side(GOOD, **new, created=later)
        comparison = of(side(GOOD, cell_key="three", identity={"n": "three"}), fresh)
        assert {c.new.key: c.verdict for c in comparison.verdicts if c.new} == {
            new["cell_key"]: X, old["cell_key"]: N,
        }  # fmt: skip


def test_runs_that_failed_before_their_inputs_were_known_are_of_the_cell_of_that_name() -> None:
    comparison = of(side(GOOD), failed(range(5), cell_key=None, identity={}))
    assert found(comparison) == {"sst2-toy-bert-cpu-fp32": W}


def test_a_cell_is_as_bad_as_the_worst_measure_that_is_gated() -> None:
    times = side(spread(0.1, 10), "step_time"), side(spread(0.2), "step_time")
    flat = [[r.model_copy(update={"score": 0.9 + r.case.seed / 1e5}) for r in s] for s in times]
    name = "sst2-toy-bert-cpu-fp32"
    assert found(of(*flat, "score:1pt")) == {name: F}
    assert found(of(*flat, "score:1pt", "step_time:10%")) == {name: W}
    assert found(of(*flat, "score:1pt", "step_time:300%")) == {name: F}
    apart = [r.model_copy(update={"threads": 9}) for r in flat[1]]
    assert found(of(flat[0], apart, "score:1pt", "step_time:10%")) == {name: F}
    assert found(of(flat[0], apart, "step_time:10%")) == {name: X}
    assert found(compare(*flat, thresholds.from_option([]))) == {name: X}  # nothing is gated


means = st.sampled_from([0.7, 0.85, 0.9, 0.9005, 0.902])
drawn_cells = st.dictionaries(st.sampled_from(NAMES), st.tuples(means, means), min_size=1)


@settings(max_examples=40)
@given(drawn_cells, st.sampled_from([0.0005, 0.01]), st.randoms())
def test_swapped_sides_turn_worse_into_better_and_order_says_nothing(
    cells: dict[str, tuple[float, float]], sd: float, shuffle: random.Random
) -> None:
    base, new = (
        [
            run
            for model, means in cells.items()
            if means[i] != 0.7
            for run in side(spread(means[i], 5, sd), model=model, cell_key=model)
        ]
        for i in (0, 1)
    )
    forth, back = found(of(base, new)), found(of(new, base))
    turned = {W: B, B: W, N: G, G: N, X: X}
    assert {k: turned.get(v) for k, v in forth.items() if v in turned} == {
        k: v for k, v in back.items() if v in turned
    }
    comparison = of(base, new)
    shuffle.shuffle(base)
    shuffle.shuffle(new)
    again = of(base, new)
    key = CellVerdict.name.fget
    for one, two in zip(*(sorted(c.verdicts, key=key) for c in (comparison, again)), strict=True):
        assert one.findings == two.findings
    assert comparison.pooled == again.pooled


@pytest.mark.parametrize("said", [GATED, ["score:-0.2pt", "step_time:+10%", "f1:1pt"]])
def test_what_is_printed_fits_and_leaves_no_cell_out(said: list[str]) -> None:
    comparison = of(*sides(W, G, X, C, N, F, B), *said)
    for one in (comparison, Comparison(comparison.verdicts[:1]), of(*sides(N)), of(*sides(G))):
        text = verdicts.text(one)
        assert all(len(line) <= WIDTH for line in text.splitlines())
        for cell in one.verdicts:
            assert any(
                line.startswith(cell.name) and line.endswith(str(cell.verdict))
                for line in text.splitlines()
            )
        markdown = verdicts.text(one, markdown=True)
        assert all(cell.name in markdown for cell in one.verdicts)
    counts = ", ".join(f"1 {verdict}" for verdict in Verdict)
    if said == GATED:
        text = verdicts.text(comparison, Policy.strict).replace("\n ", "")
        assert text.endswith(f"verdicts: {counts}")
        text = verdicts.text(comparison, Policy.report).replace("\n ", "")
        spared = "1 worse, 1 gone, 1 incomparable, 1 cannot tell"
        assert text.endswith(f"warning: {spared}: the policy report lets them pass")
    assert verdicts.text(of([], [])).strip() == "verdicts: none"


def test_a_line_of_the_table_has_both_means_the_change_and_its_bounds() -> None:
    comparison = of(side(GOOD), side(BAD))
    (row,) = verdicts.table_of(comparison, MEASURES["score"]).rows
    change = comparison.verdicts[0].findings[0].change
    assert change
    between = f"{100 * change.low:+.2f}..{100 * change.high:+.2f}"
    assert row[1:6] == ("10+5", "90.00", "80.00", "-10.00", between)
    times = side(spread(0.1, 10), "step_time"), side(spread(0.2), "step_time")
    (row,) = verdicts.table_of(of(*times), MEASURES["step_time"]).rows
    low, high = (float(end.rstrip("%")) for end in row[5].split(".."))
    assert 90 < low < float(row[4].rstrip("%")) < high < 110  # the lesser change stands first


def test_a_second_stage_is_asked_only_of_what_is_worse() -> None:
    worse, fine = (of(side(GOOD), side(values)).verdicts[0] for values in (BAD, GOOD))
    assert comparing.confirm(worse, None) is worse
    assert comparing.confirm(fine, worse) is fine
    for second in (worse, fine):
        both = comparing.confirm(worse, second)
        assert (both.verdict, both.stages) == (second.verdict, 2)


CELLS, LOSS = 30, 0.5


@pytest.mark.parametrize(
    ("loss", "correlation"),
    [
        (0, 0.5), (LOSS, 0.1),
        *(pytest.param(*row, marks=pytest.mark.slow)
          for row in ((0, 0), (0, 0.1), (LOSS, 0), (LOSS, 0.5))),
    ],
)  # fmt: skip
def test_simulated_rates_of_all_cells_together(correlation: float, loss: float) -> None:
    """Cells of one seed are correlated; each loses as many of its standard deviations."""
    random, tries = np.random.default_rng(7), 2_000
    worse = better = 0
    for _ in range(tries):
        shared, own = random.normal(size=(1, 15)), random.normal(size=(CELLS, 15))
        scores = math.sqrt(correlation) * shared + math.sqrt(1 - correlation) * own
        scores[:, 10:] -= loss
        runs = (scores - scores.mean(1, keepdims=True)) / scores.std(1, ddof=1, keepdims=True)
        change = stats.change(_by_seed(runs[:, :10]), _by_seed(runs[:, 10:]))
        assert change
        worse, better = worse + (change.high < 0), better + (change.low > 0)
    row = f"simulated, {loss} sd lost in each of {CELLS} cells, correlation {correlation}"
    scoreboard.add(row, comparisons=tries, worse=worse)
    if loss == 0:
        assert is_likely(worse, tries, stats.ALPHA)
        assert is_likely(better, tries, stats.ALPHA)
        return
    sd = math.sqrt((1 + (CELLS - 1) * correlation) / CELLS)
    least, shift = scipy_stats.t.ppf(0.99, 13), loss / sd / math.sqrt(1 / 10 + 1 / 5)
    expected = scipy_stats.nct.sf(least, 13, shift)
    assert is_likely(worse, tries, expected - 0.03, expected + 0.03)  # by estimated sds: not exact
    assert correlation > 0 or worse > 0.95 * tries


def _by_seed(side: np.ndarray) -> list[float]:
    return comparing.mean_by_seed([dict(enumerate(row)) for row in side.tolist()])


def some(models: int, runs: int, seed: int, first: int = 42) -> list[Record]:
    scores = np.random.default_rng(seed).normal(0.8, 0.01, (models, runs))
    return [r for i in range(models) for r in side(scores[i].tolist(), model=f"m{i}", first=first)]


def test_all_cells_together_are_each_seeds_mean_distance_from_the_base() -> None:
    base, new = some(3, 10, 1), some(3, 5, 2, first=900)
    scores = [np.array([r.score for r in side]).reshape(3, -1) for side in (base, new)]
    runs = np.hstack(scores)
    runs = (runs - runs.mean(1, keepdims=True)) / runs.std(1, ddof=1, keepdims=True)
    expected = stats.change(runs[:, :10].mean(0).tolist(), runs[:, 10:].mean(0).tolist())
    together = of(base, new).pooled
    assert expected
    assert together
    assert dataclasses.astuple(together) == pytest.approx(dataclasses.astuple(expected))


def test_all_cells_together_leave_out_what_is_not_averaged() -> None:
    base, new = some(3, 10, 1), some(3, 5, 2, first=900)
    sound = of(base, new).pooled
    fallen = [r.model_copy(update={"flags": ["collapsed"], "score": 0.1}) for r in new[:1]]
    collapsed = of(base, fallen + new[1:]).pooled
    assert sound
    assert collapsed
    assert (collapsed.new_runs, collapsed.base_runs) == (5, 10)
    assert abs(collapsed.change - sound.change) < 1
    same = [r.model_copy(update={"first_losses": [0.7, 0.6]}) for r in new[:5]]
    assert of(base, same + new[5:]).pooled == of(base[10:], new[5:]).pooled
    apart = side(GOOD[:4], model="m0") + failed([60], model="m0")
    assert of(base, apart + new[5:]).pooled == of(base[10:], new[5:]).pooled
    assert of(base, new[:5]).pooled is None  # one cell is not several
    others = [r.model_copy(update={"case": r.case.model_copy(update={"seed": 5000 + i})})
              for i, r in enumerate(new[10:])]  # fmt: skip
    assert of(base, new[:10] + others).pooled is None  # no seed that every cell has
    assert "all cells together" in verdicts.text(of(base, new))
