"""The Python interface: `run` and `load_results`, for notebooks and scripts."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from harness.catalog.sources import NAMED
from harness.execution import driver
from harness.files import paths
from harness.planning import arguments, plan
from harness.planning.options import Settings, check
from harness.planning.project import RESULTS
from harness.records.store import Store
from harness.terminal import say_part, warn
from harness.text.values import shown_path

if TYPE_CHECKING:
    import pandas as pd

    from harness.records.schema import Record


def run(
    task: str,
    model: str | os.PathLike[str] = "toy-bert",
    target: str = "cpu-fp32",
    seed: int = 42,
    *,
    data: str | os.PathLike[str] = "toy",
    recipe: str | None = None,
    epochs: int | None = None,
    max_train: int | None = None,
    max_eval: int | None = None,
    predict_test: bool = False,
    task_file: str | os.PathLike[str] | None = None,
    vectors: str | os.PathLike[str] | None = None,
    save_models: str | os.PathLike[str] | None = None,
    results: str | os.PathLike[str] = RESULTS,
    resume: bool = False,
    engine: str = "process",
    timeout: float | None = None,
) -> Record:
    """Fine-tune and evaluate one case; returns its record, which is stored in `results`.

    `task` is a task of GLUE or of `task_file`. `model` is a row of `glue-bench list models`, a
    folder, or an id of the Hugging Face Hub, with a suffix such as `+lora` if wanted; `vectors` is
    the file of word vectors for `+vectors`. `data` is "toy", "hub" or a folder in the glue_data
    layout. `recipe` and `epochs` replace the model's; `max_train` and `max_eval` are numbers of
    rows. `predict_test` adds the unlabelled splits to the predictions. The fine-tuned model is put
    below `save_models`. With `resume`, an ok run of `results` with the same inputs is returned in
    place of a new one. `seed` is from 0 to 2**32 - 1, `timeout` is in seconds. A folder or file is
    text or a path object, and `~` is the home folder. Numbers may be NumPy's.

    A run that fails has a record too: see its `status` and `reason`. `engine="process"` gives the
    run a process of its own, whose output is printed here. It works in a script without
    `if __name__ == "__main__"`, in a notebook, in threads, and in workers of `multiprocessing.Pool`
    and `ProcessPoolExecutor`. `engine="inline"` runs in this process.

    Raises `UsageError` for unknown names and impossible arguments, `StorageError` if `results`
    cannot be written to, and `NotStored`, which holds the record, if that fails after the run.
    """
    settings = check(
        Settings(
            data=str(data) if data in NAMED else arguments.path("data", data),
            tasks=(arguments.text("task", task),),
            models=(arguments.model("model", model),),
            targets=(arguments.text("target", target),),
            seeds=(arguments.seed("seed", seed),),
            recipe=arguments.optional(arguments.text, "recipe", recipe),
            epochs=arguments.optional(arguments.number, "epochs", epochs),
            max_train=arguments.optional(arguments.number, "max_train", max_train),
            max_eval=arguments.optional(arguments.number, "max_eval", max_eval),
            predict_test=arguments.switch("predict_test", predict_test),
            task_file=arguments.optional(arguments.path, "task_file", task_file),
            vectors=arguments.optional(arguments.path, "vectors", vectors),
            save_models=arguments.optional(arguments.written_folder, "save_models", save_models),
            resume=arguments.switch("resume", resume),
            engine=arguments.text("engine", engine),
            timeout=arguments.optional(arguments.seconds, "timeout", timeout),
        )
    )
    planned = plan.make(settings)
    store = Store(Path(arguments.written_folder("results", results)))
    worker = driver.make_engine(settings, planned)
    worker.echo = lambda case_id, text: say_part(text)
    running = driver.Driver(planned, store, worker)
    try:
        running.start(planned.cases)
        return running.run(planned.cases[0]).record
    finally:
        running.close()
        for complaint in running.complaints:
            warn(str(complaint))


def load_results(path: str | os.PathLike[str] = RESULTS) -> pd.DataFrame:
    """Read a results folder as a tidy DataFrame: one row per run, oldest first.

    The columns are always the same: docs/results.md and `harness.COLUMNS` list them with dtypes and
    units. Scores are fractions, times are seconds, memory is bytes. A run that is not ok has a row
    too: see `status`. A value that a record does not hold is missing.

    Damaged files are left out. There is a warning for each of them, for every value that the
    DataFrame has no column for, and for a folder without runs. Raises `UsageError` for a name that
    no folder can have, and `StorageError` if the folder cannot be read.
    """
    from harness.records import frame

    store = Store(Path(arguments.path("path", path)))
    stored = store.find()
    made, unshown = frame.of(stored.records)
    complaints = [*map(str, stored.damaged), *unshown]
    if not paths.is_folder(store.runs):
        complaints.append(
            f"{shown_path(store.runs)}: no such folder, so no runs. Fix: name the folder that "
            "holds runs/"
        )
    for complaint in complaints:
        warn(complaint)
    return made
