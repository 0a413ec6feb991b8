"""Weights that cannot be used as they are stored: refused by name, never cast or dropped."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModel, AutoModelForMaskedLM

from harness.errors import ModelError
from harness.modeling import checkpoints, pretrained
from tests.support import tiny_families, tiny_models
from tests.support.changed_weights import QUERY, RTE, TOY, Tensors, change, is_matrix, refused


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(TOY, tmp_path / "model"))


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
    [
        torch.int8,
        torch.uint8,
        torch.int16,
        torch.int32,
        torch.int64,
        torch.bool,
        torch.float8_e4m3fn,
        torch.float8_e5m2,
        torch.complex64,
    ],
    ids=str,
)
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


@pytest.mark.parametrize("wrapper", ["module.", "_orig_mod.", "module._orig_mod.", "0.auto_model."])
@pytest.mark.parametrize("prefix", ["", "bert."])
def test_names_with_a_wrappers_prefix_are_told(copy: Path, wrapper: str, prefix: str) -> None:
    def wrap(tensors: Tensors) -> Tensors:
        return {f"{wrapper}{prefix}{n.removeprefix('bert.')}": x for n, x in tensors.items()}

    assert f"begin with '{wrapper}'" in refused(change(copy, wrap))


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
        with pytest.raises(ModelError, match="Fix"):
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
