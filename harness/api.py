"""The Python face of the harness: what a notebook or a script calls."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from harness import driver, plan
from harness.options import RESULTS, Settings, check
from harness.spec import HUB, TOY
from harness.store import Store

if TYPE_CHECKING:
    import pandas as pd

    from harness.records import Record


def run(
    task: str,
    model: str = "toy-bert",
    target: str = "cpu-fp32",
    seed: int = 42,
    *,
    data: str | os.PathLike[str] = "toy",
    recipe: str | None = None,
    epochs: int | None = None,
    max_train: int | None = None,
    max_eval: int | None = None,
    predict_test: bool = False,
    save_models: str | os.PathLike[str] | None = None,
    results: str | os.PathLike[str] = RESULTS,
    resume: bool = False,
    engine: str = "process",
    timeout: float | None = None,
) -> Record:
    """Fine-tune and evaluate one case; returns its record, which is then stored in `results`.

    `model` is a row of `glue-bench list models`, a folder, or an id of the Hugging Face Hub; `data`
    is "toy", "hub" or a folder in the glue_data layout. `recipe` and `epochs` replace the model's
    own; `predict_test` adds the unlabelled splits to the predictions; the fine-tuned model is put
    below `save_models`. With `resume`, an ok run of `results` with the same inputs is returned in
    place of a new one. A run that goes wrong is a record too: look at its `status` and `reason`.
    Raises `UsageError` for names nobody knows and `StorageError` where nothing can be written;
    `NotStored`, which holds the record, where a run is over by then.
    """
    settings = check(
        Settings(
            data=str(data) if data in (TOY, HUB) else str(Path(data).resolve()),
            tasks=(task,),
            models=(model,),
            targets=(target,),
            seeds=(seed,),
            recipe=recipe,
            epochs=epochs,
            max_train=max_train,
            max_eval=max_eval,
            predict_test=predict_test,
            save_models=None if save_models is None else str(Path(save_models).resolve()),
            resume=resume,
            engine=engine,
            timeout=timeout,
        )
    )
    planned = plan.make(settings)
    running = driver.Driver(planned, Store(Path(results)), driver.make_engine(settings, planned))
    try:
        running.start(planned.cases)
        return running.run(planned.cases[0]).record
    finally:
        running.close()
        for complaint in running.complaints:
            warnings.warn(str(complaint), stacklevel=2)


def load_results(path: str | os.PathLike[str] = RESULTS) -> pd.DataFrame:
    """The records of a results folder, one row a run, oldest first.

    Columns: case, task, model, target, seed (what was run); status, reason, flags (how it ended);
    score, floor and each metric as SPLIT/METRIC (fractions); train_s, eval_s, load_s (seconds);
    examples_per_s, tokens_per_s; peak_memory_bytes; steps; data, max_train, recipe, profile,
    cell_key, id, created. Raises `StorageError` for a file that is not a record.
    """
    import pandas as pd

    return pd.DataFrame([_row(record) for record in Store(Path(path)).load()])


def _row(record: Record) -> dict[str, object]:
    timing, memory = record.timing, record.memory
    return {
        **record.case.model_dump(exclude={"id"}),
        "case": record.case.id,
        "status": record.status,
        "reason": record.reason,
        "flags": ",".join(record.flags),
        "score": record.score,
        "floor": record.floor,
        **{
            f"{split}/{name}": value
            for split, metrics in record.metrics.items()
            for name, value in metrics.items()
        },
        **{
            name: getattr(timing, name, None)
            for name in ("train_s", "eval_s", "load_s", "examples_per_s", "tokens_per_s", "steps")
        },
        "peak_memory_bytes": memory.peak_memory_bytes if memory else None,
        "data": record.source.kind,
        "max_train": record.source.max_train,
        "recipe": record.recipe.get("name"),
        "profile": record.profile,
        "cell_key": record.cell_key,
        "id": record.id,
        "created": record.created,
    }
