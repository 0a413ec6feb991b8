from __future__ import annotations

import re

from harness.catalog import tasks
from harness.records.schema import Record, Source
from harness.reports.boards import Standing, boards
from tests.support.board_runs import GLUE, assorted, dead, nine, scored


def standings(*runs: Record) -> list[Standing]:
    return [board.standing for board in boards(runs)]


def test_toy_subset_and_official_never_share_a_board() -> None:
    found = boards(assorted())
    titles = [board.title for board in found]
    assert titles == [
        "GLUE dev (glue_data folder), GLUE's own rows",
        "GLUE dev (glue_data folder), 2000 training rows, a part of GLUE's own rows",
        "toy data (generated, no GLUE scores)",
    ]
    assert sum(len(cell.records) for board in found for cell in board.cells) == len(assorted())


def test_rows_that_are_not_glues_are_a_subset_without_a_cap() -> None:
    own, short, other = (
        scored("rte", 0.5),
        scored("cola", 0.5, train=None),
        scored("sst2", 0.5, dev=None),
    )
    official, subset = boards([own, short, other])
    assert (official.standing, subset.standing) == (Standing.OFFICIAL, Standing.OTHER)
    assert [cell.task for cell in subset.cells] == ["cola", "sst2"]


def test_runs_that_all_failed_join_the_board_of_their_task_or_the_only_one() -> None:
    lost = dead("rte", "other")
    assert standings(lost) == [Standing.UNKNOWN]
    assert standings(scored("cola", 0.5), lost) == [Standing.OFFICIAL]
    both = [scored("cola", 0.5), scored("rte", 0.5, train=None)]
    assert [len(board.cells) for board in boards([*both, lost])] == [1, 2]
    torn = [*both, dead("sst2")]
    assert standings(*torn) == [Standing.OFFICIAL, Standing.OTHER, Standing.UNKNOWN]


def test_two_models_of_one_name_are_never_averaged_into_one() -> None:
    runs = [
        scored(task, 0.5, "mine", identity={"model_files": {"w": files}})
        for task, files in zip(tasks.GLUE_9, "aaaaabbbb", strict=True)
    ]
    (board,) = boards(runs)
    assert [len(row.cells) for row in board.rows] == [5, 4]
    assert all(re.fullmatch(r"mine\.[0-9a-f]{6}", row.name) for row in board.rows)
    assert {row.model for row in board.rows} == {"mine"}


def test_recipes_and_targets_have_rows_of_their_own() -> None:
    runs = [*nine(), *nine(recipe="other"), *nine(target="cpu-bf16")]
    (board,) = boards(runs)
    found = {(row.target, row.recipe) for row in board.rows}
    assert found == {("cpu-fp32", "toy"), ("cpu-fp32", "other"), ("cpu-bf16", "toy")}


def test_of_cells_that_have_one_place_the_newest_stands_there() -> None:
    runs = [
        scored("rte", 0.6, cell_key="new", minute=2),
        scored("rte", 0.7, cell_key="old", minute=1),
    ]
    (board,) = boards(runs)
    (row,) = board.rows
    assert (row.cells["rte"].mean, board.replaced, len(board.cells)) == (0.6, 1, 2)


def test_tasks_outside_glue_are_in_cells_and_in_no_row() -> None:
    (board,) = boards([scored("cola-ood", 0.4), scored("cola", 0.5)])
    assert [cell.task for cell in board.cells] == ["cola", "cola-ood"]
    assert [[*row.cells] for row in board.rows] == [["cola"]]


def test_what_was_asked_for_stands_in_the_title() -> None:
    hub = Source(kind="hub", revision="abcdef0123", max_eval=50)
    assert boards([scored("rte", 0.5, source=hub)])[0].title.startswith(
        "GLUE dev (nyu-mll/glue, revision abcdef0), 50 dev rows, a part"
    )
    assert boards([scored("rte", 0.5, source=GLUE)])[0].title.endswith("GLUE's own rows")
