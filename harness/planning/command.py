"""The command that runs more cases for a results folder.

Words that begin with `path/to/` are for the user to replace, since records hold no folders.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from harness.catalog import models, recipes
from harness.catalog.adaptations import base_name
from harness.catalog.sources import NAMED
from harness.records import redaction
from harness.records.schema import Record, Source
from harness.spec import NOTHING
from harness.text.escape import visible

DATA = "path/to/glue_data"


def command(
    results: str | Path,
    *,
    profile: str | None = None,
    source: Source | None = None,
    tasks: Iterable[str] = (),
    models: Iterable[str] = (),
    target: str | None = None,
    recipe: Mapping[str, object] = NOTHING,
    seeds: Sequence[int] = (),
    predict_test: bool = False,
) -> str:
    """The command as a shell takes it; options that are not given are left to the profile.

    `models` are named as `model_of` names them; `recipe` is the recipe of a record.
    """
    row, epochs = recipes.row_of(recipe)
    options: dict[str, object] = {
        "profile": profile,
        "tasks": ",".join(dict.fromkeys(tasks)),
        "data": source and (source.kind if source.kind in NAMED else DATA),
        "models": ",".join(dict.fromkeys(models)),
        "targets": target,
        "recipe": row,
        "epochs": epochs,
        "seeds": "".join(f"{seed}," for seed in seeds),
        "max-train": source and source.max_train,
        "max-eval": source and source.max_eval,
    }
    words = [
        word
        for name, value in options.items()
        if value
        for word in (f"--glue-{name}", visible(shlex.quote(str(value))))
    ]
    words += ["--glue-predict-test"] if predict_test else []
    where = visible(shlex.quote(redaction.without_home(str(results))))
    return " ".join(["pytest", "benchmarks", *words, "--glue-results", where])


def model_of(run: Record) -> str:
    """A stored run's model as an option names it; a user's folder becomes `path/to/NAME`."""
    name = run.case.model
    base = base_name(name, run.identity)
    is_known = base in models.MODELS or models.HUB_ID.fullmatch(base)
    return name if is_known else f"path/to/{name}"
