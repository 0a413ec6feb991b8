"""Batches without padding: the rows one after another, in one line of tokens.

Linear layers, norms and activations treat each token alone, so they give the same result for a line
of real tokens as for padded rows. Only attention must know where a row ends; transformers lets us
bring our own (`AttentionInterface`), and the heads of these families read the first token alone.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from transformers import AttentionInterface
from transformers.modeling_outputs import BaseModelOutput

from harness.modeling import layout
from harness.modeling.layout import Layout
from harness.modeling.library_types import PretrainedNetwork
from harness.modeling.speedups import attention
from harness.modeling.speedups.applicable import NotApplicable
from harness.modeling.tokenization import Batch, Encoded, OfEncoded, Rows

NAME = "glue_bench_packed"  # of our attention, as transformers knows it


@dataclass(frozen=True)
class Family:
    """Where a family of networks has its layers, below the network's base model."""

    encoder: str = "encoder"
    layers: str | None = "encoder.layer"  # None: one layer is used several times
    # In a layer: the module that attends, and the one that adds its output to the layer's input;
    # None: that is no module of its own.
    attention: str = "attention.self"
    after_attention: str | None = "attention.output"


FAMILIES = {
    "albert": Family(layers=None),
    "bert": Family(),
    "camembert": Family(),
    "distilbert": Family("transformer", "transformer.layer", after_attention=None),
    "electra": Family(),
    "roberta": Family(),
    "xlm-roberta": Family(),
}
"""Families whose attention is looked up in transformers, and whose heads read the first token."""


def family_of(network: PretrainedNetwork) -> Family:
    """The row of a network. Raises `NotApplicable` where there is none."""
    kind = network.config.model_type
    if kind not in FAMILIES:
        raise NotApplicable(f"networks of type {kind} need padded rows")
    return FAMILIES[kind]


@dataclass
class PackedRows(OfEncoded):
    """A tokenized split whose batches are lines of tokens without padding."""

    encoded: Encoded
    first_position: int  # the position number of a row's first token

    def batch(self, labels: torch.Tensor | None, rows: Rows) -> Batch:
        """The batch of these rows, on the CPU: each input has shape (1, tokens)."""
        placed, order = layout.of_lengths(self.lengths[rows])
        lengths = self.lengths[rows[order]]
        starts = self.encoded.starts[rows[order]]
        within = np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        tokens = np.repeat(starts, lengths) + within
        inputs = {
            name: torch.from_numpy(flat[tokens])[None]
            for name, flat in self.encoded.columns.items()
            if name != "attention_mask"
        }
        inputs["position_ids"] = torch.from_numpy(within + self.first_position)[None]
        labelled = None if labels is None else labels[torch.from_numpy(rows)]
        return Batch(inputs, labelled, rows, len(tokens), placed)


def first_position(network: PretrainedNetwork) -> int:
    """The position number of a row's first token: RoBERTa's start behind that of padding."""
    for name, module in network.named_modules():
        if name.endswith("position_embeddings") and isinstance(module, nn.Embedding):
            return 0 if module.padding_idx is None else module.padding_idx + 1
    raise NotApplicable("it has no embeddings of positions")


def pack(network: PretrainedNetwork) -> Callable[[], None]:
    """Have a network read packed batches. Returns what undoes it.

    Raises `NotApplicable` for a family without a row in `FAMILIES`.
    """
    family = family_of(network)
    first_position(network)
    encoder = network.base_model.get_submodule(family.encoder)
    before = network.config._attn_implementation
    AttentionInterface.register(NAME, attend)
    network.set_attn_implementation(NAME)
    hook = encoder.register_forward_hook(_keep_first_tokens)

    def undo() -> None:
        hook.remove()
        network.set_attn_implementation(before)

    return undo


class _Current:
    """The layout of the batch that the network reads now."""

    layout: Layout | None = None


@contextlib.contextmanager
def reading(placed: Layout | None) -> Generator[None]:
    """A block in which the network reads a batch of this layout; None: a padded batch."""
    before = _Current.layout
    _Current.layout = placed
    try:
        yield
    finally:
        _Current.layout = before


def current() -> Layout:
    """The layout of the batch that the network reads now."""
    if _Current.layout is None:
        raise RuntimeError("a network that reads packed batches was given a padded one")
    return _Current.layout


def _keep_first_tokens(
    module: nn.Module, inputs: object, output: BaseModelOutput
) -> BaseModelOutput:
    """The encoder's output for the first token of each row only: (rows, 1, hidden)."""
    if not isinstance(output.last_hidden_state, torch.Tensor):
        raise TypeError("the encoder returned no states")
    output.last_hidden_state = first_tokens(output.last_hidden_state)
    return output


def first_tokens(states: torch.Tensor) -> torch.Tensor:
    """The states of each row's first token, (rows, 1, hidden), of those of a line or of just them.

    `first_token.narrow` may have left only them, in the order of the batch.
    """
    first = current().first
    if states.shape[0] == len(first) and states.shape[1] == 1:
        return states
    return states[0].index_select(0, first)[:, None]


def attend(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **options: object,
) -> tuple[torch.Tensor, None]:
    """Attention within each row of a line: query, key and value are (1, heads, tokens, size).

    Called by the layers of transformers. Returns (1, tokens, heads, size).
    """
    placed, (_, heads, tokens, size) = current(), query.shape
    scale = size**-0.5 if scaling is None else scaling
    only_first = getattr(module, "glue_bench_first_only", False)
    draw = getattr(module, "glue_bench_draw", None)
    queries, keys, values = (
        part[0].transpose(0, 1).reshape(-1, heads * size) for part in (query, key, value)
    )
    parts = []
    for block in placed.blocks:
        if only_first:
            asked = queries.index_select(0, block.first).view(-1, 1, heads, size).transpose(1, 2)
        else:
            asked = _rows_of(queries, block, heads)
        padded = (_rows_of(line, block, heads) for line in (keys, values))
        attended = attention.attend(asked, *padded, block.padding, scale, dropout, draw)
        parts.append(attended.transpose(1, 2).reshape(-1, heads * size))
    joined = parts[0] if len(parts) == 1 else torch.cat(parts)
    if only_first:
        places = torch.cat([block.first for block in placed.blocks])
        joined = joined.new_zeros(tokens, heads * size).index_copy(0, places, joined)
    elif placed.unpadded is not None:
        joined = joined.index_select(0, placed.unpadded)
    return joined.view(1, tokens, heads, size), None


def _rows_of(line: torch.Tensor, block: layout.Block, heads: int) -> torch.Tensor:
    """The tokens of a block, (rows, heads, width, size), of a line (tokens, heads * size)."""
    if block.tokens is None:
        tokens = line[block.start : block.start + block.rows * block.width]
    else:
        tokens = line.index_select(0, block.tokens)
    return tokens.view(block.rows, block.width, heads, -1).transpose(1, 2)
