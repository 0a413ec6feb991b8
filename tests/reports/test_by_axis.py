from __future__ import annotations

import math

import pytest

from harness.compare import stats
from harness.errors import UsageError
from harness.records.schema import Record
from harness.reports import by_axis
from harness.reports.boards import boards
from harness.spec import Axis
from harness.tables.table import Figure, Table
from tests.support.board_runs import MACHINE, assorted, scored
from tests.support.builders import outcome


def table(axis: Axis, *runs: Record, reference: str | None = None) -> Table:
    (found,) = by_axis.tables(boards(runs), axis, reference)
    return found


def lines(found: Table) -> list[dict[str, str]]:
    return [dict(zip(found.header, map(str, row), strict=True)) for row in found.rows]


def timed(speed: float, target: str, seed: int, **changed: object) -> Record:
    made = outcome().timing
    assert made is not None
    timing = made.model_copy(update={"examples_per_s": speed})
    environment = {**MACHINE, **changed}
    return scored(
        "rte", 0.6 + seed / 100, "m", target, seed, timing=timing, environment=environment
    )


def test_scores_and_speed_stand_against_the_reference_with_their_bounds() -> None:
    base = [timed(100, "cpu-fp32", 1), timed(110, "cpu-fp32", 3)]
    new = [timed(210, "cpu-bf16", 2), timed(200, "cpu-bf16", 5)]
    found = table(Axis.target, *new, *base)
    assert found.title.startswith("By target, against cpu-fp32, on GLUE dev")
    first, second = found.rows
    assert (first[3], str(first[-2]), str(first[-1])) == ("cpu-fp32", "reference", "1.00")
    change, speed_up = second[-2:]
    assert isinstance(change, Figure)
    assert isinstance(speed_up, Figure)
    score = stats.change([0.61, 0.63], [0.62, 0.65])
    ratio = stats.change([math.log(100), math.log(110)], [math.log(210), math.log(200)])
    assert score is not None
    assert ratio is not None
    assert (change.value, change.low, change.high) == pytest.approx(
        (score.change, score.low, score.high)
    )
    assert (speed_up.value, speed_up.low, speed_up.high) == pytest.approx(
        tuple(map(math.exp, (ratio.change, ratio.low, ratio.high)))
    )


def test_one_run_on_each_side_has_a_change_without_bounds() -> None:
    found = table(Axis.target, timed(100, "cpu-fp32", 1), timed(150, "cpu-bf16", 1))
    assert [*map(str, found.rows[1][-2:])] == ["+0.00", "1.50"]


def test_times_of_another_machine_or_start_are_not_compared() -> None:
    for fact, value in (("cpu", "Another"), ("boot", "two"), ("torch", "2.9")):
        found = table(
            Axis.target, timed(100, "cpu-fp32", 1), timed(150, "cpu-bf16", 1, **{fact: value})
        )
        assert str(found.rows[1][-1]) == "-"
        assert any(n.startswith(f"times are not comparable, {fact}: was") for n in found.notes)


def test_by_torch_another_version_of_it_is_no_obstacle() -> None:
    runs = [timed(100, "cpu-fp32", 1, torch="2.9.1"), timed(150, "cpu-fp32", 1, torch="2.13.0+cpu")]
    found = table(Axis.torch, *reversed(runs))
    assert [row["torch"] for row in lines(found)] == ["2.9.1", "2.13.0+cpu"]
    assert str(found.rows[1][-1]) == "1.50"


def test_scores_of_other_rows_are_not_compared() -> None:
    runs = [
        scored("rte", 0.6, "m", target, identity={"data": rows, "target": target})
        for target, rows in (("cpu-fp32", "a"), ("cpu-bf16", "b"))
    ]
    found = table(Axis.target, *runs)
    assert str(found.rows[1][-2]) == "-"
    assert any(n.startswith("scores are not comparable, data differs: ") for n in found.notes)


def test_by_model_each_has_its_own_recipe_and_several_are_told_apart() -> None:
    runs = [
        scored("rte", 0.6, "b", recipe="x", identity={"recipe": 1, "model_files": 1}),
        scored("rte", 0.7, "minilm", recipe="y", identity={"recipe": 2, "model_files": 2}),
        scored("rte", 0.8, "minilm", recipe="z", identity={"recipe": 3, "model_files": 2}),
    ]
    found = lines(table(Axis.model, *runs))
    assert [(row["model"], row["change"]) for row in found] == [
        ("minilm by y", "reference"), ("minilm by z", "+10.00"), ("b", "-10.00"),
    ]  # fmt: skip


@pytest.mark.cases
def test_models_that_were_trained_on_the_same_rows_are_held_against_each_other() -> None:
    runs = [
        scored(
            "rte",
            score,
            model,
            identity={"data": {"source": {"train": rows}}, "model_files": model},
            cell_key=model + rows,
        )
        for model, rows, score in (("a", "x", 0.6), ("b", "x", 0.7), ("a", "y", 0.9))
    ]
    found = table(Axis.model, *runs)
    assert [(row["model"], row["change"]) for row in lines(found)] == [
        ("a", "reference"), ("b", "+10.00"),
    ]  # fmt: skip
    assert all(row["task"].startswith("rte (training rows ") for row in lines(found))
    assert "left out, since they were run with one model alone: 1 cells" in found.notes


def test_the_reference_is_what_most_groups_have_unless_it_is_named() -> None:
    runs = [
        scored("rte", 0.6, "m"), scored("rte", 0.7, "m", "cpu-bf16"),
        scored("cola", 0.6, "m", "cpu-bf16"), scored("cola", 0.6, "m", "cuda-fp16"),
    ]  # fmt: skip
    assert "against cpu-bf16" in table(Axis.target, *runs).title
    named = table(Axis.target, *runs, reference="cpu-fp32")
    assert [row["change"] for row in lines(named)] == ["-", "-", "reference", "+10.00"]
    lacking = "the reference has no such run: cola m toy cpu-bf16, cola m toy cuda-fp16"
    assert lacking in named.notes
    with pytest.raises(UsageError, match=r"--reference: unknown target 'cpu-fp23'.*cpu-fp32"):
        table(Axis.target, *runs, reference="cpu-fp23")


def test_a_seed_that_does_nothing_gives_no_bounds() -> None:
    base = [scored("rte", 0.6, "m", seed=s, first_losses=[0.1, 0.2]) for s in (1, 2)]
    new = [scored("rte", 0.7, "m", "cpu-bf16", seed=s) for s in (1, 2)]
    found = table(Axis.target, *base, *new)
    assert str(found.rows[1][-2]) == "+10.00"
    assert any(
        note.startswith("no bounds, since its seeds gave the same run") for note in found.notes
    )


@pytest.mark.parametrize("axis", list(Axis))
def test_every_scored_cell_has_a_line_or_is_counted(axis: Axis) -> None:
    made = boards(assorted())
    for board, found in zip(made, by_axis.tables(made, axis), strict=True):
        alone = [int(n.split()[-2]) for n in found.notes if n.startswith("left out, since")]
        scored = sum(cell.mean is not None for cell in board.cells)
        assert len(found.rows) + sum(alone) == scored
