"""Boards of GLUE's tasks are told apart by what was checked of rows, and by the dev rows."""

from __future__ import annotations

import pytest

from harness.records.cells import cells
from harness.records.schema import DataRecord, Record, Source
from harness.reports import board_tables, cell_tables
from harness.reports.boards import Standing, boards
from tests.support.board_runs import HASH, nine, scored, shown, split_record

OTHER = "1" * 64


def folders(checked: str | None) -> list[Record]:
    """Nine tasks of two models on one folder; a third model on one whose SST-2 dev rows differ."""
    runs = [*nine("a", dev=checked), *nine("b", dev=checked)]
    third = nine("c", dev=checked)
    third[1] = scored("sst2", 0.99, "c", dev=checked, rows=OTHER)
    return [*runs, *third]


@pytest.mark.parametrize("checked", ["counts", None])
def test_two_folders_with_other_dev_rows_have_a_board_each(checked: str | None) -> None:
    first, second = boards(folders(checked))
    assert first.standing is second.standing
    assert ["sst2" in row.cells for row in first.rows] == [True, True, False]
    assert [[*row.cells] for row in second.rows] == [["sst2"]]
    assert "; sst2 (acc, dev rows " in first.title
    assert "; sst2 (acc, dev rows " in second.title
    assert first.title != second.title
    assert all(row.sheet["sst2", "accuracy"] != 0.99 for row in first.rows if "sst2" in row.cells)
    averages = board_tables.averages_of(first, "r")
    assert shown(averages)["c"]["coverage"] == "========. 8 of 9"
    pivots = [cell_tables.pivot(board).text() for board in (first, second)]
    assert "99.00" not in pivots[0]
    assert "99.00" in pivots[1]


def test_two_whole_folders_are_two_boards_with_their_averages() -> None:
    first, second = boards([*nine("a", dev=None), *nine("b", dev=None, rows=OTHER)])
    assert [[row.name for row in board.rows] for board in (first, second)] == [["a"], ["b"]]
    for board in (first, second):
        assert (
            shown(board_tables.averages_of(board, "r"))[board.rows[0].name]["GLUE-9"] == "54.00 (1)"
        )


def test_dev_rows_that_were_cut_say_how_many_there_are() -> None:
    cut = DataRecord(
        splits={
            "train": split_record(None),
            "validation": split_record(None, sha256=OTHER, rows=10, rows_in_source=10),
        },
        truncated_rows={},
    )
    found = boards([scored("sst2", 0.8, dev=None), scored("sst2", 0.9, "other", data=cut)])
    assert [board.title.rpartition("; ")[2] for board in found] == [
        "sst2 (acc, 100 dev rows)", "sst2 (acc, 10 dev rows)",
    ]  # fmt: skip


def test_a_folder_and_the_hub_never_share_a_board() -> None:
    hub = Source(kind="hub", revision="a" * 40)
    assert len(boards([scored("rte", 0.5), scored("rte", 0.6, "b", source=hub)])) == 2


@pytest.mark.cases
def test_sha256_counts_and_neither_never_share_a_board() -> None:
    runs = [
        scored(task, 0.5, train=checked, dev=checked)
        for task, checked in (
            ("cola", "sha256"),
            ("sst2", "commit"),
            ("mnli", "counts"),
            ("qqp", None),
        )
    ]
    found = boards([*runs, scored("qnli", 0.5, train="counts"), scored("rte", 0.5, dev="counts")])
    assert [(board.standing, [cell.task for cell in board.cells]) for board in found] == [
        (Standing.OFFICIAL, ["cola", "sst2"]),
        (Standing.COUNTED, ["mnli", "qnli", "rte"]),
        (Standing.OTHER, ["qqp"]),
    ]
    assert ["GLUE's own" in board.title for board in found] == [True, False, False]
    assert found[1].title.endswith("GLUE's rows in number alone, texts not checked")
    assert cell_tables.in_brief(found[1]).notes == (
        "training rows: GLUE's own for rte; GLUE's in number alone (texts not checked) for mnli, "
        "qnli",
        "dev rows: GLUE's own for qnli; GLUE's in number alone (texts not checked) for mnli, rte",
    )


@pytest.mark.parametrize("checked", ["sha256", "counts", None])
def test_a_part_is_on_the_board_of_parts_of_what_was_checked(checked: str | None) -> None:
    runs = [
        scored(task, 0.5, train=held, dev=held, source=Source(kind="glue_data", max_train=50))
        for task, held in (("cola", "sha256"), ("rte", "sha256"), ("mnli", checked))
    ]
    found = boards(runs)
    assert len(found) == 1 + (checked != "sha256")
    assert found[0].standing is Standing.OFFICIAL_PART
    assert found[0].title.endswith(", 50 training rows, a part of GLUE's own rows")


def test_averages_of_rows_that_were_only_counted_are_titled_so() -> None:
    (board,) = boards(nine(train="counts", dev="counts"))
    table = board_tables.averages_of(board, "r")
    assert "in number alone" in table.title
    assert shown(table)["toy-bert"]["GLUE-9"] == "54.00 (1)"


def test_rows_that_changed_behind_one_key_are_two_cells() -> None:
    runs = [scored("rte", 0.5, seed=seed, rows=rows) for seed, rows in ((1, HASH), (2, OTHER))]
    assert [len(cell.records) for cell in cells(runs)] == [1, 1]
    assert len(boards(runs)) == 2
    same = [scored("rte", 0.5, seed=seed) for seed in (1, 2)]
    assert len(cells(same)) == 1


def test_an_older_version_of_a_task_with_other_metrics_is_apart() -> None:
    said = {"task": {"metrics": ["f1"], "labels": ["not_equivalent", "equivalent"]}}
    found = boards([scored("mrpc", 0.5), scored("mrpc", 0.9, "b", identity=said)])
    assert [board.title.rpartition("; ")[2] for board in found] == ["mrpc (acc+F1)", "mrpc (F1)"]
