"""One run, in the process that computes it: load, fine-tune, evaluate, and say how it ended."""

from __future__ import annotations

import traceback
from collections.abc import Iterable

import torch

from harness import environment, metrics
from harness.catalog import targets
from harness.errors import (
    GlueBenchError,
    StorageError,
    TrainingDiverged,
    Unavailable,
)
from harness.modeling import checkpoints, pretrained, tokenization
from harness.records.schema import Evaluation, Memory, Observed, Outcome, PredictionTable, Status
from harness.spec import Progress, RunConfig
from harness.text.escape import harmless
from harness.training import loop, oom_retry, torch_state
from harness.training import outcome as outcomes
from harness.training.device import Stopwatch, is_out_of_memory, peak_memory_bytes, release
from harness.training.inputs import Prepared, prepare
from harness.training.outcome import Work
from harness.training.probe import Witness, fixed_task_s


def run(
    config: RunConfig, progress: Progress = lambda step, steps: None
) -> tuple[Outcome, PredictionTable | None]:
    """Fine-tune and evaluate one case. An error becomes a status and a reason of one line.

    torch's global state decides nothing here and is left as it was.
    """
    floor_memory = environment.restart_peak_memory()
    target, parts = targets.get(config.case.target), oom_retry.Parts(config)
    predictions = None
    try:
        with torch_state.of_run(target, threads=config.threads, seed=config.case.seed):
            if config.replay_steps:
                outcome = replay(config, config.replay_steps, progress)
            else:
                outcome, predictions = _fine_tune_and_evaluate(config, parts, progress)
    except Unavailable as error:
        return Outcome(status="skipped", reason=one_line(error)), None
    except Exception as error:  # noqa: BLE001  (recorded, whatever it was; the next case must run)
        if not isinstance(error, GlueBenchError):
            traceback.print_exc()  # to the worker's log, which pytest shows with the failure
        status = status_of(error)
        outcome = Outcome(
            status=status, reason=one_line(error), batching=parts.record(ran_out=status == "oom")
        )
        release(error, target)
    memory = Memory(
        peak_memory_bytes=environment.peak_memory_bytes(),
        floor_memory_bytes=floor_memory,
        peak_device_memory_bytes=peak_memory_bytes(target),
    )
    return outcome.model_copy(update={"memory": memory}), predictions


def status_of(error: Exception) -> Status:
    """What a run that raised `error` has come to."""
    if isinstance(error, TrainingDiverged):
        return "diverged"
    return "oom" if is_out_of_memory(error) else "failed"


def one_line(error: BaseException) -> str:
    """An error as a reason: its type unless it is one of ours, and its message on one line."""
    message = harmless(" ".join(str(error).split())) or "no message"
    return message if isinstance(error, GlueBenchError) else f"{type(error).__name__}: {message}"


def _fine_tune_and_evaluate(
    config: RunConfig, parts: oom_retry.Parts, progress: Progress
) -> tuple[Outcome, PredictionTable]:
    ready = prepare(config)
    task, splits = ready.task, ready.data.splits
    logits: dict[str, torch.Tensor] = {}
    history: list[Evaluation] = []
    eval_clock = Stopwatch(ready.device)

    def predict(names: Iterable[str]) -> None:
        parts.phase = "evaluation"
        for name in names:
            logits[name] = _predict(ready, name, parts)
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

    witness = Witness(ready.network)
    before_s = fixed_task_s(ready.device)
    parts.phase = "training"
    with ready.device.active():
        training = loop.fine_tune(
            ready.network,
            task,
            parts.recipe,
            ready.train_batches(config, parts.recipe),
            ready.device,
            config.case.seed,
            after_epoch=evaluate,
            after_step=progress,
        )
        predict(name for name in splits if name not in ("train", *task.evaluated))
    work = Work(
        config, ready, parts, training, history, logits, eval_clock.seconds, witness,
        calibration_s=(before_s, fixed_task_s(ready.device)),
    )  # fmt: skip
    outcome = outcomes.of_work(work)
    if config.save_to and outcome.status == "ok":
        outcome = outcome.model_copy(update=_saved(ready.encoder, config, history[-1].score))
    return outcome, outcomes.prediction_table(work)


def _predict(ready: Prepared, name: str, parts: oom_retry.Parts) -> torch.Tensor:
    """Logits of a split; where memory runs out, again with half the evaluation batch."""
    while True:
        rows = tokenization.eval_batches(ready.encoded[name], parts.eval_batch)
        try:
            return loop.predict(ready.network, rows, ready.device)
        except (RuntimeError, MemoryError) as error:
            if parts.eval_batch == 1 or not is_out_of_memory(error):
                raise
            release(error, ready.device.target)
        parts.eval_batch //= 2


def replay(config: RunConfig, steps: int, progress: Progress) -> Outcome:
    """The first steps of a run once more: their losses, and what they were computed from.

    Scores nothing. A loss that is not finite is a status here, so that the rest is told too.
    """
    ready, recipe = prepare(config), oom_retry.fitted(config)
    rows = tokenization.FirstSteps(
        ready.encoded["train"], ready.data.splits["train"], recipe, config.case.seed, steps
    )
    outcome = Outcome(
        status="ok", data=outcomes.data_record(ready), model=outcomes.model_record(ready)
    )
    losses: list[float] = []
    try:
        with ready.device.active():
            losses = loop.fine_tune(
                ready.network, ready.task, recipe, rows, ready.device, config.case.seed,
                after_step=progress,
            ).losses  # fmt: skip
    except TrainingDiverged as error:
        outcome = outcome.model_copy(update={"status": "diverged", "reason": str(error)})
    observed = Observed(**outcomes.planned(config, ready), updates=len(losses))
    return outcome.model_copy(update={"first_losses": losses, "observed": observed})


def _saved(encoder: pretrained.Encoder, config: RunConfig, score: float) -> dict[str, str]:
    """What saving the model changes in the outcome; its scores stay, whatever comes of it."""
    try:
        saved = checkpoints.save(encoder, config, score)
        return {"saved_model": saved.name, "saved_model_sha256": saved.sha256}
    except StorageError as error:
        return {"status": "failed", "reason": one_line(error)}
