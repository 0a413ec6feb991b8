"""From a folder's safetensors to a network that uses all of them, or an error that says which not.

transformers casts what has another dtype and drops what it has no place for. Both are right for a
pretraining head and wrong for anything that belongs to the encoder.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError, safe_open
from torch import nn
from transformers import AutoModelForSequenceClassification

from harness.errors import ModelError, shown

UNREADABLE = (
    OSError, ValueError, TypeError, KeyError, AttributeError, SafetensorError, StrictDataclassError,
)  # fmt: skip
"""What transformers raises for a damaged or foreign folder, as tried on such folders."""

FLOATING = frozenset({"F64", "F32", "F16", "BF16"})
"""The dtypes, by safetensors' names, whose numbers are the weights themselves."""

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
DISTRIBUTED = "shard-*-model-*-of-*.safetensors"  # transformers takes them before the others
ADAPTER = "adapter_config.json"
MERGE = "merge the adapter (peft: `merge_and_unload()`) and save with `save_pretrained`"
DEQUANTIZE = (
    "load the model with the library that quantized it, `dequantize()` it, and save it with "
    "`save_pretrained` in float32, float16 or bfloat16"
)


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
            r"|prefix_encoder|prompt_(encoder|embedding)|soft_prompt"
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


@dataclass(frozen=True)
class Tensor:
    """A tensor as the header of its file describes it."""

    dtype: str  # safetensors' name
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Loaded:
    """A classifier in fp32, and what its file did not hold, or held for nothing."""

    network: Any
    missing: frozenset[str]  # parameters of the head or pooler that no tensor has the name of
    unlike: frozenset[str]  # of the head: their tensors have another shape
    unused: tuple[str, ...]  # modules of the file that the network does not have: other heads

    @property
    def new(self) -> tuple[str, ...]:
        """The parameters that start random."""
        return tuple(sorted(self.missing | self.unlike))

    @property
    def head(self) -> list[str]:
        """The parameters outside the encoder."""
        inside = f"{self.network.base_model_prefix}."
        return [n for n, _ in self.network.named_parameters() if not n.startswith(inside)]


def unreadable(directory: Path, error: Exception) -> ModelError:
    """The error to raise for a folder that transformers cannot read."""
    said = " ".join(f"{type(error).__name__}: {error}".split())
    return ModelError(
        f"{directory}: no model that transformers can read: {said[:300]}. Mend: save it again with "
        "`save_pretrained`, or fetch it again with `glue-bench fetch --again MODEL`"
    )


def load_classifier(directory: Path, config: Any) -> Loaded:
    """The classifier that `config` describes, with the folder's weights, in fp32.

    Raises `ModelError` where a weight of the encoder is missing, has another shape, is no plain
    floating-point number or is not finite, and where the file holds tensors of the encoder that
    the network has no place for.
    """
    refuse_unmerged(directory, config)
    try:
        network, report = AutoModelForSequenceClassification.from_pretrained(
            directory,
            config=config,
            dtype=torch.float32,  # transformers 5 would keep the checkpoint's own dtype
            use_safetensors=True,
            trust_remote_code=False,
            ignore_mismatched_sizes=True,  # so that they are named below, in our own words
            output_loading_info=True,
        )
        stored = headers(directory, config)
    except (*UNREADABLE, RuntimeError) as error:
        raise unreadable(directory, error) from error
    unexpected = sorted(report["unexpected_keys"])
    _refuse_dtypes(directory, network, stored)
    _refuse_unexpected(directory, network, stored, unexpected)
    unlike = {key[0] if isinstance(key, tuple) else str(key) for key in report["mismatched_keys"]}
    missing = frozenset(report["missing_keys"])
    _refuse_missing(directory, network, stored, missing, unlike)
    _refuse_not_finite(directory, network)
    return Loaded(network, missing, frozenset(unlike), _modules(unexpected))


def refuse_unmerged(directory: Path, config: Any) -> None:
    """Raise `ModelError` for quantized weights, an adapter beside them, and distributed shards."""
    for part in (config, config.get_text_config()):
        for key in ("quantization_config", "compression_config"):
            if said := getattr(part, key, None):
                method = said.get("quant_method", "?") if isinstance(said, dict) else said
                raise ModelError(
                    f"{directory}: config.json has a {key} ({shown(method)}); expected weights "
                    f"that are not quantized. Mend: {DEQUANTIZE}"
                )
    if (directory / ADAPTER).is_file():
        raise ModelError(
            f"{directory}: holds {ADAPTER}, so its weights are only a part of the model; expected "
            f"a whole one. Mend: {MERGE} into a folder without it"
        )
    if any(directory.glob(DISTRIBUTED)):
        raise ModelError(
            f"{directory}: holds a distributed checkpoint ({DISTRIBUTED}); expected {WEIGHTS}, or "
            f"shards with {INDEX}. Mend: load it and save it with `save_pretrained`"
        )


def headers(directory: Path, config: Any) -> dict[str, Tensor]:
    """Every tensor of the files that transformers reads the weights from, without its numbers."""
    named = getattr(config, "transformers_weights", None)
    first = named or (WEIGHTS if (directory / WEIGHTS).is_file() else INDEX)
    names: Iterable[str] = [first]
    if first.endswith(".json"):
        index = json.loads((directory / first).read_text("utf-8"))
        names = sorted({*index["weight_map"].values()})
    found = {}
    for file_name in names:
        with safe_open(directory / file_name, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118  (it is no mapping)
                header = file.get_slice(name)
                found[name] = Tensor(header.get_dtype(), tuple(header.get_shape()))
    return found


def _is_inside(network: Any, name: str) -> bool:
    """Whether a tensor has a name of the encoder, with its place in a classifier or without."""
    own = {child for child, _ in network.base_model.named_children()}
    prefix = network.base_model_prefix
    return name.startswith(f"{prefix}.") or (bool(prefix) and name.split(".")[0] in own)


def _is_harmless(name: str, tensor: Tensor | None) -> bool:
    is_mask = tensor is not None and MASK.search(name) and len(tensor.shape) in (0, 4)
    return bool(is_mask or HARMLESS.search(name))


def _refuse_dtypes(directory: Path, network: Any, stored: Mapping[str, Tensor]) -> None:
    """Raise `ModelError` where a parameter of floating-point numbers has a tensor of others."""
    prefix, own = f"{network.base_model_prefix}.", network.state_dict()
    odd = []
    for name, tensor in stored.items():
        if tensor.dtype in FLOATING or _is_harmless(name, tensor):
            continue
        places = [n for n in (name, prefix + name, name.removeprefix(prefix)) if n in own]
        becomes_a_weight = own[places[0]].is_floating_point() if places else True
        if becomes_a_weight and (places or _is_inside(network, name)):
            odd.append(name)
    if odd:
        dtypes = ", ".join(sorted({stored[name].dtype for name in odd}))
        raise ModelError(
            f"{directory}: {_tensors(odd)} of dtype {dtypes}, where the network has floating-point "
            f"weights: cast to float, they would be other weights; expected "
            f"{', '.join(sorted(FLOATING))}. Mend: {DEQUANTIZE}"
        )


def _refuse_unexpected(
    directory: Path, network: Any, stored: Mapping[str, Tensor], unexpected: list[str]
) -> None:
    """Raise `ModelError` where dropping what the network has no place for would change it."""
    inside = f"{network.base_model_prefix}."
    own = [n for n, tensor in stored.items() if not _is_harmless(n, tensor)]
    twice = Counter(n.removeprefix(inside) for n in own if _is_inside(network, n))
    if doubled := [name for name, count in twice.items() if count > 1]:
        raise ModelError(
            f"{directory}: {_tensors(doubled)} stored under two names, with {shown(inside)} before "
            "it and without; expected one. Mend: save it again with `save_pretrained`"
        )
    for kind in KINDS:
        found = [
            name for name in unexpected
            if kind.name.search(name) and (kind.anywhere or _is_inside(network, name))
        ]  # fmt: skip
        if found:
            raise ModelError(
                f"{directory}: {_tensors(found)} {kind.what}, which the network of config.json has "
                f"no place for; expected its weights alone. Mend: {kind.mend}"
            )
    lost = [
        name for name in unexpected
        if _is_inside(network, name) and not _is_harmless(name, stored.get(name))
    ]  # fmt: skip
    if lost:
        said = _layers(network, stored, lost) or (
            f"{_tensors(lost)} of the encoder, which the network of config.json has no place for; "
            "expected its weights alone. Mend: put the config.json there that the weights were "
            "saved with"
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
        f"({_tensors(lost)} beyond it); expected one number. Mend: say {count} in config.json, or "
        "save the shorter network with `save_pretrained`"
    )


def _refuse_missing(
    directory: Path,
    network: Any,
    stored: Mapping[str, Tensor],
    missing: Iterable[str],
    unlike: Iterable[str],
) -> None:
    """Raise `ModelError` where anything but the head, or a pooler, is not in the file."""
    inside = f"{network.base_model_prefix}."
    lost = [
        name for name in sorted({*missing, *unlike})
        if name.startswith(inside) and (".pooler." not in name or name in unlike)
    ]  # fmt: skip
    if not lost:
        return
    for name in lost:
        for own in (name, name.removeprefix(inside)):
            if wrapped := next((s for s in stored if s.endswith(f".{own}")), None):
                prefix = wrapped.removesuffix(own)
                raise ModelError(
                    f"{directory}: the names of its tensors begin with {shown(prefix)}, as a "
                    f"wrapper's state_dict() has them; expected names such as {shown(name)}. Mend: "
                    "save the model inside the wrapper (DDP: `.module`, compile: `._orig_mod`) "
                    "with `save_pretrained`"
                )
    raise ModelError(
        f"{directory}: {len(lost)} weights are missing or have another shape than config.json "
        f"says, first {shown(lost[0])}; expected every weight but the head's and the pooler's. "
        "Mend: fetch the model again with `glue-bench fetch --again MODEL`"
    )


def _refuse_not_finite(directory: Path, network: nn.Module) -> None:
    bad = [name for name, p in network.named_parameters() if not p.detach().isfinite().all()]
    if bad:
        raise ModelError(
            f"{directory}: {_tensors(bad)} with numbers that are not finite in float32; expected "
            "none. Mend: fetch the model again, or save an earlier checkpoint of its training"
        )


def _tensors(names: list[str]) -> str:
    """`3 tensors, first 'NAME',`: how messages count and name tensors."""
    return f"{len(names)} tensor{'s' * (len(names) != 1)} (first {shown(names[0])})"


def _modules(names: Iterable[str]) -> tuple[str, ...]:
    """The modules that tensors belong to, no deeper than two names; none inside another."""
    modules = {".".join(name.split(".")[:-1][:2]) or name for name in names}
    return tuple(sorted(m for m in modules if m.rpartition(".")[0] not in modules))
