"""What scores must have in common to be ranked: task, metrics, labels and dev rows."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.catalog import tasks
from harness.records.cells import Cell, dev_digests
from harness.spec import JsonObject
from harness.text.escape import short

SHORT = {
    "accuracy": "acc",
    "f1": "F1",
    "matthews_correlation": "MCC",
    "pearson": "Pearson",
    "spearmanr": "Spearman",
}
HEX = 6  # hexadecimal digits that distinguish sets of as many rows
LONGEST = 30  # the most characters of labels in a column's name


@dataclass(frozen=True)
class ScoreBasis:
    """What scores must have in common to stand in one column of a board."""

    task: str
    metrics: tuple[str, ...]  # the score is their mean
    labels: tuple[str, ...] | None  # in the order of their ids; (): a number; None: not known
    dev: tuple[tuple[str, str, int], ...]  # as `cells.dev_digests` has them; (): not known

    @property
    def metrics_name(self) -> str:
        """Its metrics, abbreviated."""
        return "+".join(SHORT.get(name, name) for name in self.metrics) or "metrics unknown"

    @property
    def dev_rows(self) -> int:
        """How many rows are scored, in all dev sets together."""
        return sum(rows for _, _, rows in self.dev)

    @property
    def sha256(self) -> str:
        """A hash that identifies the dev rows."""
        return hashlib.sha256("".join(digest for _, digest, _ in self.dev).encode()).hexdigest()


def of(cell: Cell) -> ScoreBasis:
    """What a cell's score is of, as its runs recorded it.

    Where their identity does not say so: the metrics that a run has, and GLUE's labels.
    """
    said, row = _task(cell), tasks.TASKS.get(cell.task)
    metrics = said.get("metrics") or (row.metrics if row else _measured(cell))
    labels = said.get("labels", row.labels if row else None)
    dev = next((found for record in cell.records if (found := dev_digests(record))), ())
    return ScoreBasis(
        cell.task, tuple(sorted(metrics)), None if labels is None else tuple(labels), dev
    )


def assign(cells: Sequence[Cell]) -> list[ScoreBasis | None]:
    """The column of each cell; None if it cannot be told.

    A cell whose runs all failed has the column of cells that asked for the same rows, or else the
    only column with its task, metrics and labels.
    """
    found = [of(cell) for cell in cells]
    known = list(dict.fromkeys(column for column in found if column.dev))
    asked = {_asked(cell): column for cell, column in zip(cells, found, strict=True) if column.dev}

    def settled(cell: Cell, column: ScoreBasis) -> ScoreBasis | None:
        if column.dev or cell.mean is not None:
            return column
        if cell.identity:
            if same := asked.get(_asked(cell)):
                return same
            like = [c for c in known if (c.task, c.metrics, c.labels) == _kind(column)]
        else:
            like = [c for c in known if c.task == column.task]
        return like[0] if len(like) == 1 else None

    return [settled(cell, column) for cell, column in zip(cells, found, strict=True)]


def names(columns: Iterable[ScoreBasis | None]) -> dict[ScoreBasis, str]:
    """Each column's name: the task's if it has only one, else with all that distinguishes it."""
    of_task: dict[str, list[ScoreBasis]] = defaultdict(list)
    for column in filter(None, dict.fromkeys(columns)):
        of_task[column.task].append(column)
    found: dict[ScoreBasis, str] = {}
    for task, same in of_task.items():
        words = [""] if len(same) == 1 else [f" ({details})" for details in _details(same)]
        found |= {column: task + said for column, said in zip(same, words, strict=True)}
    return found


def headers(columns: Iterable[ScoreBasis | None]) -> dict[str, str]:
    """Each name of `names`, followed by its metrics unless it names them already."""
    return {
        name: f"{name} ({column.metrics_name})" if name == column.task else name
        for column, name in names(columns).items()
    }


def _details(same: Sequence[ScoreBasis]) -> list[str]:
    """What distinguishes the columns of one task, in words; what they share is left out."""
    words = [[column.metrics_name] for column in same]
    if len({column.labels for column in same}) > 1:
        for said, column in zip(words, same, strict=True):
            said.append(f"labels {_labels(column)}")
    if len({column.dev_rows for column in same}) > 1:
        for said, column in zip(words, same, strict=True):
            said.append(f"{column.dev_rows} dev rows" if column.dev else "dev rows unknown")
    alike: dict[str, list[int]] = defaultdict(list)
    for place, said in enumerate(words):
        alike[", ".join(said)].append(place)
    for places in alike.values():
        if len(places) > 1:
            for place in places:
                words[place].append(f"dev rows {same[place].sha256[:HEX]}")
    return [", ".join(said) for said in words]


def _labels(column: ScoreBasis) -> str:
    if column.labels is None:
        return "unknown"
    return short("/".join(column.labels), LONGEST) or "a number"


def _task(cell: Cell) -> JsonObject:
    said = cell.identity.get("task")
    return said if isinstance(said, Mapping) else {}


def _measured(cell: Cell) -> list[str]:
    """The metrics that some run of the cell has."""
    found = (split for record in cell.records for split in record.metrics.values())
    return sorted({name for split in found for name in split})


def _kind(column: ScoreBasis) -> tuple[str, tuple[str, ...], tuple[str, ...] | None]:
    return column.task, column.metrics, column.labels


def _asked(cell: Cell) -> str:
    """The task and the data that the cell's runs asked for, as JSON."""
    return json.dumps(
        [cell.task, cell.identity.get("task"), cell.identity.get("data")], sort_keys=True
    )
