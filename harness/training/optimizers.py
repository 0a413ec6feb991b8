"""The optimizer of a recipe: torch's AdamW, or the one that BERT was fine-tuned with."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_, get_total_norm
from torch.optim.optimizer import ParamsT

from harness.spec import Recipe

CLIP_EPS = 1e-6  # as in `torch.nn.utils.clip_grad_norm_`


def adamw(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """AdamW (Loshchilov and Hutter 2019) over the network's trainable parameters.

    BERT's own optimizer had no bias correction; without it more runs on small tasks fail (Mosbach
    et al. 2021; Zhang et al. 2021). torch's fused kernel differs from its loop by rounding alone,
    and a step takes 17 ms in place of 136 (6-layer BERT of width 384, two cores).
    """
    groups, rate = decay_groups(network, recipe), recipe.learning_rate
    if recipe.bias_correction:
        return torch.optim.AdamW(groups, rate, recipe.betas, recipe.eps, fused=True)
    return UncorrectedAdamW(groups, rate, recipe.betas, recipe.eps)


def clip_gradients(
    network: nn.Module,
    most: float,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    *,
    later: bool,
) -> None:
    """Scale all gradients so that their norm is at most `most`, as `clip_grad_norm_`.

    With `later`, a fused optimizer does it while it reads them for its update. It divides by the
    number in its attribute `grad_scale`, which is there for a gradient scaler; fp16 needs it for
    that.
    """
    parameters = list(network.parameters())
    if not later or scaler.is_enabled() or not optimizer.defaults.get("fused"):
        clip_grad_norm_(parameters, most)
        return
    norm = get_total_norm([p.grad for p in parameters if p.grad is not None])
    fused: Any = optimizer
    fused.grad_scale = ((norm.float() + CLIP_EPS) / most).clamp(min=1.0)
    fused.found_inf = torch.zeros((), device=norm.device)


def decay_groups(network: nn.Module, recipe: Recipe) -> list[dict[str, object]]:
    """Parameter groups: matrices decay; layer norms and biases do not (XLNet's are matrices)."""
    groups: tuple[list[nn.Parameter], list[nn.Parameter]] = ([], [])
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            decays = parameter.ndim >= 2 and not name.endswith("bias")
            groups[0 if decays else 1].append(parameter)
    return [
        {"params": groups[0], "weight_decay": recipe.weight_decay},
        {"params": groups[1], "weight_decay": 0.0},
    ]


def updates_of(optimizer: torch.optim.Optimizer) -> int:
    """How many updates an optimizer has made, by its own count."""
    return max((int(state["step"]) for state in optimizer.state.values()), default=0)


class UncorrectedAdamW(torch.optim.Optimizer):
    """AdamW without bias correction, as `AdamWeightDecayOptimizer` in google-research/bert.

    Both moments start at zero. Without the correction the first step is scaled by (1 - beta1) /
    sqrt(1 - beta2): with BERT's betas it is about three times as long as AdamW's.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-6,
        weight_decay: float = 0.0,
    ) -> None:
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:  # overloaded by torch; no closure is ever given
        for group in self.param_groups:
            parameters = [p for p in group["params"] if p.grad is not None]
            if not parameters:
                continue
            gradients = [p.grad for p in parameters]
            for parameter in parameters:
                if not self.state[parameter]:
                    self.state[parameter]["exp_avg"] = torch.zeros_like(parameter)
                    self.state[parameter]["exp_avg_sq"] = torch.zeros_like(parameter)
                    self.state[parameter]["step"] = 0
                self.state[parameter]["step"] += 1
            means = [self.state[p]["exp_avg"] for p in parameters]
            squares = [self.state[p]["exp_avg_sq"] for p in parameters]
            beta1, beta2 = group["betas"]
            # One rounding after each product and each sum, in the order of the original.
            torch._foreach_mul_(means, beta1)
            torch._foreach_add_(means, torch._foreach_mul(gradients, 1 - beta1))
            torch._foreach_mul_(squares, beta2)
            fresh = torch._foreach_mul(gradients, gradients)
            torch._foreach_mul_(fresh, 1 - beta2)
            torch._foreach_add_(squares, fresh)
            widths = torch._foreach_sqrt(squares)
            torch._foreach_add_(widths, group["eps"])
            updates = torch._foreach_div(means, widths)
            if group["weight_decay"]:
                decays = torch._foreach_mul(parameters, group["weight_decay"])
                torch._foreach_add_(updates, decays)
            torch._foreach_mul_(updates, group["lr"])
            torch._foreach_sub_(parameters, updates)
