"""One column ranks what can be compared: rows, labels and metrics decide, not a task's name."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

import harness
from harness.records.cells import cells
from harness.records.schema import DataRecord, Record, Source
from harness.records.store import Store
from harness.reports import board_tables, by_axis, cell_tables, report, score_basis
from harness.reports.boards import Board, boards
from harness.spec import Axis, Case
from tests.support.board_runs import GLUE, HASH, shown, split_record
from tests.support.builders import record

ACCURACY, MCC = ["accuracy"], ["matthews_correlation"]
OTHER = "1" * 64


def custom(
    score: float | None,
    model: str = "toy-bert",
    *,
    metrics: list[str] = ACCURACY,
    labels: tuple[str, ...] = ("bad", "good"),
    rows: str = HASH,
    count: int = 50,
    train: str = "t",
    task: str = "reviews",
    **changed: Any,
) -> Record:
    """A run of a user's task, scored on `count` rows of which `rows` is the sha256."""
    splits = {
        "train": split_record(None), "validation": split_record(
            None, sha256=rows, rows=count, rows_in_source=count
        ),
    }  # fmt: skip
    identity = {
        "task": {"name": task, "labels": [*labels], "metrics": metrics},
        "data": {"source": {"label": "stars", "train": train, "validation": f"file of {rows}"}},
    }
    values: dict[str, Any] = {
        "source": Source(kind="own"), "identity": identity, "score": score,
        "metrics": {} if score is None else {"validation": dict.fromkeys(metrics, score)},
        "data": DataRecord(splits=splits, truncated_rows={}),
    }  # fmt: skip
    case = Case(task, model, "cpu-fp32", changed.pop("seed", 42))
    key = f"{case.cell}/{identity}/{changed.get('recipe')}"
    return record(case, **{"cell_key": key, **values} | changed)


def the_board(*runs: Record) -> Board:
    (found,) = boards(runs)
    return found


def ranked_together(board: Board) -> list[set[str]]:
    """The models of each column that has more than one."""
    found = [{row.model for row in board.rows if name in row.cells} for name in board.columns]
    return [models for models in found if len(models) > 1]


MIXED = [
    custom(0.84, "toy-bert"),
    custom(0.2726, "minilm", metrics=MCC),
    custom(1.0, "cbow", rows=OTHER, count=10),
]


@pytest.mark.cases
def test_board_mixed_metrics_and_dev_rows_have_a_column_each() -> None:
    board = the_board(*MIXED)
    table = board_tables.scores(board)
    assert table.header[3:] == (
        "reviews (acc, 50 dev rows)", "reviews (MCC, 50 dev rows)", "reviews (acc, 10 dev rows)",
    )  # fmt: skip
    found = {name: [*row.values()][-1] for name, row in shown(table).items()}
    assert found == {"toy-bert": "84.00", "minilm": "27.26", "cbow": "100.00"}
    assert not table.places()
    assert ranked_together(board) == []
    for form in (cell_tables.in_brief, cell_tables.every_figure, cell_tables.pivot):
        said = str(form(board))
        assert all(name in said for name in table.header[3:])
    for text in (report.markdown, report.latex, report.as_json):
        said = text(report.make(MIXED, "r"))
        assert all(name in said for name in table.header[3:])


def test_the_same_rows_labels_and_metrics_are_ranked_whatever_the_file_is() -> None:
    board = the_board(custom(0.8, "a"), custom(0.9, "b"), custom(0.7, "c", recipe="other"))
    table = board_tables.scores(board)
    assert table.header[3:] == ("reviews (acc)",)
    assert [row[0] for row in table.rows] == ["b", "a", "c"]
    assert set(table.places().values()) == {1, 2}


@pytest.mark.parametrize(
    ("other", "header"),
    [
        ({"metrics": MCC}, ("reviews (acc)", "reviews (MCC)")),
        ({"metrics": ["accuracy", "f1"]}, ("reviews (acc)", "reviews (acc+F1)")),
        ({"rows": OTHER, "count": 10},
         ("reviews (acc, 50 dev rows)", "reviews (acc, 10 dev rows)")),
        ({"labels": ("poor", "fine")},
         ("reviews (acc, labels bad/good)", "reviews (acc, labels poor/fine)")),
        ({"labels": ("good", "bad"), "rows": OTHER},
         ("reviews (acc, labels bad/good)", "reviews (acc, labels good/bad)")),
        ({"labels": ("bad", "fair", "good"), "rows": OTHER, "count": 60},
         ("reviews (acc, labels bad/good, 50 dev rows)",
          "reviews (acc, labels bad/fair/good, 60 dev rows)")),
        ({"rows": OTHER},
         ("reviews (acc, dev rows 60e05b)", "reviews (acc, dev rows e0bc61)")),
        ({"identity": {}}, ("reviews (acc, labels bad/good)", "reviews (acc, labels unknown)")),
    ],
    ids=["metric", "one more metric", "fewer rows", "labels renamed", "labels in another order",
         "a label more", "texts changed", "no identity"],
)  # fmt: skip
def test_what_differs_has_a_column_that_says_how(
    other: dict[str, Any], header: tuple[str, ...]
) -> None:
    board = the_board(custom(0.8, "a"), custom(0.9, "b", **other))
    table = board_tables.scores(board)
    digits = [name for name in table.header[3:] if "dev rows " in name]
    assert len(digits) in (0, 2)
    if digits:
        assert len({*digits}) == 2
    else:
        assert table.header[3:] == header
    assert ranked_together(board) == []
    assert not table.places()
    by_model = by_axis.tables([board], Axis.model)[0]
    assert by_model.rows == ()


def test_the_order_of_metrics_makes_no_column() -> None:
    runs = [
        custom(0.8, "a", metrics=["accuracy", "f1"]),
        custom(0.9, "b", metrics=["f1", "accuracy"]),
    ]
    assert board_tables.scores(the_board(*runs)).header[3:] == ("reviews (acc+F1)",)


def test_a_cap_on_dev_rows_makes_a_board() -> None:
    capped = custom(1.0, "b", rows=OTHER, count=10, source=Source(kind="own", max_eval=10))
    found = boards([custom(0.8, "a"), capped])
    assert [board.title for board in found] == [
        "custom data (no GLUE task)", "custom data (no GLUE task), 10 dev rows",
    ]  # fmt: skip


def test_rows_of_the_same_columns_stand_together_and_the_best_of_them_first() -> None:
    two = [custom(0.5, "a"), custom(0.6, "a", task="again"), custom(0.7, "b"),
           custom(0.8, "b", task="again")]  # fmt: skip
    board = the_board(*two, custom(0.99, "c", metrics=MCC), custom(0.9, "d"), custom(0.95, "e"))
    assert [row.name for row in board_tables.ranked(board)] == ["b", "a", "e", "d", "c"]


@pytest.mark.parametrize("form", [cell_tables.pivot, cell_tables.in_brief])
def test_long_names_of_columns_fit_the_terminal(form: Any) -> None:
    labels = tuple(f"a-rather-long-label-{n}" for n in range(60))
    more = custom(0.5, "d", labels=labels, rows="2" * 64, count=1234)
    lines = form(the_board(*MIXED, more)).text().splitlines()
    assert max(map(len, lines)) <= 80, max(lines, key=len)
    assert all(score in "\n".join(lines) for score in ("84.00", "27.26", "100.00", "50.00"))


def test_other_training_rows_have_a_row_of_their_own_in_the_same_ranking() -> None:
    board = the_board(custom(0.8), custom(0.9, train="u"), custom(0.7, "other"))
    names = [row.name for row in board_tables.ranked(board)]
    assert board.replaced == 0
    assert [name.partition(" (")[0] for name in names] == ["toy-bert", "toy-bert", "other"]
    assert len({*names}) == 3
    assert all("(training rows " in name for name in names)
    assert {row[2] for row in cell_tables.every_figure(board).rows} == {*names}


@pytest.mark.cases
def test_parts_that_were_drawn_otherwise_are_other_training_rows() -> None:
    def drawn(how: str, capped: int | None, model: str) -> Record:
        made = custom(0.8, model)
        data = {"source": {"train": "t"}, "sample": how, "max_train": capped, "max_eval": None}
        return made.model_copy(update={"identity": {**made.identity, "data": data}})

    for capped, told in ((5, 2), (None, 0)):
        board = the_board(drawn("1", capped, "a"), drawn("1/by rank", capped, "b"))
        assert ["(training rows " in row.name for row in board.rows].count(True) == told


@pytest.mark.cases
def test_models_of_one_name_are_told_apart_among_the_cells_too() -> None:
    runs = []
    for files in ("x", "y"):
        run = custom(0.8, "mine", cell_key=files)
        runs.append(run.model_copy(update={"identity": {**run.identity, "model_files": files}}))
    board = the_board(*runs)
    names = {row[2] for row in cell_tables.every_figure(board).rows}
    assert names == {row.name for row in board.rows}
    assert len(names) == 2


def test_runs_that_failed_are_shown_and_ranked_nowhere() -> None:
    lost: dict[str, Any] = {"status": "failed", "reason": "x", "data": None,
                            "floor": None}  # fmt: skip
    same = custom(None, "same", count=50, **lost)
    unknown = custom(None, "unknown", identity={}, cell_key=None, **lost)
    cut = custom(None, "cut", rows="2" * 64, **lost)
    board = the_board(*MIXED, same, unknown, cut)
    placed = {cell.model: name for cell, name in board.placed}
    assert placed["same"] == placed["toy-bert"]
    assert {cell.model for cell in board.cells} == {
        run.case.model for run in (*MIXED, same, unknown, cut)
    }
    assert {row.model for row in board.rows} == {"toy-bert", "minilm", "cbow"}
    table = cell_tables.every_figure(board)
    assert {row[2] for row in table.rows} >= {"same", "unknown", "cut"}


# ---- From task files to boards ------------------------------------------------------------------

TASK = """
[[task]]
name = "reviews"
data = "rows"
text = ["review"]
label = "stars"
labels = ["bad", "good"]
"""


@pytest.mark.cases
def test_three_runs_of_one_name_and_what_is_seen_of_them(tmp_path: Path) -> None:
    def write(name: str, count: int) -> None:
        with (tmp_path / "rows" / f"{name}.csv").open("w", newline="") as file:
            lines = [
                (f"a {('dull', 'fine')[n % 2]} film, {n}", ("bad", "good")[n % 2])
                for n in range(count)
            ]
            csv.writer(file).writerows([("review", "stars"), *lines])

    (tmp_path / "rows").mkdir()
    write("train", 32)
    write("validation", 20)
    path, results = tmp_path / "task.toml", tmp_path / "results"

    def run(metrics: str, recipe: str) -> Record:
        path.write_text(f'{TASK}metrics = ["{metrics}"]\n')
        return harness.run(
            "reviews", "toy-bert", task_file=path, results=results, engine="inline",
            recipe=recipe, epochs=1,
        )  # fmt: skip

    first = run("accuracy", "toy")
    second = run("matthews_correlation", "run-glue")
    write("validation", 10)
    third = run("accuracy", "notebook")
    assert [run.status for run in (first, second, third)] == ["ok"] * 3
    board = the_board(*Store(results).load())
    assert board.columns == (
        "reviews (acc, 20 dev rows)", "reviews (MCC, 20 dev rows)", "reviews (acc, 10 dev rows)",
    )  # fmt: skip
    assert all(len(row.cells) == 1 for row in board.rows)
    frame = harness.load_results(results)
    assert list(frame["metrics"]) == ["accuracy", "matthews_correlation", "accuracy"]
    assert list(frame["dev_rows"]) == [20, 20, 10]
    assert frame["dev_sha256"].nunique() == 2
    assert frame["dev_checked"].isna().all()
    assert GLUE.kind not in set(frame["data"])
    assert score_basis.of(cells([first])[0]).metrics_name == "acc"
