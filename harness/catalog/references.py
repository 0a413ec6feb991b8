"""Published results on GLUE, and standard deviations between seeds: rows with their sources.

They lie in `published/`, under the names they were collected with; here they get those of the
Hugging Face Hub. Values are fractions.
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
    "acc": "accuracy", "accuracy": "accuracy", "f1": "f1", "mcc": "matthews_correlation",
    "pearson": "pearson", "spearman": "spearmanr", "acc_f1_mean": "accuracy+f1",
    "pearson_spearman_mean": "pearson+spearmanr", BOTH_HALVES: "accuracy",
    "r3_x100": "matthews_correlation",
}  # fmt: skip
OTHER_TASKS = {("bert-base-uncased (McCormick tutorial)", "cola"): "cola-ood"}
OTHER_ROWS = ("QNLI v1", "SPLIT UNVERIFIED", "split not stated", "WSC reformulation")
"""Words of a note by which a result is of other rows than its task's, or may be."""

FAILING = ("no bias correction", "Mixout")
"""Words of a setup in which many runs fail: what its seeds differ by is not a sound recipe's."""

PAPER = re.compile(r"arXiv:.*")
MEAN_OF = re.compile(r"mean of (\d+) random restarts")


@dataclass(frozen=True)
class Published:
    """One published result.

    Names joined by `+` stand for the mean of what they name.
    """

    model: str  # as its source calls it
    task: str
    split: str
    metric: str | None  # None: not comparable with any run
    value: float
    kind: str  # paper, readme or model-card
    source: str
    notes: str
    printed: Mapping[str, str] = field(repr=False)  # the line of the file

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits whose mean it is."""
        return tuple(self.split.split("+"))

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics whose mean it is; (): not comparable."""
        return tuple(self.metric.split("+")) if self.metric else ()

    @property
    def is_dev(self) -> bool:
        """Whether it is of a dev set."""
        return self.printed["split"] == DEV

    @property
    def is_possible(self) -> bool:
        """Whether an accuracy is a whole number of right answers, rounded as it was printed.

        True for every other metric. Of a mean over runs it is the answers of all of them.
        """
        if self.metric != "accuracy" or len(self.splits) > 1:
            return True
        runs = MEAN_OF.search(self.notes)
        answers = tasks.TASKS[self.task].rows[self.split] * (int(runs[1]) if runs else 1)
        off = abs(round(self.value * answers) / answers - self.value)
        return off <= 0.005 / 10**self.decimals + 1e-12

    @property
    def decimals(self) -> int:
        """How many decimals the value was printed with, times 100."""
        return max(0, -int(Decimal(self.printed["value"]).as_tuple().exponent))

    @property
    def paper(self) -> str | None:
        """The source from its arXiv id on, which names the paper and the place in it; or None."""
        found = PAPER.search(self.source)
        return found[0] if found else None


@dataclass(frozen=True)
class SeedSd:
    """Mean and standard deviation over the seeds of one setup; None: not stated."""

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
    """The names that a model is published under, each with how that model is related to it."""
    row = MODELS.get(model)
    return row.published if row else NOTHING


def of(model: str, task: str) -> list[Published]:
    """What is published of a model on a task, whatever the split and the metric."""
    names = names_of(model)
    return [row for row in published() if row.model in names and row.task == task]


def seed_sd(model: str, task: str, metric: str) -> SeedSd | None:
    """The published standard deviation between seeds of the same model, task and metric.

    Of several the first whose recipe is a sound one.
    """
    same = {model, *(name for name, how in names_of(model).items() if not how)}
    found = [
        row
        for row in seed_sds()
        if (row.task, row.metric) == (task, metric) and row.model in same and row.sd is not None
    ]
    return min(found, key=lambda row: any(words in row.setup for words in FAILING), default=None)


def select(
    task: str | None = None, model: str | None = None, split: str | None = None
) -> list[Published]:
    """The results of a task, of a model (as published, or one of ours) and of `dev` or `test`.

    Raises `UsageError` with the nearest known name.
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
            ours = [name for name, row in MODELS.items() if row.published]
            raise UsageError(unknown("published model", model, dict.fromkeys([*ours, *known])))
        rows = tuple(row for row in rows if row.model in names)
    return [row for row in rows if split in (None, row.printed["split"])]


def _lines(name: str) -> list[dict[str, str]]:
    text = resources.files("harness").joinpath("published", name).read_text("utf-8")
    return list(csv.DictReader(text.splitlines()))


def _published(line: dict[str, str]) -> Published:
    task, split = _place(line)
    known = task in tasks.TASKS and {*split.split("+")} <= {*tasks.TASKS[task].rows}
    is_own = known and not any(words in line["notes"] for words in OTHER_ROWS)
    return Published(
        line["model"], task, split,
        metric=METRICS.get(line["metric"]) if is_own else None,
        value=float(line["value"]) / 100,
        kind=line["kind"], source=line["source"], notes=line["notes"], printed=line,
    )  # fmt: skip


def _place(line: Mapping[str, str]) -> tuple[str, str]:
    """Our task and split; of MNLI without a word on which half, a split that there is not."""
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
        mean, sd,
        n=int(line["n_seeds"]) if line["n_seeds"].isdigit() else None,
        setup=line["setup"], source=line["source"],
    )  # fmt: skip
