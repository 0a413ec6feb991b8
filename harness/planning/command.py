"""The command that runs more of what a results folder holds. Words that begin `path/to/` are for
the user to replace, since records hold no folders.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from harness.catalog import models, recipes
from harness.catalog.sources import NAMED
from harness.records import redaction
from harness.records.schema import Source
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
    recipe: str | None = None,
    seeds: Sequence[int] = (),
    predict_test: bool = False,
) -> str:
    """As a shell takes it; what is not given is left to the profile."""
    options: dict[str, object] = {
        "profile": profile,
        "tasks": ",".join(dict.fromkeys(tasks)),
        "data": source and (source.kind if source.kind in NAMED else DATA),
        "models": ",".join(map(_model, dict.fromkeys(models))),
        "targets": target,
        **_recipe(recipe),
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


def _model(name: str) -> str:
    """A model as an option names it."""
    known = name.partition("+")[0]
    is_named = known in models.MODELS or models.HUB_ID.fullmatch(known)
    return name if is_named else f"path/to/{name}"


def _recipe(name: str | None) -> dict[str, str | None]:
    """The options that mean a recipe: `run-glue-3ep` is `run-glue` with 3 epochs."""
    row, _, epochs = (name or "").rpartition("-")
    if row in recipes.RECIPES and epochs.endswith("ep"):
        return {"recipe": row, "epochs": epochs.removesuffix("ep")}
    return {"recipe": name}
