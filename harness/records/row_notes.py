"""Notes on the rows of runs: rows that are in two splits, labels without training rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from harness.records.schema import Record
from harness.text.values import shown

MOST_SHOWN = 8  # labels that a line names


def of(records: Iterable[Record]) -> list[str]:
    """A line for each finding behind the flags `train_overlap` and `missing_labels`."""
    return list(dict.fromkeys(note for record in records for note in _notes(record)))


def _notes(record: Record) -> Iterator[str]:
    task, splits = record.case.task, record.data.splits if record.data else {}
    for name, split in splits.items():
        if "train_overlap" in record.flags and split.shared_with_train and name in record.metrics:
            yield (
                f"{task}: {split.shared_with_train} of {split.rows} rows of {name} are training "
                "rows too (the same texts)"
            )
        if "missing_labels" in record.flags and split.missing_labels:
            some = ", ".join(map(shown, split.missing_labels[:MOST_SHOWN]))
            more = len(split.missing_labels) - MOST_SHOWN
            yield (
                f"{task}: {_labels(len(split.missing_labels))} without one of the {split.rows} "
                f"training rows: {some}" + (f" and {more} more" if more > 0 else "")
            )


def _labels(count: int) -> str:
    return "1 label" if count == 1 else f"{count} labels"
