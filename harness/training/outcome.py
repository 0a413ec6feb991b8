"""The outcome of a run that did its work, and the table of its predictions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from harness import metrics
from harness.errors import IntegrityError
from harness.records.schema import (
    DataRecord,
    ModelRecord,
    Observed,
    Outcome,
    PredictionTable,
    SplitRecord,
    Timing,
    revised,
)
from harness.training import batches, checks, loop, oom_retry
from harness.training.checks import Evidence
from harness.training.evaluator import Evaluator
from harness.training.inputs import RunInputs
from harness.training.probe import RunProbe
from harness.training.usage import UsageMeter

FIRST_LOSSES = 20


@dataclass(frozen=True)
class CompletedRun:
    """A run that has been trained and evaluated."""

    inputs: RunInputs
    sizes: oom_retry.BatchSizes
    training: loop.Training
    evaluator: Evaluator
    probe: RunProbe
    meter: UsageMeter
    calibration_s: tuple[float, float]  # of a fixed task, before and after training


def of_work(work: CompletedRun) -> Outcome:
    """The outcome of such a run: ok, or failed if its figures contradict each other."""
    task, last = work.inputs.task, work.evaluator.history[-1]
    labels = {name: work.inputs.labels(name) for name in task.evaluated}
    outcome = Outcome(
        status="ok",
        score=last.score,
        floor=metrics.floor(task, labels),
        metrics=last.metrics,
        one_row=_one_row(work, labels),
        history=work.evaluator.history,
        first_losses=work.training.losses[:FIRST_LOSSES],
        data=data_record(work.inputs),
        model=model_record(work.inputs),
        batching=work.sizes.record(),
        observed=_observed(work),
        timing=_timing(work),
    )
    evidence = _evidence(work, outcome, labels)
    changes: dict[str, object] = {"flags": list(checks.of_run(evidence))}
    if fault := checks.fault(evidence):
        changes |= {"status": "failed", "reason": fault}
    return revised(outcome, **changes)


def _one_row(work: CompletedRun, labels: Mapping[str, metrics.Labels]) -> dict[str, float]:
    """The most that one dev row can change each figure; {} where predictions are no classes."""
    task = work.inputs.task
    if task.is_regression:
        return {}
    rows = {name: (labels[name], work.evaluator.predictions(name)) for name in task.evaluated}
    return metrics.largest_steps(rows, task.metrics, task.outputs)


def data_record(inputs: RunInputs) -> DataRecord:
    """The rows that were loaded."""
    return DataRecord(
        splits={name: SplitRecord(**asdict(info)) for name, info in inputs.data.info.items()},
        truncated_rows={name: split.truncated for name, split in inputs.encoded.items()},
    )


def model_record(inputs: RunInputs) -> ModelRecord:
    """The network that was loaded."""
    return ModelRecord(
        parameters=inputs.model.parameters,
        trained_parameters=sum(p.numel() for p in inputs.model.trained),
        saved_bytes=sum(p.nbytes for p in inputs.model.trained),
        new_parameters=list(inputs.model.new_parameters),
        unused=list(inputs.model.unused),
        notes=list(inputs.notes),
        dtype="float32",
        bf16_products=inputs.device.bf16_products,
        speedups=inputs.sped_up.report,
    )


def observed(inputs: RunInputs, updates: int) -> Observed:
    """What was planned for a run and what it started from, with the updates that were made."""
    recipe = inputs.config.recipe
    order = inputs.train_batches(recipe)
    return Observed(
        steps_planned=recipe.epochs * order.steps_per_epoch,
        examples_planned=recipe.epochs * len(inputs.data.splits["train"]),
        weights_sha256=inputs.weights_sha256,
        order_sha256=batches.order_sha256(order, recipe.epochs, FIRST_LOSSES),
        updates=updates,
    )


def _observed(work: CompletedRun) -> Observed:
    return revised(
        observed(work.inputs, work.training.updates),
        skipped_updates=work.training.skipped_updates,
        skipped_late=work.training.skipped_late,
        arithmetic=work.probe.arithmetic,
        calibration_s=work.calibration_s,
    )


def _timing(work: CompletedRun) -> Timing:
    training, meter = work.training, work.meter
    return Timing(
        load_s=work.inputs.seconds,
        train_s=training.seconds,
        eval_s=work.evaluator.clock.seconds,
        epoch_s=training.epoch_seconds,
        steps=len(training.losses),
        examples=training.examples,
        tokens=training.tokens,
        examples_per_s=training.examples / training.seconds,
        tokens_per_s=training.tokens / training.seconds,
        step_s=meter.step_s,
        cpu_s=meter.cpu_s,
        steal_share=meter.steal_share,
        instructions=meter.instructions,
    )


def _evidence(
    work: CompletedRun, outcome: Outcome, labels: Mapping[str, metrics.Labels]
) -> Evidence:
    inputs, config, evaluator = work.inputs, work.inputs.config, work.evaluator
    task, splits = inputs.task, inputs.data.splits
    if outcome.timing is None or outcome.observed is None or outcome.score is None:
        raise IntegrityError("a run that was evaluated has no score or no times")
    return Evidence(
        task=task,
        target_arithmetic=inputs.device.arithmetic,
        epochs=config.recipe.epochs,
        score=outcome.score,
        floor=outcome.floor or 0.0,
        metrics=outcome.metrics,
        labels=labels,
        predictions={n: evaluator.predictions(n) for n in task.evaluated},
        rows={n: split.ids for n, split in splits.items() if n != "train"},
        predicted_rows={n: splits[n].ids[: len(rows)] for n, rows in evaluator.logits.items()},
        losses=work.training.losses,
        timing=outcome.timing,
        observed=outcome.observed,
        parameter_dtypes=work.probe.parameter_dtypes,
        unchanged=work.probe.unchanged,
        contaminated=config.contaminated,
        warm_start=config.warm_start is not None,
        subset=inputs.data.is_subset,
        train_overlap=inputs.data.has_overlap,
        missing_labels=bool(inputs.data.info["train"].missing_labels),
        degraded=work.sizes.are_smaller,
        jobs=config.jobs,
    )


def prediction_table(work: CompletedRun) -> PredictionTable:
    """Every row that has a prediction, split by split. In a faulty run rows may be missing."""
    table: PredictionTable = {"split": [], "row": [], "label": [], "prediction": [], "logits": []}
    for name, rows in work.evaluator.logits.items():
        split, count = work.inputs.data.splits[name], len(rows)
        table["split"] += [name] * count
        table["row"] += split.ids[:count]
        table["label"] += (split.labels or [None] * count)[:count]
        table["prediction"] += work.evaluator.predictions(name)
        table["logits"] += rows.tolist()
    return table
