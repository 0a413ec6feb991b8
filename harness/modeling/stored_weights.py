"""From a folder's safetensors to a network that uses all of them, or an error that says which not.

transformers casts what has another dtype and drops what it has no place for. Both are right for a
pretraining head and wrong for anything that belongs to the encoder.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import nn
from transformers import AutoModelForSequenceClassification

from harness.catalog import weights
from harness.catalog.weights import ADAPTER, INDEX, WEIGHTS
from harness.errors import GlueBenchError, ModelError
from harness.modeling import unused_tensors
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
"""The dtypes, by safetensors' names, whose numbers are the weights themselves."""

DISTRIBUTED = "shard-*-model-*-of-*.safetensors"  # transformers takes them before the others


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


PANIC = "PanicException"
"""The type of what Rust code raises that gave up, by name: no module has it."""


@contextmanager
def reading(directory: Path) -> Generator[None]:
    """Whatever a library raises for a folder that it cannot read is one `ModelError`."""
    try:
        yield
    except (GlueBenchError, MemoryError):
        raise
    except Exception as error:  # of foreign files, any type has been seen
        raise unreadable(directory, error) from error
    except BaseException as error:
        if type(error).__name__ == PANIC:
            raise unreadable(directory, error) from error
        raise


def unreadable(directory: Path, error: BaseException) -> ModelError:
    """The error to raise for a folder that transformers cannot read."""
    said = " ".join(f"{type(error).__name__}: {error}".split())
    if isinstance(error, ImportError):
        return ModelError(
            f"{directory}: asks for what is not installed: {said[:300]}. Mend: remove the key of "
            "config.json that asks for it, such as `attn_implementation`, or install the package"
        )
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
    with reading(directory):
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
    unexpected = sorted(report["unexpected_keys"])
    _refuse_dtypes(directory, network, stored)
    unused_tensors.refuse(directory, network, stored, unexpected)
    unlike = {key[0] if isinstance(key, tuple) else str(key) for key in report["mismatched_keys"]}
    missing = frozenset(report["missing_keys"])
    _refuse_missing(directory, network, unexpected, missing, unlike)
    _refuse_not_finite(directory, network)
    return Loaded(network, missing, frozenset(unlike), unused_tensors.modules_of(unexpected))


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
    """Every tensor of the files that transformers reads the weights from, without its numbers.

    Raises `ModelError` where two files hold one: it would be either's.
    """
    named = getattr(config, "transformers_weights", None)
    first = named or (WEIGHTS if (directory / WEIGHTS).is_file() else INDEX)
    names: Iterable[str] = [first]
    if first.endswith(".json"):
        index = weights.read_object(directory / first)
        names = sorted({*index["weight_map"].values()})
    found: dict[str, Tensor] = {}
    for file_name in names:
        with safe_open(directory / file_name, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118  (it is no mapping)
                if name in found:
                    raise ModelError(
                        f"{directory}: the tensor {shown(name)} is in two files, one of them "
                        f"{shown(file_name)}; expected it in one. Mend: save the model again with "
                        "`save_pretrained`"
                    )
                header = file.get_slice(name)
                found[name] = Tensor(header.get_dtype(), tuple(header.get_shape()))
    return found


def _refuse_dtypes(directory: Path, network: Any, stored: Mapping[str, Tensor]) -> None:
    """Raise `ModelError` where a parameter of floating-point numbers has a tensor of others."""
    prefix, own = f"{network.base_model_prefix}.", network.state_dict()
    odd = []
    for name, tensor in stored.items():
        if tensor.dtype in FLOATING or is_harmless(name, tensor):
            continue
        places = [n for n in (name, prefix + name, name.removeprefix(prefix)) if n in own]
        becomes_a_weight = own[places[0]].is_floating_point() if places else True
        if becomes_a_weight and (places or is_inside(network, name)):
            odd.append(name)
    if odd:
        dtypes = ", ".join(sorted({stored[name].dtype for name in odd}))
        raise ModelError(
            f"{directory}: {counted(odd)} of dtype {dtypes}, where the network has floating-point "
            f"weights: cast to float, they would be other weights; expected "
            f"{', '.join(sorted(FLOATING))}. Mend: {DEQUANTIZE}"
        )


def _refuse_missing(
    directory: Path,
    network: Any,
    unexpected: Iterable[str],
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
            if wrapped := next((other for other in unexpected if other.endswith(f".{own}")), None):
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
            f"{directory}: {counted(bad)} with numbers that are not finite in float32; expected "
            "none. Mend: fetch the model again, or save an earlier checkpoint of its training"
        )
