"""One run, in the process that computes it: load, fine-tune, evaluate, and say how it ended."""

from __future__ import annotations

import traceback

from harness.errors import GlueBenchError, StorageError, TrainingDiverged
from harness.modeling import checkpoints
from harness.records import failures
from harness.records.schema import Memory, Outcome, PredictionTable, revised
from harness.spec import Progress, Recipe, RunConfig
from harness.system import environment
from harness.training import batches, loop, torch_state
from harness.training import outcome as outcomes
from harness.training.evaluator import Evaluator
from harness.training.inputs import RunInputs, prepare
from harness.training.memory import peak_memory_bytes, release
from harness.training.oom_retry import BatchSizes
from harness.training.outcome import CompletedRun
from harness.training.probe import RunProbe, calibration_seconds
from harness.training.usage import UsageMeter


def run(
    config: RunConfig, progress: Progress = lambda step, steps: None
) -> tuple[Outcome, PredictionTable | None]:
    """Fine-tune and evaluate one case. An error becomes a status and a reason of one line.

    Global settings of torch are set as the run needs them, and restored afterwards.
    """
    baseline_memory = environment.restart_peak_memory()
    sizes = BatchSizes(config.recipe, config.oom_retries)
    predictions = None
    try:
        with torch_state.of_run(config.target, threads=config.threads, seed=config.case.seed):
            inputs = prepare(config)
            if config.replay_steps:
                outcome = replay(inputs, sizes.recipe, config.replay_steps, progress)
            else:
                work = _fine_tune_and_evaluate(inputs, sizes, progress)
                outcome, predictions = outcomes.of_work(work), outcomes.prediction_table(work)
                if config.save_to and outcome.status == "ok":
                    outcome = _with_saved_model(outcome, inputs)
    except Exception as error:  # noqa: BLE001  (recorded, whatever it was; the next case must run)
        if not isinstance(error, GlueBenchError):
            traceback.print_exc()  # to the worker's log, which pytest shows with the failure
        batching = sizes.record(ran_out=failures.status_of(error) == "oom")
        outcome = failures.outcome_of(error, batching=batching)
        release(error, config.target)
    memory = Memory(
        peak_memory_bytes=environment.peak_memory_bytes(),
        floor_memory_bytes=baseline_memory,
        peak_device_memory_bytes=peak_memory_bytes(config.target),
    )
    return revised(outcome, memory=memory), predictions


def _fine_tune_and_evaluate(
    inputs: RunInputs, sizes: BatchSizes, progress: Progress
) -> CompletedRun:
    evaluator, probe, meter = Evaluator(inputs, sizes), RunProbe(inputs.network), UsageMeter()
    before_s = calibration_seconds(inputs.device)
    sizes.phase = "training"
    with inputs.device.active():
        with meter.running():
            training = loop.fine_tune(
                inputs.network,
                inputs.task,
                sizes.recipe,
                inputs.train_batches(sizes.recipe),
                inputs.device,
                inputs.config.case.seed,
                after_epoch=meter.after_epoch(evaluator.evaluate),
                after_step=meter.after_step(progress),
                clip_in_update="clip-in-update" in inputs.sped_up.applied,
            )
        done = {"train", *inputs.task.evaluated}
        evaluator.predict(name for name in inputs.data.splits if name not in done)
    inputs.sped_up.undo()
    calibration_s = (before_s, calibration_seconds(inputs.device))
    return CompletedRun(inputs, sizes, training, evaluator, probe, meter, calibration_s)


def replay(inputs: RunInputs, recipe: Recipe, steps: int, progress: Progress) -> Outcome:
    """Compute the first steps of a run again: their losses, and hashes of what they started from.

    Nothing is evaluated. A loss that is not finite is a status here, so that the rest is reported.
    """
    seed = inputs.config.case.seed
    rows = batches.FirstSteps(
        inputs.encoded["train"], inputs.data.splits["train"], recipe, seed, steps
    )
    outcome = Outcome(
        status="ok", data=outcomes.data_record(inputs), model=outcomes.model_record(inputs)
    )
    losses: list[float] = []
    try:
        with inputs.device.active():
            losses = loop.fine_tune(
                inputs.network,
                inputs.task,
                recipe,
                rows,
                inputs.device,
                seed,
                after_step=progress,
                clip_in_update="clip-in-update" in inputs.sped_up.applied,
            ).losses
    except TrainingDiverged as error:
        outcome = revised(outcome, status="diverged", reason=str(error))
    observed = outcomes.observed(inputs, updates=len(losses))
    return revised(outcome, first_losses=losses, observed=observed)


def _with_saved_model(outcome: Outcome, inputs: RunInputs) -> Outcome:
    """The outcome with the name of the saved model; if saving fails, a failed one."""
    try:
        saved = checkpoints.save(inputs.model, inputs.config, outcome.history[-1].score)
    except StorageError as error:
        return revised(outcome, status="failed", reason=failures.reason_of(error))
    return revised(outcome, saved_model=saved.name, saved_model_sha256=saved.sha256)
