"""The training loop against an independent one, which follows the papers and not our code."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from harness.catalog import tasks
from harness.modeling import pretrained
from harness.modeling.tokenization import Encoded
from harness.spec import Recipe, Split, Task
from harness.training import loop, optimizers
from harness.training.batches import TrainBatches
from tests.support import tiny_families
from tests.support.training_rows import CPU, RECIPE, ROWS, rows_of, tiny_network

pytestmark = pytest.mark.usefixtures("one_thread")


def reference_losses(
    network: Any, task: Task, recipe: Recipe, encoded: Encoded, split: Split, seed: int
) -> list[float]:
    """AdamW by its equations (Kingma and Ba 2015, Loshchilov and Hutter 2019), row by row."""
    torch.manual_seed(seed)
    named = dict(network.named_parameters())
    first = {name: torch.zeros_like(p) for name, p in named.items()}
    second = {name: torch.zeros_like(p) for name, p in named.items()}
    total = recipe.epochs * math.ceil(ROWS / recipe.batch_size)
    micro = math.ceil(recipe.batch_size / recipe.accumulation)
    losses: list[float] = []
    network.train()
    for epoch in range(recipe.epochs):
        order = np.random.default_rng([seed, epoch]).permutation(ROWS)
        for step_rows in (
            order[i : i + recipe.batch_size] for i in range(0, ROWS, recipe.batch_size)
        ):
            sum_of_losses = 0.0
            for rows in (step_rows[i : i + micro] for i in range(0, len(step_rows), micro)):
                inputs = {}
                for name, flat in encoded.columns.items():
                    parts = [
                        torch.tensor(flat[encoded.starts[r] : encoded.starts[r + 1]]) for r in rows
                    ]
                    inputs[name] = torch.nn.utils.rnn.pad_sequence(parts, batch_first=True)
                wanted = [split.labels[row] for row in rows] if split.labels else []
                of_rows = [
                    (output[0] - label) ** 2
                    if task.is_regression
                    else torch.logsumexp(output, 0) - output[int(label)]
                    for output, label in zip(network(**inputs).logits, wanted, strict=True)
                ]
                part = sum(of_rows, torch.zeros(()))
                (part / len(step_rows)).backward()
                sum_of_losses += part.item()
            losses.append(sum_of_losses / len(step_rows))
            t = len(losses)
            norm = math.sqrt(sum(p.grad.pow(2).sum().item() for p in named.values()))
            part_of_a_step = recipe.warmup * total % 1 > 0 and recipe.warmup_rounds_up
            rising = int(recipe.warmup * total) + part_of_a_step
            done = t - 1  # the first step is taken at the schedule's start
            top = 0 if recipe.decays_from_start else rising
            rate = recipe.learning_rate * (
                done / rising if done < rising else (total - done) / (total - top)
            )
            longest = recipe.grad_clip or math.inf
            with torch.no_grad():
                for name, p in named.items():
                    gradient = p.grad * min(1.0, longest / (norm + 1e-6))
                    first[name].mul_(0.9).add_(0.1 * gradient)
                    second[name].mul_(0.999).add_(0.001 * gradient**2)
                    decayed = not (name.endswith("bias") or "LayerNorm" in name)
                    p.mul_(1 - rate * recipe.weight_decay * decayed)
                    bias = (1 - 0.9**t, 1 - 0.999**t) if recipe.bias_correction else (1.0, 1.0)
                    unbiased = (second[name] / bias[1]).sqrt() + recipe.eps
                    p.sub_(rate * (first[name] / bias[0]) / unbiased)
                    p.grad = None
    return losses


def deviation(task: Task, recipe: Recipe, *, pairs: bool = False, seed: int = 3) -> float:
    """The largest difference between our losses and the reference's."""
    encoded, split = rows_of(task, pairs)
    network = tiny_network(task)
    twin = copy.deepcopy(network)
    batches = TrainBatches(encoded, split, recipe, seed)
    ours = loop.fine_tune(network, task, recipe, batches, CPU, seed).losses
    theirs = reference_losses(twin, task, recipe, encoded, split, seed)
    assert len(ours) == len(theirs) == 21
    return max(abs(a - b) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("accumulation", [1, 2, 4])
def test_classification_of_pairs_as_the_reference(accumulation: int) -> None:
    recipe = replace(RECIPE, accumulation=accumulation)
    assert deviation(tasks.TASKS["mnli"], recipe, pairs=True) < 1e-6


@pytest.mark.parametrize("accumulation", [1, 4])
def test_regression_as_the_reference(accumulation: int) -> None:
    recipe = replace(RECIPE, accumulation=accumulation, learning_rate=5e-4)
    assert deviation(tasks.TASKS["stsb"], recipe) < 1e-6


def test_an_optimizer_without_bias_correction_as_the_reference() -> None:
    recipe = replace(RECIPE, bias_correction=False, learning_rate=5e-4)
    assert deviation(tasks.TASKS["mnli"], recipe, pairs=True) < 1e-6


def test_a_schedule_that_falls_from_the_start_as_the_reference() -> None:
    recipe = replace(RECIPE, decays_from_start=True, warmup_rounds_up=False)
    assert deviation(tasks.TASKS["mnli"], recipe, pairs=True) < 1e-6


@pytest.mark.parametrize("limit", [0.05, None])
def test_gradients_are_clipped_or_not_as_the_reference(limit: float | None) -> None:
    recipe = replace(RECIPE, grad_clip=limit)
    assert deviation(tasks.TASKS["mnli"], recipe, pairs=True) < 1e-6


@pytest.mark.parametrize(
    ("steps", "warmup", "up", "rising"),
    [(35, 0.1, True, 4), (35, 0.1, False, 3), (40, 0.1, True, 4), (40, 0.1, False, 4),
     (2036, 0.06, False, 122), (2296, 0.06, False, 137), (20935, 0.06, False, 1256),
     (5336, 0.06, False, 320), (33112, 0.06, False, 1986), (123873, 0.06, False, 7432),
     (9, 0.1, False, 0), (9, 0.1, True, 1), (9, 0.0, True, 0)],
)  # fmt: skip
def test_the_warm_up_ends_at_a_whole_step(steps: int, warmup: float, up: bool, rising: int) -> None:
    recipe = replace(RECIPE, warmup=warmup, warmup_rounds_up=up)
    factor = loop.rate_factor(steps, recipe)
    factors = [factor(step) for step in range(steps + 1)]
    assert factors.index(1.0) == rising
    assert factors[-1] == 0.0
    assert max(factors) == 1.0


@pytest.mark.cases
def test_berts_own_schedule_is_at_nine_tenths_when_a_tenth_is_over() -> None:
    recipe = replace(RECIPE, warmup=0.1, warmup_rounds_up=False, decays_from_start=True)
    factor = loop.rate_factor(343, recipe)  # MRPC: 34 steps of warm-up
    found = [factor(step) for step in (0, 17, 33, 34, 171.5, 343)]
    assert found == pytest.approx([0, 0.5, 33 / 34, 309 / 343, 0.5, 0])


def gradients(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> list[list[torch.Tensor]]:
    """Each step's gradients of weights that never change, without dropout."""
    found: list[list[torch.Tensor]] = []
    task = tasks.TASKS["mnli"]
    encoded, split = rows_of(task, pairs=True)

    def note(network: Any, *args: Any, **how: Any) -> None:
        found.append([p.grad.clone() for p in network.parameters()])

    monkeypatch.setattr(loop, "clip_gradients", note)
    still = replace(recipe, learning_rate=0.0, epochs=1)
    batches = TrainBatches(encoded, split, still, 0)
    loop.fine_tune(tiny_network(task, dropout=0.0), task, still, batches, CPU, 0)
    return found


def test_gradients_in_parts_are_those_of_the_whole_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = gradients(RECIPE, monkeypatch)
    parts = gradients(replace(RECIPE, accumulation=4), monkeypatch)
    assert len(parts) == len(whole) == 7  # parts of 3, 3, 3 and 1 rows; in the last step 3 and 1
    for one, other in zip(parts, whole, strict=True):
        difference = max(float((a - b).abs().max()) for a, b in zip(one, other, strict=True))
        assert difference < 1e-6


def swapped_groups(network: Any, recipe: Recipe) -> list[dict[str, Any]]:
    matrices, vectors = decay_groups(network, recipe)
    return [matrices | {"weight_decay": 0.0}, vectors | {"weight_decay": recipe.weight_decay}]


def test_biases_that_are_matrices_do_not_decay(tmp_path: Path) -> None:
    network = pretrained.load(
        tiny_families.pretrained(tmp_path, "xlnet"), tasks.TASKS["rte"], seed=1
    ).network
    decays, still = (
        {id(p) for p in group["params"]} for group in decay_groups(network, RECIPE)
    )  # fmt: skip
    named = dict(network.named_parameters())
    assert {id(p) for n, p in named.items() if n.endswith("bias") or p.ndim < 2} == still
    assert any(named[n].ndim == 2 for n in named if n.endswith("r_w_bias"))
    assert decays.isdisjoint(still)
    assert len(decays) + len(still) == len(named)


def early_schedule(steps: int, recipe: Recipe) -> Callable[[int], float]:
    return lambda step: rate_factor(steps, recipe)(step + 1)


decay_groups, rate_factor = optimizers.decay_groups, loop.rate_factor

MUTATIONS = {
    "schedule off by one": (loop, "rate_factor", early_schedule),
    "decay groups swapped": (optimizers, "decay_groups", swapped_groups),
    "bias correction off": (
        loop,
        "adamw",
        lambda network, recipe: optimizers.adamw(network, replace(recipe, bias_correction=False)),
    ),
    "mean of means": (loop, "step_share", lambda batch, micro_batches: 1 / len(micro_batches)),
}


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_the_reference_catches(mutation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module, name, replacement = MUTATIONS[mutation]
    monkeypatch.setattr(module, name, replacement)
    recipe = replace(RECIPE, accumulation=4)
    assert deviation(tasks.TASKS["mnli"], recipe, pairs=True) > 1e-5
