"""The files of a GLUE submission as rows, and their content.

Names, order and labels are those of gluebenchmark.com's sample submission, as `evaluate.py` of
GLUE-baselines (nyu-mll) writes them. Each file has the header `index<TAB>prediction` and one line
per test row, in the order of the test file, counted from 0.
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
FIX = "Fix: run it again from GLUE's own test file"


@dataclass(frozen=True)
class SubmissionFile:
    """One file of a submission."""

    name: str
    task: str
    split: str = TEST
    words: bool = False  # labels are written as names; otherwise as ids

    @property
    def task_row(self) -> Task:
        """Its task."""
        return tasks.TASKS[self.task]

    @property
    def rows(self) -> int:
        """The number of its rows: that of GLUE's test set."""
        return self.task_row.rows[self.split]

    @property
    def run_of(self) -> str:
        """The task whose runs predict it."""
        return self.task_row.part_of or self.task

    @property
    def stored_as(self) -> str:
        """The split's name in a run's record and in its predictions."""
        return self.task_row.stored_as(self.split)


SUBMISSION_FILES = (
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


def values(file: SubmissionFile, table: PredictionTable, run: str) -> list[int] | list[float]:
    """The predictions of a run's table for a file, in the order of the test rows.

    `run` is the id of the run's case, for messages. Raises `DataError` unless each of GLUE's rows
    has exactly one prediction, and each is a label of the task.
    """
    task, split, count = file.task_row, file.stored_as, file.rows  # looked up once: QQP is long
    by_row: list = [None] * count
    for row_split, row, prediction in zip(
        table["split"], table["row"], table["prediction"], strict=True
    ):
        if row_split != split:
            continue
        if not 0 <= row < count:
            raise _wrong(file, run, f"a prediction for row {row}")
        if by_row[row] is not None:
            raise _wrong(file, run, f"row {row} twice")
        if not _is_label(task, prediction):
            raise _wrong(file, run, f"row {row} is {shown(prediction)}")
        by_row[row] = prediction
    if None in by_row:
        missing = by_row.count(None)
        raise _wrong(file, run, f"no row {by_row.index(None)} ({missing:,} rows are missing)")
    return by_row


def _is_label(task: Task, value: object) -> bool:
    if task.is_regression:
        return isinstance(value, float) and math.isfinite(value)
    return type(value) is int and 0 <= value < len(task.labels)


def _wrong(file: SubmissionFile, run: str, problem: str) -> DataError:
    task = file.task_row
    label = "a finite number" if task.is_regression else f"0 to {len(task.labels) - 1}"
    return DataError(
        f"{file.name}: the predictions of {plain(run)} have {problem}; expected rows 0 to "
        f"{file.rows - 1} of {file.stored_as} once each, and {label} in each. {FIX}"
    )


def placeholder(file: SubmissionFile) -> int | float:
    """The value for every row of a file that no run predicts.

    It is the most frequent label of the task's training set, or the mean of its scores. AX gets
    MNLI's.
    """
    trained = tasks.TASKS[file.run_of]
    if trained.is_regression:
        return trained.label_means["train"]
    counts = trained.class_counts["train"]
    return counts.index(max(counts))


def words(file: SubmissionFile, predictions: Sequence[int] | Sequence[float]) -> list[str]:
    """Predictions as a submission writes them: names, ids, or scores cut to the task's range."""
    task = file.task_row
    if task.label_range:
        low, high = task.label_range
        return [f"{min(max(low, value), high):.3f}" for value in predictions]
    names = task.labels if file.words else [str(label) for label in range(len(task.labels))]
    return [names[int(label)] for label in predictions]


def content(file: SubmissionFile, predictions: Sequence[int] | Sequence[float]) -> bytes:
    """The bytes of a file."""
    lines = [f"{row}\t{word}\n" for row, word in enumerate(words(file, predictions))]
    return "".join(["\t".join(HEADER) + "\n", *lines]).encode()
