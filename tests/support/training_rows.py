"""Random rows and a network of two layers, to call the training loop with."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from transformers import BertConfig, BertForSequenceClassification

from harness.modeling.tokenization import Encoded
from harness.spec import Recipe, Split, Target, Task
from harness.training.device import Device

ROWS, VOCABULARY, PAD = 64, 50, 0
CPU = Device(Target("cpu-fp32", "cpu"))
RECIPE = Recipe(
    "test", source="", learning_rate=5e-3, epochs=3, batch_size=10, max_length=20,
    warmup=0.1, weight_decay=0.1, grad_clip=1.0,
)  # fmt: skip


def rows_of(task: Task, pairs: bool) -> tuple[Encoded, Split]:
    """64 rows of 3 to 14 random tokens, with random labels."""
    draw = np.random.default_rng(0)
    lengths = draw.integers(3, 15, ROWS)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    ids = draw.integers(1, VOCABULARY, starts[-1])
    second = np.concatenate([np.arange(n) >= n // 2 for n in lengths]) if pairs else 0 * ids
    columns = {
        "input_ids": ids,
        "token_type_ids": second.astype(int),
        "attention_mask": 0 * ids + 1,
    }
    encoded = Encoded(columns, starts, dict.fromkeys(columns, PAD), pad_left=False, truncated=0)
    labels: Any = draw.integers(0, task.outputs, ROWS).tolist()
    if task.is_regression:
        labels = draw.uniform(0, 5, ROWS).tolist()
    return encoded, Split([("unused",)] * ROWS, labels, range(ROWS))


def tiny_network(task: Task, dropout: float = 0.1) -> Any:
    """A BERT of two layers of 16 units, whose weights are the same in every call."""
    torch.manual_seed(7)
    return BertForSequenceClassification(
        BertConfig(
            vocab_size=VOCABULARY, hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
            intermediate_size=32, max_position_embeddings=20, num_labels=task.outputs,
            hidden_dropout_prob=dropout, attention_probs_dropout_prob=dropout,
        )
    )  # fmt: skip
