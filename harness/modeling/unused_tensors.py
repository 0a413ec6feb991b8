"""Tensors that the network has no parameter for: which may be left out, and which are refused."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.errors import ModelError
from harness.modeling.library_types import PretrainedNetwork
from harness.text.values import shown

MERGE = "merge the adapter (peft: `merge_and_unload()`) and save with `save_pretrained`"
DEQUANTIZE = (
    "load the model with the library that quantized it, `dequantize()` it, and save it with "
    "`save_pretrained` in float32, float16 or bfloat16"
)


@dataclass(frozen=True)
class Tensor:
    """A tensor as the header of its file describes it."""

    dtype: str  # safetensors' name
    shape: tuple[int, ...]


@dataclass(frozen=True)
class RefusedKind:
    """A kind of tensor that the network cannot use, told by its name, and what to do about it."""

    name: re.Pattern[str]
    what: str
    fix: str
    anywhere: bool = True  # outside the encoder too; False: there it may be a pretraining head's


REFUSED_KINDS = (
    RefusedKind(
        re.compile(
            r"lora|(^|[._])(ia3|hada|lokr|oft|vera|dora)_|magnitude_vector|base_layer|adapter"
            r"|prefix_(encoder|tuning)|prompt_(encoder|embedding)|soft_prompt"
        ),
        "of an adapter",
        MERGE,
    ),
    RefusedKind(
        re.compile(r"(weight|bias)_(mask|orig)$|[._]mask$|mask_scores?$"),
        "left by pruning",
        "make the pruning permanent (`torch.nn.utils.prune.remove`), then `save_pretrained`",
    ),
    RefusedKind(
        re.compile(r"scales?$|zero_?points?$|zeros$|absmax|quant|SCB$|qweight|qdata|g_idx|packed"),
        "of quantized weights",
        DEQUANTIZE,
        anywhere=False,
    ),
)

HARMLESS = re.compile(
    r"(^|\.)pooler\."  # some pretraining used one; where the classifier has none, it is not used
    r"|(position|token_type)_ids$|inv_freq$|(^|\.)version$"  # buffers that hold no weights
    r"|^funnel\.decoder\."  # upsamples for masked-language modelling; a classifier does not
    r"|_embeddings\._weight$"  # DeBERTa-v3's pretraining: the sum of both tables is `weight`
)
CAUSAL_MASK = re.compile(r"(^|\.)(masked_)?bias$")
"""The causal masks of GPT and GPT-2: buffers of shape (1, 1, n, n), or of one number."""


def _rename_gamma_and_beta(name: str) -> str:
    """A tensor's name in today's transformers: the first BERT files call two kinds otherwise."""
    return name.replace("LayerNorm.gamma", "LayerNorm.weight").replace(
        "LayerNorm.beta", "LayerNorm.bias"
    )


def is_inside(network: PretrainedNetwork, name: str) -> bool:
    """Whether a tensor's name is one of the encoder, with the classifier's prefix or without it."""
    children = {child for child, _ in network.base_model.named_children()}
    prefix = network.base_model_prefix
    return name.startswith(f"{prefix}.") or (bool(prefix) and name.split(".")[0] in children)


def is_harmless(name: str, tensor: Tensor | None) -> bool:
    """Whether the encoder computes the same without a tensor, so that it may be left out."""
    is_mask = tensor is not None and CAUSAL_MASK.search(name) and len(tensor.shape) in (0, 4)
    return bool(is_mask or HARMLESS.search(name))


def refuse(
    directory: Path,
    network: PretrainedNetwork,
    stored: Mapping[str, Tensor],
    unexpected: list[str],
) -> None:
    """Raise `ModelError` where leaving out a tensor would change what the encoder computes.

    `stored` are all tensors of the files, `unexpected` those that the network has no parameter for.
    """
    _refuse_doubled(directory, network, stored)
    for kind in REFUSED_KINDS:
        of_kind = [
            name
            for name in unexpected
            if kind.name.search(name) and (kind.anywhere or is_inside(network, name))
        ]
        if of_kind:
            raise ModelError(
                f"{directory}: {counted(of_kind)} {kind.what}, which the network of config.json "
                f"has no parameter for; expected its weights alone. Fix: {kind.fix}"
            )
    left_out = [
        name
        for name in unexpected
        if is_inside(network, name) and not is_harmless(name, stored.get(name))
    ]
    if left_out:
        problem = _extra_layers(network, stored, left_out) or (
            f"{counted(left_out)} of the encoder, which the network of config.json has no "
            "parameter for; expected its weights alone. Fix: use the config.json that the weights "
            "were saved with; if it is that one already, transformers no longer computes this "
            "part: name another model"
        )
        raise ModelError(f"{directory}: {problem}")


def _refuse_doubled(
    directory: Path, network: PretrainedNetwork, stored: Mapping[str, Tensor]
) -> None:
    """Raise `ModelError` for a weight of the encoder that is stored under two names."""
    inside = f"{network.base_model_prefix}."
    spellings = Counter(
        _rename_gamma_and_beta(name.removeprefix(inside))
        for name, tensor in stored.items()
        if not is_harmless(name, tensor) and is_inside(network, name)
    )
    if doubled := [name for name, count in spellings.items() if count > 1]:
        raise ModelError(
            f"{directory}: {counted(doubled)} stored under two names, with and without "
            f"{shown(inside)} before it, or also as gamma or beta; expected one. Fix: save it "
            "again with `save_pretrained`"
        )


def _extra_layers(
    network: PretrainedNetwork, stored: Mapping[str, Tensor], left_out: list[str]
) -> str | None:
    """The message where config.json says fewer layers than are stored; None: that is not why."""
    inside, config = f"{network.base_model_prefix}.", network.config.get_text_config()
    of_layer = re.compile(r"(.*?)\.(\d+)\.")
    first = of_layer.match(left_out[0].removeprefix(inside))
    key = getattr(config, "attribute_map", {}).get("num_hidden_layers", "num_hidden_layers")
    configured = getattr(config, key, None)
    if first is None or not isinstance(configured, int):
        return None
    matches = {name: of_layer.match(name.removeprefix(inside)) for name in stored}
    layers = {
        name: int(match[2]) for name, match in matches.items() if match and match[1] == first[1]
    }
    if any(layers.get(name, -1) < configured for name in left_out):
        return None
    count = max(layers.values()) + 1
    return (
        f"config.json says {key} {configured}, and the weights are those of {count} layers "
        f"({counted(left_out)} beyond it); expected one number. Fix: say {count} in config.json, "
        "or save the shorter network with `save_pretrained`"
    )


def counted(names: list[str]) -> str:
    """How messages count and name tensors: `3 tensors (first 'NAME')`."""
    return f"{len(names)} tensor{'s' * (len(names) != 1)} (first {shown(names[0])})"


def modules_of(names: Iterable[str]) -> tuple[str, ...]:
    """The modules that tensors belong to, at most two names deep, and none inside another."""
    modules = {".".join(name.split(".")[:-1][:2]) or name for name in names}
    return tuple(sorted(module for module in modules if module.rpartition(".")[0] not in modules))
