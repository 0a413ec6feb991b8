"""Load a folder's safetensors into a classifier, and refuse what it could not use as stored.

transformers casts tensors of another dtype and drops those that the network has no parameter for.
Both are right for a pretraining head and wrong for any weight of the encoder.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from torch import nn
from transformers import AutoModelForSequenceClassification

from harness.catalog import model_files
from harness.catalog.model_files import ADAPTER, INDEX, WEIGHTS
from harness.errors import ModelError
from harness.modeling import unused_tensors
from harness.modeling.library_errors import reading
from harness.modeling.library_types import ModelConfig, PretrainedNetwork
from harness.modeling.unused_tensors import (
    DEQUANTIZE,
    MERGE,
    Tensor,
    counted,
    is_harmless,
    is_inside,
)
from harness.text.values import shown

FLOATING = frozenset({"F64", "F32", "F16", "BF16"})
"""Dtypes, by safetensors' names, in which a weight is stored as its own value.

Integers and fp8 need a scale beside them.
"""

DISTRIBUTED = "shard-*-model-*-of-*.safetensors"  # where present, transformers reads only these


@dataclass(frozen=True)
class Loaded:
    """A classifier in fp32, and how its parameters differ from the tensors of its files."""

    network: PretrainedNetwork
    missing: frozenset[str]  # parameters of the head or pooler that the files hold no tensor for
    other_shape: frozenset[str]  # parameters of the head whose tensors have another shape
    unused: tuple[str, ...]  # modules of the files that the network does not have: other heads

    @property
    def new(self) -> tuple[str, ...]:
        """The parameters that start from random values."""
        return tuple(sorted(self.missing | self.other_shape))

    @property
    def head(self) -> list[str]:
        """The parameters outside the encoder."""
        inside = f"{self.network.base_model_prefix}."
        return [name for name, _ in self.network.named_parameters() if not name.startswith(inside)]


def load_classifier(directory: Path, config: ModelConfig) -> Loaded:
    """The classifier that `config` describes, with the folder's weights, in fp32.

    Raises `ModelError` where a weight of the encoder is missing, has another shape, is not stored
    as a plain floating-point number or is not finite, and where a file holds tensors of the encoder
    that the network has no parameter for.
    """
    refuse_unmerged(directory, config)
    with reading(directory):
        network, report = AutoModelForSequenceClassification.from_pretrained(
            directory,
            config=config,
            dtype=torch.float32,  # transformers 5 would keep the checkpoint's own dtype
            use_safetensors=True,
            trust_remote_code=False,
            ignore_mismatched_sizes=True,  # reported below, with what to do about it
            output_loading_info=True,
        )
        stored = headers(directory, config)
    unexpected = sorted(report["unexpected_keys"])
    _refuse_dtypes(directory, network, stored)
    unused_tensors.refuse(directory, network, stored, unexpected)
    other_shape = frozenset(
        key[0] if isinstance(key, tuple) else str(key) for key in report["mismatched_keys"]
    )
    missing = frozenset(report["missing_keys"])
    _refuse_missing(directory, network, unexpected, missing, other_shape)
    _refuse_not_finite(directory, network)
    return Loaded(network, missing, other_shape, unused_tensors.modules_of(unexpected))


def refuse_unmerged(directory: Path, config: ModelConfig) -> None:
    """Raise `ModelError` for quantized weights, an adapter beside them, and distributed shards."""
    for part in (config, config.get_text_config()):
        for key in ("quantization_config", "compression_config"):
            if setting := getattr(part, key, None):
                is_object = isinstance(setting, dict)
                method = setting.get("quant_method", "?") if is_object else setting
                raise ModelError(
                    f"{directory}: config.json has a {key} ({shown(method)}); expected weights "
                    f"that are not quantized. Fix: {DEQUANTIZE}"
                )
    if (directory / ADAPTER).is_file():
        raise ModelError(
            f"{directory}: holds {ADAPTER}, so its weights are only a part of the model; expected "
            f"a whole one. Fix: {MERGE} into a folder without it"
        )
    if any(directory.glob(DISTRIBUTED)):
        raise ModelError(
            f"{directory}: holds a distributed checkpoint ({DISTRIBUTED}); expected {WEIGHTS}, or "
            f"shards with {INDEX}. Fix: load it and save it with `save_pretrained`"
        )


def headers(directory: Path, config: ModelConfig) -> dict[str, Tensor]:
    """The dtype and shape of every tensor in the files that transformers reads weights from.

    Raises `ModelError` for a tensor that two files hold: which one is loaded would be chance.
    """
    named = getattr(config, "transformers_weights", None)
    first = named or (WEIGHTS if (directory / WEIGHTS).is_file() else INDEX)
    names: Iterable[str] = [first]
    if first.endswith(".json"):
        index = model_files.read_object(directory / first)
        names = sorted({*index["weight_map"].values()})
    tensors: dict[str, Tensor] = {}
    for file_name in names:
        with safe_open(directory / file_name, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118  (safe_open gives no mapping)
                if name in tensors:
                    raise ModelError(
                        f"{directory}: the tensor {shown(name)} is in two files, one of them "
                        f"{shown(file_name)}; expected it in one. Fix: save the model again with "
                        "`save_pretrained`"
                    )
                header = file.get_slice(name)
                tensors[name] = Tensor(header.get_dtype(), tuple(header.get_shape()))
    return tensors


def _refuse_dtypes(
    directory: Path, network: PretrainedNetwork, stored: Mapping[str, Tensor]
) -> None:
    """Raise `ModelError` where a floating-point parameter is stored in any other kind of dtype."""
    prefix, state = f"{network.base_model_prefix}.", network.state_dict()
    refused = []
    for name, tensor in stored.items():
        if tensor.dtype in FLOATING or is_harmless(name, tensor):
            continue
        spellings = (name, prefix + name, name.removeprefix(prefix))
        parameters = [spelling for spelling in spellings if spelling in state]
        is_weight = state[parameters[0]].is_floating_point() if parameters else True
        if is_weight and (parameters or is_inside(network, name)):
            refused.append(name)
    if refused:
        dtypes = ", ".join(sorted({stored[name].dtype for name in refused}))
        raise ModelError(
            f"{directory}: {counted(refused)} of dtype {dtypes}, where the network has "
            "floating-point weights, and casting would change their values; expected "
            f"{', '.join(sorted(FLOATING))}. Fix: {DEQUANTIZE}"
        )


def _refuse_missing(
    directory: Path,
    network: PretrainedNetwork,
    unexpected: Iterable[str],
    missing: frozenset[str],
    other_shape: frozenset[str],
) -> None:
    """Raise `ModelError` where a parameter outside the head has no tensor of its shape.

    Only a pooler may be missing too.
    """
    inside = f"{network.base_model_prefix}."
    missing_pooler = {name for name in missing - other_shape if ".pooler." in name}
    lost = [
        name for name in sorted((missing | other_shape) - missing_pooler) if name.startswith(inside)
    ]
    if not lost:
        return
    for name in lost:
        _refuse_wrapped(directory, name, name.removeprefix(inside), unexpected)
    raise ModelError(
        f"{directory}: {len(lost)} weights are missing or differ in shape from config.json, "
        f"first {shown(lost[0])}; expected every weight but the head's and the pooler's. "
        "Fix: fetch the model again with `glue-bench fetch --again MODEL`"
    )


def _refuse_wrapped(directory: Path, name: str, short: str, unexpected: Iterable[str]) -> None:
    """Raise `ModelError` where a missing parameter is stored with a wrapper's prefix.

    `short` is its name without the classifier's prefix.
    """
    for ending in (name, short):
        if wrapped := next((other for other in unexpected if other.endswith(f".{ending}")), None):
            prefix = wrapped.removesuffix(ending)
            raise ModelError(
                f"{directory}: the names of its tensors begin with {shown(prefix)}, as in the "
                f"state_dict() of a wrapper; expected names such as {shown(name)}. Fix: save the "
                "model inside the wrapper (DDP: `.module`, compile: `._orig_mod`) with "
                "`save_pretrained`"
            )


def _refuse_not_finite(directory: Path, network: nn.Module) -> None:
    """Raise `ModelError` where a parameter holds NaN or an infinity."""
    refused = [
        name
        for name, parameter in network.named_parameters()
        if not parameter.detach().isfinite().all()
    ]
    if refused:
        raise ModelError(
            f"{directory}: {counted(refused)} with numbers that are not finite in float32; "
            "expected none. Fix: fetch the model again, or save an earlier checkpoint of its "
            "training"
        )
