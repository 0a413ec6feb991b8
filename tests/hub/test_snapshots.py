"""The Hub: reading its cache, fetching from a server that stands in for it, and doing without."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.catalog import models, tasks
from harness.data import glue_hub as hub_data
from harness.data import load, row_sources, toy
from harness.errors import DataError, DataUnavailable, ModelUnavailable
from harness.records.store import Store
from harness.spec import DataRequest
from tests.support import hub_server
from tests.support.locations import ROOT
from tests.support.pytest_project import glue_bench, run

TOY_BERT = models.directory(models.MODELS["toy-bert"])
MRPC, STSB = tasks.TASKS["mrpc"], tasks.TASKS["stsb"]
GLUE_BENCH = ("-c", "from harness.cli import main; main()")
PYTEST = ("-m", "pytest", "benchmarks")


@pytest.mark.parametrize("name", ["cola", "mrpc", "stsb", "mnli", "wnli"])
def test_cached_rows_are_read_as_they_are(hub_cache: Path, name: str) -> None:
    hub_server.put_in_cache(hub_cache, "dataset", hub_server.GLUE, hub_server.glue(name, "ax"))
    request = row_sources.located(DataRequest("hub", predict_test=True), tasks.TASKS[name])
    assert request.revision == hub_server.COMMIT
    found, made = load.load(request, tasks.TASKS[name]), toy.generate(name)
    wanted = {*tasks.TASKS[name].rows} | ({"ax"} if name == "mnli" else set())
    assert set(found.splits) == wanted
    for split_name, split in found.splits.items():
        assert list(split.texts) == [tuple(texts) for texts in made[split_name].texts]
        assert split.labels == pytest.approx(made[split_name].labels)
        assert list(split.ids) == list(range(len(split)))
    assert found.is_subset  # toy rows are not GLUE's


def test_real_looking_labels_of_a_test_split_are_never_loaded(hub_cache: Path) -> None:
    hub_server.put_in_cache(hub_cache, "dataset", hub_server.GLUE, hub_server.glue("mrpc"))
    request = row_sources.located(DataRequest("hub", predict_test=True), MRPC)
    assert load.load(request, MRPC).splits["test"].labels is None


def test_the_commit_is_part_of_what_decides_a_score(hub_cache: Path) -> None:
    hub_server.put_in_cache(hub_cache, "dataset", hub_server.GLUE, hub_server.glue("mrpc"))
    request = row_sources.located(DataRequest("hub"), MRPC)
    assert load.fingerprint(request, MRPC)["source"] == {"nyu-mll/glue": hub_server.COMMIT}


def test_labels_go_by_name(hub_cache: Path) -> None:
    reversed_task = tasks.TASKS["rte"]
    rows = toy.generate("wnli")["train"]
    files = hub_server.glue("wnli")
    # A copy whose class names are in RTE's order: id 0 says entailment there.
    files["wnli/train-00000-of-00001.parquet"] = hub_server.parquet(
        reversed_task, "train", rows, [1 - label for label in rows.labels or ()]
    )
    snapshot = hub_server.put_in_cache(hub_cache, "dataset", hub_server.GLUE, files)
    assert hub_data.read_split(snapshot, tasks.TASKS["wnli"], "train").labels == rows.labels


@pytest.mark.parametrize(
    ("task", "as_task", "labels", "words"),
    [
        (MRPC, tasks.TASKS["rte"], None, "labels named"),
        (MRPC, MRPC, [-1], r"row 0: label is '-1'; expected an id from 0 to 1"),
        (STSB, STSB, [5.5], r"row 0: label is '5.5'; expected a number from 0 to 5"),
        (MRPC, tasks.TASKS["cola"], None, "no column 'sentence1'; it has"),
    ],
)
def test_what_is_wrong_in_the_data_set_is_one_error(
    hub_cache: Path, task, as_task, labels, words: str
) -> None:
    rows = toy.generate(as_task.name)["train"]
    whole = [*labels, *(rows.labels or ())[len(labels) :]] if labels else None
    files = hub_server.glue(task.name)
    files["README.md"] = files["README.md"].split(b"dataset_info:")[0] + b"---\n"
    for path in files:
        if path.endswith(".parquet"):
            files[path] = hub_server.parquet(as_task, "train", rows, whole)
    snapshot = hub_server.put_in_cache(hub_cache, "dataset", hub_server.GLUE, files)
    with pytest.raises(DataError, match=words) as caught:
        hub_data.read_split(snapshot, task, "train")
    assert f"glue-bench fetch --again {task.name}" in str(caught.value)


def test_a_damaged_file_is_one_error(hub_cache: Path) -> None:
    files = hub_server.glue("rte") | {"rte/train-00000-of-00001.parquet": b"no parquet"}
    snapshot = hub_server.put_in_cache(hub_cache, "dataset", hub_server.GLUE, files)
    with pytest.raises(
        DataError, match=r"rte/train cannot be read: .* Fix: `glue-bench fetch --again rte`"
    ):
        hub_data.read_split(snapshot, tasks.TASKS["rte"], "train")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda card: card.replace("num_examples: ", "num_examples: 1"), "NonMatchingSplitsSizes"),
        (lambda card: card.replace("configs:", "configs: ["), "while parsing"),
    ],
)
def test_a_card_that_says_otherwise_is_one_error(hub_cache: Path, change, words: str) -> None:
    files = hub_server.glue("rte")
    files["README.md"] = change(files["README.md"].decode()).encode()
    snapshot = hub_server.put_in_cache(hub_cache, "dataset", hub_server.GLUE, files)
    with pytest.raises(DataError, match=f"rte/train cannot be read: .*{words}.* fetch --again rte"):
        hub_data.read_split(snapshot, tasks.TASKS["rte"], "train")


def test_neither_cache_nor_network_is_one_quick_error(hub_cache: Path) -> None:
    with pytest.raises(DataUnavailable) as caught:
        row_sources.located(DataRequest("hub"), MRPC)
    for words in ("HF_HUB_OFFLINE is set", "glue-bench fetch mrpc", "--glue-data DIR", "toy"):
        assert words in str(caught.value)
    with pytest.raises(ModelUnavailable) as caught_model:
        models.directory(models.get("some/model").model)
    for words in ("no such folder here", "is set", "glue-bench fetch some/model", "a folder"):
        assert words in str(caught_model.value)


def test_a_part_of_the_cache_is_not_taken_for_the_whole(hub_cache: Path) -> None:
    files = hub_server.glue("mrpc")
    del files["mrpc/test-00000-of-00001.parquet"]
    hub_server.put_in_cache(hub_cache, "dataset", hub_server.GLUE, files)
    with pytest.raises(DataUnavailable):
        row_sources.located(DataRequest("hub"), MRPC)


def test_a_cached_model_is_found_by_its_id(hub_cache: Path) -> None:
    assert not models.is_here(models.get("org/tiny").model)
    snapshot = hub_server.put_in_cache(hub_cache, "model", "org/tiny", hub_server.model(TOY_BERT))
    assert models.is_here(models.get("org/tiny").model)
    assert models.directory(models.get("org/tiny").model) == snapshot


# ---- Asking a server that stands in for the Hub -------------------------------------------------

NOBODY = "http://127.0.0.1:9"


def test_files_that_are_here_are_only_fetched_again_on_request(
    hub_cache: Path, ask: Callable[[str], None], capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hub_server.serving({("dataset", hub_server.GLUE): hub_server.glue("rte")}) as (at, _):
        ask(at)
        assert glue_bench(capsys, monkeypatch, "fetch", "rte")[0] == 0
        damaged = next(hub_cache.rglob("rte/train-*.parquet")).resolve()
        whole = damaged.read_bytes()
        for again, content in (((), b"cut"), (("--again",), whole)):
            damaged.write_bytes(b"cut")
            assert glue_bench(capsys, monkeypatch, "fetch", *again, "rte")[0] == 0
            assert damaged.read_bytes() == content


def test_a_run_fetches_what_it_needs(ask: Callable[[str], None], project: pytest.Pytester) -> None:
    repositories = {("dataset", hub_server.GLUE): hub_server.glue("wnli", "rte")}
    with hub_server.serving(repositories) as (address, asked):
        ask(address)
        found = run(
            project, "-k", "wnli", "--glue-data", "hub", "--glue-targets", "cpu-fp32",
            "--glue-epochs", "1", "--glue-max-train", "64", "--glue-engine", "inline",
        )  # fmt: skip
    assert found.ret == 0
    got = {line.split(f"/resolve/{hub_server.COMMIT}/")[1] for line in asked if "/resolve/" in line}
    parts = {f"wnli/{name}-00000-of-00001.parquet" for name in tasks.TASKS["wnli"].rows}
    assert got == parts | {"README.md"}


@pytest.mark.parametrize("named", [True, False])
def test_no_network_fails_where_the_user_said_hub_and_skips_where_the_profile_did(
    ask: Callable[[str], None], project: pytest.Pytester, named: bool
) -> None:
    ask(NOBODY)
    chosen = ["--glue-data", "hub"] if named else ["--glue-profile", "quick"]
    found = run(
        project, *chosen, "--glue-models", "toy-bert", "--glue-tasks", "rte", "--glue-seeds", "2",
        "--glue-targets", "cpu-fp32", "--glue-results", "r",
        "--glue-engine", "inline",  # no run begins: a worker would get ready for nothing
    )  # fmt: skip
    assert found.ret == (1 if named else 5)
    printed = found.stdout.str()
    said = "failed: " if named else "skipped 2: "
    assert f"{said}nyu-mll/glue, rte: not in the cache" in printed
    assert "glue-bench fetch rte" in printed
    assert "Traceback" not in printed
    statuses = [record.status for record in Store(project.path / "r").load()]
    assert statuses == ["failed" if named else "skipped"] * 2


# ---- As a user does it: processes whose Hub is the stand-in, and whose cache is empty at first ---


def command(
    tmp_path: Path, address: str, *args: str, offline: bool = False
) -> subprocess.CompletedProcess[str]:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("HF_", "GLUE_"))
    }
    environment |= {
        "HF_ENDPOINT": address, "HF_HOME": str(tmp_path / "home"), "NO_PROXY": "127.0.0.1",
    }  # fmt: skip
    if offline:
        environment["HF_HUB_OFFLINE"] = "1"
    return subprocess.run(
        [sys.executable, *args],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=240,
    )  # fmt: skip


def test_fetched_once_then_offline(tmp_path: Path) -> None:
    repositories = {
        ("dataset", hub_server.GLUE): hub_server.glue("rte", "mrpc"),
        ("model", "Org/Tiny-BERT"): hub_server.model(TOY_BERT),
    }
    with hub_server.serving(repositories) as (address, asked):
        names = ("rte", "Org/Tiny-BERT", "nobody/knows")
        done = command(tmp_path, address, *GLUE_BENCH, "fetch", *names)
        assert done.returncode == 2, done.stderr
        assert "nobody/knows: not fetched: the Hub has none of this name" in done.stderr
        assert done.stdout.splitlines() == [
            f"rte: here, revision {hub_server.COMMIT}",
            f"Org/Tiny-BERT: here, revision {hub_server.COMMIT}",
        ]
        got = [line for line in asked if line.startswith("GET") and "/resolve/" in line]
        for name in ("model.safetensors", "model.safetensors.index.json", "tokenizer.json"):
            assert any(line.endswith(f"/{name}") for line in got), name
        assert not any("pytorch_model" in line or "mrpc" in line or ".h5" in line for line in got)
    done = command(
        tmp_path, NOBODY, *PYTEST, "-p", "no:cacheprovider",
        "-k", "rte", "--glue-data", "hub", "--glue-models", "Org/Tiny-BERT", "--glue-targets",
        "cpu-fp32", "--glue-epochs", "1", "--glue-max-train", "64", "--glue-max-eval", "32",
        "--glue-predict-test",
        "--glue-results", str(tmp_path / "r"), "--glue-save-models", str(tmp_path / "saved"),
        offline=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"GLUE dev (nyu-mll/glue, revision {hub_server.COMMIT[:7]})" in done.stdout
    (record,) = Store(tmp_path / "r").load()
    assert record.source.revision == hub_server.COMMIT
    assert (record.case.model, record.case.id) == ("Org/Tiny-BERT", "rte-tiny-bert-cpu-fp32-s42")
    assert record.data is not None
    assert set(record.data.splits) == {"train", "validation", "test"}
    assert (tmp_path / "saved" / str(record.saved_model) / "model.safetensors").is_file()
