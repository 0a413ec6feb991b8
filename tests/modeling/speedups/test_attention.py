"""Attention within the rows of a line, against its formula."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from harness.modeling import layout
from harness.modeling.speedups import attention, dropout, packing

LENGTHS = st.lists(st.integers(1, 70), min_size=1, max_size=12)


def formula(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, kept: torch.Tensor):
    """Attention of one row: (heads, tokens, size) each; `kept` multiplies the shares."""
    return (torch.softmax(query @ key.transpose(1, 2) * 0.3, -1) * kept) @ value


@given(LENGTHS)
def test_a_line_holds_every_token_once(lengths: list[int]) -> None:
    placed, order = layout.of_lengths(np.array(lengths))
    starts = np.cumsum(np.array(lengths)[order]) - np.array(lengths)[order]
    assert placed.first[torch.from_numpy(order)].tolist() == starts.tolist()
    line = torch.arange(sum(lengths))
    padded = []
    for block in placed.blocks:
        if block.tokens is None:
            tokens = line[block.start : block.start + block.rows * block.width]
        else:
            tokens = line[block.tokens]
        padded.append(tokens)
        if block.padding is not None:
            assert tokens.view(block.rows, block.width)[
                ~block.padding[:, 0, 0]
            ].unique().numel() == (int((~block.padding).sum()))
    joined = torch.cat(padded)
    if placed.unpadded is not None:
        joined = joined[placed.unpadded]
    assert joined.equal(line)
    assert sum(block.rows for block in placed.blocks) == len(lengths)


@given(LENGTHS, st.sampled_from([0.0, 0.25]), st.integers(1, 3000))
def test_rows_attend_to_themselves_alone(
    lengths: list[int], probability: float, at_once: int
) -> None:
    torch.manual_seed(len(lengths))
    tokens, heads, size = sum(lengths), 2, 4
    made = [torch.randn(1, heads, tokens, size, requires_grad=True) for _ in range(3)]
    masks: list[torch.Tensor] = []

    class Module(torch.nn.Module):
        @staticmethod
        def glue_bench_draw(shape: tuple[int, ...], p: float) -> torch.Tensor:
            masks.append(dropout.draw(shape, p))
            return masks[-1]

    placed, order = layout.of_lengths(np.array(lengths))
    before = attention.AT_ONCE
    attention.AT_ONCE = at_once
    try:
        with packing.reading(placed):
            found, _ = packing.attend(Module(), *made, None, probability, 0.3)
        weights = torch.randn_like(found)
        gradients = torch.autograd.grad(found, made, weights)
    finally:
        attention.AT_ONCE = before
    ordered = np.array(lengths)[order].tolist()
    keeps = []
    for place, block in enumerate(placed.blocks):
        shape = (block.rows, heads, block.width, block.width)
        keep = masks[place].view(shape) / 0.75 if probability else torch.ones(shape)
        keeps += list(keep)
    expected = torch.cat(
        [
            formula(q[0], k[0], v[0], keep[:, :length, :length])
            for q, k, v, keep, length in zip(
                *(part.split(ordered, 2) for part in made), keeps, ordered, strict=True
            )
        ],
        1,
    ).transpose(0, 1)[None]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    for one, other in zip(gradients, torch.autograd.grad(expected, made, weights), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_a_padded_batch_is_refused() -> None:
    states = torch.zeros(1, 1, 3, 4)
    with pytest.raises(RuntimeError, match="was given a padded one"):
        packing.attend(torch.nn.Linear(1, 1), states, states, states, None)
