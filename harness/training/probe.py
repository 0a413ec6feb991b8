"""Observes a network during training, from outside the loop, and the speed of the machine."""

from __future__ import annotations

import torch
from torch import nn
from transformers.pytorch_utils import Conv1D

from harness.training.device import Device, Stopwatch

Output = torch.Tensor | tuple[torch.Tensor, object]  # of an LSTM, its states too
WIDTH, PRODUCTS, WARM_UP = 384, 4, 2
MOST_ROUNDS = 25
ALIKE, NEARLY = 3, 1.05
"""No round is taken to be faster once `ALIKE` took at most `NEARLY` times the fastest."""
PRODUCTS_IN = (nn.Linear, nn.Conv1d, Conv1D, nn.LSTM)  # Conv1D: GPT-2's layers


class RunProbe:
    """Keeps a copy of the head before training, and the dtype of the first matrix product."""

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        self.arithmetic: str | None = None
        self._head = {name: tensor.detach().clone() for name, tensor in head(network)}
        outside = {name for name, _ in head(network)}
        for name, module in network.named_modules():
            if isinstance(module, PRODUCTS_IN) and f"{name}.weight" not in outside:
                self._hook = module.register_forward_hook(self._note_dtype)
                break

    def _note_dtype(self, module: nn.Module, inputs: object, output: Output) -> None:
        first = output if isinstance(output, torch.Tensor) else output[0]
        self.arithmetic = str(first.dtype).removeprefix("torch.")
        self._hook.remove()

    @property
    def unchanged(self) -> list[str]:
        """The names of the head's tensors that training did not change."""
        return [
            name
            for name, tensor in head(self.network)
            if torch.equal(tensor.detach(), self._head[name])
        ]

    @property
    def parameter_dtypes(self) -> frozenset[str]:
        """The dtypes of the network's parameters now."""
        return frozenset(str(p.dtype).removeprefix("torch.") for p in self.network.parameters())


def head(network: nn.Module) -> list[tuple[str, nn.Parameter]]:
    """The parameters of the head: those outside the encoder."""
    encoder = f"{getattr(network, 'base_model_prefix', '')}."
    return [(n, p) for n, p in network.named_parameters() if not n.startswith(encoder)]


def calibration_seconds(device: Device) -> float:
    """Seconds that a fixed amount of work takes now: the fastest of several rounds.

    If it differs before and after training, the machine's speed has changed, not the program's. The
    minimum is taken because a mean or a median also changes when another process runs for a moment.
    On a quiet machine the first few rounds are alike, and no more are needed.
    """
    factor = torch.full((WIDTH, WIDTH), 1 / WIDTH, device=device.torch)
    for _ in range(WARM_UP):
        _round_seconds(factor, device)
    rounds: list[float] = []
    while len(rounds) < MOST_ROUNDS and not _have_settled(rounds):
        rounds.append(_round_seconds(factor, device))
    return min(rounds)


def _round_seconds(factor: torch.Tensor, device: Device) -> float:
    clock = Stopwatch(device)
    with clock.running():
        product = factor
        for _ in range(PRODUCTS):
            product = product @ factor
    return clock.seconds


def _have_settled(rounds: list[float]) -> bool:
    fastest = sorted(rounds)[:ALIKE]
    return len(fastest) == ALIKE and fastest[-1] <= NEARLY * fastest[0]
