"""Linear layers by oneDNN, and when they are used."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from harness.modeling.speedups import products
from harness.modeling.speedups.applicable import NotApplicable


@pytest.mark.parametrize("shape", [(1, 3), (7, 3), (2, 5, 3)])
@pytest.mark.parametrize("bias", [True, False])
def test_a_layer_and_its_gradients_are_torchs(
    shape: tuple[int, ...], bias: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    monkeypatch.setattr(products, "ratio", lambda: 2.0)
    layer, values = nn.Linear(3, 20, bias=bias), torch.randn(shape, requires_grad=True)
    inputs = [values, *layer.parameters()]
    expected = layer(values)
    weights = torch.randn_like(expected)
    wanted = torch.autograd.grad(expected, inputs, weights)
    undo = products.by_onednn(layer)
    found = layer(values)
    assert "_Linear" in type(found.grad_fn).__name__
    torch.testing.assert_close(found, expected)
    for one, other in zip(torch.autograd.grad(found, inputs, weights), wanted, strict=True):
        torch.testing.assert_close(one, other)
    undo()
    assert type(layer) is nn.Linear


def test_layers_that_are_not_trained_get_no_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "ratio", lambda: 2.0)
    layer = nn.Linear(3, 20).requires_grad_(False)
    products.by_onednn(layer)
    values = torch.randn(4, 3, requires_grad=True)
    layer(values).sum().backward()
    assert values.grad is not None
    assert layer.weight.grad is None


def test_it_must_be_clearly_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "ratio", lambda: 1.2)
    layer = nn.Linear(3, 20)
    with pytest.raises(NotApplicable, match=r"oneDNN is 1\.20 times as fast as MKL here"):
        products.by_onednn(layer)
    assert type(layer) is nn.Linear


def test_a_build_without_mkl_has_no_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mkl, "is_available", lambda: False)
    assert products.ratio() == 0.0


def test_the_probe_measures_both() -> None:
    assert 0.05 < products.ratio() < 50
