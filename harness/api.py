"""The Python face of the harness: what a notebook or a script calls."""

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
    """Fine-tune and evaluate one case; returns its record, which is then stored in `results`.

    `task` may be one of `task_file`. `model` is a row of `glue-bench list models`, a folder, or an
    id of the Hugging Face Hub, with a suffix such as `+lora` if wanted; `vectors` is the file that
    `+vectors` starts from. `data` is "toy", "hub" or a folder in the glue_data layout. `recipe` and
    `epochs` replace the model's own; `predict_test` adds the unlabelled splits to the predictions;
    the fine-tuned model is put below `save_models`. With `resume`, an ok run of `results` with the
    same inputs is returned in place of a new one. A run that goes wrong is a record too: look at
    its `status` and `reason`. What it prints in its own process is printed here as well. Where a
    folder or file is meant, text and path objects will do, and `~` is the home folder; numbers may
    be NumPy's. `seed` is from 0 to 2**32 - 1, `timeout` in seconds.

    `engine="process"` runs in a process of its own, which works in a script without
    `if __name__ == "__main__"`, in a notebook, in threads, and in workers of
    `multiprocessing.Pool` and `ProcessPoolExecutor`; `engine="inline"` in this one.
    Raises `UsageError` for names nobody knows and arguments that cannot be meant, naming them;
    `StorageError` where nothing can be written; `NotStored`, which holds the record, where a run is
    over by then.
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
    """A results folder as a tidy DataFrame: one row a run, oldest first, the same columns always.

    docs/results.md has the columns with their dtypes and units; so has `harness.COLUMNS`. Scores
    are fractions, times seconds, memory bytes. A run that is not ok has a row too: see `status`.
    What a record lacks, as older ones may, is missing.

    Damaged files are left out, as `glue-bench report` leaves them out; there is a warning for each
    of them, for whatever else a record holds that the frame does not show, and for a folder without
    runs. After `warnings.simplefilter("error")` it is raised. Raises `UsageError` for what cannot
    be a folder's name, and `StorageError` if the folder cannot be read.
    """
    from harness.records import frame

    store = Store(Path(arguments.path("path", path)))
    found = store.find()
    made, unshown = frame.of(found.records)
    complaints = [*map(str, found.damaged), *unshown]
    if not paths.is_folder(store.runs):
        complaints.append(
            f"{shown_path(store.runs)}: no such folder, so no runs. Mend: name the folder that "
            "holds runs/"
        )
    for complaint in complaints:
        warn(complaint)
    return made
