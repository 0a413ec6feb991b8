"""The speed rule: its parts on small numbers, and its error rates on simulated machines."""

from __future__ import annotations

import math

import pytest

from harness.compare import speed
from harness.compare.verdicts import Verdict
from tests.support import scoreboard
from tests.support.simulated_speed import (
    NOISY,
    PINNED,
    SHARED,
    Noise,
    Rates,
    busy_neighbour,
    verdicts,
)
from tests.support.verdict_rates import is_likely

WORSE, CANNOT_TELL, NOT_WORSE = Verdict.WORSE, Verdict.CANNOT_TELL, Verdict.NOT_WORSE


def test_sides_take_turns() -> None:
    assert speed.order(5) == "abbaabbaab"


def test_each_pair_is_one_observation() -> None:
    pairs = [(1.0, 1.1), (2.0, 2.2), (1.0, 1.12), (1.0, 1.08), (4.0, 4.4)]
    found = speed.judge(pairs, 0.05)
    assert found.change is not None
    logs = [math.log(b / a) for a, b in pairs]
    assert found.change.mean == pytest.approx(sum(logs) / 5)
    # Student's t at 0.99 with 4 degrees of freedom is 3.747.
    assert found.change.mean - found.change.low == pytest.approx(
        3.747 * found.change.sd / math.sqrt(5), rel=1e-3
    )
    assert found.a is not None
    assert found.b is not None
    assert math.log(found.b / found.a) == pytest.approx(found.change.mean)
    assert found.verdict is WORSE


@pytest.mark.parametrize(
    ("ratio", "effect", "verdict"),
    [
        (1.10, 0.05, WORSE),
        (1.04, 0.05, NOT_WORSE),  # certain, and too small to count
        (1.04, 0.03, WORSE),
        (1.00, 0.05, NOT_WORSE),
        (0.97, 0.05, NOT_WORSE),
        (0.90, 0.05, Verdict.BETTER),
    ],
)
def test_a_change_counts_from_the_effect_on(ratio: float, effect: float, verdict: Verdict) -> None:
    noise = (1.002, 0.998, 1.001, 0.999, 1.0, 1.0)
    found = speed.judge([(1.0, ratio * factor) for factor in noise], effect)
    assert found.verdict is verdict


def test_values_that_are_all_equal_are_not_worse() -> None:
    assert speed.judge([(7.0, 7.0)] * 5, 0.05).verdict is NOT_WORSE


def test_pairs_without_a_value_are_left_out_and_too_few_cannot_tell() -> None:
    pairs = [(1.0, 2.0), None, (1.0, 2.01), (1.0, 2.0), (1.0, 2.02), None, (1.0, 2.0)]
    assert speed.judge(pairs, 0.05).verdict is WORSE
    found = speed.judge(pairs[:6], 0.05)
    assert (found.verdict, found.change) == (CANNOT_TELL, None)
    assert found.why == "4 pairs of processes; expected 5 or more"
    assert speed.judge([], 0.05).a is None


def test_noise_that_hides_the_effect_cannot_tell_and_says_what_it_would_find() -> None:
    found = speed.judge([(1.0, r) for r in (0.8, 1.3, 0.9, 1.2, 1.0, 1.1)], 0.05)
    assert found.verdict is CANNOT_TELL
    assert found.why.startswith("with this noise, 6 pairs find +")


def test_neighbours_of_one_side_are_compared_in_their_order() -> None:
    # A B, B A, A B: the second B by the first, then the third pair's A by the second's.
    pairs = [(1.0, 10.0), (2.0, 20.0), (4.0, 80.0)]
    assert speed.same_side_ratios(pairs, "abbaab") == pytest.approx([math.log(2), math.log(2)])
    assert speed.same_side_ratios([(1.0, 10.0), None, (4.0, 80.0)], "abbaab") == []
    assert speed.same_side_ratios(pairs, "ababab") == []


def test_a_machine_that_slows_down_all_the_time_cannot_tell() -> None:
    times = [1.06**place for place in range(20)]
    sides = speed.order(10)
    pairs = [
        (times[p], times[p + 1]) if sides[p] == "a" else (times[p + 1], times[p])
        for p in range(0, 20, 2)
    ]
    found = speed.judge(pairs, 0.05)
    assert found.verdict is CANNOT_TELL
    assert found.why == "the machine's speed changed: +6.0% from process to process"


@pytest.mark.parametrize(
    ("first", "second", "verdict"),
    [
        (1.10, 1.10, WORSE),
        (1.10, 1.00, CANNOT_TELL),  # a repetition that is no stronger does not refute it
        (1.00, 1.10, NOT_WORSE),
    ],
)
def test_red_is_confirmed_by_fresh_processes(first: float, second: float, verdict: Verdict) -> None:
    stages = [speed.judge([(1.0, ratio), (1.001, ratio)] * 3, 0.05) for ratio in (first, second)]
    found = speed.confirm(*stages)
    assert found.verdict is verdict
    if verdict is CANNOT_TELL:
        assert found.why == "worse at first (+9.9%), not worse when repeated"


def _rates(
    name: str, noise: Noise, change: float, effect: float, comparisons: int, **stage: int
) -> Rates:
    """How often each verdict is given, shown at the session's end; `stage`: first, most pairs."""
    found = verdicts(noise, change, effect, comparisons=comparisons, **stage)
    first = stage.get("count", speed.PAIRS)
    pairs = f"{first} to {stage.get('most', speed.LOOKS * first)}"
    scoreboard.add(
        f"speed simulated, {name}, {100 * change:g}% slower, {pairs} pairs",
        comparisons=comparisons, worse=found.once[WORSE], pairs_on_average=found.pairs,
        **{
            "worse in both stages": found.twice[WORSE], "cannot tell": found.twice[CANNOT_TELL],
            "not worse": found.twice[NOT_WORSE],
        },
    )  # fmt: skip
    return found


def test_unchanged_code_is_not_red() -> None:
    for name, noise, effect in (("shared", SHARED, 0.05), ("pinned", PINNED, 0.03)):
        found = _rates(name, noise, 0.0, effect, 500)
        assert found.once[WORSE] <= 1
        assert found.twice[WORSE] == 0
        assert found.twice[NOT_WORSE] >= 0.99 * 500


def test_slowdowns_are_found() -> None:
    assert _rates("shared", SHARED, 0.08, 0.05, 300).twice[WORSE] >= 0.94 * 300
    assert _rates("pinned", PINNED, 0.05, 0.03, 300).twice[WORSE] >= 0.99 * 300


def test_more_pairs_tell_on_a_noisy_machine() -> None:
    few = _rates("noisy", NOISY, 0.0, 0.05, 200, most=10)
    more = _rates("noisy", NOISY, 0.0, 0.05, 200)
    assert few.twice[NOT_WORSE] < 0.5 * 200
    assert more.twice[NOT_WORSE] > 0.8 * 200


def test_a_busy_neighbour_is_not_taken_for_a_change() -> None:
    found = verdicts(SHARED, 0.0, 0.05, comparisons=500, disturb=busy_neighbour)
    scoreboard.add("speed simulated, busy neighbour", comparisons=500, worse=found.once[WORSE])
    assert found.once[WORSE] <= 5  # the 1% of the t-test, without the help of the effect
    assert found.twice[WORSE] == 0


def test_the_bounds_hold_at_their_rate() -> None:
    """Without an effect, what is left is the t-test alone: all looks are wrong once in 100."""
    found = verdicts(PINNED, 0.0, 1e-9, comparisons=2000)
    assert is_likely(found.once[WORSE], 2000, 0.005, 0.01)


@pytest.mark.slow
def test_rates_of_many_comparisons() -> None:
    machines = (("shared", SHARED, 0.05), ("pinned", PINNED, 0.03), ("noisy", NOISY, 0.05))
    for name, noise, effect in machines:
        for pairs in (5, 10):
            found = {
                change: _rates(name, noise, change, effect, 10_000, count=pairs)
                for change in (0.0, 0.03, 0.05, 0.08, 0.10)
            }
            assert found[0.0].once[WORSE] <= (100 if name == "noisy" else 20)
            assert found[0.0].twice[WORSE] == 0
            if pairs == 10 and name != "noisy":
                assert found[0.08].twice[WORSE] >= 9_500
                assert found[0.10].twice[WORSE] >= 9_500
            if pairs == 10 and name == "pinned":
                assert found[0.05].twice[WORSE] >= 9_900
    found = verdicts(SHARED, 0.0, 0.05, comparisons=10_000, disturb=busy_neighbour)
    scoreboard.add(
        "speed simulated, busy neighbour, shared", comparisons=10_000, worse=found.once[WORSE],
        **{"worse in both stages": found.twice[WORSE], "cannot tell": found.twice[CANNOT_TELL]},
    )  # fmt: skip
    assert found.twice[WORSE] <= 3
