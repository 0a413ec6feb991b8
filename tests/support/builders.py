"""The builder of outcomes and records: sensible values, any of which a test may change."""

from __future__ import annotations

import dataclasses
from typing import Any

from harness.catalog import tasks
from harness.records.schema import (
    CaseInfo,
    DataRecord,
    Evaluation,
    Memory,
    ModelRecord,
    Observed,
    Outcome,
    Record,
    Source,
    SplitRecord,
    Timing,
)
from harness.spec import Case


def observed() -> Observed:
    """What a run of 20 steps was seen to do."""
    return Observed(
        steps_planned=20, examples_planned=640, updates=20, arithmetic="float32",
        weights_sha256="0" * 64, order_sha256="0" * 64, calibration_s=(0.010, 0.011),
    )  # fmt: skip


def metrics_of(task: str, score: float) -> dict[str, dict[str, float]]:
    """This score in every metric of a task, on every dev set; of a user's task in accuracy."""
    row = tasks.TASKS.get(task, tasks.TASKS["sst2"])
    return {split: dict.fromkeys(row.metrics, score) for split in row.evaluated}


def outcome(task: str = "sst2", **changed: Any) -> Outcome:
    """An ok outcome, as a worker returns it: the metrics are of `task` and make the score."""
    timing = Timing(
        load_s=0.5, train_s=3.0, eval_s=0.25, epoch_s=[1.0, 2.0], steps=20, examples=640,
        tokens=6400, examples_per_s=640 / 3, tokens_per_s=6400 / 3,
    )  # fmt: skip
    split = SplitRecord(rows=100, rows_in_source=100, dropped=0, sha256="0" * 64, official=True)
    score = changed.get("score", 0.9)
    found = changed.get("metrics", {} if score is None else metrics_of(task, score))
    last = Evaluation(epoch=1, train_loss=0.5, metrics=found, score=score or 0.0)
    values: dict[str, Any] = {
        "status": "ok",
        "score": 0.9,
        "floor": 0.5,
        "metrics": found,
        "history": [last] if found else [],
        "first_losses": [0.7, 0.6],
        "data": DataRecord(splits={"train": split}, truncated_rows={"train": 0}),
        "model": ModelRecord(
            parameters=4_386_178,
            new_parameters=["classifier.weight"],
            dtype="float32",
            trained_parameters=4_386_178,
            saved_bytes=17_544_712,
        ),
        "timing": timing,
        "memory": Memory(
            peak_memory_bytes=400 << 20, floor_memory_bytes=300 << 20, peak_device_memory_bytes=None
        ),
    }
    return Outcome(**values | changed)


def of_task(task: str, made: Outcome) -> Outcome:
    """The outcome with its score in the metrics of `task`, if it had it in another task's."""
    found = {} if made.score is None else metrics_of(task, made.score)
    if not made.metrics or {*made.metrics} == {*found}:
        alike = all({*made.metrics[split]} == {*found[split]} for split in made.metrics)
        if alike:
            return made
    again = outcome(task, score=made.score)
    return made.model_copy(update={"metrics": again.metrics, "history": again.history})


def record(
    case: Case,
    *,
    source: Source | None = None,
    recipe: str = "toy",
    epochs: int | None = None,
    environment: dict[str, Any] | None = None,
    **changed: Any,
) -> Record:
    """A record of a case, with an ok outcome, where `changed` gives no field another value.

    The metrics and the history follow from the score. `cell_key` follows from the combination, the
    source and the recipe, and the first loss from the seed.
    """
    own = {name: changed.pop(name) for name in [*changed] if name not in Outcome.model_fields}
    made = outcome(case.task, **{"first_losses": [0.7 + case.seed / 1000, 0.6]} | changed)
    values: dict[str, Any] = {
        "case": CaseInfo(id=case.id, **dataclasses.asdict(case)),
        "profile": "toy",
        "source": source or Source(kind="toy"),
        "recipe": {"name": recipe} | ({"epochs": epochs} if epochs else {}),
        "threads": 2,
        "cell_key": f"{case.cell}/{source}/{recipe}",
        "identity": {},
        "environment": {"python": "3.11"} | (environment or {}),
    }
    return Record(**{name: getattr(made, name) for name in Outcome.model_fields}, **values | own)


def numbers(outcome: Outcome) -> dict[str, Any]:
    """All of an outcome that clock, memory and what else the machine does have no part in."""
    told = outcome.model_dump(exclude={"timing": True, "memory": True, "flags": True})
    if told["observed"]:
        del told["observed"]["calibration_s"]
    return {**told, "flags": [flag for flag in outcome.flags if flag != "noisy"]}


TABLE: dict[str, list[Any]] = {
    "split": ["validation"] * 3,
    "row": [0, 1, 2],
    "label": [0, 1, 1],
    "prediction": [0, 1, 0],
    "logits": [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]],
}
