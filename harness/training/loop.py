"""Fine-tuning and evaluation: the loop, to be read from top to bottom.

A pretrained encoder already knows its language. Fine-tuning puts one new layer, the head, on top
and trains everything together for a few epochs on the task's labelled sentences. The steps are
those of Devlin et al. 2019 (BERT) and of Hugging Face's `run_glue.py`: AdamW, a learning rate that
rises and then falls linearly, and (in most recipes) gradient clipping.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from statistics import fmean

import torch
from torch import nn
from torch.nn.functional import cross_entropy, mse_loss
from torch.optim.lr_scheduler import LambdaLR

from harness.errors import IntegrityError, TrainingDiverged
from harness.modeling.speedups import packing
from harness.modeling.tokenization import Batch
from harness.spec import Recipe, Task
from harness.training.batches import TrainBatches
from harness.training.device import Device, Stopwatch
from harness.training.optimizers import adamw, clip_gradients, updates_of


@dataclass
class Training:
    """What `fine_tune` did: the loss of each step, times, and counts."""

    losses: list[float] = field(default_factory=list)
    seconds: float = 0.0  # without evaluation
    epoch_seconds: list[float] = field(default_factory=list)
    examples: int = 0
    tokens: int = 0  # without padding
    updates: int = 0  # as the optimizer counts them
    skipped_updates: int = 0  # fp16 gradients were not finite
    skipped_late: int = 0  # those of them after the first 16 updates (`CountingScaler`)


def fine_tune(
    network: nn.Module,
    task: Task,
    recipe: Recipe,
    batches: TrainBatches,
    device: Device,
    seed: int,
    after_epoch: Callable[[int, float], None] = lambda epoch, loss: None,
    after_step: Callable[[int, int], None] = lambda step, steps: None,
    clip_in_update: bool = False,
) -> Training:
    """Train `network` in place. Raises `TrainingDiverged` at the first loss that is not finite.

    `after_epoch` is called with the epoch, from 0 on, and its mean training loss; `after_step` with
    the steps done and the steps planned. `clip_in_update` is the speed-up of that name.
    """
    torch.manual_seed(seed)  # for dropout; `TrainBatches` shuffles with a generator of its own
    steps = recipe.epochs * batches.steps_per_epoch
    optimizer = adamw(network, recipe)
    schedule = LambdaLR(optimizer, rate_factor(steps, recipe))
    scaler = device.grad_scaler()
    training, clock = Training(), Stopwatch(device)

    for epoch in range(recipe.epochs):
        network.train()  # switches dropout on; evaluation switched it off
        with clock.running():  # evaluation is never inside
            for micro_batches in batches.epoch(epoch):
                loss = 0.0
                for batch in map(device.move, micro_batches):
                    with device.autocast():
                        logits = logits_of(network, batch)
                    part = task_loss(task, logits, batch.labels) * step_share(batch, micro_batches)
                    scaler.scale(part).backward()  # adds to the gradients of the parts before
                    loss += part.item()
                    training.examples += len(batch)
                    training.tokens += batch.tokens

                training.losses.append(loss)
                if not math.isfinite(loss):
                    raise TrainingDiverged(
                        f"the loss is {loss} at step {len(training.losses)} of {steps}; expected a "
                        "finite number. Fix: a lower learning rate, or fp32"
                    )
                scaler.unscale_(optimizer)  # in fp16 alone: back to true gradients, to clip them
                if recipe.grad_clip is not None:
                    most = recipe.grad_clip
                    clip_gradients(network, most, optimizer, scaler, later=clip_in_update)
                scaler.step(optimizer)
                scaler.update()
                schedule.step()
                optimizer.zero_grad(set_to_none=True)
                after_step(len(training.losses), steps)
        clock.lap()
        after_epoch(epoch, fmean(training.losses[-batches.steps_per_epoch :]))

    training.seconds, training.epoch_seconds = clock.seconds, clock.laps
    training.updates = updates_of(optimizer)
    training.skipped_updates, training.skipped_late = scaler.skipped, scaler.skipped_late
    return training


def logits_of(network: nn.Module, batch: Batch) -> torch.Tensor:
    """The network's output for a batch, shape (examples, outputs)."""
    with packing.reading(batch.layout):
        return network(**batch.inputs).logits


def task_loss(task: Task, logits: torch.Tensor, labels: torch.Tensor | None) -> torch.Tensor:
    """Mean loss over a batch: squared error for regression, else cross-entropy. In fp32."""
    if labels is None:
        raise ValueError("an unlabelled batch has no loss")
    if task.is_regression:
        return mse_loss(logits.float().squeeze(-1), labels)
    return cross_entropy(logits.float(), labels)


def step_share(batch: Batch, micro_batches: list[Batch]) -> float:
    """A micro-batch's share of its step.

    With this weight, the mean losses of the micro-batches add up to the mean loss of the step, also
    where the last micro-batch is smaller.
    """
    return len(batch) / sum(map(len, micro_batches))


def rate_factor(steps: int, recipe: Recipe) -> Callable[[int], float]:
    """The learning rate's factor at each step: it rises linearly from 0, and falls linearly to 0.

    A new head sends large, random gradients through a trained encoder; a low rate keeps their
    effect small. In most recipes the factor is 1 when the warm-up ends. In Google's BERT
    (`optimization.py`) the falling line starts at step 0, and the warm-up only replaces its first
    part: when a warm-up of 10% ends, the factor jumps from 1 to 0.9.
    """
    share = steps * recipe.warmup
    rising = math.ceil(share) if recipe.warmup_rounds_up else int(share)

    def factor(step: int) -> float:
        if step < rising:
            return step / rising
        if recipe.decays_from_start:
            return 1 - step / steps
        return max(0.0, (steps - step) / max(1, steps - rising))

    return factor


@torch.no_grad()  # in inference_mode, autocast would not reach inside einsum and LSTM
def predict(network: nn.Module, batches: Iterable[Batch], device: Device) -> torch.Tensor:
    """Logits of every row, in the order of the rows: float32 on the CPU, shape (rows, outputs).

    Raises `TrainingDiverged` where one is not finite, since the argmax of NaN would look like a
    class, and `IntegrityError` where the batches do not hold every row exactly once.
    """
    network.eval()
    rows, parts = [], []
    for batch in batches:
        moved = device.move(batch)
        with device.autocast():
            logits = logits_of(network, moved)
        rows.append(torch.from_numpy(batch.rows))
        parts.append(logits.float().cpu())
    order = torch.cat(rows)
    if not torch.equal(order.sort().values, torch.arange(len(order))):
        raise IntegrityError("a row was predicted twice, or not at all")
    logits = torch.empty(len(order), parts[0].shape[1])
    logits[order] = torch.cat(parts)
    if not logits.isfinite().all():
        bad = int((~logits.isfinite()).any(dim=1).sum())
        raise TrainingDiverged(f"{bad} of {len(logits)} rows have logits that are not finite")
    return logits


def predictions(task: Task, logits: torch.Tensor) -> list[int] | list[float]:
    """The class of each row, or its score for regression."""
    if task.is_regression:
        return logits.squeeze(-1).tolist()
    return logits.argmax(dim=-1).tolist()
