"""Tensors of a file that the network has no place for: which may be left out, and which not."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import ModelError
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
class Kind:
    """What the name of a tensor that the network has no place for tells of it, and the mend."""

    name: re.Pattern[str]
    what: str
    mend: str
    anywhere: bool = True  # outside the encoder too, where a pretraining head is expected


KINDS = (
    Kind(
        re.compile(
            r"lora|(^|[._])(ia3|hada|lokr|oft|vera|dora)_|magnitude_vector|base_layer|adapter"
            r"|prefix_(encoder|tuning)|prompt_(encoder|embedding)|soft_prompt"
        ),
        "an adapter's",
        MERGE,
    ),
    Kind(
        re.compile(r"(weight|bias)_(mask|orig)$|[._]mask$|mask_scores?$"),
        "left by pruning",
        "make the pruning permanent (`torch.nn.utils.prune.remove`), then `save_pretrained`",
    ),
    Kind(
        re.compile(r"scales?$|zero_?points?$|zeros$|absmax|quant|SCB$|qweight|qdata|g_idx|packed"),
        "of quantized weights",
        DEQUANTIZE,
        anywhere=False,
    ),
)

HARMLESS = re.compile(
    r"(^|\.)pooler\."  # of a pretraining that classified; the classifier here has none
    r"|(position|token_type)_ids$|inv_freq$|(^|\.)version$"  # buffers that hold no weights
    r"|^funnel\.decoder\."  # upsamples for masked words
    r"|_embeddings\._weight$"  # DeBERTa-v3's pretraining: the sum of both tables is `weight`
)
MASK = re.compile(r"(^|\.)(masked_)?bias$")
"""GPT-2's and its like's causal masks: buffers of shape (1, 1, n, n), or one number."""


def _renamed(name: str) -> str:
    """A name as transformers reads it: the first BERTs called two tensors otherwise."""
    return name.replace("LayerNorm.gamma", "LayerNorm.weight").replace(
        "LayerNorm.beta", "LayerNorm.bias"
    )


def is_inside(network: Any, name: str) -> bool:
    """Whether a tensor has a name of the encoder, with its place in a classifier or without."""
    own = {child for child, _ in network.base_model.named_children()}
    prefix = network.base_model_prefix
    return name.startswith(f"{prefix}.") or (bool(prefix) and name.split(".")[0] in own)


def is_harmless(name: str, tensor: Tensor | None) -> bool:
    """Whether a tensor of the encoder may be left out: it changes nothing of what it computes."""
    is_mask = tensor is not None and MASK.search(name) and len(tensor.shape) in (0, 4)
    return bool(is_mask or HARMLESS.search(name))


def refuse(
    directory: Path, network: Any, stored: Mapping[str, Tensor], unexpected: list[str]
) -> None:
    """Raise `ModelError` where dropping what the network has no place for would change it."""
    inside = f"{network.base_model_prefix}."
    own = [n for n, tensor in stored.items() if not is_harmless(n, tensor)]
    twice = Counter(_renamed(n.removeprefix(inside)) for n in own if is_inside(network, n))
    if doubled := [name for name, count in twice.items() if count > 1]:
        raise ModelError(
            f"{directory}: {counted(doubled)} stored under two names, with {shown(inside)} before "
            "it and without, or as gamma or beta too; expected one. Mend: save it again with "
            "`save_pretrained`"
        )
    for kind in KINDS:
        found = [
            name for name in unexpected
            if kind.name.search(name) and (kind.anywhere or is_inside(network, name))
        ]  # fmt: skip
        if found:
            raise ModelError(
                f"{directory}: {counted(found)} {kind.what}, which the network of config.json has "
                f"no place for; expected its weights alone. Mend: {kind.mend}"
            )
    lost = [
        name for name in unexpected
        if is_inside(network, name) and not is_harmless(name, stored.get(name))
    ]  # fmt: skip
    if lost:
        said = _layers(network, stored, lost) or (
            f"{counted(lost)} of the encoder, which the network of config.json has no place for; "
            "expected its weights alone. Mend: put the config.json there that the weights were "
            "saved with; if it is there already, transformers computes this part no more: name "
            "another model"
        )
        raise ModelError(f"{directory}: {said}")


def _layers(network: Any, stored: Mapping[str, Tensor], lost: list[str]) -> str | None:
    """What to say where all that is lost are layers beyond those of config.json."""
    inside, config = f"{network.base_model_prefix}.", network.config.get_text_config()
    of_layer = re.compile(r"(.*?)\.(\d+)\.")
    where = of_layer.match(lost[0].removeprefix(inside))
    key = getattr(config, "attribute_map", {}).get("num_hidden_layers", "num_hidden_layers")
    has = getattr(config, key, None)
    if where is None or not isinstance(has, int):
        return None
    found = {name: of_layer.match(name.removeprefix(inside)) for name in stored}
    places = {n: int(m[2]) for n, m in found.items() if m and m[1] == where[1]}
    if any(places.get(name, -1) < has for name in lost):
        return None
    count = max(places.values()) + 1
    return (
        f"config.json says {key} {has}, and the weights are those of {count} layers "
        f"({counted(lost)} beyond it); expected one number. Mend: say {count} in config.json, or "
        "save the shorter network with `save_pretrained`"
    )


def counted(names: list[str]) -> str:
    """How messages count and name tensors: `3 tensors (first 'NAME')`."""
    return f"{len(names)} tensor{'s' * (len(names) != 1)} (first {shown(names[0])})"


def modules_of(names: Iterable[str]) -> tuple[str, ...]:
    """The modules that tensors belong to, no deeper than two names; none inside another."""
    modules = {".".join(name.split(".")[:-1][:2]) or name for name in names}
    return tuple(sorted(m for m in modules if m.rpartition(".")[0] not in modules))
