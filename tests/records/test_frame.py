"""A results folder as a DataFrame: the same columns always, and in them what the records hold."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import harness
from harness.catalog import tasks
from harness.records import flags, frame
from harness.records.schema import DataRecord, Memory, Outcome, Record, Source, SplitRecord
from harness.records.store import Store, read
from harness.spec import Case
from tests.support.board_runs import split_record
from tests.support.builders import observed, record
from tests.support.locations import GOLDEN, ROOT

CASE = Case("sst2", "toy-bert", "cpu-fp32", 42)
OLD = [GOLDEN / f"schema{number}.json" for number in (1, 2)]
SCHEMA_3 = GOLDEN / "schema3.json"
PAGE = (ROOT / "docs" / "results.md").read_text("utf-8")


def split(rows: int, *, of: int, official: bool = True) -> SplitRecord:
    return split_record("sha256" if official else None, rows=rows, rows_in_source=of)


def failed() -> Record:
    """A run that failed before anything was known of it."""
    nothing = dict(Outcome(status="failed", reason="no model"))
    made = record(CASE, **nothing)
    return made.model_copy(update={"recipe": {}, "threads": None, "cell_key": None})


def full() -> Record:
    """A record that holds something for every column, as no run does."""
    found: dict[str, dict[str, float]] = {}
    for number, name in enumerate(frame.METRICS):
        dev, _, metric = name.partition("/")
        found.setdefault(dev, {})[metric] = number / 10
    made = read(SCHEMA_3)
    assert made.model is not None
    assert made.timing is not None
    return made.model_copy(
        update={
            "metrics": found,
            "reason": "as a failed run has one",
            "timing": made.timing.model_copy(
                update={"step_s": 0.25, "cpu_s": 6.5, "steal_share": 0.125, "instructions": 2**40}
            ),
            "memory": Memory(
                peak_memory_bytes=3, floor_memory_bytes=2, peak_device_memory_bytes=2**40
            ),
            "model": made.model.model_copy(
                update={
                    "bf16_products": "upcast",
                    "trained_parameters": 7,
                    "saved_bytes": 28,
                    "speedups": {"packed": "used", "onednn": "no", "first-token": "used"},
                }
            ),
            "source": Source(kind="hub", revision="abc", max_train=10, max_eval=20),
            "data": DataRecord(
                splits={
                    "train": split_record(rows=1000, rows_in_source=2000),
                    "validation": split_record(rows=250, rows_in_source=500),
                },
                truncated_rows={},
            ),
            "environment": made.environment
            | {"boot": "b" * 16, "dirty": True, "branch": "main", "glue-bench_sha256": "a" * 64},
        }
    )


def row_of(made: Record) -> dict[str, Any]:
    found, unshown = frame.of([made])
    assert unshown == []
    return found.iloc[0].to_dict()


RECORDS: dict[str, Callable[[], list[Record]]] = {
    "none": list,
    "an ok run": lambda: [record(CASE)],
    "a failed run": lambda: [failed()],
    "schema 1": lambda: [read(OLD[0])],
    "schema 2": lambda: [read(OLD[1])],
    "schema 3": lambda: [read(SCHEMA_3)],
    "everything": lambda: [full()],
    "all of them": lambda: [record(CASE), failed(), *map(read, OLD), read(SCHEMA_3), full()],
}


@pytest.mark.parametrize("name", RECORDS)
def test_columns_and_dtypes_are_always_the_same(name: str) -> None:
    records = RECORDS[name]()
    found, unshown = frame.of(records)
    assert {column: str(dtype) for column, dtype in found.dtypes.items()} == {
        column.name: column.dtype for column in frame.COLUMNS
    }
    assert list(found) == [column.name for column in frame.COLUMNS]
    assert not any(pd.api.types.is_object_dtype(dtype) for dtype in found.dtypes)
    assert len(found) == len(records)
    assert unshown == []


def test_there_is_a_column_for_every_metric_and_every_flag_of_a_run() -> None:
    names = [column.name for column in frame.COLUMNS]
    assert len(set(names)) == len(names)
    for task in tasks.TASKS.values():
        assert {f"{dev}/{name}" for dev in task.evaluated for name in task.metrics} <= {*names}
    assert {name for name in names if name.startswith("flag_")} == {
        f"flag_{name}" for name in flags.FLAGS if name != "same_seed"
    }


def test_a_record_can_fill_every_column() -> None:
    found, _ = frame.of([full()])
    assert [name for name in found if found[name].isna().any()] == []


def test_values_are_the_records() -> None:
    made = full()
    row, timing, model, seen = row_of(made), made.timing, made.model, made.observed
    assert timing
    assert model
    assert seen
    expected = {
        "task": "sst2", "model": "toy-bert", "target": "cpu-fp32", "seed": 42,
        "case": made.case.id, "id": made.id, "session": made.session, "profile": "toy",
        "cell_key": made.cell_key, "status": "ok", "reason": made.reason,
        "flags": "noisy", "flag_noisy": True, "flag_collapsed": False,
        "score": made.score, "floor": made.floor,
        **{
            f"{dev}/{name}": value
            for dev, found in made.metrics.items()
            for name, value in found.items()
        },
        **{
            name: getattr(timing, name)
            for name in (
                "train_s", "eval_s", "load_s", "examples_per_s", "tokens_per_s", "steps",
                "examples", "tokens", "step_s", "cpu_s", "steal_share", "instructions",
            )
        },
        "peak_memory_bytes": 3, "floor_memory_bytes": 2, "peak_device_memory_bytes": 2**40,
        "recipe": "toy",
        **{
            name: made.recipe[name]
            for name in (
                "learning_rate", "epochs", "batch_size", "max_length", "warmup", "weight_decay"
            )
        },
        "micro_batch": 32, "oom_retries": 0, "parameters": model.parameters, "device": "cpu",
        "trained_parameters": 7, "saved_bytes": 28,
        "arithmetic": seen.arithmetic, "bf16_products": "upcast", "threads": 2,
        "speedups": "packed+first-token",
        "data": "hub", "data_revision": "abc", "max_train": 10, "max_eval": 20,
        "train_rows": 1000, "dev_rows": 250, "train_is_glue": False, "dev_is_glue": False,
        "train_checked": "sha256", "dev_checked": "sha256", "dev_sha256": "0" * 64,
        "metrics": "accuracy+f1+matthews_correlation+pearson+spearmanr",
        **{
            name.replace("-", "_"): made.environment[name]
            for name in ("torch", "transformers", "python", "glue-bench", "scikit-learn", "commit",
                         "dirty", "os", "machine", "cpu", "cores", "boot")
        },
        "machine_memory_bytes": made.environment["memory_bytes"],
        "predictions": f"{made.id}.parquet",
    }  # fmt: skip
    assert {name: row[name] for name in expected} == expected
    assert row["created"].to_pydatetime() == made.created


@pytest.mark.parametrize(
    ("splits", "rows", "train", "dev"),
    [
        ({"train": split(9, of=9)}, None, True, None),
        ({"train": split(5, of=9), "validation": split(4, of=4)}, 4, False, True),
        (
            {
                "train": split(9, of=9, official=False),
                "validation_matched": split(4, of=4),
                "validation_mismatched": split(3, of=6),
                "test_matched": split(7, of=7),
            },
            7, False, False,
        ),
    ],
)  # fmt: skip
def test_rows_are_counted_and_known_for_glues_own(
    splits: dict[str, SplitRecord], rows: object, train: object, dev: object
) -> None:
    row = row_of(record(CASE, data=DataRecord(splits=splits, truncated_rows={})))
    for name, expected in {
        "train_rows": splits["train"].rows, "dev_rows": rows, "train_is_glue": train,
        "dev_is_glue": dev,
    }.items():  # fmt: skip
        assert pd.isna(row[name]) if expected is None else row[name] == expected, name


def test_what_a_run_lacks_is_missing() -> None:
    row = row_of(failed())
    assert (row["status"], row["reason"], row["flags"]) == ("failed", "no model", "")
    lacking = {name for name, value in row.items() if pd.isna(value)}
    assert {"score", "floor", *frame.METRICS, "train_s", "steps", "recipe", "epochs"} <= lacking
    assert {"cell_key", "threads", "parameters", "device", "train_rows", "predictions"} <= lacking
    assert not any(row[name] for name in row if name.startswith("flag_"))
    assert {"micro_batch", "arithmetic", "session", "boot"} <= {
        name for name, value in row_of(read(OLD[0])).items() if pd.isna(value)
    }


def test_what_a_column_cannot_hold_is_missing_and_told() -> None:
    odd = record(CASE, environment={"cores": "two", "dirty": "a bit"})
    odd = odd.model_copy(
        update={
            "case": odd.case.model_copy(update={"seed": 2**64}),
            "recipe": {"name": "odd", "learning_rate": "high", "epochs": 1.5},
            "identity": {"target": "no table"},
        }
    )
    sound = record(CASE, environment={"cores": 2, "dirty": False}, observed=observed())
    found, unshown = frame.of([sound, odd])
    unfit = {
        "seed": str(2**64), "learning_rate": "high", "epochs": "1.5",
        "dirty": "a bit", "cores": "two",
    }  # fmt: skip
    assert [line.partition(";")[0] for line in unshown] == [
        f"run {odd.id}: {name} is '{value}'" for name, value in unfit.items()
    ]
    assert found.loc[1, list(unfit)].isna().all()
    assert found.loc[0, ["seed", "cores", "dirty"]].tolist() == [42, 2, False]
    assert found["recipe"].tolist() == ["toy", "odd"]
    assert found["device"].isna().all()


def test_a_metric_without_a_column_is_told() -> None:
    runs = [record(CASE, metrics={"test": {"bleu": 0.5}}) for _ in range(2)]
    _, unshown = frame.of(runs)
    assert unshown == ["metric 'test/bleu' of 2 run(s) has no column: not in the frame"]


def test_many_records_keep_their_order() -> None:
    made = read(SCHEMA_3)
    runs = [
        made.model_copy(update={"case": made.case.model_copy(update={"seed": seed})})
        for seed in range(2 * frame.TOGETHER + 1)
    ]
    assert frame.of(runs)[0]["seed"].tolist() == [*range(len(runs))]


def test_a_folder_is_read_oldest_first(tmp_path: Path) -> None:
    made = record(CASE)
    for hours in (2, 0, 1):
        later = {"id": f"{hours}" * 32, "created": made.created + timedelta(hours=hours)}
        Store(tmp_path).save(made.model_copy(update=later))
    found = harness.load_results(tmp_path)
    assert found["id"].str[0].tolist() == ["0", "1", "2"]
    assert found.index.tolist() == [0, 1, 2]


def test_a_damaged_file_is_left_out_and_named(tmp_path: Path) -> None:
    Store(tmp_path).save(record(CASE))
    (tmp_path / "runs" / "torn.json").write_text("{")
    with pytest.warns(UserWarning, match=r"runs/torn\.json: .* Fix: ") as told:
        assert harness.load_results(tmp_path)["task"].tolist() == ["sst2"]
    assert [warning.filename for warning in told] == [__file__]
    with pytest.raises(UserWarning, match="torn"):  # as these tests make of every warning
        harness.load_results(tmp_path)


def test_a_folder_without_runs_has_all_columns_and_a_wrong_one_is_told(tmp_path: Path) -> None:
    Store(tmp_path).prepare()
    assert harness.load_results(tmp_path).shape == (0, len(frame.COLUMNS))
    with pytest.warns(UserWarning, match=r"runs/runs: no such folder.* Fix: "):
        assert harness.load_results(tmp_path / "runs").shape == (0, len(frame.COLUMNS))


def test_the_page_has_every_column() -> None:
    rows = re.findall(r"^\| `(.+?)` \| (.*?) \| (.*?) ?\| (.*) \|$", PAGE, re.MULTILINE)
    assert rows == [
        (column.name, column.dtype, column.unit, column.meaning) for column in frame.COLUMNS
    ]


def test_the_examples_of_the_page_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for target in ("cpu-fp32", "cpu-bf16"):
        for seed in (42, 43):
            made = record(Case("rte", "toy-bert", target, seed), score=seed / 100)
            Store(tmp_path / "results" / "local").save(made)
    monkeypatch.chdir(tmp_path)
    found: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(block, found)
    assert re.search(r"cpu-fp32 +2 +0\.425 +0\.0071", capsys.readouterr().out)
    assert len(found["pairs"]) == 2
    assert found["lines"]["value"].tolist() == [0.42, 0.43, 0.42, 0.43]
