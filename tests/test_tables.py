from __future__ import annotations

import csv
import io

import pytest

from fakes import record
from harness import tables, tasks
from harness.records import Record, Source
from harness.spec import Case


def nine(model: str = "toy-bert", target: str = "cpu-fp32") -> list[Record]:
    return [
        record(Case(task, model, target, 42), score=0.5 + place / 100)
        for place, task in enumerate(tasks.GLUE_9)
    ]


def test_the_glue_score_is_there_only_with_all_nine() -> None:
    whole, lacking = nine(), nine("other")[:8]
    table = tables.pivot([*whole, *lacking])
    assert table.header == ("model", "target", *tasks.GLUE_9, "GLUE")
    assert table.rows[0][-1] == "54.00"
    assert table.rows[1][-2:] == ("-", "-")
    assert [note.split(":")[0] for note in table.notes] == ["GLUE"]
    eight = tables.pivot(lacking)
    assert eight.header == ("model", "target", *tasks.GLUE_9[:8])
    assert (len(eight.rows[0]), eight.notes) == (10, ())


def test_the_glue_score_of_the_human_row() -> None:
    # GLUE's human baseline: metric pairs averaged first, MNLI as one task.
    human = {
        "cola": 66.4, "sst2": 97.8, "mrpc": (86.3 + 80.8) / 2, "stsb": (92.7 + 92.6) / 2,
        "qqp": (59.5 + 80.4) / 2, "mnli": (92.0 + 92.8) / 2, "qnli": 91.2, "rte": 93.6,
        "wnli": 95.9,
    }  # fmt: skip
    assert tables.glue_score(human) == pytest.approx(87.05, abs=0.05)


def test_seeds_of_one_cell_become_one_line() -> None:
    runs = [
        record(Case("rte", "toy-bert", "cpu-fp32", seed), score=score)
        for seed, score in ((1, 0.6), (2, 0.7), (3, 0.8))
    ]
    table = tables.per_cell(runs)
    assert len(table.rows) == 1
    row = dict(zip(table.header, table.rows[0], strict=True))
    assert (row["score"], row["n"], row["status"]) == ("70.00 ±10.00", "3", "ok")


def test_what_went_wrong_is_counted_and_never_averaged() -> None:
    runs = [
        record(Case("rte", "toy-bert", "cpu-fp32", 1), score=0.6),
        record(Case("rte", "toy-bert", "cpu-fp32", 2), score=0.5, flags=["collapsed", "at_floor"]),
        record(
            Case("rte", "toy-bert", "cpu-fp32", 3),
            status="crashed", reason="x", score=None, floor=None, timing=None, memory=None,
        ),
    ]  # fmt: skip
    row = dict(zip(tables.per_cell(runs).header, tables.per_cell(runs).rows[0], strict=True))
    assert row["n"] == "2"
    assert row["status"] == "ok crashed 1/3 collapsed 1/3 at_floor 1/3"


def test_a_seed_that_was_run_again_counts_once() -> None:
    case = Case("rte", "toy-bert", "cpu-fp32", 1)
    dead = {"score": None, "floor": None, "timing": None, "memory": None}
    runs = [
        record(case, status="timeout", reason="x", **dead),
        record(case, score=0.6),
        record(case, score=0.7),
        record(case, status="crashed", reason="x", **dead),
    ]
    (cell,) = tables.cells(runs)
    assert cell.scores == [0.7]
    assert cell.states == {}


def test_runs_with_other_inputs_never_share_a_line() -> None:
    case = Case("rte", "toy-bert", "cpu-fp32", 1)
    assert len(tables.cells([record(case, cell_key="a"), record(case, cell_key="b")])) == 2


@pytest.mark.parametrize("model", ["toy-bert", "a-model-with-a-name-longer-than-any-table-is-wide"])
@pytest.mark.parametrize("count", [1, 3])
def test_tables_fit_80_columns(model: str, count: int) -> None:
    runs = [
        record(Case(task, name, target, seed), score=0.9 + seed / 1000, flags=flags)
        for task in tasks.GLUE_9
        for name in (model, "other")
        for target in ("cpu-fp32", "cpu-bf16")
        for seed in range(count)
        for flags in [["subset", "contaminated"] if task == "qnli" else ["subset"]]
    ]
    for table in (tables.per_cell(runs), tables.pivot(runs)):
        lines = table.text().splitlines()
        assert max(map(len, lines)) <= 80, max(lines, key=len)
    assert "subset (every run)" in tables.per_cell(runs).text()


def test_toy_is_said_in_every_title() -> None:
    for table in (tables.per_cell(nine()), tables.pivot(nine())):
        assert "toy data (generated, no GLUE scores)" in table.title


def test_rows_of_different_sources_never_share_a_table() -> None:
    part = Source(kind="glue_data", max_train=2000)
    case = Case("rte", "toy-bert", "cpu-fp32", 1)
    runs = [
        *nine(),
        record(case, source=part, score=0.1),
        record(case, source=Source(kind="glue_data")),
    ]
    text = tables.report(runs)
    assert [line for line in text.splitlines() if line.startswith("## Results")] == [
        "## Results on toy data (generated, no GLUE scores), toy-bert, cpu-fp32, recipe toy",
        "## Results on GLUE dev, 2000 training rows, toy-bert, cpu-fp32, recipe toy",
        "## Results on GLUE dev, toy-bert, cpu-fp32, recipe toy",
    ]
    assert "54.00" in text


def test_recipes_of_one_name_each_have_their_line() -> None:
    runs = [
        *nine(),
        *(record(Case("rte", "toy-bert", "cpu-fp32", 1), recipe=r) for r in ("a", "b")),
    ]
    assert tables.pivot(runs).header[:3] == ("model", "target", "recipe")
    assert len(tables.pivot(runs).rows) == 3
    assert tables.pivot(runs).rows[0][-1] == "54.00"


def test_markdown_and_csv_hold_the_same_numbers() -> None:
    runs = [*nine("a|b"), *nine("a|b", "cpu-bf16")]
    text = tables.report(runs)
    assert "a\\|b" in text
    rows = list(csv.DictReader(io.StringIO(tables.csv(runs))))
    assert len(rows) == 18
    assert {row["model"] for row in rows} == {"a|b"}
    assert all(row["score"] in text for row in rows)
