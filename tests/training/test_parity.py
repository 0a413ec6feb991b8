"""The loop against Hugging Face's Trainer: same weights, same order of rows, no dropout, same bits.

`bert-paper` is held against a transcription of google-research/bert's `optimization.py` and
`run_classifier.py`, which knows nothing of ours.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader, Dataset, Sampler
from transformers import Trainer, TrainingArguments

from harness.catalog import recipes, tasks
from harness.spec import Recipe
from harness.training import loop
from harness.training.batches import TrainBatches
from tests.support.training_rows import CPU, ROWS, rows_of, tiny_network

pytestmark = pytest.mark.filterwarnings("ignore")  # Trainer's own
MNLI = tasks.TASKS["mnli"]
ENCODED, SPLIT = rows_of(MNLI, pairs=True)
SEED = 3


class AdamWeightDecayOptimizer(torch.optim.Optimizer):
    """`apply_gradients` of optimization.py, an operation for an operation."""

    def __init__(self, network: Any, rate: float) -> None:
        self.names = {id(p): name for name, p in network.named_parameters()}
        super().__init__(network.parameters(), {"lr": rate})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        for param in self.param_groups[0]["params"]:
            state, grad = self.state[param], param.grad
            m = state.get("m", torch.zeros_like(param))
            v = state.get("v", torch.zeros_like(param))
            next_m = torch.mul(m, 0.9) + torch.mul(grad, 1.0 - 0.9)
            next_v = torch.mul(v, 0.999) + torch.mul(torch.square(grad), 1.0 - 0.999)
            update = next_m / (torch.sqrt(next_v) + 1e-6)
            name = self.names[id(param)]
            if not any(part in name for part in ("LayerNorm", "layer_norm", "bias")):
                update += 0.01 * param
            param.sub_(self.param_groups[0]["lr"] * update)
            state["m"], state["v"] = next_m, next_v


def google_rate(global_step: int, num_train_steps: int) -> float:
    """`create_optimizer`: polynomial decay with power 1 to 0, which the warm-up overrides."""
    num_warmup_steps = int(num_train_steps * 0.1)  # run_classifier.py
    learning_rate = 1 - min(global_step, num_train_steps) / num_train_steps
    if global_step < num_warmup_steps:
        learning_rate = global_step / num_warmup_steps
    return learning_rate


class InOurOrder(Sampler[int]):
    """Row numbers of one epoch after another."""

    def __init__(self) -> None:
        self.epoch = 0

    def __len__(self) -> int:
        return ROWS

    def __iter__(self) -> Iterator[int]:
        random = np.random.default_rng([SEED, self.epoch])
        self.epoch += 1
        return iter(random.permutation(ROWS).tolist())


class Numbers(Dataset[int]):
    def __len__(self) -> int:
        return ROWS

    def __getitem__(self, row: int) -> int:
        return row


def collated(rows: list[int]) -> dict[str, torch.Tensor]:
    spans = [slice(ENCODED.starts[row], ENCODED.starts[row + 1]) for row in rows]
    found = {
        name: torch.nn.utils.rnn.pad_sequence(
            [torch.tensor(flat[span]) for span in spans], batch_first=True
        )
        for name, flat in ENCODED.columns.items()
    }
    return found | {"labels": torch.tensor([SPLIT.labels[row] for row in rows])}


class Theirs(Trainer):
    """Trainer, on rows in our order; it remembers the learning rate of each step."""

    def __init__(self, network: Any, folder: Path, recipe: Recipe, **own: Any) -> None:
        self.rates: list[float] = []
        arguments = TrainingArguments(
            str(folder), learning_rate=recipe.learning_rate, num_train_epochs=recipe.epochs,
            per_device_train_batch_size=recipe.batch_size, warmup_steps=recipe.warmup,
            weight_decay=recipe.weight_decay, adam_epsilon=recipe.eps, adam_beta1=recipe.betas[0],
            adam_beta2=recipe.betas[1], max_grad_norm=recipe.grad_clip or 0.0, use_cpu=True,
            report_to=[], save_strategy="no", logging_strategy="no", disable_tqdm=True,
        )  # fmt: skip
        super().__init__(network, arguments, train_dataset=Numbers(), **own)

    def get_train_dataloader(self) -> Any:
        return DataLoader(
            Numbers(), self.args.train_batch_size, sampler=InOurOrder(), collate_fn=collated
        )

    def training_step(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        self.rates.append(self.optimizer.param_groups[0]["lr"])
        return super().training_step(*args, **kwargs)


def ours(network: Any, recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Train by the loop; returns the learning rate of each step."""
    rates: list[float] = []
    adamw = loop.adamw

    def watched(*args: Any) -> torch.optim.Optimizer:
        made = adamw(*args)
        made.register_step_pre_hook(lambda o, *_: rates.append(o.param_groups[0]["lr"]))
        return made

    monkeypatch.setattr(loop, "adamw", watched)
    rows = TrainBatches(ENCODED, SPLIT, recipe, SEED)
    loop.fine_tune(network, MNLI, recipe, rows, CPU, SEED)
    return rates


def small(name: str) -> Recipe:
    """A recipe with 14 steps of 10 rows, and a rate that moves the weights."""
    row = recipes.get(name)
    return dataclasses.replace(
        row, batch_size=10, epochs=2, learning_rate=1e-3, group_by_length=False
    )


def same_bits(one: Any, other: Any) -> bool:
    pairs = zip(one.parameters(), other.parameters(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


@pytest.fixture
def twins() -> tuple[Any, Any]:
    network = tiny_network(MNLI, dropout=0.0)
    return network, copy.deepcopy(network)


@pytest.mark.parametrize("name", ["run-glue", "miniature", "lora"])
def test_the_same_bits_as_trainer(
    name: str, twins: tuple[Any, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = small(name)
    rates = ours(twins[0], recipe, monkeypatch)
    trainer = Theirs(twins[1], tmp_path, recipe)
    trainer.train()
    assert rates == trainer.rates
    assert same_bits(*twins)


@pytest.mark.cases
def test_bert_paper_has_the_bits_of_googles_optimizer_and_schedule(
    twins: tuple[Any, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = dataclasses.replace(small("bert-paper"), epochs=5)  # 35 steps: 3.5 of warm-up
    rates = ours(twins[0], recipe, monkeypatch)
    optimizer = AdamWeightDecayOptimizer(twins[1], recipe.learning_rate)
    schedule = LambdaLR(optimizer, lambda step: google_rate(step, 35))
    trainer = Theirs(twins[1], tmp_path, recipe, optimizers=(optimizer, schedule))
    trainer.train()
    assert rates == trainer.rates
    assert rates[:4] == pytest.approx([0, 1e-3 / 3, 2e-3 / 3, 1e-3 * 32 / 35])
    assert same_bits(*twins)


MISTAKES: dict[str, Callable[[Recipe], Recipe]] = {
    "falls from the peak": lambda r: dataclasses.replace(r, decays_from_start=False),
    "warm-up rounded up": lambda r: dataclasses.replace(r, warmup_rounds_up=True),
    "bias correction": lambda r: dataclasses.replace(r, bias_correction=True),
    "no clipping": lambda r: dataclasses.replace(r, grad_clip=None),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_bert_paper_has_other_bits(
    mistake: str, twins: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = dataclasses.replace(small("bert-paper"), epochs=5)
    ours(twins[0], recipe, monkeypatch)
    monkeypatch.undo()
    ours(twins[1], MISTAKES[mistake](recipe), monkeypatch)
    assert not same_bits(*twins)
