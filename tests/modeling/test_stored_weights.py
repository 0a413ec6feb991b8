"""Weights that the network of config.json cannot use: refused by name, never cast or dropped."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModel, AutoModelForMaskedLM

from harness.catalog import models, tasks
from harness.errors import ModelError
from harness.modeling import checkpoints, pretrained
from tests.support import tiny_families, tiny_models

TOY = models.directory(models.MODELS["toy-bert"])
RTE = tasks.TASKS["rte"]
Tensors = dict[str, torch.Tensor]
QUERY = "encoder.layer.0.attention.self.query.weight"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(TOY, tmp_path / "model"))


def change(folder: Path, change_tensors: Callable[[Tensors], Tensors]) -> Path:
    """Write the weights of a folder again, changed."""
    path = folder / "model.safetensors"
    tensors = change_tensors(load_file(path))
    save_file({name: t.contiguous() for name, t in tensors.items()}, path, {"format": "pt"})
    return folder


def refused(folder: Path) -> str:
    with pytest.raises(ModelError) as caught:
        pretrained.load(folder, RTE, 1)
    message = str(caught.value)
    assert "\n" not in message
    assert "Mend: " in message
    return message


def is_matrix(name: str, tensor: torch.Tensor) -> bool:
    return "encoder.layer" in name and tensor.dim() == 2


# ---- dtypes ------------------------------------------------------------------------------------


def as_int8(tensors: Tensors) -> Tensors:
    found = {}
    for name, tensor in tensors.items():
        if is_matrix(name, tensor):
            scale = tensor.abs().amax(dim=1, keepdim=True) / 127
            found[name] = (tensor / scale).round().to(torch.int8)
            found[f"{name}_scale"] = scale
        else:
            found[name] = tensor
    return found


@pytest.mark.cases
def test_int8_weights_with_scales_beside_them_are_refused(copy: Path) -> None:
    said = refused(change(copy, as_int8))
    assert "I8" in said
    assert "18 tensors (first 'encoder.layer.0.attention.output.dense.weight')" in said
    assert "dequantize" in said


@pytest.mark.cases
@pytest.mark.filterwarnings("ignore:Casting complex values")
@pytest.mark.parametrize(
    "dtype",
    [torch.int8, torch.uint8, torch.int16, torch.int32, torch.int64, torch.bool,
     torch.float8_e4m3fn, torch.float8_e5m2, torch.complex64],
    ids=str,
)  # fmt: skip
def test_weights_that_are_no_plain_floating_point_numbers_are_refused(
    copy: Path, dtype: torch.dtype
) -> None:
    """One tensor is enough; others are as they were."""
    said = refused(
        change(copy, lambda t: {n: x.to(dtype) if QUERY in n else x for n, x in t.items()})
    )
    assert "1 tensor" in said
    assert QUERY in said


def test_integers_under_an_old_name_are_refused(copy: Path) -> None:
    """BERT's first checkpoints say gamma and beta, which transformers renames while it loads."""

    def old(tensors: Tensors) -> Tensors:
        return {
            n.replace("LayerNorm.weight", "LayerNorm.gamma"): x.to(torch.int32)
            if "LayerNorm.weight" in n
            else x
            for n, x in tensors.items()
        }

    assert "I32" in refused(change(copy, old))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64], ids=str)
def test_floating_point_weights_of_any_width_are_loaded(copy: Path, dtype: torch.dtype) -> None:
    change(copy, lambda tensors: {name: tensor.to(dtype) for name, tensor in tensors.items()})
    network = pretrained.load(copy, RTE, 1).network
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}


def test_a_quantization_config_is_refused_before_anything_is_read(copy: Path) -> None:
    for method in ("bitsandbytes", "gptq", "fp8", "compressed-tensors"):
        tiny_models.edit(copy / "config.json", quantization_config={"quant_method": method})
        said = refused(copy)
        assert "quantization_config" in said
        assert method in said


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_weights_that_are_not_finite_are_refused(copy: Path, value: float) -> None:
    def spoil(tensors: Tensors) -> Tensors:
        name = next(name for name in tensors if QUERY in name)
        tensors[name][3, 4] = value
        return tensors

    said = refused(change(copy, spoil))
    assert QUERY in said
    assert "not finite" in said


def test_fp64_weights_beyond_fp32_are_refused(copy: Path) -> None:
    def huge(tensors: Tensors) -> Tensors:
        found = {name: tensor.double() for name, tensor in tensors.items()}
        found[next(name for name in found if QUERY in name)][0, 0] = 1e300
        return found

    assert "not finite" in refused(change(copy, huge))


# ---- Tensors that the network has no place for ---------------------------------------------------


@pytest.mark.cases
@pytest.mark.parametrize(
    ("added", "mend"),
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
    copy: Path, added: str, mend: str, prefix: str
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
    assert mend in said


def test_weights_kept_apart_by_pruning_are_refused_with_the_mend(copy: Path) -> None:
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
    "bert": "num_hidden_layers", "roberta": "num_hidden_layers", "distilbert": "n_layers",
    "electra": "num_hidden_layers", "deberta": "num_hidden_layers",
    "deberta-v3": "num_hidden_layers", "mpnet": "num_hidden_layers", "xlnet": "n_layer",
    "modernbert": "num_hidden_layers", "gpt": "n_layer", "gpt2": "n_layer",
    "llama": "num_hidden_layers", "mobilebert": "num_hidden_layers",
    "squeezebert": "num_hidden_layers",
}  # fmt: skip


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


@pytest.mark.parametrize("wrapper", ["module.", "_orig_mod.", "module._orig_mod.", "0.auto_model."])
@pytest.mark.parametrize("prefix", ["", "bert."])
def test_names_with_a_wrappers_prefix_are_told(copy: Path, wrapper: str, prefix: str) -> None:
    def wrap(tensors: Tensors) -> Tensors:
        return {f"{wrapper}{prefix}{n.removeprefix('bert.')}": x for n, x in tensors.items()}

    assert f"begin with '{wrapper}'" in refused(change(copy, wrap))


def test_a_weight_under_two_names_is_refused(copy: Path) -> None:
    def twice(tensors: Tensors) -> Tensors:
        bare = {n.removeprefix("bert."): x for n, x in tensors.items()}
        return bare | {f"bert.{QUERY}": bare[QUERY] + 1}

    assert "two names" in refused(change(copy, twice))


def test_an_adapter_beside_the_weights_is_refused(copy: Path) -> None:
    (copy / "adapter_config.json").write_text('{"peft_type": "LORA"}')
    said = refused(copy)
    assert "adapter_config.json" in said
    assert "merge_and_unload" in said


def test_shards_are_read_by_their_index(copy: Path) -> None:
    network = AutoModel.from_pretrained(copy)
    (copy / "model.safetensors").unlink()
    network.save_pretrained(copy, max_shard_size="100KB")
    shards = sorted(copy.glob("model-*.safetensors"))
    assert len(shards) > 2
    plain = pretrained.load(TOY, RTE, 1).network.state_dict()
    for name, tensor in pretrained.load(copy, RTE, 1).network.state_dict().items():
        assert torch.equal(tensor, plain[name])
    last = load_file(shards[-1])
    save_file(last | {f"{QUERY}.lora_A": torch.ones(2)}, shards[-1], {"format": "pt"})
    assert "lora_A" in refused(copy)
    save_file({n: x.to(torch.int8) for n, x in last.items()}, shards[-1], {"format": "pt"})
    assert "I8" in refused(copy)


# ---- What may be left unused ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "unused"),
    [
        ("bert", ["cls.predictions"]), ("bert-nsp", ["cls.predictions", "cls.seq_relationship"]),
        ("roberta", ["lm_head"]), ("distilbert", ["vocab_layer_norm", "vocab_projector",
        "vocab_transform"]), ("electra", ["discriminator_predictions.dense",
        "discriminator_predictions.dense_prediction"]), ("gpt2", []), ("xlnet", ["lm_loss"]),
        ("modernbert", ["decoder"]),
    ],
)  # fmt: skip
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
    encoder = harmless(bert, embeddings__position_ids=ids, classifier__weight=torch.ones(7, 80))
    assert encoder.unused == ()  # the head's shape is another: it is new
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


def test_bare_prefixed_and_tied_checkpoints_load_alike(tmp_path: Path) -> None:
    whole = tiny_families.pretrained(tmp_path / "whole", "bert")
    bare = tmp_path / "bare"
    shutil.copytree(whole, bare)
    AutoModelForMaskedLM.from_pretrained(whole).bert.save_pretrained(bare)
    one, other = (pretrained.load(folder, RTE, 1).network for folder in (whole, bare))
    for name, tensor in one.state_dict().items():
        assert torch.equal(tensor, other.state_dict()[name]), name
    old = shutil.copytree(whole, tmp_path / "old")
    change(
        Path(old),
        lambda t: {
            n.replace("LayerNorm.weight", "LayerNorm.gamma").replace(
                "LayerNorm.bias", "LayerNorm.beta"
            ): x
            for n, x in t.items()
        },
    )
    for name, tensor in pretrained.load(Path(old), RTE, 1).network.state_dict().items():
        assert torch.equal(tensor, one.state_dict()[name]), name


@pytest.mark.cases
def test_predict_reads_no_such_weights_either(tmp_path: Path) -> None:
    folder = tiny_models.classifier(tmp_path / "m", "bert", ["no", "yes"])
    assert checkpoints.load(folder).answer("a").shares
    plain = load_file(folder / "model.safetensors")
    for added in (
        {f"bert.{QUERY}.lora_A": torch.ones(2, 2)},
        {f"bert.{QUERY}": plain[f"bert.{QUERY}"].to(torch.int8)},
        {"classifier.weight": plain["classifier.weight"].to(torch.int32)},
        {"bert.encoder.layer.1.attention.self.query.weight": torch.ones(16, 16)},
    ):
        save_file(plain | added, folder / "model.safetensors", {"format": "pt"})
        with pytest.raises(ModelError, match="Mend"):
            checkpoints.load(folder)


def test_a_missing_weight_is_no_wrappers_prefix(tmp_path: Path) -> None:
    """A weight of another shape, or one whose name ends as others do."""
    folder = tiny_families.pretrained(tmp_path / "shape", "bert")
    name = "bert.encoder.layer.0.output.dense.weight"
    change(folder, lambda tensors: tensors | {name: tensors[name][:-1]})
    assert f"first '{name}'" in refused(folder)
    folder = tiny_families.pretrained(tmp_path / "lost", "llama")
    change(folder, lambda tensors: {n: t for n, t in tensors.items() if n != "model.norm.weight"})
    assert "first 'model.norm.weight'" in refused(folder)
