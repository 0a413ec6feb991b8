"""Scores of models whose pretraining saw the texts are shown with a mark and have no rank."""

from __future__ import annotations

import pytest

from harness.catalog import tasks
from harness.records.schema import Record
from harness.reports import averages, board_tables, cell_tables
from harness.reports.boards import Board, boards
from harness.tables.table import Figure, Table
from tests.support.board_runs import nine, scored, shown


def the_board(*runs: Record) -> Board:
    (found,) = boards(runs)
    return found


def seen(model: str, *contaminated: str, score: float = 0.9, held: int = 9) -> list[Record]:
    """Runs of GLUE's tasks, those named contaminated; their scores are above all of `nine`."""
    return [
        scored(task, score, model, flags=["contaminated"] if task in contaminated else [])
        for task in tasks.GLUE_9[:held]
    ]


RANKED = (*averages.AVERAGES, "Borda")


def rank_of(table: Table, model: str, name: str) -> tuple[int, int] | None:
    row = next(row for row in table.rows if row[0] == model)
    figure = row[table.header.index(name)]
    assert isinstance(figure, Figure)
    return figure.rank


@pytest.mark.cases
def test_a_contaminated_score_takes_no_rank_and_shifts_nobodys() -> None:
    alone = board_tables.averages_of(the_board(*nine("a"), *seen("b", score=0.4)), "r")
    table = board_tables.averages_of(
        the_board(*nine("a"), *seen("b", score=0.4), *seen("c", "qnli")), "r"
    )
    for name in RANKED:
        assert rank_of(table, "c", name) is None
        for model in ("a", "b"):
            assert rank_of(table, model, name) == rank_of(alone, model, name)
            assert shown(table)[model][name] == shown(alone)[model][name]
    assert shown(table)["c"]["GLUE-9"] == "90.00†"
    assert shown(table)["c"]["Borda"] == "18.0†"  # above both in each task
    assert [row[0] for row in table.rows] == ["a", "b", "c"]
    assert not [where for where in table.places() if where[0] == 2]
    assert any(note.startswith("A row has no rank in an average") for note in table.notes)
    assert not any(note.startswith("A row has no rank") for note in alone.notes)


def test_only_averages_that_a_contaminated_score_is_part_of_lose_the_rank() -> None:
    table = board_tables.averages_of(the_board(*nine("a"), *seen("c", "wnli")), "r")
    with_wnli = {name for name, average in averages.AVERAGES.items() if "wnli" in average.columns}
    assert with_wnli == {"GLUE-9", "main"}
    for name in RANKED:
        taken = rank_of(table, "c", name)
        assert taken is None if name in {*with_wnli, "Borda"} else taken == (1, 1)
        first = name in {*with_wnli, "Borda"}
        assert rank_of(table, "a", name) == ((1, 1) if first else (2, 2))


def test_a_contaminated_row_with_holes_widens_nobodys_rank_interval() -> None:
    table = board_tables.averages_of(
        the_board(*nine("a"), *nine("b")[:8], *seen("c", "mnli", held=8)), "r"
    )
    for name in RANKED:
        assert rank_of(table, "c", name) is None
        assert rank_of(table, "a", name) in ((1, 2), (1, 1), (2, 2))
    assert rank_of(table, "a", "GLUE-9") == (1, 2)
    assert rank_of(table, "b", "GLUE-9") == (1, 2)


def test_the_terminal_marks_contaminated_scores_and_their_average() -> None:
    made = the_board(*nine("a"), *seen("c", "qnli"))
    table = cell_tables.pivot(made)
    assert shown(table)["c"]["qnli"] == shown(table)["c"]["GLUE-9"] == "90.00†"
    assert "†" not in str(shown(table)["a"])
    assert any(note.startswith("† contaminated (") for note in table.notes)
    (row,) = [row for row in cell_tables.every_figure(made).rows if str(row[5]) == "90.00†"]
    assert (row[0], row[2]) == ("qnli", "c")


def test_rows_that_all_are_contaminated_are_shown() -> None:
    table = board_tables.averages_of(the_board(*seen("c", "qnli"), *seen("d", "qqp")), "r")
    assert {row[0] for row in table.rows} == {"c", "d"}
    assert all(rank_of(table, model, name) is None for model in "cd" for name in RANKED)
