"""The main job as a user runs it, and the Python API: real training on toy data."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import harness
from harness.catalog import models
from harness.errors import UsageError
from harness.records.schema import Record
from harness.records.store import Store
from tests.data.test_toy_bert import WORDS_ALONE
from tests.support.locations import REAL_GLUE, ROOT, needs_real_glue
from tests.support.pytest_project import run


def are_whole(records: list[Record], folder: Path, shown: str) -> None:
    """Check two runs of sst2, their predictions, and the JSON of pytest-benchmark."""
    assert [record.case.target for record in records] == ["cpu-fp32", "cpu-bf16"]
    assert records[0].cell_key != records[1].cell_key
    for record in records:
        assert record.status == "ok"
        assert record.floor is not None
        assert record.observed is not None
        assert min(record.observed.calibration_s) > 0
        timing = record.timing
        assert timing is not None
        assert timing.examples_per_s * timing.train_s == pytest.approx(timing.examples)
        assert sum(timing.epoch_s) == pytest.approx(timing.train_s)
        assert record.predictions is not None
        table = pd.read_parquet(folder / "predictions" / record.predictions.name)
        assert (table["prediction"] == table["label"]).mean() == pytest.approx(record.score)
        assert [int(max(range(2), key=row.__getitem__)) for row in table["logits"]] == list(
            table["prediction"]
        )
    assert "Results on toy data (generated, no GLUE scores)" in shown
    assert "toy-bert, recipe toy-2ep" in shown
    cases = json.loads((folder / "b.json").read_text())["benchmarks"]
    assert [case["stats"]["data"] for case in cases] == [
        record.timing.epoch_s for record in records if record.timing
    ]


@pytest.mark.slow  # the quick tests have it in miniature, below; `.ci/run` runs it as typed
def test_the_main_job(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable, "-m", "pytest", "benchmarks", "-p", "no:cacheprovider", "-k", "sst2",
            "--glue-epochs", "2", "--glue-results", str(tmp_path),
            f"--benchmark-json={tmp_path / 'b.json'}",
        ],
        cwd=ROOT, capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    records = Store(tmp_path).load()
    are_whole(records, tmp_path, done.stdout)
    for record in records:
        assert record.score is not None
        assert record.floor is not None
        assert record.floor + 0.15 < record.score < 0.97  # some labels are noise
        assert record.score > WORDS_ALONE["sst2"] + 0.08
        assert set(record.flags) <= {"noisy"}


def test_a_session_of_few_rows_two_cases_at_a_time(
    project: pytest.Pytester, fork_server: None
) -> None:
    found = run(
        project, "-k", "sst2", "--glue-epochs", "2", "--glue-max-train", "256", "--glue-max-eval",
        "64", "--glue-jobs", "2", "--glue-results", "r", "--benchmark-json=r/b.json",
    )  # fmt: skip
    assert found.ret == 0
    records = sorted(Store(project.path / "r").load(), key=lambda record: record.case.target)[::-1]
    are_whole(records, project.path / "r", found.stdout.str())
    assert all({"shared_cores", "subset"} <= {*record.flags} for record in records)


def test_an_mnli_run_scores_both_dev_sets_and_predicts_ax(tmp_path: Path) -> None:
    record = harness.run("ax", max_train=64, max_eval=64, epochs=1, results=tmp_path)
    assert record.case.task == "mnli"
    assert set(record.metrics) == {"validation_matched", "validation_mismatched"}
    assert record.predictions is not None
    table = pd.read_parquet(tmp_path / "predictions" / record.predictions.name)
    ax = table[table["split"] == "ax"]
    assert len(ax) == 100
    assert ax["label"].isna().all()
    assert ax["prediction"].isin([0, 1, 2]).all()


def test_the_python_api_runs_stores_and_loads(tmp_path: Path) -> None:
    first = harness.run("stsb", seed=1, max_train=64, epochs=2, results=tmp_path)
    again = harness.run("stsb", seed=1, max_train=64, epochs=2, results=tmp_path, engine="inline")
    assert first.score == again.score
    assert first.cell_key == again.cell_key
    assert first.id != again.id
    frame = harness.load_results(tmp_path)
    assert frame["score"].tolist() == [first.score, again.score]
    assert {"validation/pearson", "validation/spearmanr", "train_s"} <= set(frame.columns)


def test_the_python_api_refuses_what_nobody_knows(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Did you mean 'stsb'"):
        harness.run("stsbb", results=tmp_path)
    for wrong in ({"engine": "procces"}, {"epochs": 0}, {"max_train": -1}, {"timeout": 0.0}):
        with pytest.raises(UsageError):
            harness.run("stsb", results=tmp_path, **wrong)


def test_a_bad_data_file_is_a_failed_case_with_its_line(
    project: pytest.Pytester, fork_server: None
) -> None:
    folder = project.mkdir("glue") / "RTE"
    folder.mkdir()
    header = "index\tsentence1\tsentence2\tlabel\n"
    (folder / "train.tsv").write_text(header + "0\ta\tb\tentailment\n1\ta\tb\tmaybe\n")
    (folder / "dev.tsv").write_text(header + "0\ta\tb\tentailment\n")
    found = run(
        project, "--glue-tasks", "rte", "--glue-data", "glue", "--glue-targets", "cpu-fp32",
        "--glue-results", "r",
    )  # fmt: skip
    assert found.ret == 1
    said = found.stdout.str()
    assert "train.tsv:3: label is 'maybe'; expected one of entailment" in said
    assert "Traceback" not in said
    (record,) = Store(project.path / "r").load()
    assert (record.status, record.score) == ("failed", None)


@needs_real_glue
@pytest.mark.skipif(not models.is_here(models.MODELS["minilm"]), reason="needs the extra minilm")
def test_real_weights_on_real_rows(tmp_path: Path) -> None:
    record = harness.run(
        "rte", "minilm", "cpu-bf16", data=REAL_GLUE, max_train=16, max_eval=16, epochs=1,
        results=tmp_path, engine="inline",
    )  # fmt: skip
    assert record.status == "ok"
    assert record.flags[-1:] == ["subset"]
    assert record.model is not None
    assert record.model.new_parameters == ["classifier.bias", "classifier.weight"]
    assert record.data is not None
    assert record.data.splits["train"].official
