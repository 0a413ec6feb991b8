"""Read the rows of tasks from each kind of source: toy data, a folder, the Hub, custom rows."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from harness.catalog import tasks
from harness.data import custom, glue_folder, glue_hub, toy
from harness.errors import UsageError
from harness.hub.snapshots import Snapshot
from harness.spec import CUSTOM, NOTHING, DataRequest, SourceKind, Split, Task


@dataclass(frozen=True)
class SourceSplit:
    """A split as its source holds it, before sampling."""

    split: Split
    dropped: int = 0  # malformed rows
    # Each fact that is known of the official split -> whether it holds.
    agreement: Mapping[str, bool] = field(default_factory=lambda: NOTHING)


class Rows(Protocol):
    """A source that holds the splits of tasks."""

    @staticmethod
    def locate(request: DataRequest, task: Task) -> DataRequest:
        """`request`, with the place of its rows on this machine. Raises `DataUnavailable`."""
        ...

    @classmethod
    def of(cls, request: DataRequest) -> Rows:
        """The source for a request that `locate` returned."""
        ...

    def fingerprint(self, task: Task) -> object:
        """A value that changes whenever training or scored rows do, found without parsing them."""
        ...

    def has(self, task: Task, split: str) -> bool:
        """Whether the source has a split that a run does not need."""
        ...

    def read(self, task: Task, split: str) -> SourceSplit:
        """One split. Raises `DataError`."""
        ...


class ToyRows:
    """The generated tasks."""

    @staticmethod
    def locate(request: DataRequest, task: Task) -> DataRequest:
        if missing := toy.missing(task):
            add = f", or add it to {' and to '.join(missing)} (docs/adding.md)"
            raise UsageError(
                f"{task.name}: toy data has no rows of it. Fix: use --glue-data DIR, or "
                f"--glue-data hub{'' if task.rows_of else add}"
            )
        return request

    @classmethod
    def of(cls, request: DataRequest) -> ToyRows:
        return cls()

    def fingerprint(self, task: Task) -> object:
        return {"toy": toy.VERSION}

    def has(self, task: Task, split: str) -> bool:
        return True

    def read(self, task: Task, split: str) -> SourceSplit:
        return SourceSplit(_generate_once(task.name)[split])


@functools.cache
def _generate_once(task_name: str) -> Mapping[str, Split]:
    return toy.generate(task_name)


@dataclass(frozen=True)
class FolderRows:
    """A folder in the glue_data layout."""

    directory: Path

    @staticmethod
    def locate(request: DataRequest, task: Task) -> DataRequest:
        return request

    @classmethod
    def of(cls, request: DataRequest) -> FolderRows:
        return cls(Path(request.source))

    def fingerprint(self, task: Task) -> object:
        return glue_folder.fingerprint(self.directory, task.name, ("train", *task.evaluated))

    def has(self, task: Task, split: str) -> bool:
        return glue_folder.has(self.directory, task.name, split)

    def read(self, task: Task, split: str) -> SourceSplit:
        rows, report = glue_folder.read_split(self.directory, task.name, split)
        return SourceSplit(
            rows, report.dropped, glue_folder.agreement(task.name, split, rows, report)
        )


@dataclass(frozen=True)
class HubRows:
    """A snapshot of `nyu-mll/glue`."""

    snapshot: Path
    revision: str

    @staticmethod
    def locate(request: DataRequest, task: Task) -> DataRequest:
        return _at(request, glue_hub.locate(task))

    @classmethod
    def of(cls, request: DataRequest) -> HubRows:
        return cls(Path(str(request.snapshot)), str(request.revision))

    def fingerprint(self, task: Task) -> object:
        return {glue_hub.REPOSITORY: self.revision}

    def has(self, task: Task, split: str) -> bool:
        return glue_hub.has(self.snapshot, task.name, split)

    def read(self, task: Task, split: str) -> SourceSplit:
        rows = glue_hub.read_split(self.snapshot, task, split)
        return SourceSplit(rows, agreement=glue_hub.agreement(self.snapshot, task, split, rows))


@dataclass(frozen=True)
class CustomTaskRows:
    """The rows of a custom task: files that it names, or a data set of the Hub."""

    snapshot: Path | None  # of a data set of the Hub
    revision: str | None

    @staticmethod
    def locate(request: DataRequest, task: Task) -> DataRequest:
        return _at(request, custom.locate(task))

    @classmethod
    def of(cls, request: DataRequest) -> CustomTaskRows:
        return cls(Path(request.snapshot) if request.snapshot else None, request.revision)

    def fingerprint(self, task: Task) -> object:
        return custom.fingerprint(task, self.revision)

    def has(self, task: Task, split: str) -> bool:
        return custom.has(task, split, self.snapshot)

    def read(self, task: Task, split: str) -> SourceSplit:
        return SourceSplit(custom.read_split(task, split, self.snapshot))


ROWS: dict[SourceKind, type[Rows]] = {
    "toy": ToyRows,
    "hub": HubRows,
    "glue_data": FolderRows,
    CUSTOM: CustomTaskRows,
}


def rows_of(request: DataRequest) -> Rows:
    """The source for a request that `located` returned."""
    return ROWS[request.kind].of(request)


def stored_task(task: Task) -> Task:
    """The task under whose name the rows are stored."""
    return task if task.custom else tasks.TASKS[task.source]


def located(request: DataRequest, task: Task) -> DataRequest:
    """`request`, with the snapshot that its rows are read from where they are on the Hub.

    A custom task has its own rows, whatever was requested. Raises `DataUnavailable` where the rows
    cannot be had, and `UsageError` for a task that toy data does not have.
    """
    if task.custom:
        request = dataclasses.replace(request, source=CUSTOM)
    return ROWS[request.kind].locate(request, task)


def _at(request: DataRequest, snapshot: Snapshot | None) -> DataRequest:
    """`request`, to be read from a snapshot of the Hub."""
    if snapshot is None:
        return request
    return dataclasses.replace(
        request, snapshot=str(snapshot.directory), revision=snapshot.revision
    )
