"""Attention over a block of rows, without keeping the scores for the backward pass."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch.nn.functional import dropout as torchs_dropout
from torch.nn.functional import scaled_dot_product_attention

from harness.modeling.speedups.dropout import Draw, factor, scaled

AT_ONCE = 2**18
"""How many scores are computed at once: 1 MiB of fp32, which a core's own cache holds."""


def attend(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    padding: torch.Tensor | None,
    scale: float,
    dropout: float = 0.0,
    draw: Draw | None = None,
) -> torch.Tensor:
    """softmax(query key^T * scale) value, within each row; shape of `query`.

    query: (rows, heads, queries, size); key and value: (rows, heads, width, size). `padding`, bool
    of (rows, 1, 1, width), is True for tokens that are not attended to. `draw` makes the masks of
    dropout; None: torch does.
    """
    if not dropout or query.device.type != "cpu":
        # torch's own kernels need no scores either, but have none with dropout on a CPU.
        mask = None if padding is None else ~padding
        return scaled_dot_product_attention(
            query, key, value, attn_mask=mask, dropout_p=dropout, scale=scale
        )
    rows, heads, queries, _ = query.shape
    shape = (rows * heads, queries, key.shape[2])
    if draw:
        keep, keep_scale = draw(shape, dropout), factor(dropout)
    else:
        keep, keep_scale = torchs_dropout(torch.ones(shape), dropout) != 0, 1 / (1 - dropout)
    flat = (part.reshape(rows * heads, -1, part.shape[-1]) for part in (query, key, value))
    mask = None if padding is None else padding.expand(-1, heads, 1, -1).reshape(-1, 1, shape[2])
    result: torch.Tensor = _Attention.apply(*flat, mask, keep, scale, keep_scale)
    return result.view(query.shape)


class _Attention(torch.autograd.Function):
    """Attention with dropout, a few rows at a time; the backward pass computes the scores again.

    So only one byte of each score's mask is kept (the idea of Dao et al. 2022, FlashAttention). The
    first dimension of the tensors is rows * heads.
    """

    @staticmethod
    def forward(
        ctx: Any,  # torch gives any attributes to it
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        padding: torch.Tensor | None,
        keep: torch.Tensor,
        scale: float,
        keep_scale: float,
    ) -> torch.Tensor:
        ctx.save_for_backward(query, key, value, padding, keep)
        ctx.scale, ctx.keep_scale = scale, keep_scale
        result = torch.empty_like(query)
        for part in _parts(keep):
            shares = _shares(query, key, padding, scale, part)
            kept = scaled(shares, keep[part], keep_scale).to(value.dtype)
            torch.bmm(kept, value[part], out=result[part])
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        query, key, value, padding, keep = ctx.saved_tensors
        of_result = gradients[0]
        of_query, of_key, of_value = (torch.empty_like(part) for part in (query, key, value))
        for part in _parts(keep):
            shares = _shares(query, key, padding, ctx.scale, part)
            kept = scaled(shares, keep[part], ctx.keep_scale).to(value.dtype)
            torch.bmm(kept.transpose(1, 2), of_result[part], out=of_value[part])
            of_kept = torch.bmm(of_result[part], value[part].transpose(1, 2)).float()
            of_shares = scaled(of_kept, keep[part], ctx.keep_scale)
            of_scores = torch._softmax_backward_data(of_shares, shares, -1, shares.dtype)
            of_scores = of_scores.mul_(ctx.scale).to(query.dtype)
            torch.bmm(of_scores, key[part], out=of_query[part])
            torch.bmm(of_scores.transpose(1, 2), query[part], out=of_key[part])
        return of_query, of_key, of_value, None, None, None, None


def _parts(keep: torch.Tensor) -> Iterator[slice]:
    """Parts of the first dimension, each of at most `AT_ONCE` scores."""
    each = max(1, AT_ONCE // (keep.shape[1] * keep.shape[2]))
    for start in range(0, len(keep), each):
        yield slice(start, start + each)


def _shares(
    query: torch.Tensor,
    key: torch.Tensor,
    padding: torch.Tensor | None,
    scale: float,
    part: slice,
) -> torch.Tensor:
    """The softmax of the scores of a part, fp32: (rows * heads in the part, queries, width)."""
    scores = torch.bmm(query[part], key[part].transpose(1, 2)).float().mul_(scale)
    if padding is not None:
        scores.masked_fill_(padding[part], torch.finfo(scores.dtype).min)
    return torch.softmax(scores, -1)
