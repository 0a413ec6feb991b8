"""From a case to everything its run needs, resolved once; and that to JSON and back."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from harness.catalog import models, numerics, recipes, targets, tasks, weights
from harness.catalog.adaptations import check_installed
from harness.catalog.models import Adapted
from harness.data import load as data
from harness.data import word_vectors
from harness.errors import (
    DataError,
    UsageError,
)
from harness.files import paths
from harness.planning import plan
from harness.planning.options import source
from harness.planning.plan import Plan
from harness.records import limits
from harness.records.identity import UNSCORED, key_of
from harness.records.schema import (
    Record,
)
from harness.spec import HUB, OWN, TOY, Case, DataRequest, Recipe, RunConfig, Task
from harness.system import environment
from harness.text.values import shown_path

DECIDES = (
    "name", "text_columns", "labels", "metrics", "evaluated", "label_range", "rows_of", "only",
)  # fmt: skip
"""The fields of a task that decide a score; the others are for reading or for checking files."""


def resolve(
    case: Case,
    request: DataRequest,
    *,
    task: Task | None = None,
    adapted: Adapted | None = None,
    recipe: str | Recipe | None = None,
    epochs: int | None = None,
    save_models: str | None = None,
    vectors: str | None = None,
    threads: int,
    cpus: tuple[int, ...] | None = None,
    jobs: int = 1,
) -> RunConfig:
    """The configuration of a case, with the hash of every input that decides its score.

    Reads and hashes files, fetches what the Hub has and this machine lacks, but runs nothing.
    `task` is a user's own. `adapted` is the model that the case names, looked up by that name
    unless it is given; `recipe` and `epochs` replace the model's own, a whole `Recipe` is taken as
    it is; `vectors` is the file that `+vectors` means. Raises `GlueBenchError`.
    """
    own, task = task, task or tasks.get(case.task)
    adapted = adapted or models.get(case.model)
    for adaptation in adapted.adaptations:
        check_installed(adaptation)
    directory = None if adapted.model.network else models.directory(adapted.model)
    request = data.located(request, task)
    if isinstance(recipe, Recipe):
        chosen = dataclasses.replace(recipe, epochs_of={})
    else:
        family = recipes.default(weights.configuration(directory)) if directory else None
        chosen = recipe_for(task, recipe or adapted.recipe or str(family), epochs)
    if not adapted.has_vectors:
        vectors = None
    elif vectors is None:
        raise UsageError(
            f"model {adapted.name}: no word vectors. Mend: name a file of them, in GloVe's format, "
            "with --glue-vectors FILE"
        )
    target = dataclasses.asdict(targets.get(case.target))
    settings = dataclasses.asdict(chosen)
    # Names and sources are for reading: the same numbers under another name are the same cell.
    del target["name"]
    settings = {name: value for name, value in settings.items() if name not in UNSCORED}
    identity = json.loads(
        json.dumps(
            {
                "task": {name: getattr(task, name) for name in DECIDES},
                "data": data.fingerprint(request, task),
                "adaptation": _adaptation(adapted, vectors),
                "model_files": weights.fingerprint(directory, tensors=not adapted.scratch)
                if directory
                else {},
                "recipe": settings,
                "target": target,
                "numerics": numerics.parts(_facts(adapted, directory, settings, target)),
            },
            default=dict,  # a read-only mapping
        )
    )
    return RunConfig(
        case=case,
        recipe=chosen,
        data=request,
        model_directory=str(directory) if directory else None,
        identity=identity,
        cell_key=key_of(identity),
        threads=threads,
        cpus=cpus,
        jobs=jobs,
        scratch=adapted.scratch,
        network=adapted.model.network,
        method=adapted.method.name if adapted.method else None,
        vectors=vectors,
        task=own,
        contaminated=not adapted.scratch
        and request.source not in (TOY, OWN)
        and task.source in models.contaminated(adapted.model, identity["model_files"]),
        warm_start=None if adapted.scratch or not directory else weights.warm_start(directory),
        save_to=save_models,
    )


def _adaptation(adapted: Adapted, vectors: str | None) -> dict[str, Any]:
    """What of a model's adaptation decides a score."""
    found: dict[str, Any] = {"scratch": adapted.scratch}
    if adapted.model.network:
        found["network"] = adapted.model.network
    if adapted.method:
        found |= {"method": adapted.method.name, **adapted.method.settings}
    if vectors:
        found["vectors"] = word_vectors.fingerprint(Path(vectors))
    return found


def _facts(
    adapted: Adapted, directory: Path | None, recipe: Mapping[str, Any], target: Mapping[str, Any]
) -> numerics.Facts:
    """What says which changes of the harness touch a run."""
    return numerics.Facts(
        network=adapted.model.network,
        method=adapted.method.name if adapted.method else None,
        device=target["device"],
        autocast=target["autocast"],
        recipe=recipe,
        config=weights.configuration(directory) if directory else {},
    )


def recipe_for(task: Task, name: str, epochs: int | None = None) -> Recipe:
    """A recipe as it is for one task: with that task's own epochs, or `epochs`."""
    row = recipes.get(name)
    own = row.epochs_of.get(task.name, row.epochs)
    if epochs and epochs != own:
        row = dataclasses.replace(row, name=f"{name}-{epochs}ep")
    return dataclasses.replace(row, epochs=epochs or own, epochs_of={})


CONFIG = TypeAdapter(RunConfig)


def to_json(config: RunConfig) -> str:
    """A configuration as it travels to a worker; the name of a file in it may be no UTF-8."""
    return json.dumps(CONFIG.dump_python(config, mode="json"))


def from_json(text: str) -> RunConfig:
    """The configuration that `to_json` wrote."""
    return CONFIG.validate_python(json.loads(text))


def source_of(record: Record, data: str | None) -> str:
    """Where a run's rows are read from: what `--data` said, or else what the record says.

    Raises `UsageError` where that says nothing, since records hold no folders.
    """
    if record.source.kind == OWN:
        raise UsageError(
            f"{record.case.id}: a task of your own, and records hold none. Mend: run it again with "
            "`pytest benchmarks --glue-task-file FILE`"
        )
    if data is not None:
        return plan.checked_source(source(data, Path.cwd()), "--data")
    if record.source.kind in (TOY, HUB):
        return record.source.kind
    raise UsageError(
        f"{record.case.id}: its rows came from a folder, and records hold no folders. Mend: say "
        "--data DIR, the folder that it was run on"
    )


def configuration(case: Case, plan: Plan, jobs: int = 1) -> RunConfig:
    """What a case of a plan is run with, one of `jobs` at a time. Raises `GlueBenchError`."""
    try:
        config = resolve(
            case,
            plan.data,
            task=plan.own_tasks.get(case.task),
            adapted=plan.models[case.model],
            recipe=plan.recipe,
            epochs=plan.epochs,
            save_models=plan.save_models,
            vectors=plan.vectors,
            threads=max(1, len(environment.usable_cpus()) // jobs),
            jobs=jobs,
        )
        limits.check_identity(case.id, config.identity)
        return config
    except OSError as error:  # of a file that a library opens, such as one of the Hub's cache
        where = shown_path(Path(str(error.filename))) if error.filename else case.id
        raise DataError(f"{where}: cannot be read: {paths.reason(error)}") from error
