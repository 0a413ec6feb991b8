"""The last layer for the first token of each row alone, where the head reads nothing else.

The keys and values of all tokens are still needed. The query's attention, the layer's output and
its feed-forward part are computed for one token a row.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from harness.modeling.library_types import PretrainedNetwork
from harness.modeling.speedups import packing
from harness.modeling.speedups.applicable import NotApplicable


def narrow(network: PretrainedNetwork) -> Callable[[], None]:
    """Narrow the last layer of a network that reads packed batches. Returns what undoes it.

    Raises `NotApplicable` for a family whose layers cannot be narrowed.
    """
    family = packing.family_of(network)
    if network.config._attn_implementation != packing.NAME:
        raise NotApplicable("its batches are padded")
    if family.layers is None or family.after_attention is None:
        raise NotApplicable(f"the layers of a {network.config.model_type} cannot be narrowed")
    last = network.base_model.get_submodule(family.layers)[-1]
    attention = last.get_submodule(family.attention)
    attention.glue_bench_first_only = True
    after = last.get_submodule(family.after_attention)
    hook = after.register_forward_pre_hook(_first_tokens_of_each)

    def undo() -> None:
        hook.remove()
        del attention.glue_bench_first_only

    return undo


def _first_tokens_of_each(
    module: nn.Module, inputs: tuple[torch.Tensor, ...]
) -> tuple[torch.Tensor, ...]:
    """What attention returned and what the layer read, for first tokens: (rows, 1, hidden) each."""
    return tuple(packing.first_tokens(states) for states in inputs)
