"""Tensors that the network has no parameter for: some may be left out, others are refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from harness.modeling import pretrained
from tests.support import tiny_families, tiny_models
from tests.support.changed_weights import QUERY, RTE, TOY, Tensors, change, is_matrix, refused


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(TOY, tmp_path / "model"))


@pytest.mark.cases
@pytest.mark.parametrize(
    ("added", "fix"),
    [
        ("QUERY.lora_A.weight", "merge_and_unload"),
        ("QUERY.lora_A.default.weight", "merge_and_unload"),
        ("base_model.model.bert.QUERY.lora_B.weight", "merge_and_unload"),
        ("QUERY.ia3_l", "merge_and_unload"),
        ("QUERY.lora_magnitude_vector", "merge_and_unload"),
        ("QUERY.hada_w1_a", "merge_and_unload"),
        ("encoder.layer.0.output.adapters.task.down.weight", "adapter"),
        ("adapters.layer.0.down.weight", "adapter"),
        ("prefix_encoder.embedding.weight", "adapter"),
        ("prompt_encoder.default.embedding.weight", "adapter"),
        ("QUERY.weight_mask", "prune.remove"),
        ("QUERY.mask_scores", "prun"),
        ("QUERY.weight_scale", "dequantize"),
        ("QUERY.weight_zero_point", "dequantize"),
        ("QUERY.weight.absmax", "dequantize"),
        ("QUERY.SCB", "dequantize"),
        ("encoder.gate.weight", "config.json"),
    ],
)
@pytest.mark.parametrize("prefix", ["", "bert."])
def test_an_unexpected_tensor_of_the_encoder_is_refused(
    copy: Path, added: str, fix: str, prefix: str
) -> None:
    name = added.replace("QUERY", QUERY.removesuffix(".weight"))
    if name.startswith("encoder"):
        name = prefix + name

    def add(tensors: Tensors) -> Tensors:
        bare = {n.removeprefix("bert."): x for n, x in tensors.items()}
        return {f"{prefix}{n}": x for n, x in bare.items()} | {name: torch.ones(4, 4)}

    said = refused(change(copy, add))
    assert name[:60] in said
    assert "1 tensor" in said
    assert fix in said


def test_weights_kept_apart_by_pruning_are_refused_with_the_fix(copy: Path) -> None:
    """torch.nn.utils.prune keeps NAME_orig and NAME_mask in place of NAME."""

    def prune(tensors: Tensors) -> Tensors:
        found = {}
        for name, tensor in tensors.items():
            if is_matrix(name, tensor):
                found |= {f"{name}_orig": tensor, f"{name}_mask": torch.ones_like(tensor)}
            else:
                found[name] = tensor
        return found

    assert "prune.remove" in refused(change(copy, prune))


@pytest.mark.cases
@pytest.mark.parametrize("prefix", ["", "bert."])
@pytest.mark.parametrize("said", [1, 2])
def test_layers_beyond_config_json_are_refused(copy: Path, said: int, prefix: str) -> None:
    tiny_models.edit(copy / "config.json", num_hidden_layers=said)

    def rename(tensors: Tensors) -> Tensors:
        return {f"{prefix}{n.removeprefix('bert.')}": x for n, x in tensors.items()}

    message = refused(change(copy, rename))
    assert f"num_hidden_layers {said}" in message
    assert "3 layers" in message


LAYERS = {
    "bert": "num_hidden_layers",
    "roberta": "num_hidden_layers",
    "distilbert": "n_layers",
    "electra": "num_hidden_layers",
    "deberta": "num_hidden_layers",
    "deberta-v3": "num_hidden_layers",
    "mpnet": "num_hidden_layers",
    "xlnet": "n_layer",
    "modernbert": "num_hidden_layers",
    "gpt": "n_layer",
    "gpt2": "n_layer",
    "llama": "num_hidden_layers",
    "mobilebert": "num_hidden_layers",
    "squeezebert": "num_hidden_layers",
}


@pytest.mark.cases
@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_beyond_config_json_is_refused_in_every_family(tmp_path: Path, name: str) -> None:
    folder = tiny_families.pretrained(tmp_path, name)
    said = json.loads((folder / "config.json").read_text())
    changed = {LAYERS[name]: 1}
    if "layer_types" in said:
        changed["layer_types"] = said["layer_types"][:1]
    tiny_models.edit(folder / "config.json", **changed)
    message = refused(folder)
    assert f"{LAYERS[name]} 1" in message
    assert "2 layers" in message


def test_a_weight_under_two_names_is_refused(copy: Path) -> None:
    def twice(tensors: Tensors) -> Tensors:
        bare = {n.removeprefix("bert."): x for n, x in tensors.items()}
        return bare | {f"bert.{QUERY}": bare[QUERY] + 1}

    assert "two names" in refused(change(copy, twice))


@pytest.mark.parametrize(
    ("name", "unused"),
    [
        ("bert", ["cls.predictions"]),
        ("bert-nsp", ["cls.predictions", "cls.seq_relationship"]),
        ("roberta", ["lm_head"]),
        ("distilbert", ["vocab_layer_norm", "vocab_projector", "vocab_transform"]),
        (
            "electra",
            ["discriminator_predictions.dense", "discriminator_predictions.dense_prediction"],
        ),
        ("gpt2", []),
        ("xlnet", ["lm_loss"]),
        ("modernbert", ["decoder"]),
    ],
)
def test_heads_of_pretraining_are_left_out_and_named(
    folders: dict[str, Path], name: str, unused: list[str]
) -> None:
    assert list(pretrained.load(folders[name], RTE, 1).unused) == unused


def harmless(copy: Path, **added: torch.Tensor) -> pretrained.LoadedModel:
    names = {name.replace("__", "."): tensor for name, tensor in added.items()}
    return pretrained.load(change(copy, lambda tensors: tensors | names), RTE, 1)


def test_leftovers_that_change_nothing_are_loaded_without_a_word(tmp_path: Path) -> None:
    """As in published files: masks and places kept as buffers, poolers nobody reads, old heads."""
    ids = torch.arange(64)[None]
    bert = Path(shutil.copytree(TOY, tmp_path / "bert"))
    loaded = harmless(bert, embeddings__position_ids=ids, classifier__weight=torch.ones(7, 80))
    assert loaded.unused == ()  # the head's shape is another: it is new
    roberta = tiny_families.pretrained(tmp_path / "roberta", "roberta")
    added = {"roberta__pooler__dense__weight": torch.ones(16, 16)}
    assert "roberta.pooler" in harmless(roberta, **added).unused
    gpt2 = tiny_families.pretrained(tmp_path / "gpt2", "gpt2")
    mask = torch.ones(1, 1, 80, 80)
    harmless(gpt2, h__0__attn__bias=mask.tril(), h__1__attn__masked_bias=torch.tensor(-1e4))
    harmless(gpt2, transformer__h__0__attn__bias=mask.bool())
    harmless(tiny_families.pretrained(tmp_path / "gpt", "gpt"), h__0__attn__bias=mask.bool())
    deberta = tiny_families.pretrained(tmp_path / "deberta", "deberta-v3")
    harmless(deberta, deberta__embeddings__word_embeddings___weight=torch.zeros(20, 16))
