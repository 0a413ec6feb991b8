"""Published results on GLUE, and standard deviations between seeds: rows with their sources.

The files in `published/` keep the names of tasks and metrics that they were collected with. Here
the names are those of the Hugging Face Hub, and values are fractions.
"""

from __future__ import annotations

import csv
import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from importlib import resources

from harness.catalog import tasks
from harness.catalog.models import MODELS
from harness.errors import UsageError
from harness.spec import NOTHING
from harness.text.names import unknown

DEV, TEST = "dev", "test"
SPLITS = {DEV: "validation", TEST: "test"}
HALVES = {"mnli_m": "matched", "mnli_mm": "mismatched"}
BOTH_HALVES = "acc_mean_m_mm"
METRICS = {
    "acc": "accuracy",
    "accuracy": "accuracy",
    "f1": "f1",
    "mcc": "matthews_correlation",
    "pearson": "pearson",
    "spearman": "spearmanr",
    "acc_f1_mean": "accuracy+f1",
    "pearson_spearman_mean": "pearson+spearmanr",
    BOTH_HALVES: "accuracy",
    "r3_x100": "matthews_correlation",
}
OTHER_TASKS = {("bert-base-uncased (McCormick tutorial)", "cola"): "cola-ood"}
OTHER_ROWS = ("QNLI v1", "SPLIT UNVERIFIED", "split not stated", "WSC reformulation")
"""Words of a note that say that a result is, or may be, of other rows than its task's."""

FAILING = ("no bias correction", "Mixout")
"""Words of a setup in which many runs fail, so that its seeds differ more than usual."""

PAPER = re.compile(r"arXiv:.*")
MEAN_OF = re.compile(r"mean of (\d+) random restarts")


@dataclass(frozen=True)
class Published:
    """One published result.

    Splits or metrics that are joined by `+` stand for their mean.
    """

    model: str  # the name in its source
    task: str
    split: str
    metric: str | None  # None: it cannot be compared with any run
    value: float
    kind: str  # paper, readme or model-card
    source: str
    notes: str
    printed: Mapping[str, str] = field(repr=False)  # the line of the file

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that it is the mean of."""
        return tuple(self.split.split("+"))

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics that it is the mean of; (): it cannot be compared."""
        return tuple(self.metric.split("+")) if self.metric else ()

    @property
    def is_dev(self) -> bool:
        """Whether it was measured on a dev set."""
        return self.printed["split"] == DEV

    @property
    def is_possible(self) -> bool:
        """Whether some whole number of right answers gives the accuracy, rounded as printed.

        It is True for every other metric. For a mean over runs, the answers of all runs count.
        """
        if self.metric != "accuracy" or len(self.splits) > 1:
            return True
        runs = MEAN_OF.search(self.notes)
        answers = tasks.TASKS[self.task].rows[self.split] * (int(runs[1]) if runs else 1)
        distance = abs(round(self.value * answers) / answers - self.value)
        return distance <= 0.005 / 10**self.decimals + 1e-12

    @property
    def decimals(self) -> int:
        """How many decimals the value was printed with, times 100."""
        return max(0, -int(Decimal(self.printed["value"]).as_tuple().exponent))

    @property
    def paper(self) -> str | None:
        """The source from its arXiv id on, which names the paper and the place in it; or None."""
        match = PAPER.search(self.source)
        return match[0] if match else None


@dataclass(frozen=True)
class SeedSd:
    """The mean and standard deviation between the seeds of one setup; None: not stated."""

    model: str
    task: str
    metric: str | None
    mean: float | None
    sd: float | None
    n: int | None
    setup: str
    source: str


@functools.cache
def published() -> tuple[Published, ...]:
    """Every published result, in the order of the file."""
    return tuple(map(_published, _lines("results.csv")))


@functools.cache
def seed_sds() -> tuple[SeedSd, ...]:
    """Every standard deviation between seeds, in the order of the file."""
    return tuple(map(_seed_sd, _lines("seed_sd.csv")))


def names_of(model: str) -> Mapping[str, str]:
    """The names of a model in published results -> how the named model differs from it.

    The text is empty where it does not differ.
    """
    row = MODELS.get(model)
    return row.published if row else NOTHING


def of(model: str, task: str) -> list[Published]:
    """All published results of a model on a task, for every split and metric."""
    names = names_of(model)
    return [row for row in published() if row.model in names and row.task == task]


def seed_sd(model: str, task: str, metric: str) -> SeedSd | None:
    """The published standard deviation between seeds of the same model, task and metric.

    If there are several, it is the first of a setup in which runs do not often fail.
    """
    same = {model, *(name for name, difference in names_of(model).items() if not difference)}
    rows = [
        row
        for row in seed_sds()
        if (row.task, row.metric) == (task, metric) and row.model in same and row.sd is not None
    ]
    return min(rows, key=lambda row: any(words in row.setup for words in FAILING), default=None)


def select(
    task: str | None = None, model: str | None = None, split: str | None = None
) -> list[Published]:
    """The published results of a task, a model and a split (`dev` or `test`); None: of all.

    `model` is a name in published results or the name of a row of `MODELS`. Raises `UsageError`
    with the nearest known name.
    """
    rows = published()
    if task is not None:
        key = tasks.ALIASES.get(task.strip().lower(), task.strip().lower())
        if key not in (known := {row.task: None for row in rows}):
            raise UsageError(unknown("task", task, known))
        rows = tuple(row for row in rows if row.task == key)
    if model is not None:
        names = names_of(model) or {model}
        known = {row.model: None for row in published()}
        if not any(name in known for name in names):
            listed = [name for name, row in MODELS.items() if row.published]
            raise UsageError(unknown("published model", model, dict.fromkeys([*listed, *known])))
        rows = tuple(row for row in rows if row.model in names)
    return [row for row in rows if split in (None, row.printed["split"])]


def _lines(name: str) -> list[dict[str, str]]:
    text = resources.files("harness").joinpath("published", name).read_text("utf-8")
    return list(csv.DictReader(text.splitlines()))


def _published(line: dict[str, str]) -> Published:
    task, split = _task_and_split(line)
    known = task in tasks.TASKS and {*split.split("+")} <= {*tasks.TASKS[task].rows}
    is_comparable = known and not any(words in line["notes"] for words in OTHER_ROWS)
    return Published(
        line["model"],
        task,
        split,
        metric=METRICS.get(line["metric"]) if is_comparable else None,
        value=float(line["value"]) / 100,
        kind=line["kind"],
        source=line["source"],
        notes=line["notes"],
        printed=line,
    )


def _task_and_split(line: Mapping[str, str]) -> tuple[str, str]:
    """The task and split of a line, by their names here.

    Where a line does not say which half of MNLI it is, the split is one that MNLI does not have.
    """
    task, split = line["task"], SPLITS[line["split"]]
    if task in HALVES:
        return "mnli", f"{split}_{HALVES[task]}"
    if line["metric"] == BOTH_HALVES:
        return task, "+".join(f"{split}_{half}" for half in HALVES.values())
    return OTHER_TASKS.get((line["model"], task), task), split


def _seed_sd(line: dict[str, str]) -> SeedSd:
    mean, sd = (float(line[name]) / 100 if line[name] else None for name in ("mean", "std"))
    return SeedSd(
        line["model"],
        "mnli" if line["task"] in HALVES else line["task"],
        METRICS.get(line["metric"]),
        mean,
        sd,
        n=int(line["n_seeds"]) if line["n_seeds"].isdigit() else None,
        setup=line["setup"],
        source=line["source"],
    )
