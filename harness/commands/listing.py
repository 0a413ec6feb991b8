"""The verb `list`: what can be selected, and published results."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import typer

from harness.catalog import models, profiles, recipes, references, targets, tasks
from harness.catalog.speedups import SPEEDUPS
from harness.errors import UsageError
from harness.spec import Model, Recipe
from harness.tables.table import WIDTH
from harness.terminal import say
from harness.text.names import unknown


class Kind(StrEnum):
    """What `list` lists."""

    tasks = "tasks"
    models = "models"
    targets = "targets"
    recipes = "recipes"
    profiles = "profiles"
    speedups = "speedups"
    references = "references"


@dataclass(frozen=True)
class Listing:
    """A table of a list: its columns, each with its width or None, and its rows."""

    columns: Mapping[str, int | None]
    rows: list[list[str]]

    @classmethod
    def of(cls, *columns: str, rows: list[list[str]]) -> Listing:
        """Columns that are as wide as their entries."""
        return cls(dict.fromkeys(columns), rows)


class Split(StrEnum):
    """The splits for which results are published."""

    dev = references.DEV
    test = references.TEST


def list_(
    kind: Annotated[Kind, typer.Argument(help="what to list")],
    task: Annotated[str | None, typer.Option(help="references: of this task")] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="models: everything about this one; references: of it, as published or as listed"
        ),
    ] = None,
    split: Annotated[Split | None, typer.Option(help="references: of this split")] = None,
) -> None:
    """List what can be selected, or published results (references)."""
    from tabulate import tabulate

    if kind is Kind.models and model and not (task or split):
        for name, said in _model(model):
            line = f"{name + ':':15}{said}"
            say(textwrap.fill(line, WIDTH, subsequent_indent=" " * 15))
        return
    if kind is Kind.references:
        found = _references(task, model, split)
    else:
        options = {"--task": task, "--model": model, "--split": split}
        given = [name for name, value in options.items() if value is not None]
        if given:
            also = " and `list models`" if given[0] == "--model" else ""
            raise UsageError(
                f"list {kind}: {given[0]} fits only `glue-bench list references`{also}"
            )
        found = LISTS[kind]()
    widths = list(found.columns.values()) if found.rows else None
    say(
        tabulate(
            found.rows,
            list(found.columns),
            tablefmt="simple",
            disable_numparse=True,
            maxcolwidths=widths,
        )
    )
    if kind is Kind.references:
        say(f"\nResults: {len(found.rows)}, times 100. {BRACKETS}")
        if not (task or model or split):
            say("Fewer: --task TASK, --model MODEL, --split dev|test.")


def _tasks() -> Listing:
    rows = []
    for task in tasks.TASKS.values():
        labels = ", ".join(task.labels) or "score from 0 to 5"
        rows.append([task.name, ", ".join(task.metrics), _count(task.rows.get("train")), labels])
    return Listing.of("task", "metrics", "train rows", "labels", rows=rows)


def _models() -> Listing:
    rows = []
    for model in models.MODELS.values():
        here = "yes" if models.is_here(model) else "no"
        rows.append([model.name, model.recipe or "by family", here, _millions(model), model.note])
    return Listing.of("model", "recipe", "here", "M", "what", rows=rows)


def _model(name: str) -> Iterator[tuple[str, str]]:
    """Every fact that a model's row holds, by name. Raises `UsageError`."""
    if name not in models.MODELS:
        raise UsageError(unknown("model", name, models.MODELS))
    model = models.MODELS[name]
    made = model.architecture
    facts = {
        "model": f"{model.name}, {model.note}",
        "Hub": f"{model.hub} at {model.revision or 'its newest commit'}" if model.hub else "",
        "package": model.package,
        "here": "yes" if models.is_here(model) else f"no: {models.fetch_command(model)}",
        "recipe": model.recipe or "by family: docs/recipes.md",
        "family": made and made.family,
        "config": made and ", ".join(f"{key} {value}" for key, value in made.config.items()),
        "parameters": made and made.parameters and f"{_millions(model)} million, {made.source}",
        "pretrained on": model.read,
        "contaminated": ", ".join(sorted(model.contaminated)),
        "published as": ", ".join(model.published),
        "quirks": model.quirks,
    }
    return ((fact, str(said)) for fact, said in facts.items() if said)


def _millions(model: Model) -> str:
    """The published number of parameters, in millions."""
    found = model.architecture.parameters if model.architecture else None
    return f"{found / 1e6:.3g}" if found else "-"


def _targets() -> Listing:
    here = targets.defaults()
    rows = [
        [t.name, t.device, t.autocast or "parameters' own", "yes" if t.name in here else ""]
        for t in targets.TARGETS.values()
    ]
    return Listing.of("target", "device", "arithmetic", "by default here", rows=rows)


def _recipes() -> Listing:
    rows = [
        [r.name, f"{r.learning_rate:g}", _epochs(r), str(r.batch_size), str(r.max_length)]
        for r in recipes.RECIPES.values()
    ]
    return Listing.of("recipe", "learning rate", "epochs", "batch", "max length", rows=rows)


def _epochs(recipe: Recipe) -> str:
    own = ", ".join(f"{task} {epochs}" for task, epochs in recipe.epochs_of.items())
    return f"{recipe.epochs}" + (f" ({own})" if own else "")


def _profiles() -> Listing:
    rows = [
        [p.name, p.data, ", ".join(p.models), _seeds(p.seeds), p.note]
        for p in profiles.PROFILES.values()
    ]
    return Listing.of("profile", "data", "models", "seeds", "what", rows=rows)


def _speedups() -> Listing:
    return Listing.of("speed-up", "what", rows=[[s.name, s.what] for s in SPEEDUPS.values()])


def _seeds(seeds: tuple[int, ...]) -> str:
    last = "" if len(seeds) == 1 else f"-{seeds[-1]}"
    return f"{seeds[0]}{last}"


def _references(task: str | None, model: str | None, split: str | None) -> Listing:
    rows = []
    for row in references.select(task, model, split):
        line = row.printed
        metric = line["metric"] if row.metric else f"({line['metric']})"
        rows.append([row.model, line["task"], line["split"], metric, line["value"], row.source])
    return Listing(WIDTHS, rows)


def _count(rows: int | None) -> str:
    return "-" if rows is None else f"{rows:,}"


WIDTHS = {"model": 20, "task": 7, "split": 5, "metric": 13, "value": 7, "source": 16}
"""The columns of references, with their widths: with gaps of two, a line has 78 characters."""
BRACKETS = "A metric in brackets: comparable with no run."
LISTS: dict[Kind, Callable[[], Listing]] = {
    Kind.tasks: _tasks,
    Kind.models: _models,
    Kind.targets: _targets,
    Kind.recipes: _recipes,
    Kind.profiles: _profiles,
    Kind.speedups: _speedups,
}
