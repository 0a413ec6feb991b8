"""Resolve a case into the configuration of its run, and write that as JSON for the worker."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from pydantic import TypeAdapter

from harness.catalog import model_files, models, numerics, recipes, weights
from harness.catalog.adaptations import check_installed
from harness.catalog.models import Adapted
from harness.catalog.sources import SOURCES
from harness.catalog.speedups import ALL as ALL_SPEEDUPS
from harness.data import load as data
from harness.data import row_sources, word_vectors
from harness.errors import DataError, UsageError
from harness.files import paths
from harness.planning.plan import Plan
from harness.records import limits
from harness.records.identity import NAMED_IF_ON, UNSCORED, key_of
from harness.spec import Case, DataRequest, Json, JsonObject, Recipe, RunConfig, Target, Task
from harness.system import environment
from harness.text.values import shown_path

SCORED_FIELDS = (
    "name",
    "text_columns",
    "labels",
    "metrics",
    "evaluated",
    "label_range",
    "rows_of",
    "only",
)
"""The fields of a task that decide a score. The others are for display or for checking files."""


def resolve(case: Case, plan: Plan, jobs: int = 1) -> RunConfig:
    """The configuration of a case, which is one of `jobs` that run at a time.

    It holds the hash of every input that decides the score. To make it, files are hashed, and
    fetched from the Hub if they are not on this machine. Raises `GlueBenchError`.
    """
    try:
        config = _resolved(case, plan, jobs)
    except OSError as error:  # a library cannot open a file, for example of the Hub's cache
        where = shown_path(Path(str(error.filename))) if error.filename else case.id
        raise DataError(f"{where}: cannot be read: {paths.reason(error)}") from error
    limits.check_identity(case.id, config.identity)
    return config


def _resolved(case: Case, plan: Plan, jobs: int) -> RunConfig:
    task, adapted = plan.tasks[case.task], plan.models[case.model]
    target = plan.targets[case.target]
    for adaptation in adapted.adaptations:
        check_installed(adaptation)
    directory = None if adapted.model.network else models.directory(adapted.model)
    request = row_sources.located(plan.data, task)
    recipe = plan.recipe or _default_recipe(adapted, directory)
    recipe = recipe_for(task, recipe, plan.settings.epochs)
    vectors = _vectors(adapted, plan.settings.vectors)
    speedups = ALL_SPEEDUPS if plan.settings.speedups is None else plan.settings.speedups
    identity = _identity(request, task, adapted, directory, recipe, target, vectors)
    if speedups != ALL_SPEEDUPS:  # other masks of dropout, and other rounding: a cell of its own
        identity["speedups"] = list(speedups)
    return RunConfig(
        case=case,
        task=task,
        target=target,
        recipe=recipe,
        data=request,
        model_directory=str(directory) if directory else None,
        identity=identity,
        cell_key=key_of(identity),
        threads=max(1, len(environment.usable_cpus()) // jobs),
        jobs=jobs,
        scratch=adapted.scratch,
        network=adapted.model.network,
        method=adapted.method.name if adapted.method else None,
        vectors=vectors,
        contaminated=not adapted.scratch
        and SOURCES[request.kind].is_glue
        and task.source in models.contaminated(adapted.model, identity["model_files"]),
        warm_start=None if adapted.scratch or not directory else weights.warm_start(directory),
        save_to=plan.settings.save_models,
        speedups=speedups,
    )


def _default_recipe(adapted: Adapted, directory: Path | None) -> Recipe:
    """The recipe of a model where the user named none: its row's, or its family's."""
    if adapted.recipe:
        return recipes.get(adapted.recipe)
    return recipes.get(recipes.default(model_files.configuration(directory) if directory else {}))


def _vectors(adapted: Adapted, file: str | None) -> str | None:
    """The file of word vectors for a model that needs one. Raises `UsageError` without one."""
    if not adapted.has_vectors:
        return None
    if file is None:
        raise UsageError(
            f"model {adapted.name}: no word vectors. Fix: name a file of them, in GloVe's format, "
            "with --glue-vectors FILE"
        )
    return file


def _identity(
    request: DataRequest,
    task: Task,
    adapted: Adapted,
    directory: Path | None,
    recipe: Recipe,
    target: Target,
    vectors: str | None,
) -> dict[str, Json]:
    """Every input that decides a score, except the seed, as JSON."""
    # Names and sources are for display: the same numbers under another name are the same cell.
    settings = {
        name: value
        for name, value in dataclasses.asdict(recipe).items()
        if name not in UNSCORED and (value or name not in NAMED_IF_ON)
    }
    device = dataclasses.asdict(target)
    del device["name"]
    files = weights.fingerprint(directory, tensors=not adapted.scratch) if directory else {}
    identity = {
        "task": {name: getattr(task, name) for name in SCORED_FIELDS},
        "data": data.fingerprint(request, task),
        "adaptation": _adaptation(adapted, vectors),
        "model_files": files,
        "recipe": settings,
        "target": device,
        "numerics": numerics.parts(_facts(adapted, directory, settings, device)),
    }
    return json.loads(json.dumps(identity, default=dict))  # default: for read-only mappings


def _adaptation(adapted: Adapted, vectors: str | None) -> dict[str, Json]:
    """The parts of a model's adaptation that decide a score."""
    parts: dict[str, Json] = {"scratch": adapted.scratch}
    if adapted.model.network:
        parts["network"] = adapted.model.network
    if adapted.method:
        parts |= {"method": adapted.method.name, **adapted.method.settings}
    if vectors:
        parts["vectors"] = word_vectors.fingerprint(Path(vectors))
    return parts


def _facts(
    adapted: Adapted, directory: Path | None, recipe: JsonObject, target: JsonObject
) -> numerics.Facts:
    """The facts that decide which changes of the harness affect a run."""
    return numerics.Facts(
        network=adapted.model.network,
        method=adapted.method.name if adapted.method else None,
        device=target["device"],
        autocast=target["autocast"],
        recipe=recipe,
        config=model_files.configuration(directory) if directory else {},
    )


def recipe_for(task: Task, recipe: Recipe, epochs: int | None = None) -> Recipe:
    """A recipe for one task, with the epochs that it has for this task, or with `epochs`."""
    default = recipe.epochs_of.get(task.name, recipe.epochs)
    if epochs and epochs != default:
        return recipes.with_epochs(recipe, epochs)
    return dataclasses.replace(recipe, epochs=default, epochs_of={})


CONFIG = TypeAdapter(RunConfig)


def to_json(config: RunConfig) -> str:
    """A configuration as JSON, to be sent to a worker. File names in it may not be UTF-8."""
    # Read-only mappings are written as dicts; `from_json` checks every type.
    return json.dumps(CONFIG.dump_python(config, mode="json", fallback=dict, warnings=False))


def from_json(text: str) -> RunConfig:
    """The configuration that `to_json` wrote."""
    return CONFIG.validate_python(json.loads(text))
