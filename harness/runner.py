"""One run, in the process that computes it: load, fine-tune, evaluate, and say how it ended."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from harness import checkpoints, encoders, environment, flags, metrics, targets, tasks, train
from harness.data import batches
from harness.data import load as data
from harness.device import Device, Stopwatch, peak_memory_bytes
from harness.errors import (
    GlueBenchError,
    IntegrityError,
    StorageError,
    TrainingDiverged,
    Unavailable,
)
from harness.records import (
    DataRecord,
    Evaluation,
    Memory,
    ModelRecord,
    Outcome,
    PredictionTable,
    SplitRecord,
    Status,
    Timing,
)
from harness.spec import RunConfig, Split, Task

FIRST_LOSSES = 20

Progress = Callable[[int, int], None]


def run(
    config: RunConfig, progress: Progress = lambda step, steps: None
) -> tuple[Outcome, PredictionTable | None]:
    """Fine-tune and evaluate one case. An error becomes a status and a reason of one line."""
    floor_memory = environment.restart_peak_memory()
    predictions = None
    try:
        outcome, predictions = _fine_tune_and_evaluate(config, progress)
    except Unavailable as error:
        return Outcome(status="skipped", reason=str(error)), None
    except Exception as error:  # noqa: BLE001  (recorded, whatever it was; the next case must run)
        if not isinstance(error, GlueBenchError):
            traceback.print_exc()  # to the worker's log, which pytest shows with the failure
        outcome = Outcome(status=status_of(error), reason=one_line(error))
    memory = Memory(
        peak_memory_bytes=environment.peak_memory_bytes(),
        floor_memory_bytes=floor_memory,
        peak_device_memory_bytes=peak_memory_bytes(targets.get(config.case.target)),
    )
    return outcome.model_copy(update={"memory": memory}), predictions


def status_of(error: Exception) -> Status:
    """What a run that raised `error` has come to."""
    if isinstance(error, TrainingDiverged):
        return "diverged"
    # On a CPU torch says so in a RuntimeError's words only.
    full = isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    return "oom" if full or isinstance(error, torch.OutOfMemoryError | MemoryError) else "failed"


def one_line(error: BaseException) -> str:
    """An error as a reason: its type unless it is one of ours, and its message on one line."""
    message = " ".join(str(error).split()) or "no message"
    return message if isinstance(error, GlueBenchError) else f"{type(error).__name__}: {message}"


@dataclass(frozen=True)
class Prepared:
    """What a run loaded before its first step."""

    task: Task
    device: Device
    data: data.Data
    encoder: encoders.Encoder
    network: torch.nn.Module
    encoded: Mapping[str, batches.Encoded]
    seconds: float


def prepare(config: RunConfig) -> Prepared:
    """Load rows, weights and tokens. Raises `GlueBenchError`."""
    started = time.perf_counter()
    torch.set_num_threads(config.threads)
    task = tasks.get(config.case.task)
    device = Device(targets.get(config.case.target))
    loaded = data.load(config.data, task, held_out=config.recipe.held_out, seed=config.case.seed)
    encoder = encoders.load(
        Path(config.model_directory), task, config.case.seed, scratch=config.scratch
    )
    encoded = {
        name: batches.encode(encoder.tokenizer, split.texts, config.recipe.max_length)
        for name, split in loaded.splits.items()
    }
    network = encoder.network.to(device.torch)
    return Prepared(task, device, loaded, encoder, network, encoded, time.perf_counter() - started)


def _fine_tune_and_evaluate(
    config: RunConfig, progress: Progress
) -> tuple[Outcome, PredictionTable]:
    ready = prepare(config)
    task, recipe, splits = ready.task, config.recipe, ready.data.splits
    logits: dict[str, torch.Tensor] = {}
    history: list[Evaluation] = []
    eval_clock = Stopwatch(ready.device)

    def predict(names: Iterable[str]) -> None:
        for name in names:
            rows = batches.eval_batches(ready.encoded[name], recipe.eval_batch_size)
            logits[name] = train.predict(ready.network, rows, ready.device)

    def evaluate(epoch: int, train_loss: float) -> None:
        with eval_clock.running():
            predict(task.evaluated)
        found = {
            name: metrics.evaluate(task, labels_of(splits[name]), train.predictions(task, rows))
            for name, rows in logits.items()
        }
        history.append(
            Evaluation(
                epoch=epoch + 1, train_loss=train_loss, metrics=found, score=metrics.score(found)
            )
        )

    with ready.device.active():
        training = train.fine_tune(
            ready.network,
            task,
            recipe,
            batches.TrainBatches(ready.encoded["train"], splits["train"], recipe, config.case.seed),
            ready.device,
            config.case.seed,
            after_epoch=evaluate,
            after_step=progress,
        )
        predict(name for name in splits if name not in ("train", *task.evaluated))
    outcome = _outcome(config, ready, training, history, logits, eval_clock.seconds)
    if config.save_to:
        outcome = outcome.model_copy(update=_saved(ready.encoder, config, history[-1].score))
    return outcome, _prediction_table(task, splits, logits)


def _saved(encoder: encoders.Encoder, config: RunConfig, score: float) -> dict[str, str]:
    """What saving the model changes in the outcome; its scores stay, whatever comes of it."""
    try:
        return {"saved_model": checkpoints.save(encoder, config, score)}
    except StorageError as error:
        return {"status": "failed", "reason": str(error)}


def labels_of(split: Split) -> metrics.Labels:
    """The labels of a split that must have some."""
    if split.labels is None:
        raise IntegrityError("a split that is scored has no labels")
    return split.labels


def _outcome(
    config: RunConfig,
    ready: Prepared,
    training: train.Training,
    history: list[Evaluation],
    logits: Mapping[str, torch.Tensor],
    eval_s: float,
) -> Outcome:
    task, last = ready.task, history[-1]
    floor = metrics.floor(
        task, {name: labels_of(ready.data.splits[name]) for name in task.evaluated}
    )
    found = flags.of_run(
        score=last.score,
        floor=floor,
        predictions={n: train.predictions(task, logits[n]) for n in task.evaluated},
        contaminated=config.contaminated,
        subset=ready.data.is_subset,
        jobs=config.jobs,
    )
    return Outcome(
        status="ok",
        flags=list(found),
        score=last.score,
        floor=floor,
        metrics=last.metrics,
        history=history,
        first_losses=training.losses[:FIRST_LOSSES],
        data=DataRecord(
            splits={n: SplitRecord(**asdict(info)) for n, info in ready.data.info.items()},
            truncated_rows={n: split.truncated for n, split in ready.encoded.items()},
        ),
        model=ModelRecord(
            parameters=ready.encoder.parameters,
            new_parameters=list(ready.encoder.new_parameters),
            dtype="float32",
            bf16_products=ready.device.bf16_products,
        ),
        timing=Timing(
            load_s=ready.seconds,
            train_s=training.seconds,
            eval_s=eval_s,
            epoch_s=training.epoch_seconds,
            steps=len(training.losses),
            examples=training.examples,
            tokens=training.tokens,
            examples_per_s=training.examples / training.seconds,
            tokens_per_s=training.tokens / training.seconds,
        ),
    )


def _prediction_table(
    task: Task, splits: Mapping[str, Split], logits: Mapping[str, torch.Tensor]
) -> PredictionTable:
    table: PredictionTable = {"split": [], "row": [], "label": [], "prediction": [], "logits": []}
    for name, rows in logits.items():
        split = splits[name]
        table["split"] += [name] * len(split)
        table["row"] += split.ids
        table["label"] += split.labels or [None] * len(split)
        table["prediction"] += train.predictions(task, rows)
        table["logits"] += rows.tolist()
    return table
