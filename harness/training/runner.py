"""One run, in the process that computes it: load, fine-tune, evaluate, and say how it ended."""

from __future__ import annotations

import traceback
from collections.abc import Iterable

import torch

from harness import metrics
from harness.errors import (
    GlueBenchError,
    StorageError,
    TrainingDiverged,
    is_out_of_memory,
)
from harness.modeling import checkpoints, pretrained
from harness.records import failures
from harness.records.schema import Evaluation, Memory, Observed, Outcome, PredictionTable, revised
from harness.spec import Progress, RunConfig
from harness.system import environment
from harness.training import batches, loop, oom_retry, torch_state
from harness.training import outcome as outcomes
from harness.training.device import Stopwatch
from harness.training.inputs import RunInputs, prepare
from harness.training.memory import peak_memory_bytes, release
from harness.training.outcome import CompletedRun
from harness.training.probe import RunProbe, calibration_seconds


def run(
    config: RunConfig, progress: Progress = lambda step, steps: None
) -> tuple[Outcome, PredictionTable | None]:
    """Fine-tune and evaluate one case. An error becomes a status and a reason of one line.

    torch's global state decides nothing here and is left as it was.
    """
    floor_memory = environment.restart_peak_memory()
    target, parts = config.target, oom_retry.BatchSizes(config)
    predictions = None
    try:
        with torch_state.of_run(target, threads=config.threads, seed=config.case.seed):
            if config.replay_steps:
                outcome = replay(config, config.replay_steps, progress)
            else:
                outcome, predictions = _fine_tune_and_evaluate(config, parts, progress)
    except Exception as error:  # noqa: BLE001  (recorded, whatever it was; the next case must run)
        if not isinstance(error, GlueBenchError):
            traceback.print_exc()  # to the worker's log, which pytest shows with the failure
        batching = parts.record(ran_out=failures.status_of(error) == "oom")
        outcome = failures.outcome_of(error, batching=batching)
        release(error, target)
    memory = Memory(
        peak_memory_bytes=environment.peak_memory_bytes(),
        floor_memory_bytes=floor_memory,
        peak_device_memory_bytes=peak_memory_bytes(target),
    )
    return revised(outcome, memory=memory), predictions


def _fine_tune_and_evaluate(
    config: RunConfig, parts: oom_retry.BatchSizes, progress: Progress
) -> tuple[Outcome, PredictionTable]:
    inputs = prepare(config)
    task, splits = inputs.task, inputs.data.splits
    logits: dict[str, torch.Tensor] = {}
    history: list[Evaluation] = []
    eval_clock = Stopwatch(inputs.device)

    def predict(names: Iterable[str]) -> None:
        parts.phase = "evaluation"
        for name in names:
            logits[name] = _predict(inputs, name, parts)
        parts.phase = "training"

    def evaluate(epoch: int, train_loss: float) -> None:
        with eval_clock.running():
            predict(task.evaluated)
        found = {
            name: metrics.evaluate(
                task, outcomes.labels_of(splits[name]), loop.predictions(task, rows)
            )
            for name, rows in logits.items()
        }
        history.append(
            Evaluation(
                epoch=epoch + 1, train_loss=train_loss, metrics=found, score=metrics.score(found)
            )
        )

    probe = RunProbe(inputs.network)
    before_s = calibration_seconds(inputs.device)
    parts.phase = "training"
    with inputs.device.active():
        training = loop.fine_tune(
            inputs.network,
            task,
            parts.recipe,
            inputs.train_batches(config, parts.recipe),
            inputs.device,
            config.case.seed,
            after_epoch=evaluate,
            after_step=progress,
        )
        predict(name for name in splits if name not in ("train", *task.evaluated))
    work = CompletedRun(
        config, inputs, parts, training, history, logits, eval_clock.seconds, probe,
        calibration_s=(before_s, calibration_seconds(inputs.device)),
    )  # fmt: skip
    outcome = outcomes.of_work(work)
    if config.save_to and outcome.status == "ok":
        outcome = revised(outcome, **_saved(inputs.encoder, config, history[-1].score))
    return outcome, outcomes.prediction_table(work)


def _predict(inputs: RunInputs, name: str, parts: oom_retry.BatchSizes) -> torch.Tensor:
    """Logits of a split; where memory runs out, again with half the evaluation batch."""
    while True:
        rows = batches.eval_batches(inputs.encoded[name], parts.eval_batch)
        try:
            return loop.predict(inputs.network, rows, inputs.device)
        except (RuntimeError, MemoryError) as error:
            if parts.eval_batch == 1 or not is_out_of_memory(error):
                raise
            release(error, inputs.device.target)
        parts.eval_batch //= 2


def replay(config: RunConfig, steps: int, progress: Progress) -> Outcome:
    """The first steps of a run once more: their losses, and what they were computed from.

    Scores nothing. A loss that is not finite is a status here, so that the rest is told too.
    """
    inputs, recipe = prepare(config), oom_retry.fitted(config)
    rows = batches.FirstSteps(
        inputs.encoded["train"], inputs.data.splits["train"], recipe, config.case.seed, steps
    )
    outcome = Outcome(
        status="ok", data=outcomes.data_record(inputs), model=outcomes.model_record(inputs)
    )
    losses: list[float] = []
    try:
        with inputs.device.active():
            losses = loop.fine_tune(
                inputs.network, inputs.task, recipe, rows, inputs.device, config.case.seed,
                after_step=progress,
            ).losses  # fmt: skip
    except TrainingDiverged as error:
        outcome = revised(outcome, status="diverged", reason=str(error))
    observed = Observed(**outcomes.planned(config, inputs), updates=len(losses))
    return revised(outcome, first_losses=losses, observed=observed)


def _saved(encoder: pretrained.LoadedModel, config: RunConfig, score: float) -> dict[str, str]:
    """What saving the model changes in the outcome; its scores stay, whatever comes of it."""
    try:
        saved = checkpoints.save(encoder, config, score)
        return {"saved_model": saved.name, "saved_model_sha256": saved.sha256}
    except StorageError as error:
        return {"status": "failed", "reason": failures.reason_of(error)}
