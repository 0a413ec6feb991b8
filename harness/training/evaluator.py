"""Evaluation during a run: logits of splits, scored after each epoch where there are labels."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from harness import metrics
from harness.errors import is_out_of_memory
from harness.records.schema import Evaluation
from harness.training import batches, loop
from harness.training.device import Stopwatch
from harness.training.inputs import RunInputs
from harness.training.memory import release
from harness.training.oom_retry import BatchSizes


class Evaluator:
    """Predicts with the network as it is at that moment, and keeps logits and scores."""

    def __init__(self, inputs: RunInputs, sizes: BatchSizes) -> None:
        self.inputs, self.sizes = inputs, sizes
        self.logits: dict[str, torch.Tensor] = {}  # of each split: float32, (rows, outputs)
        self.history: list[Evaluation] = []  # of each epoch
        self.clock = Stopwatch(inputs.device)  # of the epochs' evaluations

    def evaluate(self, epoch: int, train_loss: float) -> None:
        """Predict and score the splits that the task is evaluated on. The first epoch is 0."""
        task = self.inputs.task
        with self.clock.running():
            self.predict(task.evaluated)
        scored = {
            name: metrics.evaluate(task, self.inputs.labels(name), self.predictions(name))
            for name in task.evaluated
        }
        self.history.append(
            Evaluation(
                epoch=epoch + 1, train_loss=train_loss, metrics=scored, score=metrics.score(scored)
            )
        )

    def predictions(self, name: str) -> metrics.Labels:
        """The class of each row of a split, or its score for regression."""
        return loop.predictions(self.inputs.task, self.logits[name])

    def predict(self, names: Iterable[str]) -> None:
        """Predict these splits; what was predicted of them before is replaced."""
        self.sizes.phase = "evaluation"
        for name in names:
            self.logits[name] = self._logits_of(name)
        self.sizes.phase = "training"

    def _logits_of(self, name: str) -> torch.Tensor:
        """Logits of a split; where memory runs out, again with half the evaluation batch."""
        inputs, sizes = self.inputs, self.sizes
        while True:
            rows = batches.eval_batches(inputs.encoded[name], sizes.eval_batch)
            try:
                return loop.predict(inputs.network, rows, inputs.device)
            except (RuntimeError, MemoryError) as error:
                if sizes.eval_batch == 1 or not is_out_of_memory(error):
                    raise
                release(error, inputs.device.target)
            sizes.eval_batch //= 2
