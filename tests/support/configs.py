"""Configurations of single runs, made without a session."""

from __future__ import annotations

from dataclasses import replace

from harness.catalog import models, profiles, recipes, targets, tasks
from harness.catalog.models import Adapted
from harness.planning.options import Settings
from harness.planning.plan import Plan
from harness.planning.resolve import resolve
from harness.spec import Case, DataRequest, Recipe, RunConfig, Task

TOY_ROWS = DataRequest()


def resolved(
    case: Case,
    request: DataRequest = TOY_ROWS,
    *,
    task: Task | None = None,
    adapted: Adapted | None = None,
    recipe: str | Recipe | None = None,
    epochs: int | None = None,
    save_models: str | None = None,
    vectors: str | None = None,
    threads: int = 1,
    cpus: tuple[int, ...] | None = None,
    jobs: int = 1,
) -> RunConfig:
    """What a case is run with. `task` and `adapted` are looked up by the case unless given."""
    plan = Plan(
        profile=profiles.get(profiles.DEFAULT),
        settings=Settings(epochs=epochs, save_models=save_models, vectors=vectors),
        data=request,
        tasks={case.task: task or tasks.get(case.task)},
        models={case.model: adapted or models.get(case.model)},
        targets={case.target: targets.get(case.target)},
        seeds=(case.seed,),
        recipe=recipes.get(recipe) if isinstance(recipe, str) else recipe,
    )
    return replace(resolve(case, plan, jobs), threads=threads, cpus=cpus)
