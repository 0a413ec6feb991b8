from __future__ import annotations

import csv
import io
import re

import pytest

from fakes import record
from harness import cells, tables, tasks
from harness.records import DataRecord, Record, Source, SplitRecord
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
    assert cells.glue_score(human) == pytest.approx(87.05, abs=0.05)


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
    (cell,) = cells.cells(runs)
    assert cell.scores == [0.7]
    assert cell.states == {}


def test_runs_with_other_inputs_never_share_a_line() -> None:
    case = Case("rte", "toy-bert", "cpu-fp32", 1)
    assert len(cells.cells([record(case, cell_key="a"), record(case, cell_key="b")])) == 2


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


def test_notes_say_whose_rows_were_trained_and_scored_on() -> None:
    def run(task: str, *, train: bool, dev: bool, used: int = 100) -> Record:
        splits = {
            "train": SplitRecord(
                rows=used, rows_in_source=100, dropped=0, sha256="0" * 64, official=train
            ),
            "validation": SplitRecord(
                rows=50, rows_in_source=50, dropped=0, sha256="0" * 64, official=dev
            ),
        }
        data = DataRecord(splits=splits, truncated_rows={})
        case = Case(task, "toy-bert", "cpu-fp32", 1)
        return record(case, source=Source(kind="glue_data"), data=data)

    runs = [
        run("cola", train=True, dev=True),
        run("sst2", train=True, dev=True, used=60),
        run("qqp", train=False, dev=False),
    ]
    assert tables.per_cell(runs).notes == (
        "training rows: GLUE's own for cola; a part of GLUE's, or others, for sst2, qqp",
        "dev rows: GLUE's own for cola, sst2; a part of GLUE's, or others, for qqp",
    )
    assert tables.per_cell(nine()).notes == ()


def test_tasks_outside_glue_have_lines_and_no_column() -> None:
    runs = [
        record(Case(task, "toy-bert", "cpu-fp32", 1), score=0.4) for task in ("cola", "cola-ood")
    ]
    assert [row[0] for row in tables.per_cell(runs).rows] == ["cola", "cola-ood"]
    assert tables.pivot(runs).header == ("model", "target", "cola")
    assert tables.pivot(runs).rows == (("toy-bert", "cpu-fp32", "40.00"),)
    assert "| cola-ood" in tables.report(runs)
    assert tables.report(runs[1:]).count("##") == 1


def test_two_models_of_one_name_are_never_averaged_into_one() -> None:
    runs = [
        record(Case(task, "mine", "cpu-fp32", 1), score=0.5, identity={"model_files": {"w": files}})
        for task, files in zip(tasks.GLUE_9, "aaaaabbbb", strict=True)
    ]
    table = tables.pivot(runs)
    assert len(table.rows) == 2
    assert all(re.fullmatch(r"mine\.[0-9a-f]{6}", row[0]) for row in table.rows)
    assert [row[-1] for row in table.rows] == ["-", "-"]


def test_contamination_is_said_under_both_tables() -> None:
    runs = [
        record(Case("qnli", "minilm", "cpu-fp32", 1), flags=["contaminated"]),
        record(Case("rte", "minilm", "cpu-fp32", 1)),
    ]
    assert any(note.startswith("contaminated: ") for note in tables.per_cell(runs).notes)
    (note,) = tables.pivot(runs).notes
    assert note.startswith("contaminated (")
    assert note.endswith(": qnli of minilm")


def test_a_run_that_failed_before_its_revision_was_known_joins_the_others() -> None:
    case = Case("rte", "toy-bert", "cpu-fp32", 1)
    dead = {"status": "failed", "reason": "x", "score": None, "floor": None, "timing": None}
    failed = record(case, source=Source(kind="hub"), memory=None, **dead)
    run = record(case, source=Source(kind="hub", revision="a" * 40))
    assert cells.boards([failed, run]) == [[run, failed]]
    other = record(case, source=Source(kind="hub", revision="b" * 40))
    assert cells.boards([failed, run, other]) == [[failed], [run], [other]]


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
        f"## Results on {rows}, toy-bert, cpu-fp32, recipe toy"
        for rows in (
            "toy data (generated, no GLUE scores)",
            "GLUE dev (glue_data folder), 2000 training rows",
            "GLUE dev (glue_data folder)",
        )
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
