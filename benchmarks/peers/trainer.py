"""Fine-tunes with Hugging Face's Trainer, in a process of its own, and says what it measured.

Of the harness it takes the configuration, the rows and the metrics. The tokenizer, the network, the
batches and the loop are transformers' own.
"""

from __future__ import annotations

import hashlib
import tempfile
import time
from itertools import chain
from typing import Any

import datasets
import numpy as np
import torch
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    default_data_collator,
)
from transformers.utils import logging

from benchmarks.peers import child
from benchmarks.peers.clock import MachineWatch, StepClock, TokenCounter, waiter
from benchmarks.peers.figures import Measured
from benchmarks.peers.sides import EVAL_BATCHES, PEERS, Peer
from harness import metrics
from harness.data import load
from harness.planning.resolve import from_json
from harness.spec import RunConfig, Split

Rows = list[dict[str, Any]]
TRIAL_ROWS = 512  # of the dev set, by which the fastest batch of evaluation is found


class Clocked(TrainerCallback):
    """Tells the clock when a step has ended."""

    def __init__(self, clock: StepClock) -> None:
        self.clock = clock

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self.clock.after_step()


def arguments(config: RunConfig, peer: Peer, folder: str) -> TrainingArguments:
    """The recipe as Trainer's arguments. What is not named here has Trainer's default."""
    recipe, target = config.recipe, config.target
    tuned: dict[str, Any] = {
        "optim": "adamw_torch_fused",
        "train_sampling_strategy": "group_by_length" if peer.grouped else "random",
        "logging_strategy": "no",
        "logging_nan_inf_filter": False,  # it reads the loss of every step
        "dataloader_num_workers": 0,
        "dataloader_pin_memory": target.device == "cuda",
    }
    return TrainingArguments(
        output_dir=folder,
        seed=config.case.seed,
        num_train_epochs=recipe.epochs,
        per_device_train_batch_size=recipe.batch_size,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type="linear",
        warmup_steps=recipe.warmup,  # below 1, it is a share of the steps
        weight_decay=recipe.weight_decay,
        adam_beta1=recipe.betas[0],
        adam_beta2=recipe.betas[1],
        adam_epsilon=recipe.eps,
        max_grad_norm=recipe.grad_clip or 0.0,
        bf16=target.autocast == "bfloat16",
        fp16=target.autocast == "float16",
        tf32=target.tf32 or None,
        use_cpu=target.device == "cpu",
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        **(tuned if peer.is_tuned else {}),
    )


def tokenized(tokenizer: Any, split: Split, max_length: int, peer: Peer) -> Rows:
    """The rows as the network reads them; `run_glue.py` pads each to the maximal length."""
    encoded = tokenizer(
        *map(list, zip(*split.texts, strict=True)),
        truncation=True,
        max_length=max_length,
        padding=False if peer.is_tuned else "max_length",
    )
    labels = split.labels or []
    return [
        {**{name: encoded[name][row] for name in encoded}, "labels": labels[row]}
        for row in range(len(split))
    ]


def dataset(rows: Rows, peer: Peer) -> Any:
    """A list, whose rows are quickest to read; for `run_glue.py` the kind that it has itself."""
    return rows if peer.is_tuned else datasets.Dataset.from_list(rows)


def predict(trainer: Trainer, rows: Rows, peer: Peer, batch: int) -> tuple[np.ndarray, float]:
    """The logits of the rows in their order, and the seconds that Trainer took for them."""
    order = list(range(len(rows)))
    trainer.args.per_device_eval_batch_size = batch
    if peer.is_tuned:
        order.sort(key=lambda row: len(rows[row]["input_ids"]))  # so that little is padded
        trainer.args.train_sampling_strategy = "random"  # it would group them again
    given = dataset([rows[row] for row in order], peer)
    start = time.perf_counter()
    found = trainer.predict(given).predictions
    seconds = time.perf_counter() - start
    logits = np.empty_like(found)
    logits[order] = found
    return logits, seconds


def weights_sha256(network: Any) -> str:
    """sha256 of the name, dtype, shape and bytes of every parameter and buffer."""
    digest = hashlib.sha256()
    for name, tensor in chain(network.named_parameters(), network.named_buffers()):
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        digest.update(tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def measure(job: child.Job) -> Measured | int:
    """Fine-tune and evaluate; on trial, find the batch in which evaluation is fastest."""
    logging.set_verbosity_error()
    config, peer = from_json(job.config), PEERS[job.side]
    task, recipe, device = config.task, config.recipe, config.target.device
    data = load.load(config.data, task)
    folder = str(config.model_directory)
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    splits = {name: data.splits[name] for name in ("train", *task.evaluated)}
    rows = {name: tokenized(tokenizer, s, recipe.max_length, peer) for name, s in splits.items()}
    torch.manual_seed(config.case.seed)  # of the new head
    network = AutoModelForSequenceClassification.from_pretrained(
        folder, num_labels=task.outputs, dtype=torch.float32
    )
    weights, vocabulary = weights_sha256(network), network.config.vocab_size
    clock = StepClock(len(rows["train"]) // recipe.batch_size, waiter(device))
    counter, watch = TokenCounter(vocabulary), MachineWatch(device, config.threads)
    with tempfile.TemporaryDirectory() as output, watch.running():
        trainer = Trainer(
            network,
            arguments(config, peer, output),
            DataCollatorWithPadding(tokenizer) if peer.is_tuned else default_data_collator,
            dataset(rows["train"], peer),
            processing_class=tokenizer,
            callbacks=[Clocked(clock)],
        )
        if job.is_trial:
            some = rows[task.evaluated[0]][:TRIAL_ROWS]
            predict(trainer, some, peer, EVAL_BATCHES[0])  # the first is slow
            times = {size: predict(trainer, some, peer, size)[1] for size in EVAL_BATCHES}
            return min(times, key=lambda size: times[size])
        with counter.counting():
            loss = trainer.train().training_loss
        eval_s, scores = 0.0, {}
        for name in task.evaluated * recipe.epochs:  # the harness evaluates after each epoch
            logits, seconds = predict(trainer, rows[name], peer, job.eval_batch)
            found = logits[:, 0] if task.is_regression else logits.argmax(axis=1)
            labels = splits[name].labels or []
            scores[name] = metrics.evaluate(task, labels, found.tolist())
            eval_s += seconds
            loss += 0.0 * float(logits.sum())  # not finite if a logit is not
    return Measured(
        side=job.side,
        seed=config.case.seed,
        batch_size=recipe.batch_size,
        steps=clock.steps,
        step_seconds=clock.seconds,
        cpu_s=clock.cpu_s,
        threads=clock.threads,
        eval_s=eval_s,
        eval_rows=recipe.epochs * sum(len(rows[name]) for name in task.evaluated),
        tokens=recipe.epochs * sum(sum(row["attention_mask"]) for row in rows["train"]),
        computed_tokens=counter.computed,
        weights_sha256=weights,
        rows_sha256={name: data.info[name].sha256 for name in rows},
        is_finite=bool(np.isfinite(loss)),
        score=metrics.score(scores),
        steal_share=watch.steal_share,
        calibration_s=watch.calibration_s,
    )


if __name__ == "__main__":
    child.main(measure)
