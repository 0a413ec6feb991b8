"""Rows that two splits share: the same texts, with the same label or another."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from harness.errors import DataError
from harness.spec import Split, Task
from harness.text.values import plain

ROWS_PER_SHARED = 100
"""One row in so many may be shared in a GLUE split for which the official count is not known."""


def count(train: Split, other: Split) -> int:
    """How many rows of `other` have the texts of a training row.

    Differences in white space and in Unicode's composition of characters are ignored.
    """
    known = _texts(train)
    return sum(_normalized(texts) in known for texts in other.texts)


def _texts(split: Split) -> set[tuple[str, ...]]:
    return {_normalized(texts) for texts in split.texts}


def _normalized(texts: Sequence[str]) -> tuple[str, ...]:
    """Texts in Unicode's composed form, with one space for each stretch of white space."""
    return tuple(" ".join(unicodedata.normalize("NFC", text).split()) for text in texts)


def refuse_copy(task: Task, name: str, train: Split, other: Split) -> None:
    """Raise `DataError` where a split of a custom task holds exactly the texts of training."""
    if task.custom and _texts(train) == _texts(other):
        both = " and ".join(plain(task.custom.splits[split]) for split in ("train", name))
        raise DataError(
            f"{task.name}: {name} holds the same {len(_texts(other))} texts as train ({both}); "
            "expected rows that are not trained on. Fix: name other rows in splits of the task"
        )


def is_expected(
    task: Task, name: str, shared: int, rows: int, *, unconfirmed: bool = False
) -> bool:
    """Whether a split may share `shared` of its `rows` with the training rows without a flag.

    The official splits of CoLA and STS-B share some: `Task.shared_with_train`. A custom task may
    share none. Neither may `unconfirmed` rows, which stand in place of GLUE's and are not known to
    be GLUE's, if the official count is not known.
    """
    if task.custom or (unconfirmed and name not in task.shared_with_train):
        return shared == 0
    return shared <= task.shared_with_train.get(name, rows // ROWS_PER_SHARED)
