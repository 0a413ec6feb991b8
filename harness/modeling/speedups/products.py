"""Linear layers in fp32 on a CPU, computed by whichever of torch's two libraries is faster here.

torch multiplies fp32 matrices with MKL. On AMD's processors MKL does not use AVX-512, and oneDNN,
which torch has too, takes less than half of the time. On Intel's both are about as fast.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn.functional import linear as mkl_linear

from harness.modeling.library_types import Layer
from harness.modeling.speedups.applicable import NotApplicable

CLEARLY = 1.25
"""How many times as fast oneDNN must be: repeated measurements on one machine must agree."""
TOKENS, WIDTH, ROUNDS = 256, 512, 12
LEAST_OUTPUTS = 16  # of a layer: for a classifier's head the library makes no difference


def onednn_linear(
    values: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None
) -> torch.Tensor:
    """`values weight^T + bias` by oneDNN: values (rows, inputs), weight (outputs, inputs), fp32."""
    return torch.ops.mkldnn._linear_pointwise(values, weight, bias, "none", [], "")


def ratio() -> float:
    """How many times as fast oneDNN multiplies as MKL, now; 0 where torch has no oneDNN.

    Of each the fastest round counts, since other work only ever slows a round down.
    """
    if not (torch.backends.mkldnn.is_available() and torch.backends.mkl.is_available()):
        return 0.0
    values, weight = torch.ones(TOKENS, WIDTH), torch.ones(WIDTH, WIDTH)
    fastest = [float("inf"), float("inf")]
    for round_ in range(ROUNDS):
        for which, product in enumerate((mkl_linear, onednn_linear)):
            start = time.perf_counter()
            product(values, weight, None)
            if round_ > 1:  # the first rounds allocate, and choose kernels
                fastest[which] = min(fastest[which], time.perf_counter() - start)
    return fastest[0] / fastest[1]


class _Linear(torch.autograd.Function):
    """A linear layer by oneDNN, forward and backward."""

    @staticmethod
    def forward(
        ctx: Any, values: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None
    ) -> torch.Tensor:
        flat = values.reshape(-1, values.shape[-1])
        ctx.save_for_backward(flat, weight)
        ctx.shape = values.shape
        return onednn_linear(flat, weight, bias).view(*values.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        values, weight = ctx.saved_tensors
        of_result = gradients[0].reshape(-1, weight.shape[0])
        of_values = of_weight = of_bias = None
        if ctx.needs_input_grad[0]:
            of_values = onednn_linear(of_result, weight.t(), None).view(ctx.shape)
        if ctx.needs_input_grad[1]:
            of_weight = onednn_linear(of_result.t(), values.t(), None)
        if ctx.needs_input_grad[2]:
            of_bias = of_result.sum(0)
        return of_values, of_weight, of_bias


class OneDnnLinear(nn.Linear):
    """A linear layer whose fp32 products oneDNN computes."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:  # torch's own name for it
        if input.dtype is not torch.float32 or torch.is_autocast_enabled("cpu"):
            return super().forward(input)
        result: torch.Tensor = _Linear.apply(input, self.weight, self.bias)
        return result


def by_onednn(network: nn.Module) -> Callable[[], None]:
    """Have the linear layers of a network computed by oneDNN. Returns what undoes it.

    Raises `NotApplicable` where it is not clearly faster on this machine.
    """
    if (found := ratio()) < CLEARLY:
        raise NotApplicable(f"oneDNN is {found:.2f} times as fast as MKL here, not {CLEARLY}")
    layers: list[Layer] = [
        module
        for module in network.modules()
        if type(module) is nn.Linear
        and module.out_features >= LEAST_OUTPUTS
        and "forward" not in vars(module)
    ]
    for layer in layers:
        layer.__class__ = OneDnnLinear

    def undo() -> None:
        for layer in layers:
            layer.__class__ = nn.Linear

    return undo
