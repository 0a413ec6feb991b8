"""Names for the objects of transformers and peft that this package passes around.

They are `Any` to the type checker: the base classes declare few of the attributes that a family's
network, configuration or tokenizer has.
"""

from __future__ import annotations

from typing import Any

ModelConfig = Any  # transformers.PretrainedConfig
PretrainedNetwork = Any  # transformers.PreTrainedModel, or a network here with the same interface
Layer = Any  # torch.nn.Module whose `forward` is replaced, or that is given other attributes
Tokenizer = Any  # transformers.PreTrainedTokenizerBase
Tuner = Any  # peft.LoraModel
