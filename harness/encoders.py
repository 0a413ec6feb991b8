"""From a folder of weights to a network with a new head, and its tokenizer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import nn
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer
from transformers.utils import logging as transformers_logging

from harness.errors import ModelError, shown
from harness.spec import Task


@dataclass(frozen=True)
class Encoder:
    """A network that maps token ids to logits of shape (examples, `task.outputs`)."""

    network: nn.Module
    tokenizer: Any
    new_parameters: tuple[str, ...]  # not in the checkpoint: they start random

    @property
    def parameters(self) -> int:
        """How many numbers the network holds, head included."""
        return sum(parameter.numel() for parameter in self.network.parameters())


def load(directory: Path, task: Task, seed: int, *, scratch: bool = False) -> Encoder:
    """The pretrained network of `directory` with a new head for `task`, in fp32.

    `seed` decides the head's initial weights, and with `scratch` all of them. Raises `ModelError`
    where anything but the head, or a pooler, is missing from the checkpoint or has another shape.
    """
    # Its report of newly initialised weights is checked below, so it need not be printed too.
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        tokenizer = AutoTokenizer.from_pretrained(directory, trust_remote_code=False)
        config = AutoConfig.from_pretrained(
            directory, trust_remote_code=False, num_labels=task.outputs
        )
    except (OSError, ValueError) as error:
        raise ModelError(f"{directory}: no model that transformers can read: {error}") from error
    if task.labels:
        config.id2label = dict(enumerate(task.labels))
        config.label2id = {label: index for index, label in enumerate(task.labels)}
    torch.manual_seed(seed)
    if scratch:
        network = AutoModelForSequenceClassification.from_config(config, dtype=torch.float32)
        new = tuple(name for name, _ in network.named_parameters())
    else:
        network, new = _pretrained(directory, config)
    dtypes = {parameter.dtype for parameter in network.parameters()}
    if dtypes != {torch.float32}:
        raise ModelError(f"{directory}: asked for fp32 parameters, got {shown(dtypes)}")
    if task.is_regression:
        _keep_head_in_fp32(network)
    return Encoder(network, tokenizer, new)


def _pretrained(directory: Path, config: Any) -> tuple[nn.Module, tuple[str, ...]]:
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
    except (OSError, ValueError, SafetensorError) as error:
        raise ModelError(
            f"{directory}: weights that cannot be loaded: {error}. Mend: fetch the model again"
        ) from error
    inside = f"{network.base_model_prefix}."
    missing = sorted(report["missing_keys"])
    lost = [name for name in missing if name.startswith(inside) and ".pooler." not in name]
    if lost or report["mismatched_keys"]:
        wrong = [*lost, *(str(key) for key in report["mismatched_keys"])]
        raise ModelError(
            f"{directory / 'model.safetensors'}: {len(wrong)} weights are missing or have another "
            f"shape than config.json says, first {shown(wrong[0])}; expected every weight but the "
            "head's and the pooler's. Mend: fetch the model again"
        )
    return network, tuple(missing)


def _keep_head_in_fp32(network: Any) -> None:
    """Compute a regression head outside autocast.

    Rounded to bf16, most of STS-B's predictions are ties, and ties move the rank correlation.
    """

    def in_fp32(forward: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
        def wrapped(hidden: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
            with torch.autocast(hidden.device.type, enabled=False):
                return forward(hidden.float(), *args, **kwargs)

        return wrapped

    for name, module in network.named_children():
        if name != network.base_model_prefix:
            module.forward = in_fp32(module.forward)
