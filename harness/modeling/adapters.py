"""Ways to train a part of a pretrained network: `frozen`, `lora`, `bitfit`.

The loop is the same: what is not trained has no gradient, and the optimizer leaves it alone.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection
from types import SimpleNamespace
from typing import Any

import torch
from torch import nn
from transformers.pytorch_utils import Conv1D

from harness.catalog.adaptations import ADAPTATIONS
from harness.errors import ModelError
from harness.modeling.pretrained import LoadedModel
from harness.spec import Task

ATTENTION = (
    ("query", "value"), ("query_proj", "value_proj"), ("q_proj", "v_proj"), ("q_lin", "v_lin"),
    ("q_head", "v_head"), ("q", "v"), ("Wqkv",), ("c_attn",), ("in_proj",), ("layer_1", "layer_2"),
)  # fmt: skip
"""What families call the attention's query and value matrices, which some keep in one.

XLNet's are no modules: there its feed-forward layers take their place.
"""


def adapted(encoder: LoadedModel, method: str, task: Task, seed: int) -> LoadedModel:
    """The same encoder, of which only the part that `method` names is to be trained.

    `seed` decides what is new. Raises `ModelError` for a network that it does not fit.
    """
    torch.manual_seed(seed)
    network: Any = encoder.network
    if method == "frozen":
        network = FrozenEncoder(network, task.outputs)
        new = ("classifier.bias", "classifier.weight")
        return dataclasses.replace(encoder, network=network, new_parameters=new)
    if method == "bitfit":
        train_biases(network, encoder.new_parameters)
        return encoder
    before = {name for name, _ in network.named_parameters()}
    tuner = add_low_rank(network, encoder.new_parameters)
    added = [n for n, _ in network.named_parameters() if ".lora_" in n and n not in before]
    new = (*encoder.new_parameters, *added)
    return dataclasses.replace(encoder, new_parameters=new, tuner=tuner)


def train_biases(network: Any, new: Collection[str]) -> None:
    """Leave only biases and what is new to be trained (BitFit). Raises `ModelError`."""
    inside = f"{network.base_model_prefix}."
    biases = 0
    for name, parameter in network.named_parameters():
        is_bias = re.search(r"(^|[._])bias$", name) is not None
        parameter.requires_grad = is_bias or name in new or not name.startswith(inside)
        biases += is_bias and name.startswith(inside)
    if not biases:
        raise ModelError(
            f"+bitfit: this {network.config.model_type} has no bias to train. Mend: say +lora or "
            "+frozen"
        )


def add_low_rank(network: Any, new: Collection[str]) -> Any:
    """Leave only what is new and low-rank additions to the attention to be trained (LoRA).

    Returns peft's tuner, whose `merge_and_unload` puts the additions into the weights. The network
    is changed in place. Raises `ModelError` where there is nothing to add to.
    """
    from peft import LoraConfig, LoraModel

    settings = ADAPTATIONS["lora"].settings
    base = network.base_model_prefix
    modules = [name for name, _ in network.named_modules() if name.startswith(f"{base}.")]
    ends = {name.rsplit(".", 1)[-1] for name in modules}
    named = next((names for names in ATTENTION if ends.issuperset(names)), None)
    if named is None:
        raise ModelError(
            f"+lora: this {network.config.model_type} has none of the modules that are called "
            f"{', '.join('/'.join(names) for names in ATTENTION)} elsewhere. Mend: say +bitfit or "
            "+frozen"
        )
    wanted = rf"{base}\..*\.({'|'.join(named)})"
    layers = [module for name, module in network.named_modules() if re.fullmatch(wanted, name)]
    if any(isinstance(layer, nn.Conv1d) and layer.groups > 1 for layer in layers):
        raise ModelError(
            f"+lora: this {network.config.model_type} keeps its attention in grouped convolutions, "
            "to which low-rank additions cannot be added up. Mend: say +bitfit or +frozen"
        )
    config = LoraConfig(
        r=settings["rank"],
        lora_alpha=settings["alpha"],
        lora_dropout=settings["dropout"],
        target_modules=wanted,
        fan_in_fan_out=any(isinstance(module, Conv1D) for module in network.modules()),
    )
    tuner = LoraModel(network, config, "default")
    for name, parameter in network.named_parameters():
        if name in new or not name.startswith(f"{base}."):
            parameter.requires_grad = True
    return tuner


class FrozenEncoder(nn.Module):
    """A pretrained encoder that is not trained, and a new linear layer that is.

    It reads either tokens, or the features that `Features` has made of them.
    """

    base_model_prefix = "encoder"

    def __init__(self, network: Any, outputs: int) -> None:
        super().__init__()
        self.encoder = network.base_model.requires_grad_(False)
        self.config = network.config
        self.classifier = nn.Linear(network.config.hidden_size, outputs)

    def train(self, mode: bool = True) -> FrozenEncoder:
        super().train(mode)
        self.encoder.eval()  # no dropout: a row's features are the same each time
        return self

    def features(self, **inputs: torch.Tensor) -> torch.Tensor:
        """The mean of the last layer's states over real tokens: (examples, hidden), float32."""
        states = self.encoder(**inputs).last_hidden_state.float()
        mask = inputs["attention_mask"][..., None]
        if states.shape[1] != mask.shape[1]:
            raise ModelError(
                f"+frozen: this {self.config.model_type} has {states.shape[1]} states for "
                f"{mask.shape[1]} tokens; expected one each. Mend: +bitfit or +lora"
            )
        return (states * mask).sum(dim=1) / mask.sum(dim=1)

    def forward(self, features: torch.Tensor | None = None, **inputs: torch.Tensor) -> Any:
        """Logits of shape (examples, outputs)."""
        if features is None:
            features = self.features(**inputs)
        with torch.autocast(features.device.type, enabled=False):  # rounded scores would be ties
            return SimpleNamespace(logits=self.classifier(features.float()))
