"""Training with the word embeddings of the run's own tokens alone.

A task's texts have a few thousand of a vocabulary's 30,000 tokens. The other embeddings get no
gradient, so a step only makes zeros for them, sums and squares them, and decays them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import torch
from torch import nn

from harness.modeling.library_types import PretrainedNetwork
from harness.modeling.speedups.applicable import NotApplicable
from harness.modeling.tokenization import Encoded

MOST = 0.8
"""The largest share of used tokens at which leaving out the others is worth a copy."""


class UsedEmbedding(nn.Module):
    """Embeddings of some tokens, by their ids in the whole vocabulary.

    `weight` has one more row, which starts as ones. No token uses it, so the optimizer only decays
    it, by the same numbers as it would each embedding that was left out.
    """

    def __init__(self, whole: nn.Embedding, used: torch.Tensor) -> None:
        super().__init__()
        weight, count = whole.weight.detach(), whole.num_embeddings
        self.whole_count, self.used = count, used
        self.padding_idx = whole.padding_idx
        self.place = torch.full((count,), count, device=weight.device)
        self.place[used] = torch.arange(len(used), device=weight.device)
        ones = weight.new_ones(1, weight.shape[1])
        self.weight = nn.Parameter(torch.cat([weight[used], ones]))
        self._padding = None if whole.padding_idx is None else int(self.place[whole.padding_idx])

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """The embeddings of these ids: the shape of `ids`, and one more dimension."""
        return nn.functional.embedding(self.place[ids], self.weight, self._padding)

    @torch.no_grad()
    def write_into(self, whole: nn.Embedding) -> None:
        """Give the whole embeddings the values that training would have given them."""
        whole.weight.mul_(self.weight[-1, 0])
        whole.weight[self.used] = self.weight[:-1]


def leave_out_unused(network: PretrainedNetwork, splits: Iterable[Encoded]) -> Callable[[], None]:
    """Replace a network's word embeddings by those of the tokens in `splits`.

    Returns what puts the whole ones back, with what was learned. Raises `NotApplicable` where there
    is nothing to gain, or where the embeddings are used elsewhere too.
    """
    whole = network.get_input_embeddings()
    name, parent = _place_of(network, whole)
    used = _used(whole, splits)
    replacement = UsedEmbedding(whole, used)
    replacement.weight.requires_grad_(whole.weight.requires_grad)
    setattr(parent, name, replacement)

    def undo() -> None:
        replacement.write_into(whole)
        setattr(parent, name, whole)

    return undo


def _place_of(network: nn.Module, whole: nn.Module) -> tuple[str, nn.Module]:
    """The attribute that holds the embeddings, and its module."""
    if type(whole) is not nn.Embedding or whole.max_norm is not None or whole.sparse:
        raise NotApplicable("its word embeddings are not a plain table")
    if not whole.weight.requires_grad:
        raise NotApplicable("its word embeddings are not trained")
    shared = [p for _, p in network.named_parameters(remove_duplicate=False) if p is whole.weight]
    places = [(name, m) for m in network.modules() for name, c in m.named_children() if c is whole]
    if len(shared) != 1 or len(places) != 1:
        raise NotApplicable("its word embeddings are used in several places")
    return places[0]


def _used(whole: nn.Embedding, splits: Iterable[Encoded]) -> torch.Tensor:
    """The ids that occur in the splits, and that of padding, sorted: int64."""
    seen = np.zeros(whole.num_embeddings, dtype=bool)
    if whole.padding_idx is not None:
        seen[whole.padding_idx] = True
    for split in splits:
        seen[split.columns["input_ids"]] = True
        seen[split.padding["input_ids"]] = True
    if seen.mean() > MOST:
        raise NotApplicable(f"{seen.mean():.0%} of its vocabulary occur")
    return torch.from_numpy(np.flatnonzero(seen)).to(whole.weight.device)
