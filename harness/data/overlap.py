"""Rows of one split that are rows of another too: the same texts, whatever their label."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from harness.errors import DataError
from harness.spec import Split, Task
from harness.text.values import plain

UNKNOWN_SHARE = (
    100  # of a GLUE split whose own count is not known, one row in so many may be shared
)


def shared(train: Split, other: Split) -> int:
    """How many rows of `other` have the texts of a training row, but for spaces and their form."""
    known = _texts(train)
    return sum(_plain(texts) in known for texts in other.texts)


def _texts(split: Split) -> set[tuple[str, ...]]:
    return {_plain(texts) for texts in split.texts}


def _plain(texts: Sequence[str]) -> tuple[str, ...]:
    """Texts in Unicode's composed form, with one space for each stretch of white space."""
    return tuple(" ".join(unicodedata.normalize("NFC", text).split()) for text in texts)


def refuse_copy(task: Task, name: str, train: Split, other: Split) -> None:
    """Raise `DataError` where a user's split holds the training rows themselves, and no other."""
    if task.custom and _texts(train) == _texts(other):
        both = " and ".join(plain(task.custom.splits[split]) for split in ("train", name))
        raise DataError(
            f"{task.name}: {name} holds the same {len(_texts(other))} texts as train ({both}); "
            "expected rows that are not trained on. Mend: name other rows in splits of the task"
        )


def is_expected(task: Task, name: str, count: int, rows: int, *, others: bool = False) -> bool:
    """Whether a split may share `count` of its `rows` with the training rows without a flag.

    GLUE's own CoLA and STS-B do: `Task.shared_with_train`. Neither a user's task nor `others`, rows
    in a GLUE task's place that were found not to be GLUE's, have such an excuse where GLUE's own
    count is not known.
    """
    if task.custom or (others and name not in task.shared_with_train):
        return count == 0
    return count <= task.shared_with_train.get(name, rows // UNKNOWN_SHARE)
