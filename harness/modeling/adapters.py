"""Ways to train a part of a pretrained network: `frozen`, `lora`, `bitfit`.

The training loop is the same for all of them: a parameter that is not trained has no gradient, so
the optimizer does not change it.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection
from types import SimpleNamespace

import torch
from torch import nn
from transformers.pytorch_utils import Conv1D

from harness.catalog.adaptations import ADAPTATIONS
from harness.errors import ModelError
from harness.modeling import heads
from harness.modeling.library_types import PretrainedNetwork, Tuner
from harness.modeling.pretrained import LoadedModel
from harness.spec import Task

ATTENTION = (
    ("query", "value"),
    ("query_proj", "value_proj"),
    ("q_proj", "v_proj"),
    ("q_lin", "v_lin"),
    ("q_head", "v_head"),
    ("q", "v"),
    ("Wqkv",),
    ("c_attn",),
    ("in_proj",),
    ("layer_1", "layer_2"),
)
"""The names that families give to the attention's query and value modules; some have one for both.

XLNet keeps these matrices as bare parameters. There the two feed-forward layers are adapted.
"""


def adapt(loaded: LoadedModel, method: str, task: Task, seed: int) -> LoadedModel:
    """The same model, of which only the part that `method` names will be trained.

    `method` is a name of `catalog.adaptations` that trains a part. `seed` decides the initial
    values of new parameters. Raises `ModelError` for a network that the method cannot adapt.
    """
    torch.manual_seed(seed)
    network: PretrainedNetwork = loaded.network
    if method == "frozen":
        network = FrozenEncoder(network, task.outputs)
        new = ("classifier.bias", "classifier.weight")
        return dataclasses.replace(loaded, network=network, new_parameters=new)
    if method == "bitfit":
        train_biases(network, loaded.new_parameters)
        return loaded
    before = {name for name, _ in network.named_parameters()}
    tuner = add_low_rank(network, loaded.new_parameters)
    added = [n for n, _ in network.named_parameters() if ".lora_" in n and n not in before]
    new = (*loaded.new_parameters, *added)
    return dataclasses.replace(loaded, new_parameters=new, tuner=tuner)


def train_biases(network: PretrainedNetwork, new: Collection[str]) -> None:
    """Leave only biases, the head and the parameters in `new` to be trained (BitFit).

    Raises `ModelError` for an encoder without biases.
    """
    inside = f"{network.base_model_prefix}."
    biases = 0
    for name, parameter in network.named_parameters():
        is_bias = re.search(r"(^|[._])bias$", name) is not None
        parameter.requires_grad = is_bias or name in new or not name.startswith(inside)
        biases += is_bias and name.startswith(inside)
    if not biases:
        raise ModelError(
            f"+bitfit: this {network.config.model_type} has no bias to train. Fix: use +lora or "
            "+frozen"
        )


def add_low_rank(network: PretrainedNetwork, new: Collection[str]) -> Tuner:
    """Add low-rank matrices to the attention (LoRA), and leave only them and what is new trained.

    "New" are the head and the parameters in `new`. The network is changed in place. Returns peft's
    tuner, whose `merge_and_unload` adds the products to the weights. Raises `ModelError` where the
    attention has no modules that can be adapted.
    """
    from peft import LoraConfig, LoraModel

    settings = ADAPTATIONS["lora"].settings
    base = network.base_model_prefix
    modules = [name for name, _ in network.named_modules() if name.startswith(f"{base}.")]
    last_parts = {name.rsplit(".", 1)[-1] for name in modules}
    query_value = next((names for names in ATTENTION if last_parts.issuperset(names)), None)
    if query_value is None:
        raise ModelError(
            f"+lora: this {network.config.model_type} has no modules with one of the names "
            f"{', '.join('/'.join(names) for names in ATTENTION)}. Fix: use +bitfit or +frozen"
        )
    pattern = rf"{base}\..*\.({'|'.join(query_value)})"
    layers = [module for name, module in network.named_modules() if re.fullmatch(pattern, name)]
    if any(isinstance(layer, nn.Conv1d) and layer.groups > 1 for layer in layers):
        raise ModelError(
            f"+lora: the attention of this {network.config.model_type} consists of grouped "
            "convolutions, which low-rank matrices cannot be added to. Fix: use +bitfit or +frozen"
        )
    config = LoraConfig(
        r=int(settings["rank"]),
        lora_alpha=int(settings["alpha"]),
        lora_dropout=settings["dropout"],
        target_modules=pattern,
        fan_in_fan_out=any(isinstance(module, Conv1D) for module in network.modules()),
    )
    tuner = LoraModel(network, config, "default")
    for name, parameter in network.named_parameters():
        if name in new or not name.startswith(f"{base}."):
            parameter.requires_grad = True
    return tuner


class FrozenEncoder(nn.Module):
    """A pretrained encoder that is not trained, and a new linear layer that is.

    Its input is either tokens, or the features that `features` computed from them earlier.
    """

    base_model_prefix = "encoder"

    def __init__(self, network: PretrainedNetwork, outputs: int) -> None:
        super().__init__()
        self.encoder = network.base_model.requires_grad_(False)
        self.config = network.config
        self.classifier = nn.Linear(network.config.hidden_size, outputs)

    def train(self, mode: bool = True) -> FrozenEncoder:
        super().train(mode)
        self.encoder.eval()  # no dropout: a row's features are the same each time
        return self

    def features(self, **inputs: torch.Tensor) -> torch.Tensor:
        """The mean of the last layer's states over real tokens: (examples, hidden), float32.

        Raises `ModelError` for an encoder that does not return one state for each token.
        """
        states = self.encoder(**inputs).last_hidden_state.float()
        mask = inputs["attention_mask"][..., None]
        if states.shape[1] != mask.shape[1]:
            raise ModelError(
                f"+frozen: this {self.config.model_type} has {states.shape[1]} states for "
                f"{mask.shape[1]} tokens; expected one for each. Fix: use +bitfit or +lora"
            )
        return (states * mask).sum(dim=1) / mask.sum(dim=1)

    def forward(
        self, features: torch.Tensor | None = None, **inputs: torch.Tensor
    ) -> SimpleNamespace:
        """An object whose `logits` have shape (examples, outputs), float32."""
        if features is None:
            features = self.features(**inputs)
        return SimpleNamespace(logits=heads.in_fp32(self.classifier)(features))
