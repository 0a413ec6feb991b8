"""What can be selected."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Annotated

import typer

from harness import models, profiles, recipes, targets, tasks
from harness.spec import Recipe


class Kind(StrEnum):
    """What `list` lists."""

    tasks = "tasks"
    models = "models"
    targets = "targets"
    recipes = "recipes"
    profiles = "profiles"


def list_(kind: Annotated[Kind, typer.Argument(help="what to list")]) -> None:
    """List the tasks, models, targets, recipes or profiles that can be selected."""
    header, rows = LISTS[kind]()
    from tabulate import tabulate

    typer.echo(tabulate(rows, header, tablefmt="simple", disable_numparse=True))


def _tasks() -> tuple[list[str], list[list[str]]]:
    rows = []
    for task in tasks.TASKS.values():
        labels = ", ".join(task.labels) or "score from 0 to 5"
        rows.append([task.name, ", ".join(task.metrics), _count(task.rows.get("train")), labels])
    return ["task", "metrics", "train rows", "labels"], rows


def _models() -> tuple[list[str], list[list[str]]]:
    rows = [
        [m.name, m.recipe or "by family", "yes" if models.is_here(m) else "no", m.note]
        for m in models.MODELS.values()
    ]
    return ["model", "recipe", "here", "what"], rows


def _targets() -> tuple[list[str], list[list[str]]]:
    here = targets.present()
    rows = [
        [t.name, t.device, t.autocast or "parameters' own", "yes" if t.name in here else ""]
        for t in targets.TARGETS.values()
    ]
    return ["target", "device", "arithmetic", "by default here"], rows


def _recipes() -> tuple[list[str], list[list[str]]]:
    rows = [
        [r.name, f"{r.learning_rate:g}", _epochs(r), str(r.batch_size), str(r.max_length)]
        for r in recipes.RECIPES.values()
    ]
    return ["recipe", "learning rate", "epochs", "batch", "max length"], rows


def _epochs(recipe: Recipe) -> str:
    own = ", ".join(f"{task} {epochs}" for task, epochs in recipe.epochs_of.items())
    return f"{recipe.epochs}" + (f" ({own})" if own else "")


def _profiles() -> tuple[list[str], list[list[str]]]:
    rows = [
        [p.name, p.data, ", ".join(p.models), _seeds(p.seeds), p.note]
        for p in profiles.PROFILES.values()
    ]
    return ["profile", "data", "models", "seeds", "what"], rows


def _seeds(seeds: tuple[int, ...]) -> str:
    last = "" if len(seeds) == 1 else f"-{seeds[-1]}"
    return f"{seeds[0]}{last}"


def _count(rows: int | None) -> str:
    return "-" if rows is None else f"{rows:,}"


LISTS: dict[Kind, Callable[[], tuple[list[str], list[list[str]]]]] = {
    Kind.tasks: _tasks,
    Kind.models: _models,
    Kind.targets: _targets,
    Kind.recipes: _recipes,
    Kind.profiles: _profiles,
}
