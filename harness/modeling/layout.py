"""Where the tokens of a batch stand if its rows are put one after another, without padding.

Attention still needs rows of one width. So rows of about the same length make a block, and only
within a block are they padded, and only for attention.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

STEP = 16
"""Rows whose lengths lie between the same two multiples of so many tokens share a block."""


@dataclass(frozen=True)
class Block:
    """Rows of about one length. Their tokens are neighbours in the line."""

    rows: int
    width: int  # tokens of its longest row
    # The place in the line of each of its rows * width tokens; None: nothing is padded.
    tokens: torch.Tensor | None
    padding: torch.Tensor | None  # bool, (rows, 1, 1, width): True where a row has ended
    first: torch.Tensor  # int64, (rows,): the place of each row's first token
    start: int  # the place of the block's first token


@dataclass(frozen=True)
class Layout:
    """The rows of a batch in one line, shortest first."""

    blocks: tuple[Block, ...]
    first: torch.Tensor  # int64, (rows,): where each row of the batch starts in the line
    # int64, (tokens,): the place of each token among those of all padded blocks; None: the same.
    unpadded: torch.Tensor | None

    def to(self, move: Callable[[torch.Tensor], torch.Tensor]) -> Layout:
        """The same layout with its tensors moved to another device."""

        def moved(tensor: torch.Tensor | None) -> torch.Tensor | None:
            return None if tensor is None else move(tensor)

        blocks = tuple(
            replace(
                block,
                tokens=moved(block.tokens),
                padding=moved(block.padding),
                first=move(block.first),
            )
            for block in self.blocks
        )
        return Layout(blocks, move(self.first), moved(self.unpadded))


def of_lengths(lengths: NDArray[np.int64]) -> tuple[Layout, NDArray[np.int64]]:
    """The layout of rows of these lengths, and the order in which they stand in the line."""
    order = np.argsort(lengths, kind="stable")
    ordered = lengths[order]
    starts = np.cumsum(ordered) - ordered
    cuts = np.flatnonzero(np.diff((ordered - 1) // STEP)) + 1
    blocks = [_block(starts[part], ordered[part]) for part in np.split(np.arange(len(order)), cuts)]
    first = np.empty_like(starts)
    first[order] = starts
    return Layout(tuple(blocks), torch.from_numpy(first), _unpadded(ordered, blocks)), order


def _block(starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> Block:
    rows, width, start = len(lengths), int(lengths[-1]), int(starts[0])
    if lengths[0] == width:
        return Block(rows, width, None, None, torch.from_numpy(starts), start)
    columns = np.arange(width)
    is_padding = columns >= lengths[:, None]
    # Padding repeats a token of the row: attention ignores it, and its gradient is zero.
    tokens = np.where(is_padding, starts[:, None], starts[:, None] + columns)
    padding = torch.from_numpy(is_padding)[:, None, None]
    places = torch.from_numpy(tokens.reshape(-1))
    return Block(rows, width, places, padding, torch.from_numpy(starts), start)


def _unpadded(lengths: NDArray[np.int64], blocks: list[Block]) -> torch.Tensor | None:
    """The places of real tokens in blocks that are padded and joined; None if none is padded."""
    width_of = np.repeat([block.width for block in blocks], [block.rows for block in blocks])
    if (lengths == width_of).all():
        return None
    padded_starts = np.cumsum(width_of) - width_of
    starts = np.cumsum(lengths) - lengths
    places = np.repeat(padded_starts - starts, lengths) + np.arange(int(lengths.sum()))
    return torch.from_numpy(places)
