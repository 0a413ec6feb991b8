from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from harness.catalog import tasks
from harness.records.cells import Cell, cells
from harness.records.schema import Record
from harness.reports import cell_tables
from harness.reports.boards import Board, boards
from harness.reports.cell_tables import mixed_code
from harness.spec import Case
from harness.tables.table import Table
from tests.support.board_runs import dead, nine, scored
from tests.support.builders import record


def board(*runs: Record) -> Board:
    (found,) = boards(runs)
    return found


def first(table: Table) -> dict[str, str]:
    return dict(zip(table.header, map(str, table.rows[0]), strict=True))


def test_glue_9_is_there_only_with_all_nine_tasks() -> None:
    whole, lacking = nine(), nine("other")[:8]
    table = cell_tables.pivot(board(*whole, *lacking))
    assert table.header == ("model", "target", *tasks.GLUE_9, "GLUE-9")
    assert str(table.rows[0][-1]) == "54.00"
    assert [*map(str, table.rows[1][-2:])] == ["-", "-"]
    assert table.notes[0].startswith("GLUE-9: mean of the nine task scores")
    eight = cell_tables.pivot(board(*lacking))
    assert eight.header == ("model", "target", *tasks.GLUE_9[:8])
    assert (len(eight.rows[0]), eight.notes) == (10, ())


@pytest.mark.parametrize("form", [cell_tables.every_figure, cell_tables.in_brief])
def test_seeds_of_one_cell_become_one_line(form: Callable[[Board], Table]) -> None:
    runs = [scored("rte", score, seed=place) for place, score in enumerate((0.6, 0.7, 0.83))]
    table = form(board(*runs))
    assert len(table.rows) == 1
    row = first(table)
    assert (row["score"], row["n"], row["status"]) == ("71.00 ±11.53", "3", "ok")


def test_every_figure_has_the_median_and_the_collapsed_runs() -> None:
    runs = [scored("rte", score, seed=place) for place, score in enumerate((0.6, 0.7, 0.83))]
    runs.append(scored("rte", 0.5, seed=9, flags=["collapsed"]))
    row = first(cell_tables.every_figure(board(*runs)))
    assert (row["median"], row["collapsed"], row["metrics"]) == ("65.00", "1 of 4", "accuracy")
    assert (row["floor"], row["train s"], row["ex/s"], row["MB"]) == ("50.00", "3.0", "213", "400")


def test_what_went_wrong_is_counted_and_never_averaged() -> None:
    runs = [
        scored("rte", 0.6, seed=1),
        scored("rte", 0.5, seed=2, flags=["collapsed", "at_floor"]),
        dead("rte", seed=3),
    ]
    for form in (cell_tables.every_figure, cell_tables.in_brief):
        row = first(form(board(*runs)))
        assert row["n"] == "2"
        assert row["status"] == "ok crashed 1/3 collapsed 1/3 at_floor 1/3"


@pytest.mark.parametrize("model", ["toy-bert", "a-model-with-a-name-longer-than-any-table-is-wide"])
@pytest.mark.parametrize("count", [1, 3])
def test_tables_fit_80_columns(model: str, count: int) -> None:
    runs = [
        scored(task, 0.9 + seed / 1000, name, target, seed, flags=flags, train=None)
        for task in tasks.GLUE_9
        for name in (model, "other")
        for target in ("cpu-fp32", "cpu-bf16")
        for seed in range(count)
        for flags in [["subset", "contaminated"] if task == "qnli" else ["subset"]]
    ]
    lines = cell_tables.summary(runs).splitlines()
    assert max(map(len, lines)) <= 80, max(lines, key=len)
    assert any(line.startswith("subset (every run)") for line in lines)


def test_notes_say_whose_rows_were_trained_and_scored_on() -> None:
    runs = [
        scored("cola", 0.5, train=None),
        scored("sst2", 0.5, train=None),
        scored("qqp", 0.5, train=None, dev=None),
    ]
    assert cell_tables.in_brief(board(*runs)).notes == (
        "training rows: a part of GLUE's, or others, for cola, sst2, qqp",
        "dev rows: GLUE's own for cola, sst2; a part of GLUE's, or others, for qqp",
    )


def test_contamination_is_said_under_both_tables_of_a_session_once() -> None:
    runs = [scored("qnli", 0.5, flags=["contaminated"]), scored("rte", 0.5)]
    (note,) = cell_tables.pivot(board(*runs)).notes
    assert note.endswith(": qnli of toy-bert")
    assert cell_tables.summary(runs).count("pretraining saw") == 2


@pytest.mark.parametrize(
    ("runs", "tables"),
    [
        ([scored("rte", 0.5)], 1),
        ([scored("rte", 0.5), scored("cola", 0.5)], 2),
        ([scored("rte", 0.5), scored("cola", 0.5, train=None)], 2),
        ([scored("cola-ood", 0.5), scored("cola", 0.5)], 1),
    ],
    ids=["one task", "two tasks", "two boards", "one of GLUE's nine"],
)
def test_a_session_ends_with_a_table_per_board_and_a_pivot_of_several_tasks(
    runs: list[Any], tables: int
) -> None:
    assert len(cell_tables.summary(runs).split("\n\n")) == tables


@pytest.mark.cases
def test_a_model_that_never_began_has_no_recipe_to_be_told() -> None:
    never = dead("rte", "minilm").model_copy(update={"recipe": None})
    notes = cell_tables.in_brief(board(scored("rte", 0.6), never)).notes
    assert [note for note in notes if note.startswith("recipes:")] == ["recipes: toy for toy-bert"]


def test_runs_of_several_commits_in_one_cell_are_said() -> None:
    def cells_of(*codes: tuple[str | None, bool | None]) -> list[Cell]:
        facts = [{"commit": commit, "dirty": dirty} for commit, dirty in codes]
        case = Case("rte", "toy-bert", "cpu-fp32", 1)
        runs = [
            record(dataclasses.replace(case, seed=seed), environment=told)
            for seed, told in enumerate(facts)
        ]
        return cells(runs)

    one, two = "a" * 40, "b" * 40
    assert mixed_code(cells_of((one, False), (one, False))) == []
    assert mixed_code(cells_of((None, None), (None, None))) == []
    (note,) = mixed_code(cells_of((one, False), (two, False), (two, True)))
    assert note.startswith("averaged over runs of different commits: rte-toy-bert-cpu-fp32 (")
    named = note.removesuffix(")").partition("(")[2].split(", ")
    assert {*named} == {"aaaaaaa", "bbbbbbb", "bbbbbbb with changes"}
