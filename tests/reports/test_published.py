from __future__ import annotations

import statistics
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.catalog import references, tasks
from harness.metrics import METRICS
from harness.records.cells import cells
from harness.records.schema import DataRecord, Record, Source, SplitRecord
from harness.reports import published as gaps
from harness.reports.published import Gaps, PublishedComparison
from harness.spec import Case
from harness.tables import formats
from tests.support.builders import record

UNCASED = "bert-base-uncased"
OWN = Source(kind="glue_data")


OTHER = {"official": False, "agrees": (), "checked": None}
COUNTED = {"official": False, "agrees": ("rows", "class counts"), "checked": "counts"}


def rows_of(task: str, **changed: dict[str, Any]) -> DataRecord:
    """All of GLUE's own rows of a task, but for what is `changed` of a split."""
    row = tasks.TASKS[task]
    splits = {
        name: SplitRecord(**{
            "rows": row.rows[name], "rows_in_source": row.rows[name], "dropped": 0,
            "sha256": "0" * 64, "official": True, "agrees": ("rows", "sha256"),
            "checked": "sha256", **changed.get(name, {}),
        })
        for name in ("train", *row.evaluated)
    }  # fmt: skip
    return DataRecord(splits=splits, truncated_rows={})


def runs(
    task: str, *values: float | dict[str, float], model: str = UNCASED, **changed: Any
) -> list[Record]:
    """A run of GLUE's own rows for each value, which every metric has on every split."""
    evaluated = tasks.TASKS[task].evaluated
    made = []
    for seed, value in enumerate(values):
        by_metric = value if isinstance(value, dict) else dict.fromkeys(METRICS, value)
        own = {
            "metrics": dict.fromkeys(evaluated, by_metric),
            "data": rows_of(task),
            "source": OWN,
            **changed,
        }
        made.append(record(Case(task, model, "cpu-fp32", seed), **own))
    return made


def found(*records: Record) -> Gaps:
    return gaps.gaps(cells(records))


def against(
    result: Gaps, name: str, metric: str = "accuracy", **printed: str
) -> PublishedComparison:
    (gap,) = [
        gap
        for gap in result.rows
        if (gap.published.model, gap.published.metric) == (name, metric)
        and printed.items() <= gap.published.printed.items()
    ]
    return gap


def test_a_gap_by_hand_in_published_sds() -> None:
    gap = against(found(*runs("rte", 0.66, 0.68)), "bert-base-uncased (run_glue, 1xV100)")
    assert gap.ours == pytest.approx(0.67)
    assert len(gap.figures) == 2
    assert gap.gap == pytest.approx(0.67 - 0.6173)
    assert gap.seed_sd is not None
    assert gap.seed_sd.source.startswith("IBM/model-recycling")
    assert gap.in_sds == pytest.approx((0.67 - 0.6173) / 0.0204)


def test_three_runs_have_an_sd_of_their_own() -> None:
    result = found(*runs("rte", 0.66, 0.68, 0.70))
    gap = against(result, "bert-base-uncased (run_glue, 1xV100)")
    assert (gap.seed_sd, gap.sd) == (None, pytest.approx(0.02))
    assert gap.in_sds == pytest.approx((0.68 - 0.6173) / 0.02)


def test_without_an_sd_there_is_no_figure_in_sds() -> None:
    name = "bert-base-uncased (run_glue, 8xV100)"
    lone = against(found(*runs("cola", 0.5)), name, "matthews_correlation")
    assert (lone.sd, lone.in_sds) == (None, None)
    same = against(found(*runs("cola", *[0.5] * 3)), name, "matthews_correlation")
    assert (same.sd, same.in_sds) == (0, None)
    assert lone.gap == pytest.approx(0.5 - 0.4887)


def test_only_ok_runs_count() -> None:
    dead = runs("rte", 0.0, 0.0, status="crashed", reason="x", metrics={}, score=None)[1]
    gap = against(found(*runs("rte", 0.66), dead), "bert-base-uncased (run_glue, 1xV100)")
    assert (gap.ours, len(gap.figures)) == (0.66, 1)


def test_the_mean_of_a_pair_is_each_runs_own() -> None:
    made = runs("mrpc", {"accuracy": 0.84, "f1": 0.88}, {"accuracy": 0.86, "f1": 0.90})
    gap = against(found(*made), "bert-base", "accuracy+f1")
    assert gap.figures == (pytest.approx(0.86), pytest.approx(0.88))
    assert gap.gap == pytest.approx(0.87 - 0.886)
    assert gap.sd is None  # that of the accuracy is known, and is not used


def test_a_run_without_the_metric_has_no_gap() -> None:
    result = found(*runs("mrpc", {"accuracy": 0.84}))
    assert {gap.published.metric for gap in result.rows} == {"accuracy"}


def test_a_result_of_the_test_set_has_no_gap_even_if_a_run_scored_it() -> None:
    metrics = {split: {"accuracy": 0.7} for split in ("validation", "test")}
    result = found(*runs("rte", 0.0, metrics=metrics))
    assert {gap.published.split for gap in result.rows} == {"validation"}


def test_the_halves_of_mnli_are_never_crossed() -> None:
    halves = {
        "validation_matched": {"accuracy": 0.80}, "validation_mismatched": {"accuracy": 0.90},
    }  # fmt: skip
    result = found(*runs("mnli", 0.0, metrics=halves))
    for gap in result.rows:
        assert gap.ours == {"mnli_m": 0.80, "mnli_mm": 0.90}[gap.published.printed["task"]]
    assert {gap.published.printed["task"] for gap in result.rows} == {"mnli_m", "mnli_mm"}


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"source": Source(kind="toy")}, "toy data"),
        ({"model": "toy-bert"}, "nothing is published of the model"),
        ({"model": f"{UNCASED}+scratch"}, "nothing is published of the model"),
        ({"data": rows_of("rte", train={"rows": 100})}, "training rows are not all"),
        ({"data": rows_of("rte", train=OTHER)}, "training rows are not all"),
        ({"data": rows_of("rte", validation={"rows": 100})}, "dev rows are not all"),
        ({"data": rows_of("rte", validation=OTHER)}, "dev rows are not all"),
        ({"flags": ["subset"]}, "dev rows are not all"),
        ({"data": rows_of("rte", train=COUNTED)}, "training rows are GLUE's in number alone"),
        ({"data": rows_of("rte", validation=COUNTED)}, "dev rows are GLUE's in number alone"),
        ({"data": rows_of("rte", train={"agrees": ("rows",), "checked": None})},
         "training rows are GLUE's in number alone"),
        ({"status": "oom", "reason": "x", "data": None}, "no run ended as it should"),
    ],
    ids=str,
)  # fmt: skip
def test_a_cell_that_is_not_glues_own_has_a_reason_and_no_gap(
    changed: dict[str, Any], reason: str
) -> None:
    result = found(*runs("rte", 0.66, **changed))
    assert result.rows == ()
    (note,) = result.notes
    assert note.startswith(f"not compared, {reason}")
    assert note.endswith(f"rte of {changed.get('model', UNCASED)}")


def test_what_has_no_gap_is_counted_once_for_all_targets() -> None:
    two = [*runs("qnli", 0.9), record(
        Case("qnli", UNCASED, "cpu-bf16", 0), source=OWN, data=rows_of("qnli"),
        metrics={"validation": {"accuracy": 0.9}},
    )]  # fmt: skip
    result = found(*two)
    published = references.of(UNCASED, "qnli")
    used = [row for row in published if row.is_dev and row.metric]
    assert len(result.rows) == 2 * len(used)
    unused = len(published) - len(used)
    assert unused == 3  # two of the test set, and one that is probably of QNLI v1
    assert result.notes == (
        f"published, but of the test set, other rows or another metric: qnli {unused}",
    )


@given(
    task=st.sampled_from(tasks.GLUE_9),
    model=st.sampled_from([UNCASED, "bert-base-cased", "minilm"]),
    values=st.lists(st.floats(0, 1), min_size=1, max_size=4),
)
def test_a_gap_is_of_one_model_task_split_and_metric(
    task: str, model: str, values: list[float]
) -> None:
    # Each split and metric has a value of its own, so that a figure tells whose it is.
    metrics = {
        split: {name: 10 * a + b for b, name in enumerate(METRICS)}
        for a, split in enumerate(tasks.TASKS[task].evaluated)
    }
    made = [
        run.model_copy(update={"metrics": {
            split: {name: place + value for name, place in row.items()}
            for split, row in metrics.items()
        }})
        for run, value in zip(runs(task, *values, model=model), values, strict=True)
    ]  # fmt: skip
    for gap in found(*made).rows:
        row = gap.published
        assert row.printed["split"] == "dev"
        assert (row.task, row.model in references.names_of(model)) == (task, True)
        expected = statistics.fmean(metrics[s][m] for s in row.splits for m in row.metrics)
        assert gap.ours == pytest.approx(expected + statistics.fmean(values))
        assert len(gap.figures) == len(values)
        if gap.seed_sd:
            assert (gap.seed_sd.task, gap.seed_sd.metric) == (task, row.metric)


def test_the_table() -> None:
    shown = gaps.table(found(*runs("rte", 0.66, 0.68)))
    assert shown.title == "Published, and ours"
    lines = [dict(zip(shown.header, map(str, row), strict=True)) for row in shown.rows]
    first = lines[0]
    assert first == {
        "task": "rte", "metric": "accuracy", "split": "validation", "model": UNCASED,
        "target": "cpu-fp32", "ours": "67.00", "n": "2",
        "published as": "bert-base-uncased (run_glue, 8xV100)", "paper": "71.43 (?)",
        "gap": "-4.43", "in sds": "-2.2 [1]",
        "source": "huggingface/transfo…00c4e395 (late 2019)",
    }  # fmt: skip
    related = next(line for line in lines if line["paper"] == "69.3")
    assert related["published as"] == "bert-base (r)"
    assert related["source"] == "arXiv:1910.01108 Table 1"
    notes = "\n".join(shown.notes)
    assert "[1] 20 seeds of bert-base-uncased, epochs 10" in notes
    assert "(r) bert-base: " in notes
    assert "(?) no number of right answers" in notes
    assert "(run_glue, 8xV100), rte: median of 5 seeds" in notes
    assert "†" not in notes
    assert "| rte" in formats.markdown(shown)


def test_contaminated_cells_have_gaps_that_say_so() -> None:
    made = runs("qnli", 0.9, model="minilm", flags=["contaminated"])
    shown = gaps.table(found(*made))
    row = dict(zip(shown.header, map(str, shown.rows[0]), strict=True))
    assert (row["ours"], row["published as"]) == ("90.00†", "minilm-l6-h384-uncased (r)")
    assert any(note.startswith("† contaminated") for note in shown.notes)


def test_recipes_are_told_apart() -> None:
    made = [*runs("rte", 0.66), *runs("rte", 0.70, recipe="paper")]
    shown = gaps.table(found(*made))
    assert shown.header[4] == "recipe"
    assert {row[4] for row in shown.rows} == {"toy", "paper"}


def test_a_table_of_nothing_has_its_reasons() -> None:
    shown = gaps.table(found(*runs("rte", 0.66, model="toy-bert")))
    assert shown.rows == ()
    assert shown.notes == ("not compared, nothing is published of the model: rte of toy-bert",)
    assert "nothing is published" in formats.markdown(shown)
    assert "nothing is published" in shown.text()
