"""Rows of one split that are rows of another too: the same texts, whatever their label."""

from __future__ import annotations

from harness.errors import DataError, plain
from harness.spec import Split, Task

UNKNOWN_SHARE = (
    100  # of a GLUE split whose own count is not known, one row in so many may be shared
)


def shared(train: Split, other: Split) -> int:
    """How many rows of `other` have the texts of a training row, character by character."""
    known = set(train.texts)
    return sum(texts in known for texts in other.texts)


def refuse_copy(task: Task, name: str, train: Split, other: Split) -> None:
    """Raise `DataError` where a user's split holds the training rows themselves, and no other."""
    if task.own and set(train.texts) == set(other.texts):
        both = " and ".join(plain(task.own.splits[split]) for split in ("train", name))
        raise DataError(
            f"{task.name}: {name} holds the same {len({*other.texts})} texts as train ({both}); "
            "expected rows that are not trained on. Mend: name other rows in splits of the task"
        )


def is_expected(task: Task, name: str, count: int, rows: int, *, others: bool = False) -> bool:
    """Whether a split may share `count` of its `rows` with the training rows without a flag.

    GLUE's own CoLA and STS-B do: `Task.shared_with_train`. Neither a user's task nor `others`, rows
    in a GLUE task's place that were found not to be GLUE's, have such an excuse where GLUE's own
    count is not known.
    """
    if task.own or (others and name not in task.shared_with_train):
        return count == 0
    return count <= task.shared_with_train.get(name, rows // UNKNOWN_SHARE)
