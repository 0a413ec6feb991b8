"""The files of a GLUE submission as rows, and what stands in them.

Names, order and labels are those of gluebenchmark.com's sample submission, as GLUE-baselines'
`evaluate.py` (nyu-mll) writes them. Each file has the header `index<TAB>prediction` and then a line
for every test row, in the order of the test file, counted from 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from harness.catalog import tasks
from harness.errors import DataError
from harness.records.schema import PredictionTable
from harness.spec import TEST, Task
from harness.text.values import plain, shown

HEADER = ("index", "prediction")
MEND = "Mend: run it again from GLUE's own test file"


@dataclass(frozen=True)
class SubmissionFile:
    """One file of a submission."""

    name: str
    task: str
    split: str = TEST
    words: bool = False  # its labels are the task's label names; otherwise their ids

    @property
    def row(self) -> Task:
        """The row of its task."""
        return tasks.TASKS[self.task]

    @property
    def rows(self) -> int:
        """GLUE's own number of them."""
        return self.row.rows[self.split]

    @property
    def run_of(self) -> str:
        """The task whose runs predict it."""
        return self.row.part_of or self.task

    @property
    def stored_as(self) -> str:
        """The split's name in a run's record and in its predictions."""
        return self.row.stored_as(self.split)


ENTRIES = (
    SubmissionFile("CoLA.tsv", "cola"),
    SubmissionFile("SST-2.tsv", "sst2"),
    SubmissionFile("MRPC.tsv", "mrpc"),
    SubmissionFile("STS-B.tsv", "stsb"),
    SubmissionFile("QQP.tsv", "qqp"),
    SubmissionFile("MNLI-m.tsv", "mnli", "test_matched", words=True),
    SubmissionFile("MNLI-mm.tsv", "mnli", "test_mismatched", words=True),
    SubmissionFile("QNLI.tsv", "qnli", words=True),
    SubmissionFile("RTE.tsv", "rte", words=True),
    SubmissionFile("WNLI.tsv", "wnli"),
    SubmissionFile("AX.tsv", "ax", words=True),
)


def values(entry: SubmissionFile, table: PredictionTable, run: str) -> list[int] | list[float]:
    """The predictions of a run's table for a file, in the order of the test rows.

    Raises `DataError` unless each row of GLUE's has exactly one, and it is a label of the task.
    """
    task, wanted, count = entry.row, entry.stored_as, entry.rows  # read once: QQP is long
    found: list = [None] * count
    for split, row, prediction in zip(
        table["split"], table["row"], table["prediction"], strict=True
    ):
        if split != wanted:
            continue
        if not 0 <= row < count:
            raise _wrong(entry, run, f"a prediction for row {row}")
        if found[row] is not None:
            raise _wrong(entry, run, f"row {row} twice")
        if not _is_label(task, prediction):
            raise _wrong(entry, run, f"row {row} is {shown(prediction)}")
        found[row] = prediction
    if None in found:
        missing = found.count(None)
        raise _wrong(entry, run, f"no row {found.index(None)} ({missing:,} rows are missing)")
    return found


def _is_label(task: Task, value: object) -> bool:
    if task.is_regression:
        return isinstance(value, float) and math.isfinite(value)
    return type(value) is int and 0 <= value < len(task.labels)


def _wrong(entry: SubmissionFile, run: str, found: str) -> DataError:
    task = entry.row
    label = "a finite number" if task.is_regression else f"0 to {len(task.labels) - 1}"
    return DataError(
        f"{entry.name}: the predictions of {plain(run)} have {found}; expected rows 0 to "
        f"{entry.rows - 1} of {entry.stored_as} once each, and {label} in each. {MEND}"
    )


def placeholder(entry: SubmissionFile) -> int | float:
    """What may stand in every row of a file that no run is there for.

    The most frequent label of the task's training set, or the mean of its scores; AX has MNLI's.
    """
    trained = tasks.TASKS[entry.run_of]
    if trained.is_regression:
        return trained.label_means["train"]
    counts = trained.class_counts["train"]
    return counts.index(max(counts))


def words(entry: SubmissionFile, found: Sequence[int] | Sequence[float]) -> list[str]:
    """Predictions as a submission writes them: names, ids, or a score cut to the task's range."""
    task = entry.row
    if task.label_range:
        low, high = task.label_range
        return [f"{min(max(low, value), high):.3f}" for value in found]
    names = task.labels if entry.words else [str(label) for label in range(len(task.labels))]
    return [names[int(label)] for label in found]


def content(entry: SubmissionFile, found: Sequence[int] | Sequence[float]) -> bytes:
    """The bytes of a file."""
    lines = [f"{row}\t{word}\n" for row, word in enumerate(words(entry, found))]
    return "".join(["\t".join(HEADER) + "\n", *lines]).encode()
