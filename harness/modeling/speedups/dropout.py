"""Dropout whose masks cost little on a CPU.

torch draws one number at a time for each value: 4 to 9 ns, a seventh of a training step. Here one
64-bit number of torch's generator decides four values, 16 bits each: 1 ns. The probability is that
of the recipe to within 1/65,536, and the values that stay are scaled by its exact inverse.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from harness.modeling.library_types import Layer

LEVELS = 2**16
LEAST = -(2**15)  # the smallest 16-bit number

Draw = Callable[[tuple[int, ...], float], torch.Tensor]


def draw(shape: tuple[int, ...], probability: float) -> torch.Tensor:
    """Which values stay, bool: each is dropped with this probability, independent of the others.

    torch's generator decides, so `torch.manual_seed` seeds it.
    """
    count = torch.Size(shape).numel()
    numbers = torch.empty(-(-count // 4), dtype=torch.int64).random_(-(2**63), None)
    return (numbers.view(torch.int16)[:count] >= LEAST + round(probability * LEVELS)).view(shape)


def factor(probability: float) -> float:
    """By what the values that stay are multiplied, so that their expectation is unchanged."""
    return 1 / (1 - round(probability * LEVELS) / LEVELS)


def scaled(values: torch.Tensor, keep: torch.Tensor, by: float) -> torch.Tensor:
    """`values * by` where `keep` is true, else 0."""
    return torch.ops.aten.native_dropout_backward(values, keep, by)


class _Dropout(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: torch.Tensor, probability: float) -> torch.Tensor:
        keep = draw(tuple(values.shape), probability)
        ctx.save_for_backward(keep)
        ctx.factor = factor(probability)
        return scaled(values, keep, ctx.factor)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        return scaled(gradients[0], ctx.saved_tensors[0], ctx.factor), None


class FastDropout(nn.Dropout):
    """Dropout that draws its masks here."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:  # torch's own name for it
        if not self.training or not self.p:
            return input
        result: torch.Tensor = _Dropout.apply(input, self.p)
        return result


def replace(network: nn.Module) -> Callable[[], None]:
    """Have every dropout of a network draw its masks here. Returns what undoes it."""
    layers: list[Layer] = [
        module
        for module in network.modules()
        if type(module) is nn.Dropout and "forward" not in vars(module)
    ]
    for layer in layers:
        layer.__class__ = FastDropout
    every: list[Layer] = list(network.modules())
    for module in every:
        module.glue_bench_draw = draw  # for `packing.attend`

    def undo() -> None:
        for layer in layers:
            layer.__class__ = nn.Dropout
        for module in every:
            del module.glue_bench_draw

    return undo
