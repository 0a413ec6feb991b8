"""Fine-tuned models on disk: saved, loaded by transformers, asked about a text."""

from __future__ import annotations

import dataclasses
import errno
import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from transformers import AutoModelForSequenceClassification, AutoTokenizer

import harness
from harness import cli
from harness.catalog import models, tasks
from harness.errors import ModelError, StorageError, UsageError
from harness.modeling import checkpoints, fine_tuned, pretrained
from harness.spec import Case, DataRequest, RunConfig
from tests.support import pytest_project, tiny_models
from tests.support.configs import resolved

TOY = models.directory(models.MODELS["toy-bert"])


def configuration(task: str, home: Path) -> RunConfig:
    config = resolved(Case(task, "toy-bert", "cpu-fp32", 42), DataRequest(), threads=1)
    return dataclasses.replace(config, save_to=str(home))


@pytest.mark.parametrize("task", ["sst2", "stsb", "mnli"])
def test_a_saved_model_is_loaded_by_transformers(task: str, tmp_path: Path) -> None:
    loaded = pretrained.load(TOY, tasks.TASKS[task], seed=1)
    name = checkpoints.save(loaded, configuration(task, tmp_path), score=0.5).name
    assert name == f"{task}-toy-bert-cpu-fp32-s42"
    folder = tmp_path / name
    network = AutoModelForSequenceClassification.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    inputs = tokenizer("the film is good", return_tensors="pt")
    with torch.no_grad():
        assert torch.equal(network.eval()(**inputs).logits, loaded.network.eval()(**inputs).logits)
    if task == "stsb":
        assert network.config.problem_type == "regression"
    else:
        assert list(network.config.id2label.values()) == list(tasks.TASKS[task].labels)
    assert json.loads((folder / "glue-bench.json").read_text())["task"] == task
    assert list(tmp_path.iterdir()) == [folder]


def test_a_model_that_is_there_is_never_replaced(tmp_path: Path) -> None:
    loaded = pretrained.load(TOY, tasks.TASKS["sst2"], seed=1)
    config = configuration("sst2", tmp_path)
    names = [checkpoints.save(loaded, config, score).name for score in (0.1, 0.2, 0.3)]
    assert names == [names[0], f"{names[0]}.2", f"{names[0]}.3"]
    cards = [json.loads((tmp_path / name / "glue-bench.json").read_text()) for name in names]
    assert [card["score"] for card in cards] == [0.1, 0.2, 0.3]


def test_a_full_disk_leaves_nothing_half_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = pretrained.load(TOY, tasks.TASKS["sst2"], seed=1)

    for thing, error in (
        (loaded.tokenizer, OSError(errno.ENOSPC, "No space left on device")),
        (loaded.network, SafetensorError("No space left on device")),  # what safetensors raises
    ):

        def full(folder: Path, error: Exception = error) -> None:
            folder.mkdir(exist_ok=True)
            (folder / "half").write_text("x")
            raise error

        with monkeypatch.context() as patched:
            patched.setattr(thing, "save_pretrained", full)
            with pytest.raises(StorageError, match=r"No space left on device.* Fix: make room"):
                checkpoints.save(loaded, configuration("sst2", tmp_path), score=0.5)
        assert list(tmp_path.iterdir()) == []


def test_a_run_saves_what_it_trained_and_predicts_tests(tmp_path: Path) -> None:
    record = harness.run(
        "wnli", max_train=64, epochs=1, predict_test=True, save_models=tmp_path / "models",
        results=tmp_path / "r", engine="inline",
    )  # fmt: skip
    assert record.status == "ok", record.reason
    assert record.data is not None
    assert set(record.data.splits) == {"train", "validation", "test"}
    tuned = checkpoints.load(tmp_path / "models" / str(record.saved_model))
    answer = tuned.answer("the cup is red", "the cup is blue")
    assert set(answer.shares) == set(tasks.TASKS["wnli"].labels)
    assert sum(answer.shares.values()) == pytest.approx(1, abs=1e-6)
    with pytest.raises(UsageError, match="wnli: found 1 text; expected 2, each in quotes"):
        tuned.answer("the cup is red")
    import pandas as pd

    assert record.predictions is not None
    table = pd.read_parquet(tmp_path / "r" / "predictions" / record.predictions.name)
    test = table[table["split"] == "test"]
    assert test["row"].tolist() == list(range(100))
    assert test["label"].isna().all()


def test_a_run_whose_model_cannot_be_saved_fails_and_keeps_its_scores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_args: object) -> str:
        raise StorageError("the disk is full")

    monkeypatch.setattr(checkpoints, "save", full)
    record = harness.run(
        "wnli", max_train=32, epochs=1, save_models=tmp_path / "models",
        results=tmp_path / "r", engine="inline",
    )  # fmt: skip
    assert (record.status, record.reason) == ("failed", "the disk is full")
    assert record.score is not None
    assert record.predictions is not None


def test_a_folder_that_cannot_be_made_is_known_before_anything_runs(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="save_models: found"):
        harness.run("wnli", save_models=tmp_path / "file" / "models", results=tmp_path / "r")
    assert not (tmp_path / "r").exists()


def test_a_model_without_a_trained_head_says_how_to_get_one() -> None:
    with pytest.raises(ModelError, match=r"it has no .classifier\.bias.\. Fix: train"):
        checkpoints.load(TOY)


def test_a_models_card_that_is_damaged(tmp_path: Path) -> None:
    folder = tiny_models.classifier(tmp_path / "m", "bert", ["x", "y"])
    assert checkpoints.load(folder).texts is None
    (folder / "glue-bench.json").write_text("{")
    with pytest.raises(ModelError, match=r"glue-bench\.json: cannot be read"):
        checkpoints.load(folder)
    shutil.rmtree(folder)
    with pytest.raises(ModelError, match="no model that transformers can read"):
        checkpoints.load(folder)


def test_texts_and_weights_that_cannot_be_read(tmp_path: Path) -> None:
    folder = tiny_models.classifier(tmp_path / "m", "distilbert", ["x", "y"])
    with pytest.raises(UsageError, match="is not UTF-8"):
        checkpoints.load(folder).answer("\udcff")
    tensors = load_file(folder / "model.safetensors")
    lost = next(name for name in tensors if "q_lin.weight" in name)
    del tensors[lost]
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelError, match=f"1 weights are missing .* first '{lost}'"):
        checkpoints.load(folder)
    (folder / "model.safetensors").write_bytes(b"no tensors")
    with pytest.raises(ModelError, match=r"found 10 bytes, and a header of .* is announced"):
        checkpoints.load(folder)


def test_predict_prints_labels_by_share(tmp_path: Path, capsys, monkeypatch) -> None:
    folder = tiny_models.classifier(tmp_path / "m", "bert", ["no", "yes"])
    monkeypatch.setattr("sys.argv", ["glue-bench", "predict", str(folder), "the film is good"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert not ended.value.code
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert {name for _, name in lines} == {"no", "yes"}
    assert float(lines[0][0]) >= float(lines[1][0])
    assert float(lines[0][0]) + float(lines[1][0]) == pytest.approx(1, abs=2e-4)


def test_predict_reads_a_network_from_scratch(tmp_path: Path, capsys, monkeypatch) -> None:
    record = harness.run(
        "sst2", model="cbow", max_train=64, max_eval=32, epochs=1, results=tmp_path / "r",
        save_models=tmp_path / "m",
    )  # fmt: skip
    folder = tmp_path / "m" / str(record.saved_model)
    code, said, _ = pytest_project.glue_bench(
        capsys, monkeypatch, "predict", str(folder), "a good film"
    )
    assert code == 0
    assert {line.split()[1] for line in said.splitlines()} == {"negative", "positive"}
    with pytest.raises(ModelError, match=r"holds a network that has no pretrained .*such as cbow"):
        models.directory(models.get(str(folder)).model)


def test_a_bilstm_that_was_saved_under_earlier_names_is_read(tmp_path: Path) -> None:
    record = harness.run(
        "sst2", model="bilstm", max_train=32, max_eval=16, epochs=1, results=tmp_path / "r",
        save_models=tmp_path / "m",
    )  # fmt: skip
    folder = tmp_path / "m" / str(record.saved_model)
    before = checkpoints.load(folder).answer("a good film")
    tensors = load_file(folder / "model.safetensors")
    old = {
        name.replace("forward_lstm", "rightward").replace("backward_lstm", "leftward"): tensor
        for name, tensor in tensors.items()
    }
    assert {*old} != {*tensors}
    save_file(old, folder / "model.safetensors")
    assert checkpoints.load(folder).answer("a good film") == before


@pytest.mark.cases
def test_a_model_with_a_long_name_is_saved_under_a_shorter_one(tmp_path: Path) -> None:
    loaded = pretrained.load(TOY, tasks.TASKS["sst2"], seed=1)
    config = configuration("sst2", tmp_path)
    for last in "ab":
        case = dataclasses.replace(config.case, model="m" * 254 + last)
        name = checkpoints.save(loaded, dataclasses.replace(config, case=case), score=0.5).name
        assert len(name) <= 200
        card = json.loads((tmp_path / name / "glue-bench.json").read_text())
        assert card["case"] == case.id
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.cases
@pytest.mark.parametrize("text", ["-5 degrees", "--", "-", "--help me", "--text2=b", "-h"])
def test_a_text_may_begin_with_a_hyphen(
    text: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, ...]] = []

    class Model:
        notes = ()

        def answer(self, *texts: str) -> fine_tuned.Answer:
            asked.append(texts)
            return fine_tuned.Answer({"good": 0.75, "b\x1bad": 0.25})

    monkeypatch.setattr(checkpoints, "load", lambda folder: Model())
    said = ("--", text) if text == "--" else (text,)
    code, out, err = pytest_project.glue_bench(capsys, monkeypatch, "predict", TOY, *said)
    assert (code, err) == (0, "")
    assert asked == [(text,)]
    assert "\x1b" not in out
    code, _, _ = pytest_project.glue_bench(capsys, monkeypatch, "predict", TOY, "a", "--", text)
    assert (code, asked[-1]) == (0, ("a", text))
