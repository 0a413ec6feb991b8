"""How `flips` and `verify` find a run: by case, by id, by file."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.planning import stored_run
from harness.records.schema import Record
from harness.records.store import Store, file_name
from harness.spec import Case
from tests.support.builders import TABLE, record
from tests.support.prediction_runs import on_toy_rows
from tests.support.pytest_project import glue_bench

CASE = Case("sst2", "toy-bert", "cpu-fp32", 42)


def stored(folder: Path, day: int, status: str = "ok", case: Case = CASE) -> Record:
    made = record(case, status=status)
    made = made.model_copy(update={"created": datetime(2026, 1, day, tzinfo=UTC)})
    return Store(folder).save(made, TABLE if status == "ok" else None)


@pytest.mark.cases
def test_a_case_is_its_newest_ok_run(tmp_path: Path) -> None:
    _, newer, failed = (stored(tmp_path, *run) for run in ((1,), (3,), (4, "failed")))
    stored(tmp_path, 2)
    other = stored(tmp_path, 9, case=Case("sst2", "toy-bert", "cpu-fp32", 43))
    found = stored_run.find(CASE.id, tmp_path)
    assert found.record == newer
    assert found.note == (f"{CASE.id}: 4 runs; this is the newest that ended ok, {newer.id[:8]}")
    assert found.predictions() == TABLE
    alone = stored_run.find(other.case.id, tmp_path)
    assert (alone.record, alone.note) == (other, "")
    for printed in (f"test_finetune[{CASE.id}]", f"benchmarks/x.py::test_finetune[{CASE.id}]"):
        assert stored_run.find(printed, tmp_path).record == newer
    for name in (failed.id, failed.id[:8], file_name(failed), file_name(failed)[:-5]):
        assert stored_run.find(name, tmp_path).record == failed


def test_a_case_that_never_ended_ok_is_its_newest_run(tmp_path: Path) -> None:
    _, last = (stored(tmp_path, day, "failed") for day in (1, 2))
    found = stored_run.find(CASE.id, tmp_path)
    assert (found.record, "none ended ok" in found.note) == (last, True)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("sst2-toy-bert-cpu-fp32-s24", "Did you mean 'sst2-toy-bert-cpu-fp32-s42'?"),
        ("sst2-toy-bert-cpu-fp32", "Did you mean 'sst2-toy-bert-cpu-fp32-s42'?"),
        ("zzz", "holds no run of that case, and no run whose id begins with it"),
    ],
)
@pytest.mark.cases
def test_a_case_without_a_run_is_told_the_nearest(tmp_path: Path, name: str, said: str) -> None:
    stored(tmp_path, 1)
    with pytest.raises(UsageError) as caught:
        stored_run.find(name, tmp_path)
    assert said in str(caught.value)


def test_an_empty_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"holds no run\. Fix: run `pytest benchmarks`"):
        stored_run.find(CASE.id, tmp_path)


@pytest.mark.cases
def test_flips_takes_cases_and_says_which_runs_it_took(tmp_path: Path, capsys, monkeypatch) -> None:
    for target, wrong in (("cpu-fp32", range(3)), ("cpu-bf16", range(5)), ("cpu-bf16", range(5))):
        made = on_toy_rows("sst2", wrong, target=target)
        last = Store(tmp_path).save(*made)
    code, out, err = glue_bench(
        capsys, monkeypatch, "flips", "sst2-toy-bert-cpu-fp32-s42", "sst2-toy-bert-cpu-bf16-s42",
        "--results", tmp_path,
    )  # fmt: skip
    assert code == 0
    assert "Flips of SST-2" in out
    assert err == (
        f"sst2-toy-bert-cpu-bf16-s42: 2 runs; this is the newest that ended ok, {last.id[:8]}\n"
    )


@pytest.mark.cases
def test_predictions_carry_the_cases_name(tmp_path: Path) -> None:
    made = stored(tmp_path, 1)
    assert made.predictions is not None
    assert made.predictions.name == f"sst2-toy-bert-cpu-fp32-s42-{made.id[:8]}.parquet"
    assert (tmp_path / "predictions" / made.predictions.name).is_file()


@pytest.mark.parametrize("name", ["x" * 300, "../x", "a b:c*?", "é", ".hidden", "mine-0.03"])
def test_a_file_of_predictions_has_a_name_that_every_disk_takes(tmp_path: Path, name: str) -> None:
    made = stored(tmp_path, 1, case=Case("sst2", name, "cpu-fp32", 42))
    assert made.predictions is not None
    assert Store(tmp_path).has_predictions(made)
    assert Path(made.predictions.name).stem == Path(file_name(made)).stem
    assert len(made.predictions.name) <= 140


def test_predictions_of_older_folders_are_still_read(tmp_path: Path) -> None:
    made = stored(tmp_path, 1)
    assert made.predictions is not None
    older = made.predictions.model_copy(update={"name": f"{made.id}.parquet"})
    folder = tmp_path / "predictions"
    (folder / made.predictions.name).rename(folder / older.name)
    made = made.model_copy(update={"predictions": older})
    assert Store(tmp_path).has_predictions(made)
    assert Store(tmp_path).read_predictions(made) == TABLE


@pytest.mark.cases
def test_a_file_of_predictions_names_its_record(tmp_path: Path) -> None:
    made, store = stored(tmp_path, 1), Store(tmp_path)
    assert made.predictions
    with pytest.raises(UsageError, match=f"expected its record, .*/runs/{file_name(made)}"):
        stored_run.find(str(store.predictions / made.predictions.name))
    with pytest.raises(UsageError, match=r"expected its record, .*/runs/CASE-ID\.json"):
        stored_run.find(str(store.predictions / f"{made.id}.parquet"))  # as older folders have it
    with pytest.raises(UsageError, match="found nothing; expected a case"):
        stored_run.find("")
