"""A folder of weights that a test changes, and the message with which it is then refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from harness.catalog import models, tasks
from harness.errors import ModelError
from harness.modeling import pretrained

TOY = models.directory(models.MODELS["toy-bert"])
RTE = tasks.TASKS["rte"]
QUERY = "encoder.layer.0.attention.self.query.weight"
Tensors = dict[str, torch.Tensor]


def change(folder: Path, change_tensors: Callable[[Tensors], Tensors]) -> Path:
    """Write the weights of a folder again, changed."""
    path = folder / "model.safetensors"
    tensors = change_tensors(load_file(path))
    save_file({name: t.contiguous() for name, t in tensors.items()}, path, {"format": "pt"})
    return folder


def refused(folder: Path) -> str:
    with pytest.raises(ModelError) as caught:
        pretrained.load(folder, RTE, 1)
    message = str(caught.value)
    assert "\n" not in message
    assert "Fix: " in message
    return message


def is_matrix(name: str, tensor: torch.Tensor) -> bool:
    return "encoder.layer" in name and tensor.dim() == 2
