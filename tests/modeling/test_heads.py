"""What a head stands for: its labels, and what config.json says of it, loaded and saved."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from transformers import AutoModelForSequenceClassification, pipeline

import harness
from harness.catalog import models, tasks
from harness.modeling import checkpoints, heads, pretrained
from harness.spec import Case, DataRequest, Task
from tests.support import pytest_project, tiny_families, tiny_models
from tests.support.configs import resolved

TOY = models.directory(models.MODELS["toy-bert"])
SST2, STSB, MNLI = (tasks.TASKS[name] for name in ("sst2", "stsb", "mnli"))
ROWS = {"input_ids": torch.tensor([[2, 5, 6, 7]]), "attention_mask": torch.ones(1, 4).long()}


def own_task(*labels: str) -> Task:
    return dataclasses.replace(SST2, name="mine", labels=labels)


# ---- Labels --------------------------------------------------------------------------------------


@pytest.mark.cases
@pytest.mark.parametrize(
    ("stored", "wanted"),
    [
        (["Bad", "Good"], ["Good", "Bad"]),
        (["Bad", "Good"], ["good", "bad"]),
        (["bad", "good"], ["Good", "BAD"]),
        (["not good", "good"], ["good", "not good"]),
        (["not good", "good"], ["good", "not-good"]),
        (["Not_Good", "Good"], ["good", "not good"]),
        (["-1", "+"], ["+", "-1"]),
        (["-1", "0", "+1"], ["+1", "-1", "0"]),
        (["+", "-"], ["-", "+"]),
        (["-", "- -"], ["- -", "-"]),
        (["\U0001f44d", "\U0001f44e"], ["\U0001f44e", "\U0001f44d"]),
        (["very bad \U0001f44e", "x"], ["x", "Very Bad \U0001f44e"]),
        (["caf\u00e9", "bar"], ["bar", "cafe\u0301"]),
        (["Bad", "bad"], ["bad", "Bad"]),
        (["a b", "a_b"], ["a_b", "a b"]),
        (["\u03a3", "x"], ["x", "\u03c3"]),
        (["1 star", "2 stars"], ["2 stars", "1 star"]),
    ],
)
def test_a_trained_head_with_the_tasks_labels_is_kept(
    tmp_path: Path, stored: list[str], wanted: list[str]
) -> None:
    folder = tiny_models.classifier(tmp_path, "bert", stored)
    own = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    loaded = pretrained.load(folder, own_task(*wanted), seed=1)
    assert loaded.new_parameters == ()
    assert list(loaded.network.config.id2label.values()) == wanted
    theirs = dict(zip(stored, own(**ROWS).logits[0].tolist(), strict=True))
    ours = loaded.network.eval()(**ROWS).logits[0].tolist()
    for label, logit in zip(wanted, ours, strict=True):
        same = label if label in theirs else next(
            name for name in theirs if heads.normalized(name) == heads.normalized(label)
        )  # fmt: skip
        assert logit == pytest.approx(theirs[same], abs=1e-6)


@pytest.mark.cases
@pytest.mark.parametrize(
    ("stored", "wanted"),
    [
        (["+1", "x"], ["-1", "x"]),
        (["+", "-"], ["plus", "minus"]),
        (["Bad", "bad"], ["bad", "good"]),
        (["Bad", "bad"], ["BAD", "bAD"]),  # both would be the same
        (["a b", "a_b"], ["a-b", "x"]),
        (["\U0001f44d", "\U0001f44e"], ["\U0001f600", "\U0001f44e"]),
        (["1", "x"], ["-1", "x"]),
        (["not good", "good"], ["notgood", "good"]),
        (["bad", "good"], ["bad", "good", "fine"]),
    ],
)
def test_a_head_of_other_labels_is_new(
    tmp_path: Path, stored: list[str], wanted: list[str]
) -> None:
    folder = tiny_models.classifier(tmp_path, "bert", stored)
    loaded = pretrained.load(folder, own_task(*wanted), seed=1)
    assert set(loaded.new_parameters) == {"classifier.weight", "classifier.bias"}


def test_only_the_last_layer_is_reordered(tmp_path: Path) -> None:
    """RoBERTa's head has a dense layer; here it is as wide as there are labels."""
    labels = [f"topic {place}" for place in range(16)]  # the network's width
    folder = tiny_models.classifier(tmp_path, "roberta", labels)
    own = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    loaded = pretrained.load(folder, own_task(*reversed(labels)), seed=1)
    expected = own(**ROWS).logits[0].flip(0)
    assert torch.allclose(loaded.network.eval()(**ROWS).logits[0], expected, atol=1e-6)


# ---- What config.json says -----------------------------------------------------------------------


def saved(folder: Path, task: Task, home: Path) -> Path:
    """A folder's model with a head for `task`, as a run would save it."""
    loaded = tiny_families.loud(folder, task)
    config = resolved(Case(task.name, "toy-bert", "cpu-fp32", 42), DataRequest(), threads=1)
    return home / checkpoints.save(loaded, dataclasses.replace(config, save_to=str(home)), 0.5).name


@pytest.mark.cases
@pytest.mark.parametrize("family", ["bert", "roberta", "distilbert", "gpt2"])
def test_a_saved_model_says_what_its_own_head_is(tmp_path: Path, family: str) -> None:
    """Not what the model that it started from had."""
    folder = tiny_models.classifier(
        tmp_path / "start", family, ["LABEL_0"], problem_type="regression",
        finetuning_task="sts-b",
    )  # fmt: skip
    for place, task in enumerate((SST2, STSB, MNLI, STSB)):
        folder = saved(folder, task, tmp_path / str(place))
        said = json.loads((folder / "config.json").read_text())
        regression = task is STSB
        assert said["problem_type"] == (
            "regression" if regression else "single_label_classification"
        )
        names = list(task.labels) or ["LABEL_0"]
        assert said.get("id2label", {"0": "LABEL_0"}) == {str(i): n for i, n in enumerate(names)}
        assert said["finetuning_task"] == task.name
        assert len(
            AutoModelForSequenceClassification.from_pretrained(folder).config.id2label
        ) == len(names)


@pytest.mark.cases
def test_transformers_pipeline_gives_our_answers(tmp_path: Path) -> None:
    start = saved(TOY, STSB, tmp_path / "stsb")
    pair = ("the baker trusted the nurse", "a nurse trusted the baker")
    whole = {"text": pair[0], "text_pair": pair[1]}
    score = checkpoints.load(start).answer(*pair).score
    said: Any = pipeline("text-classification", model=str(start))(whole)
    said = said[0] if isinstance(said, list) else said
    assert said["score"] == pytest.approx(score, abs=1e-5)
    for task in (SST2, MNLI):
        folder = saved(start, task, tmp_path / task.name)
        asked = pair if task is MNLI else pair[:1]
        shares = checkpoints.load(folder).answer(*asked).shares
        found: Any = pipeline("text-classification", model=str(folder), top_k=None)(
            whole if task is MNLI else pair[0]
        )
        found = found[0] if isinstance(found[0], list) else found
        assert {row["label"]: row["score"] for row in found} == pytest.approx(shares, abs=1e-5)


OTHER_OUTPUTS = {"return_dict": False, "output_hidden_states": True, "output_attentions": True}


@pytest.mark.cases
@pytest.mark.parametrize(
    ("family", "said"),
    [
        *(("bert", {name: value}) for name, value in OTHER_OUTPUTS.items()),
        *((name, OTHER_OUTPUTS) for name in ("roberta", "distilbert", "gpt2", "modernbert")),
    ],
)
def test_a_config_that_asks_for_other_outputs_changes_none(
    tmp_path: Path, family: str, said: dict[str, bool]
) -> None:
    folder = tiny_models.classifier(tmp_path / "m", family, ["negative", "positive"])
    texts = [("a b c",), ("the film is good",)]
    plain = tiny_families.logits(pretrained.load(folder, SST2, 1), texts, 2)
    answer = checkpoints.load(folder).answer("a b c")
    tiny_models.edit(folder / "config.json", **said)
    assert torch.equal(tiny_families.logits(pretrained.load(folder, SST2, 1), texts, 2), plain)
    assert checkpoints.load(folder).answer("a b c") == answer


@pytest.mark.cases
@pytest.mark.parametrize("suffix", ["", "+frozen", "+bitfit"])
def test_a_whole_run_of_a_model_that_returns_tuples(tmp_path: Path, suffix: str) -> None:
    folder = tiny_families.pretrained(tmp_path / "m", "bert")
    tiny_models.edit(folder / "config.json", return_dict=False, output_hidden_states=True)
    record = harness.run(
        "sst2", model=f"{folder}{suffix}", max_train=32, max_eval=16, epochs=1,
        results=tmp_path / "r", save_models=tmp_path / "s", engine="inline",
    )  # fmt: skip
    assert record.status == "ok", record.reason
    tuned = checkpoints.load(tmp_path / "s" / str(record.saved_model))
    assert sum(tuned.answer("the film").shares.values()) == pytest.approx(1, abs=1e-6)


# ---- What predict makes of it --------------------------------------------------------------------


@pytest.mark.cases
def test_labels_of_a_multi_label_model_have_shares_of_their_own(
    tmp_path: Path, capsys, monkeypatch
) -> None:
    folder = tiny_models.classifier(
        tmp_path / "m", "bert", ["joy", "anger", "fear"],
        problem_type="multi_label_classification",
    )  # fmt: skip
    network = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    with torch.no_grad():
        logits = network(**tiny_models.word_tokenizer()("a b", return_tensors="pt")).logits[0]
    shares = checkpoints.load(folder).answer("a b").shares
    assert list(shares.values()) == pytest.approx(logits.sigmoid().tolist(), abs=1e-6)
    found: Any = pipeline("text-classification", model=str(folder), top_k=None)("a b")
    found = found[0] if isinstance(found[0], list) else found
    assert {row["label"]: row["score"] for row in found} == pytest.approx(shares, abs=1e-5)
    code, said, _ = pytest_project.glue_bench(capsys, monkeypatch, "predict", str(folder), "a b")
    assert code == 0
    assert len(said.splitlines()) == 3


@pytest.mark.cases
@pytest.mark.parametrize(
    ("labels", "problem"),
    [(["x", "y"], None), (["x", "y"], "single_label_classification"), (["s"], "regression"),
     (["s"], None), (["s", "t"], "regression"), (["only"], "multi_label_classification")],
)  # fmt: skip
def test_predict_follows_the_problem_type(
    tmp_path: Path, capsys, monkeypatch, labels: list[str], problem: str | None
) -> None:
    folder = tiny_models.classifier(tmp_path / "m", "bert", labels, problem_type=problem)
    network = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    with torch.no_grad():
        logits = network(**tiny_models.word_tokenizer()("a b", return_tensors="pt")).logits[0]
    answer = checkpoints.load(folder).answer("a b")
    if problem == "multi_label_classification":
        assert answer.shares == pytest.approx({"only": float(logits.sigmoid())}, abs=1e-6)
    elif len(labels) == 1:
        assert answer.score == pytest.approx(float(logits[0]), abs=1e-6)
    elif problem == "regression":
        assert list(answer.scores.values()) == pytest.approx(logits.tolist(), abs=1e-6)
    else:
        assert list(answer.shares.values()) == pytest.approx(logits.softmax(-1).tolist(), abs=1e-6)
    code, said, _ = pytest_project.glue_bench(capsys, monkeypatch, "predict", str(folder), "a b")
    assert code == 0
    assert len(said.splitlines()) == len(labels)


def test_predict_says_what_a_user_should_know(tmp_path: Path, capsys, monkeypatch) -> None:
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "The", "the", "Film"]
    config = transformers.BertConfig(vocab_size=len(words), **tiny_models.SIZES["bert"])
    folder = tmp_path / "m"
    transformers.BertForSequenceClassification(config).save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    code, _, err = pytest_project.glue_bench(
        capsys, monkeypatch, "predict", str(folder), "The Film"
    )
    assert code == 0
    assert "note: text is lower-cased" in err
