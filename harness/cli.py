"""The command `glue-bench`: lists, reports and a doctor. Thin: no logic of its own."""

from __future__ import annotations

import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from harness import models, profiles, recipes, targets, tasks
from harness.errors import GlueBenchError, StorageError, UsageError
from harness.spec import Recipe

USAGE, STORAGE, NOTHING = 2, 5, 4

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Fine-tune and evaluate models on GLUE, and compare what came of it. "
    "Runs are started by pytest: `pytest benchmarks -k sst2`.",
)


class Kind(StrEnum):
    """What `list` lists."""

    tasks = "tasks"
    models = "models"
    targets = "targets"
    recipes = "recipes"
    profiles = "profiles"


class Format(StrEnum):
    """What `report` writes."""

    markdown = "markdown"
    csv = "csv"


@app.command("list")
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


@app.command()
def report(
    results: Annotated[Path, typer.Argument(help="a results folder")] = Path("results/local"),
    form: Annotated[Format, typer.Option("--format", help="what to write")] = Format.markdown,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="a file; default: the terminal")
    ] = None,
) -> None:
    """Tabulate every run of a results folder. Needs no torch."""
    from harness import tables
    from harness.store import Store

    if not results.is_dir():
        raise UsageError(f"{results}: no such folder. Mend: run `pytest benchmarks` first")
    records = Store(results).load()
    if not records:
        typer.echo(f"{results}: holds no run; expected runs/*.json", err=True)
        raise typer.Exit(NOTHING)
    text = tables.csv(records) if form is Format.csv else tables.report(records)
    if output is None:
        typer.echo(text, nl=False)
    else:
        try:
            output.write_text(text, "utf-8")
        except OSError as error:
            raise StorageError(f"{output}: could not write: {error.strerror}") from error
        typer.echo(f"{output}: runs: {len(records)}", err=True)


@app.command()
def doctor() -> None:
    """Say what this machine can run, what is missing, and the command that adds it."""
    from harness.doctor import examine

    for finding in examine():
        typer.echo(f"{'ok     ' if finding.ok else 'missing'}  {finding.what}")
        if finding.mend:
            typer.echo(f"           -> {finding.mend}")


@app.command()
def fetch(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="tasks, and models or Hub ids (default: every task of GLUE)"),
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="fetch files that are here too, should they be damaged")
    ] = False,
) -> None:
    """Bring tasks and models from the Hugging Face Hub here, for `--glue-data hub` and offline."""
    from harness.fetch import fetch as fetch_each
    from harness.hub import Snapshot

    absent = 0
    for fetched in fetch_each(names or [], again=again):
        if isinstance(fetched.found, Snapshot):
            typer.echo(f"{fetched.name}: here, revision {fetched.found.revision}")
        else:
            absent += 1
            typer.echo(f"{fetched.name}: not fetched: {fetched.found.found}", err=True)
    if absent:
        raise typer.Exit(USAGE)


@app.command()
def predict(
    model: Annotated[str, typer.Argument(help="the folder of a fine-tuned model, or a Hub id")],
    text: Annotated[str, typer.Argument(help="the first text")],
    text2: Annotated[str | None, typer.Argument(help="the second text, for a pair task")] = None,
) -> None:
    """Say what a fine-tuned model makes of a text, or of a pair of texts."""
    from harness import checkpoints

    tuned = checkpoints.load(models.directory(models.get(model).model))
    answer = tuned.answer(*([text] if text2 is None else [text, text2]))
    if answer.score is not None:
        typer.echo(f"score  {answer.score:.3f}")
    for name, share in sorted(answer.shares.items(), key=lambda item: -item[1]):
        typer.echo(f"{share:.4f}  {name}")


def main() -> None:
    """The entry point: an error of ours is one line and the documented exit code."""
    try:
        app()
    except GlueBenchError as error:
        typer.echo(f"glue-bench: {error}", err=True)
        sys.exit(STORAGE if isinstance(error, StorageError) else USAGE)
