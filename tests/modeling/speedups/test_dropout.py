"""Masks of dropout have the distribution of torch's."""

from __future__ import annotations

import pytest
import torch
from scipy.stats import binomtest, chisquare
from torch import nn

from harness.modeling.speedups import dropout

MANY = 400_000


@pytest.mark.parametrize("probability", [0.1, 0.5, 0.9, 1e-4])
def test_each_value_is_dropped_with_the_probability(probability: float) -> None:
    torch.manual_seed(1)
    kept = int(dropout.draw((MANY,), probability).sum())
    assert binomtest(MANY - kept, MANY, probability).pvalue > 1e-4
    assert 1 / dropout.factor(probability) == pytest.approx(1 - probability, abs=1 / 65536)


def test_values_that_share_a_number_are_independent() -> None:
    torch.manual_seed(2)
    kept = dropout.draw((MANY,), 0.3).view(-1, 4).long()
    patterns = torch.bincount((kept * torch.tensor([1, 2, 4, 8])).sum(1), minlength=16).double()
    shares = torch.tensor(
        [0.7 ** bin(p).count("1") * 0.3 ** (4 - bin(p).count("1")) for p in range(16)]
    ).double()
    assert chisquare(patterns.numpy(), (shares * MANY / 4).numpy()).pvalue > 1e-4


def test_the_seed_decides_the_mask() -> None:
    masks = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        masks.append(dropout.draw((7, 5), 0.5))
    assert masks[0].equal(masks[1])
    assert not masks[0].equal(masks[2])


def test_the_gradient_has_the_mask_of_the_value() -> None:
    layer = dropout.FastDropout(0.4)
    values = torch.ones(50, 3, requires_grad=True)
    result = layer(values)
    result.sum().backward()
    assert values.grad is not None
    assert values.grad.equal(result.detach())
    assert sorted(result.unique().tolist()) == pytest.approx([0.0, 1 / 0.6], rel=1e-4)


def test_evaluation_drops_nothing() -> None:
    layer, values = dropout.FastDropout(0.4), torch.randn(5)
    assert layer.eval()(values) is values


def test_dropout_is_replaced_and_put_back() -> None:
    network = nn.Sequential(nn.Dropout(0.1), nn.Linear(2, 2))
    undo = dropout.replace(network)
    assert type(network[0]) is dropout.FastDropout
    undo()
    assert type(network[0]) is nn.Dropout
    assert not hasattr(network, "glue_bench_draw")
