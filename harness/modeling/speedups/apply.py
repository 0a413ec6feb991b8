"""Applies the speed-ups of a run to its network, and checks that it still computes the same."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn
from transformers import PreTrainedModel

from harness.catalog import speedups
from harness.modeling.speedups import dropout, first_token, packing, products, vocabulary
from harness.modeling.speedups.applicable import NotApplicable
from harness.modeling.tokenization import Encoded, Inputs

TOLERANCE = 1e-4
"""The largest difference of a logit, relative to the largest, that counts as rounding.

A network of 24 layers differs by up to 2e-5 between two orders of summation in fp32.
"""


@dataclass
class SpedUp:
    """The splits as the network now reads them, and what was applied."""

    splits: Mapping[str, Inputs]
    applied: list[str] = field(default_factory=list)
    reasons: dict[str, str] = field(default_factory=dict)  # of each that was asked for in vain
    _undo: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    @property
    def report(self) -> dict[str, str]:
        """Each speed-up that was asked for -> "used", or why it was not."""
        return dict.fromkeys(self.applied, "used") | self.reasons

    def undo(self) -> None:
        """Give the network its own layers back, with what was learned."""
        self._undo.close()


def speed_up(
    network: nn.Module,
    splits: Mapping[str, Encoded],
    names: Collection[str],
    *,
    fast_dropout: bool = False,
    autocast: bool = False,
) -> SpedUp:
    """Apply those speed-ups of `names` that `network` can have.

    The logits of three rows are computed before and after. If they differ by more than rounding,
    everything is undone. `fast_dropout` changes no logit of evaluation: it is applied last. With
    `autocast` products are not fp32, so that their library stays as it is.
    """
    sped_up = SpedUp(splits)
    if not isinstance(network, PreTrainedModel):
        sped_up.reasons = dict.fromkeys(names, "the network is not one of transformers")
        return sped_up
    width = speedups.width_of(network.config.to_dict())
    if width < speedups.LEAST_WIDTH:
        why = f"a network {width} wide is not faster with it, below {speedups.LEAST_WIDTH}"
        sped_up.reasons = dict.fromkeys(names, why)
    else:
        _apply_exact(sped_up, network, splits, names, autocast=autocast)
    if fast_dropout and network.device.type == "cpu":
        sped_up._undo.callback(dropout.replace(network))
    return sped_up


def _apply_exact(
    sped_up: SpedUp,
    network: PreTrainedModel,
    splits: Mapping[str, Encoded],
    names: Collection[str],
    *,
    autocast: bool,
) -> None:
    steps: dict[str, Callable[[], Callable[[], None]]] = {
        "packed": lambda: _packed(network, splits, sped_up),
        "first-token": lambda: first_token.narrow(network),
        "used-vocabulary": lambda: vocabulary.leave_out_unused(network, splits.values()),
        "onednn": lambda: _by_onednn(network, autocast=autocast),
    }
    rows = _sample(splits["train"].lengths)
    before = _logits(network, splits["train"], rows)
    for name in (name for name in steps if name in names):
        try:
            sped_up._undo.callback(steps[name]())
            sped_up.applied.append(name)
        except NotApplicable as reason:
            sped_up.reasons[name] = str(reason)
    if sped_up.applied:
        after = _logits(network, sped_up.splits["train"], rows)
        _undo_if_different(sped_up, splits, before, after)
    if "clip-in-update" in names:  # by the loop
        sped_up.applied.append("clip-in-update")


def _packed(
    network: PreTrainedModel, splits: Mapping[str, Encoded], sped_up: SpedUp
) -> Callable[[], None]:
    if any(split.width or split.extra_padding or split.pad_left for split in splits.values()):
        raise NotApplicable("its rows need padding")
    undo = packing.pack(network)
    first = packing.first_position(network)
    sped_up.splits = {n: packing.PackedRows(split, first) for n, split in splits.items()}
    return undo


def _by_onednn(network: PreTrainedModel, *, autocast: bool) -> Callable[[], None]:
    if autocast or network.device.type != "cpu":
        raise NotApplicable("its products are not fp32 on a CPU")
    return products.by_onednn(network)


def _undo_if_different(
    sped_up: SpedUp, splits: Mapping[str, Encoded], before: torch.Tensor, after: torch.Tensor
) -> None:
    difference = float((before - after).abs().max() / before.abs().max().clamp_min(1e-30))
    if difference <= TOLERANCE or not before.isfinite().all():
        return
    reason = f"logits differ by {difference:.1g} of the largest with {', '.join(sped_up.applied)}"
    sped_up.undo()
    sped_up.reasons |= dict.fromkeys(sped_up.applied, reason)
    sped_up.applied, sped_up.splits = [], splits


def _sample(lengths: np.ndarray) -> np.ndarray:
    """A short row, one of middle length, and a long one."""
    order = np.argsort(lengths, kind="stable")
    return order[[0, len(order) // 2, -1]]


@torch.no_grad()
def _logits(network: PreTrainedModel, split: Inputs, rows: np.ndarray) -> torch.Tensor:
    """The logits of these rows in evaluation mode, fp32 on the CPU: (rows, outputs)."""
    was_training = network.training
    network.eval()
    batch = split.batch(None, rows)
    device = network.device
    with packing.reading(batch.layout and batch.layout.to(lambda tensor: tensor.to(device))):
        inputs = {name: tensor.to(device) for name, tensor in batch.inputs.items()}
        logits = network(**inputs).logits.float().cpu()
    network.train(was_training)
    return logits
