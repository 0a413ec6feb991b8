"""From sessions to verdicts on cells: what is joined, what is left out, and how it is shown."""

from __future__ import annotations

import dataclasses

import pytest

from harness.compare import speed_cells, speed_measures, speed_tables
from harness.compare.speed_cells import Session, SpeedComparison
from harness.compare.verdicts import Verdict
from harness.errors import Exit, UsageError
from harness.records.schema import Memory
from harness.spec import Policy
from tests.support.ab_sessions import SST2, sessions, timed

EFFECTS = speed_measures.default_effects(0.05)
RTE = dataclasses.replace(SST2, task="rte")
BF16 = dataclasses.replace(SST2, target="cpu-bf16")


def judged(*runs: Session, differing: tuple[str, ...] = ()) -> SpeedComparison:
    return speed_cells.compare(runs, EFFECTS, differing)


@pytest.mark.parametrize(
    ("b", "of_time", "of_cell", "code"),
    [
        (0.12, Verdict.WORSE, Verdict.WORSE, Exit.WORSE),
        (0.10, Verdict.NOT_WORSE, Verdict.NOT_WORSE, Exit.FINE),
        (0.08, Verdict.BETTER, Verdict.NOT_WORSE, Exit.FINE),  # its memory is as it was
    ],
)
def test_a_cell_is_judged_by_its_median_steps(
    b: float, of_time: Verdict, of_cell: Verdict, code: Exit
) -> None:
    found = judged(*sessions(0.10, b))
    (cell,) = found.verdicts
    assert (cell.name, cell.verdict) == ("sst2-toy-bert-cpu-fp32", of_cell)
    assert cell.findings[0].change.verdict is of_time
    assert found.exit_code(Policy.strict) is code


def test_memory_is_judged_in_the_same_way() -> None:
    runs = [
        Session(side, [timed(mb=mb)])
        for side, mb in zip("abbaabbaabba", [400, 440, 441, 400] * 3, strict=True)
    ]
    cell = judged(*runs).verdicts[0]
    assert {f.measure.name: str(f.change.verdict) for f in cell.findings if f.effect} == {
        "step_time": "not worse",
        "peak_memory": "worse",
    }
    assert cell.verdict is Verdict.WORSE


def test_measures_that_are_not_gated_decide_nothing() -> None:
    effects = speed_measures.effects_from_option(["peak_memory:+5%"])
    cell = speed_cells.compare(sessions(0.1, 0.2), effects).verdicts[0]
    assert cell.verdict is Verdict.NOT_WORSE
    assert {f.measure.name for f in cell.findings} == {"step_time", "peak_memory", "cpu_time"}


BAD = ("step_time", "step_time:5", "step_time:-5%", "step_time:+0%", "score:+5%", "step_time:+x%")


@pytest.mark.parametrize("text", BAD)
def test_an_effect_is_an_increase_in_percent(text: str) -> None:
    with pytest.raises(UsageError, match="--fail-on"):
        speed_measures.effects_from_option([text])
    with pytest.raises(UsageError, match="given twice"):
        speed_measures.effects_from_option(["step_time:+5%", "step_time:3%"])


def test_red_twice_is_worse_and_red_once_cannot_be_told() -> None:
    first = sessions(0.10, 0.12)
    assert judged(*first, *sessions(0.10, 0.12, stage=2)).exit_code(Policy.strict) is Exit.WORSE
    found = judged(*first, *sessions(0.10, 0.10, stage=2))
    assert found.exit_code(Policy.strict) is Exit.UNDECIDED
    assert found.verdicts[0].reasons == [
        "step_time: worse at first (+19.9%), not worse when repeated"
    ]
    elsewhere = [Session(s.side, [timed(RTE)], 2) for s in first]
    found = judged(*first, *elsewhere)
    assert found.exit_code(Policy.strict) is Exit.UNDECIDED
    assert found.verdicts[0].reasons == [
        "step_time: worse at first, and the repetition has no run of it"
    ]
    found = speed_cells.undecided(judged(*first), "no time")
    assert found.verdicts[0].reasons == ["step_time: no time"]
    assert found.exit_code(Policy.strict) is Exit.UNDECIDED


def test_sides_that_differ_in_their_target_are_joined_without_it() -> None:
    a, b = sessions(0.1, 0.1), sessions(0.1, 0.1, case=BF16)
    runs = [then if then.side == "a" else now for then, now in zip(a, b, strict=True)]
    assert judged(*runs).exit_code(Policy.strict) is Exit.NOTHING
    found = judged(*runs, differing=("target",))
    assert [cell.name for cell in found.verdicts] == ["sst2-toy-bert"]
    assert found.exit_code(Policy.strict) is Exit.FINE
    with pytest.raises(UsageError, match="sst2-toy-bert is 2 cells"):
        judged(Session("a", [timed(), timed(BF16)]), differing=("target",))


def test_a_cell_of_one_side_is_new_or_incomparable() -> None:
    only = [
        Session(run.side, [*run.records, timed(RTE)] if run.side == "b" else run.records)
        for run in sessions(0.1, 0.1)
    ]
    found = judged(*only)
    assert [str(cell.verdict) for cell in found.verdicts] == ["not worse", "new"]
    assert found.exit_code(Policy.strict) is Exit.FINE
    swapped = judged(*(Session("ab"[run.side == "a"], run.records) for run in only))
    assert swapped.verdicts[1].reasons == ["only side A has it"]
    assert swapped.exit_code(Policy.strict) is Exit.NOTHING


FAILED = timed(status="failed", reason="no such file", score=None, metrics={}, timing=None)


def failing(
    runs: list[Session], count: int, *sides: str, has_records: bool = True
) -> list[Session]:
    """The sessions, of which the first `count` of these sides failed, or left no record."""
    left = dict.fromkeys(sides, count)
    made = []
    for run in runs:
        if left.get(run.side):
            left[run.side] -= 1
            records = [FAILED] if has_records else []
            made.append(dataclasses.replace(run, records=records))
        else:
            made.append(run)
    return made


@pytest.mark.parametrize("count", [1, 5, 10])
def test_a_side_whose_runs_fail_more_often_cannot_be_compared(count: int) -> None:
    found = judged(*failing(sessions(0.1, 0.1, pairs=10), count, "b"))
    assert found.verdicts[0].reasons == [
        f"side B: {count} of 10 runs did not end ok: failed: no such file"
    ]
    assert found.exit_code(Policy.normal) is Exit.NOTHING


def test_a_run_that_a_session_lacks_is_a_failure_unless_its_files_are_lost() -> None:
    runs = failing(sessions(0.1, 0.1, pairs=10), 3, "b", has_records=False)
    found = judged(*runs)
    assert found.verdicts[0].reasons == ["side B: 3 of 10 runs did not end ok: 3 left no record"]
    assert found.exit_code(Policy.normal) is Exit.NOTHING
    lost = [dataclasses.replace(run, is_lost=not run.records) for run in runs]
    found = judged(*lost)
    assert found.exit_code(Policy.strict) is Exit.FINE
    assert found.verdicts[0].notes == ()


def test_a_seed_that_fails_in_each_session_of_b_cannot_be_compared() -> None:
    other = dataclasses.replace(SST2, seed=7)
    bad = timed(other, status="failed", reason="nan", score=None, metrics={}, timing=None)
    runs = [
        dataclasses.replace(s, records=[*s.records, bad if s.side == "b" else timed(other)])
        for s in sessions(0.1, 0.1)
    ]
    assert judged(*runs).verdicts[0].reasons == ["side B: 6 of 12 runs did not end ok: failed: nan"]


def test_sides_that_fail_alike_are_compared_and_the_failures_named() -> None:
    found = judged(*failing(sessions(0.1, 0.1, pairs=10), 2, "a", "b"))
    assert found.exit_code(Policy.strict) is Exit.FINE
    assert found.verdicts[0].notes == (
        "side A: 2 of 10 runs did not end ok: failed: no such file",
        "side B: 2 of 10 runs did not end ok: failed: no such file",
    )
    text = " ".join(speed_tables.text(found).split())
    assert "sst2-toy-bert-cpu-fp32: side B: 2 of 10 runs did not end ok" in text
    assert "side B: 2 of 10 runs" in speed_tables.line(found.verdicts[0])
    fewer = judged(*failing(sessions(0.1, 0.1, pairs=10), 2, "a"))
    assert fewer.exit_code(Policy.strict) is Exit.FINE
    assert fewer.verdicts[0].notes == found.verdicts[0].notes[:1]


@pytest.mark.parametrize(("side", "count"), [("b", 6), ("b", 1), ("a", 6)])
def test_a_red_cell_whose_repetition_fails_cannot_be_compared(side: str, count: int) -> None:
    again = failing(sessions(0.10, 0.12, stage=2), count, side)
    found = judged(*sessions(0.10, 0.12), *again)
    assert found.verdicts[0].reasons == [
        f"worse at first; when repeated, side {side.upper()}: {count} of 6 runs did not end ok: "
        "failed: no such file"
    ]
    assert found.exit_code(Policy.normal) is Exit.NOTHING


def test_a_red_cell_that_only_one_side_repeats_cannot_be_compared() -> None:
    again = failing(sessions(0.10, 0.12, stage=2), 6, "b", has_records=False)
    found = judged(*sessions(0.10, 0.12), *again)
    assert found.verdicts[0].reasons == ["worse at first; when repeated, only side A has it"]
    assert found.exit_code(Policy.normal) is Exit.NOTHING


def test_failures_of_both_sides_in_a_repetition_are_named() -> None:
    again = failing(sessions(0.10, 0.12, pairs=10, stage=2), 1, "a", "b")
    cell = judged(*sessions(0.10, 0.12), *again).verdicts[0]
    assert cell.verdict is Verdict.WORSE
    assert cell.notes[0].startswith("when repeated, side A: 1 of 10 runs did not end ok")


def test_runs_whose_times_mean_something_else_are_left_out_and_noisy_ones_are_not() -> None:
    def flagged(flag: str) -> SpeedComparison:
        return judged(*(
            Session(s.side, [run.model_copy(update={"flags": [flag]}) for run in s.records])
            for s in sessions(0.1, 0.1)
        ))  # fmt: skip

    assert flagged("noisy").exit_code(Policy.strict) is Exit.FINE
    assert flagged("degraded").exit_code(Policy.strict) is Exit.UNDECIDED


def test_one_older_run_has_all_compared_by_their_mean_step() -> None:
    older = [
        Session(s.side, [timed(step_s=None)] if s.side == "a" else s.records)
        for s in sessions(0.1, 0.1)
    ]
    cell = judged(*older).verdicts[0]
    assert cell.findings[0].change.a == pytest.approx(0.1)
    assert cell.findings[0].change.verdict is Verdict.NOT_WORSE


def test_an_accelerators_memory_is_compared_where_both_sides_have_one() -> None:
    def on_device(run: Session, mb: int) -> Session:
        memory = Memory(
            peak_memory_bytes=400 << 20, floor_memory_bytes=1, peak_device_memory_bytes=mb << 20
        )
        return Session(run.side, [r.model_copy(update={"memory": memory}) for r in run.records])

    both = [on_device(run, 100 if run.side == "a" else 200) for run in sessions(0.1, 0.1)]
    assert judged(*both).verdicts[0].verdict is Verdict.WORSE
    one = [on_device(run, 100) if run.side == "a" else run for run in sessions(0.1, 0.1)]
    memory = judged(*one).verdicts[0].findings[1].change
    assert (memory.a, memory.b) == (pytest.approx(400 << 20), pytest.approx(400 << 20))


def test_several_seeds_of_a_session_are_one_observation() -> None:
    seeds = [dataclasses.replace(SST2, seed=seed) for seed in (1, 2, 3)]
    runs = [
        Session(side, [timed(case, step) for case, step in zip(seeds, (0.1, 0.2, 9), strict=True)])
        for side in "abbaabbaabba"
    ]
    assert judged(*runs).verdicts[0].findings[0].change.a == pytest.approx(0.2)


def test_what_is_shown() -> None:
    text = speed_tables.text(judged(*sessions(0.10, 0.12)))
    assert max(map(len, text.splitlines())) <= 80
    assert text.splitlines()[:4] == [
        "step time, ms, lower is better, an increase counts from +5% on",
        "cell                         A       B  change         between  verdict",
        "----------------------  ------  ------  ------  --------------  -------",
        "sst2-toy-bert-cpu-fp32  100.10  120.02  +19.9%  +19.1%..+20.7%  worse",
    ]
    assert "same code from process to process" in text
    assert "(steal): 1.0% and 1.0%" in text
    assert text.endswith("verdicts: 1 worse")
    assert "To decide:" not in text
    assert "To decide:" in speed_tables.text(speed_cells.undecided(judged(*sessions(1, 2)), "x"))
    markdown = speed_tables.text(judged(*sessions(0.10, 0.12)), markdown=True)
    assert "| sst2-toy-bert-cpu-fp32 |" in markdown


def test_sides_with_other_inputs_are_told_apart() -> None:
    by_side = {"a": {}, "b": {"recipe": {"batch_size": 16}}}
    runs = [
        Session(s.side, [r.model_copy(update={"identity": by_side[s.side]}) for r in s.records])
        for s in sessions(0.1, 0.1)
    ]
    assert "the sides differ: recipe" in speed_tables.text(judged(*runs))
