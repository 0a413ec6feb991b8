from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.catalog import tasks
from harness.planning import command as more_runs
from harness.planning import option_sources, plan
from harness.records.schema import Record, Source
from harness.reports import board_tables, ranks
from harness.reports.averages import AVERAGES
from harness.reports.boards import Board, boards
from harness.tables.table import Figure, Table
from tests.support.board_runs import nine, scored
from tests.support.locations import ROOT

TOY = Source(kind="toy")


def board(*runs: Record) -> Board:
    (found,) = boards(runs)
    return found


def line(table: Table, name: str) -> dict[str, str]:
    row = next(row for row in table.rows if row[0] == name)
    return dict(zip(table.header, map(str, row), strict=True))


def planned(command: str, data: Path) -> set[str]:
    """The cases that a command would run."""
    program, folder, *words = shlex.split(command.replace(more_runs.DATA, str(data)))
    assert (program, folder) == ("pytest", "benchmarks")
    flags = [word.removeprefix("--glue-").replace("-", "_") for word in words[::2]]
    typed = dict(zip(flags, words[1::2], strict=True))
    made = plan.make(option_sources.merge(typed, data, data))
    recipe = made.settings.recipe
    if made.settings.epochs:
        recipe = f"{recipe}-{made.settings.epochs}ep"
    caps = (made.data.max_train, made.data.max_eval)
    return {f"{case.id} {recipe} {caps}" for case in made.cases}


def test_scores_name_the_metrics_and_lead_with_the_best_row() -> None:
    table = board_tables.scores(board(*nine("b"), *nine("a", seed=7)[:8], scored("rte", 0.9, "a")))
    assert table.header[3:6] == ("cola (MCC)", "sst2 (acc)", "mrpc (acc+F1)")
    assert [row[0] for row in table.rows] == ["b", "a"]
    assert line(table, "a")["rte (acc)"] == "73.50 ±23.33"
    assert line(table, "a")["wnli (acc)"] == "-"
    places = table.places()
    column = table.header.index("rte (acc)")
    assert (places[0, column], places[1, column]) == (2, 1)
    assert not [where for where in places if where[1] == table.header.index("wnli (acc)")]


def test_figures_that_look_alike_share_a_place() -> None:
    runs = [scored("rte", score, name) for name, score in (("a", 0.7), ("b", 0.700001), ("c", 0.6))]
    assert [*board_tables.scores(board(*runs)).places().values()] == [1, 1, 2]


def test_contaminated_figures_are_marked_and_take_no_place() -> None:
    seen = [scored(task, 0.9, "seen", flags=["contaminated"]) for task in ("qnli", "qqp")]
    rest = [run for run in nine("seen") if run.case.task not in ("qnli", "qqp")]
    made = board(*seen, *rest, *nine("clean"))
    table = board_tables.scores(made)
    assert line(table, "seen")["qnli (acc)"] == "90.00†"
    assert 1 in table.places().values()
    column = table.header.index("qnli (acc)")
    assert not [where for where in table.places() if where[1] == column]
    averages = board_tables.averages_of(made, "results")
    assert all("†" in line(averages, "seen")[name] for name in (*AVERAGES, "Borda"))
    assert "†" not in str(line(averages, "clean"))
    for shown in (table, averages):
        assert "† contaminated: the model's pretraining saw this task's texts" in shown.notes


def test_every_average_stands_with_its_definition_and_rank() -> None:
    better = [run.model_copy(update={"case": run.case}) for run in nine("b", seed=1)]
    higher = [scored(run.case.task, (run.score or 0) + 0.1, "b") for run in better]
    table = board_tables.averages_of(board(*nine("a"), *higher), "results")
    assert table.header[3:-1] == (*AVERAGES, "Borda")
    assert (line(table, "b")["GLUE-9"], line(table, "a")["GLUE-9"]) == ("64.00 (1)", "54.00 (2)")
    assert line(table, "b")["Borda"] == "9.0 (1)"
    assert line(table, "b")["coverage"] == "========= 9 of 9"
    for name, average in AVERAGES.items():
        assert [note for note in table.notes if note.startswith(f"{name}: {average.definition}")]
    assert [note for note in table.notes if note.startswith("Borda: ")]
    assert table.fill == ()


def test_the_page_on_boards_has_every_definition() -> None:
    page = (ROOT / "docs" / "boards.md").read_text("utf-8")
    told = {name: average.definition for name, average in AVERAGES.items()} | {"Borda": ranks.BORDA}
    lines = [f"| {name} | {definition} |" for name, definition in told.items()]
    assert "| name | definition |\n|---|---|\n" + "\n".join(lines) + "\n\n" in page


def test_a_row_with_holes_has_a_rank_interval_a_coverage_bar_and_no_average() -> None:
    table = board_tables.averages_of(board(*nine("a"), *nine("b")[:7]), "results")
    row = line(table, "b")
    assert (row["GLUE-9"], row["coverage"]) == ("- (1-2)", "=======.. 7 of 9")
    figure = table.rows[1][3]
    assert isinstance(figure, Figure)
    assert figure.value is None


@pytest.mark.parametrize(("recipe", "epochs"), [("run-glue", 3), ("run-glue-7ep", 7)])
@pytest.mark.parametrize("cap", [None, 50])
def test_the_command_runs_the_cases_that_a_row_lacks_and_no_other(
    tmp_path: Path, recipe: str, epochs: int, cap: int | None
) -> None:
    source = Source(kind="glue_data", max_train=cap, max_eval=cap)
    runs = [
        scored(task, 0.5, "minilm", "cpu-bf16", seed, recipe=recipe, epochs=epochs, source=source)
        for task in ("cola", "rte")
        for seed in (7, 9)
    ]
    table = board_tables.averages_of(board(*runs), "some folder")
    (command,) = table.fill
    lacking = [task for task in tasks.GLUE_9 if task not in ("cola", "rte")]
    (tmp_path / "RTE").mkdir()
    assert planned(command, tmp_path) == {
        f"{task}-minilm-cpu-bf16-s{seed} {recipe} {(cap, cap)}"
        for task in lacking
        for seed in (7, 9)
    }
    assert shlex.split(command)[-2:] == ["--glue-results", "some folder"]


@given(held=st.lists(st.sampled_from(tasks.GLUE_9), min_size=1, unique=True))
def test_rows_and_their_commands_together_are_whole(held: list[str]) -> None:
    runs = [scored(task, 0.5, "minilm", source=TOY, recipe="toy") for task in held]
    runs += [scored("rte", 0.5, source=TOY, recipe="toy")]
    commands = board_tables.averages_of(board(*runs), "r").fill
    cases = {case for command in commands for case in planned(command, Path())}
    there = {f"{run.case.id} toy (None, None)" for run in runs}
    assert not cases & there
    assert cases | there == {
        f"{task}-{model}-cpu-fp32-s42 toy (None, None)"
        for model in ("minilm", "toy-bert")
        for task in tasks.GLUE_9
    }


def test_rows_that_lack_the_same_share_a_command_and_a_models_folder_is_asked_for() -> None:
    runs = [scored("rte", 0.5, name, source=TOY) for name in ("minilm", "my-model", "org/name")]
    table = board_tables.averages_of(board(*runs), "r")
    (command,) = table.fill
    assert "--glue-models minilm,path/to/my-model,org/name" in command
