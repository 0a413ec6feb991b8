"""Verdicts on one cell: what can be compared, what is worse, and what of it is said."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.compare import gate, stats, thresholds
from harness.compare.measures import MEASURES
from harness.compare.verdicts import Verdict
from harness.records.identity import key_of
from harness.records.parts import PARTS
from tests.support.cell_runs import FACTS, NOW, facts, failed, judged, low, run, side, spread

GOOD, BAD = spread(0.9, 10), spread(0.8, 5)
TIMES = ("step_time:+10%", "score:-0.2pt", "peak_memory:+10%")
DAY_LATER = NOW + timedelta(hours=25)


def leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    else:
        yield path


def varied(identity: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    copy = json.loads(json.dumps(identity))
    inner = copy
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = "another"
    return copy


IDENTITY = run(1).identity


@pytest.mark.parametrize("path", [*leaves(IDENTITY)], ids=".".join)
def test_each_input_that_decides_a_score_is_named_where_it_differs(path: tuple[str, ...]) -> None:
    other = varied(IDENTITY, path)
    for base_has_it in (True, False):
        sides = [side(GOOD), side(GOOD, identity=other, cell_key=key_of(other))]
        found = judged(*(sides if base_has_it else sides[::-1]), *TIMES)
        assert [f.verdict for f in found.values()] == [Verdict.INCOMPARABLE] * 3
        (why,) = {f.why for f in found.values()}
        assert why.startswith(f"{'.'.join(path)}: was ")
        assert why.count(": was ") == 1


def test_keys_of_which_no_input_is_known_differ_too() -> None:
    found = judged(side(GOOD), side(GOOD, cell_key="another", identity=IDENTITY))["score"]
    assert (found.verdict, found.why) == (
        Verdict.INCOMPARABLE,
        "cell_key differs. This has to be the same on both sides",
    )


@pytest.mark.parametrize("fact", sorted({*FACTS} - {"commit", "dirty", *PARTS["versions"].facts}))
def test_each_fact_of_a_machine_keeps_its_costs_apart_and_no_score(fact: str) -> None:
    long = "a processor's name that says at its very end which it is: "
    for then, now in (("one", "two"), (f"{long}8481C", f"{long}8488C"), (None, "two")):
        base = facts(side(GOOD), **{fact: then})
        found = judged(base, facts(side(GOOD), **{fact: now}), *TIMES)
        for name in ("step_time", *(["peak_memory"] if fact != "boot" else [])):
            assert found[name].verdict is Verdict.INCOMPARABLE
            assert found[name].why == f"{fact}: was {then}, is {now}"
            assert not found[name].is_gated
        assert found["score"].verdict is Verdict.NOT_WORSE
        assert found["peak_memory"].is_gated == (fact == "boot")


def test_facts_that_say_nothing_of_a_machine_keep_nothing_apart() -> None:
    found = judged(side(GOOD), facts(side(GOOD), commit="b" * 40, dirty=True), *TIMES)
    assert {f.verdict for f in found.values()} == {Verdict.NOT_WORSE}


@pytest.mark.parametrize(
    ("base", "new", "why"),
    [
        ({"threads": 2}, {"threads": 4}, "threads: was 2, is 4"),
        ({"threads": None}, {"threads": 4}, "threads: was None, is 4"),
        ({}, {"created": DAY_LATER}, "day: 2026-01-02 and 2026-01-03"),
        ({"environment": FACTS | {"boot": None}}, {"environment": FACTS | {"boot": None}},
         "boot: unknown, so the machine may be another one"),
        *[({}, {"flags": [flag]}, "no ok run free of the flags degraded, noisy, shared_cores")
          for flag in ("degraded", "shared_cores", "noisy")],
        ({"flags": ["noisy"]}, {}, "one side has no ok run free of the flags degraded"),
    ],
)  # fmt: skip
def test_what_keeps_times_apart_leaves_scores_alone(
    base: dict[str, Any], new: dict[str, Any], why: str
) -> None:
    found = judged(side(GOOD, **base), side(GOOD, **new), *TIMES)
    assert found["step_time"].verdict is Verdict.INCOMPARABLE
    assert why in found["step_time"].why
    assert found["score"].verdict is Verdict.NOT_WORSE


def test_a_side_from_two_machines_is_named_with_both() -> None:
    mixed = facts(side(GOOD[:5]), cpu="two") + facts(side(GOOD[5:], first=60), cpu="one")
    assert judged(mixed, side(GOOD), *TIMES)["step_time"].why == "cpu: was one or two, is one"
    base = side(GOOD[:5], threads=8) + side(GOOD[5:], first=60, threads=1)
    why = judged(base, side(GOOD), *TIMES)["step_time"].why
    assert why == "threads: was 1 or 8, is 2"


def test_times_within_a_day_are_compared_and_disturbed_ones_left_out() -> None:
    new = side(spread(0.1), "step_time", created=NOW + timedelta(hours=23))
    new += side([50.0] * 2, "step_time", first=60, flags=["noisy"])
    found = judged(side(spread(0.1, 10), "step_time"), new, *TIMES)["step_time"]
    assert found.verdict is Verdict.NOT_WORSE
    assert found.new == pytest.approx(0.1, rel=0.01)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([*MEASURES]), st.floats(1.1, 3), st.booleans())
def test_the_direction_of_a_measure_is_never_reversed(name: str, factor: float, up: bool) -> None:
    measure = MEASURES[name]
    size = 2**30 if name == "peak_memory" else 0.3
    low, high = (side(spread(size * f, sd=size / 1000), name) for f in (1, factor))
    found = judged(*((low, high) if up else (high, low)), f"{name}:5%")[name]
    assert found.verdict is (Verdict.BETTER if up == measure.higher_is_better else Verdict.WORSE)
    assert found.change
    assert (found.change.change > 0) == (up == measure.higher_is_better)
    said = gate.format_change(found, found.change.change, "+")
    assert said.startswith("+" if up else "-")  # a reader sees which way the figure went
    percent = 100 * (factor - 1 if up else 1 / factor - 1)
    if not measure.is_score:
        assert said == f"{percent:+.1f}%"


def test_a_rise_of_less_than_the_margin_is_not_worse_however_certain() -> None:
    for name, margin, size in (("score", "1pt", 0.9), ("step_time", "10%", 0.1)):
        loss = -0.008 if name == "score" else 0.008
        base, new = (side(spread(size + by, sd=size / 1e4), name) for by in (0, loss))
        found = judged(base, new, f"{name}:{margin}")[name]
        assert found.change
        assert found.change.high < 0
        assert found.verdict is Verdict.NOT_WORSE


def test_a_metric_is_the_mean_over_the_splits_that_have_it() -> None:
    metrics = {"validation_matched": {"f1": 0.8}, "validation_mismatched": {"f1": 0.6}, "x": {}}
    assert MEASURES["f1"].of(run(1, metrics=metrics)) == pytest.approx(0.7)


def test_a_metric_that_the_task_does_not_have_is_named() -> None:
    cola = side(GOOD, "matthews_correlation", task="cola")
    found = judged(cola, side(GOOD, "matthews_correlation", task="cola"), "accuracy:1pt")
    assert found["accuracy"].verdict is Verdict.INCOMPARABLE
    assert found["accuracy"].why == "has no accuracy, but matthews_correlation"
    assert found["accuracy"].is_gated


def test_what_nobody_asked_for_is_shown_and_not_gated() -> None:
    found = judged(side(GOOD), side(BAD), "f1:1pt", "peak_memory:10%")
    assert [*found] == ["score", "f1", "step_time", "peak_memory"]
    assert (found["score"].verdict, found["score"].is_gated) == (None, False)
    assert found["score"].change


def test_the_bases_own_runs_say_nothing_new() -> None:
    base = side(GOOD)
    for new in (base, [base[0], *side(BAD, first=60)]):
        found = judged(base, new)["score"]
        assert found.verdict is Verdict.INCOMPARABLE
        count = 10 if new is base else 1
        assert found.why.startswith(f"runs that are on both sides: {count}. Fix: ")


def test_a_run_that_failed_makes_the_rest_incomparable() -> None:
    found = judged(side(GOOD), side(BAD[:4]) + failed([60]), *TIMES)
    assert {f.verdict for f in found.values()} == {Verdict.INCOMPARABLE}
    assert found["score"].why == "1 of 5 runs did not end ok: oom (out of memory)"
    unkeyed = judged(side(GOOD), side(BAD[:4]) + failed([60], cell_key=None))["score"]
    assert unkeyed.why == found["score"].why
    base = side(GOOD[:8]) + failed([70, 71])  # as many, and half as often
    for old, bad in ((side(GOOD), 3), (base, 2)):
        found = judged(old, side(GOOD[: 5 - bad]) + failed(range(60, 60 + bad)))
        assert found["score"].verdict is Verdict.INCOMPARABLE


def test_more_failures_than_chance_makes_are_worse() -> None:
    for new in (failed(range(5)), side(GOOD[:1]) + failed(range(4))):
        found = judged(side(GOOD), new)["score"]
        assert found.verdict is Verdict.WORSE
        bad = len(new) - (1 if new[0].status == "ok" else 0)
        assert f"{bad} of 5 runs failed or collapsed, and 0 of the base's 10 (p = " in found.why


def test_as_many_failures_as_the_base_has_leave_the_others_to_be_compared() -> None:
    base = side(GOOD[:8]) + failed([70, 71])
    assert judged(base, side(GOOD[:4]) + failed([60]))["score"].verdict is Verdict.NOT_WORSE
    assert judged(base, side(BAD))["score"].verdict is Verdict.WORSE
    found = judged(failed(range(3)), side(GOOD))["score"]
    assert found.verdict is Verdict.INCOMPARABLE
    assert found.why == "no run of the base ended ok: oom (out of memory)"
    assert judged(failed(range(3)), failed(range(9)))["score"].why == found.why


@pytest.mark.parametrize("flag", ["collapsed", "unstable"])
def test_collapsed_runs_are_counted_and_not_averaged(flag: str) -> None:
    found = judged(low(side(GOOD), 2, flag), low(side(GOOD[5:]), 1, flag))["score"]
    assert found.verdict is Verdict.NOT_WORSE
    assert found.change
    assert (found.change.base_runs, found.change.new_runs) == (8, 4)
    assert found.base == pytest.approx(0.9, abs=0.001)
    assert judged(side(GOOD), low(side(GOOD[:5]), 4, flag))["score"].verdict is Verdict.WORSE


def test_where_more_runs_collapse_than_before_the_others_do_not_make_it_fine() -> None:
    found = judged(side(GOOD), low(side(spread(0.95)), 1))["score"]
    assert found.verdict is Verdict.CANNOT_TELL
    assert found.why.startswith("1 of 5 runs failed or collapsed, and 0 of the base's 10: too few")
    assert judged(side(GOOD), low(side(BAD), 1))["score"].verdict is Verdict.WORSE
    found = judged(low(side(GOOD), 10), low(side(GOOD), 10))["score"]
    assert found.verdict is Verdict.CANNOT_TELL
    assert found.why == "every run of a side collapsed, or was unstable"


def test_what_cannot_be_told_says_what_could_be() -> None:
    base, new = side(spread(0.9, 10, sd=0.02)), side(spread(0.89, sd=0.02), first=60)
    found = judged(base, new, "score:-1pt")["score"]
    assert found.verdict is Verdict.CANNOT_TELL
    assert found.change
    needed = stats.runs_needed(found.change.sd, 0.01)
    smallest = 100 * stats.minimum_detectable_effect(found.change.sd, 10, 5)
    assert found.why == (
        f"10 and 5 runs show a change of {smallest:.2f} pt or more; to decide about -1pt, run "
        f"{needed} seeds on each side"
    )
    assert "--glue-seeds" in judged(side([0.9]), side([0.1]))["score"].why
    cost = judged(side([200, 240], "examples_per_s"), side([210, 190], "examples_per_s"),
                  "examples_per_s:-10%")["examples_per_s"]  # fmt: skip
    assert (
        gate.format_change(cost, thresholds.parse("examples_per_s", "10%", "").margin(1)) == "10.0%"
    )
    assert "to decide about" in cost.why
