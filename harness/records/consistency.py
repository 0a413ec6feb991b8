"""Whether a record's values agree with each other; a checksum cannot say that.

`codec` asks this of every record it reads, so it is cheap: a few comparisons, and no metric is
computed. `metric_check` computes the metrics again from stored predictions, and checks every epoch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from harness import metrics
from harness.catalog import tasks
from harness.catalog.sources import SOURCES
from harness.metrics import LEAST
from harness.records.schema import ROUNDING, Observed, Record, Timing
from harness.spec import Case, Task
from harness.text.values import shown

SPEED_ROUNDING = 1e-6  # relative, as `flags` has it
FACTS: Mapping[str, type] = {"dirty": bool, "commit": str}
"""Facts of the environment by which runs are chosen -> what they are, if they are known."""

Problem = tuple[str, object, str]
"""The key, what was found there, and what was expected."""

Metrics = Mapping[str, Mapping[str, float]]


def problems(record: Record) -> Iterator[Problem]:
    """Where values of a record contradict each other, or have another type than readers expect.

    Scores and metrics are compared for ok runs only: a run may have failed because they disagree.
    """
    case = record.case
    name = Case(case.task, case.model, case.target, case.seed).id
    if case.id != name:
        yield "case.id", case.id, f"{shown(name)}, as the case's other keys make it"
    if record.recipe and not (isinstance(name := record.recipe.get("name"), str) and name):
        yield "recipe.name", name, "the recipe's name"
    task = record.identity.get("task")  # other parts of an identity are only compared
    if isinstance(task, dict):
        for key in ("labels", "metrics"):
            if key in task and not _is_names(task[key]):
                yield f"identity.task.{key}", task[key], "a list of names"
    for fact, kind in FACTS.items():
        value = record.environment.get(fact)
        if value is not None and type(value) is not kind:
            yield f"environment.{fact}", value, f"a value of type {kind.__name__}"
    for split, rows in record.data.splits.items() if record.data else ():
        if rows.rows > rows.rows_in_source:
            expected = f"at most rows_in_source, {rows.rows_in_source}"
            yield f"data.splits.{split}.rows", rows.rows, expected
    if record.status == "ok":
        yield from _scores(record)
        if record.timing:
            yield from _timing(record.timing, record.observed)


def _is_names(value: object) -> bool:
    return isinstance(value, list) and {*map(type, value)} <= {str}


def _scores(record: Record) -> Iterator[Problem]:
    if record.score is None or not record.metrics:
        missing = "score" if record.score is None else "metrics"
        yield missing, getattr(record, missing), "that of a run that ended ok"
        return
    if not _is_mean(record.metrics, record.score):
        yield from _not_mean("", record.metrics, record.score)
    is_glues = SOURCES[record.source.kind].has_glue_tasks
    task = tasks.TASKS.get(record.case.task) if is_glues else None
    if task and not _has_metrics_of(task, record.metrics):
        yield "metrics", record.metrics, f"{' and '.join(task.metrics)} of {task.evaluated}"
    if record.history:
        last, place = record.history[-1], f"history.{len(record.history) - 1}"
        for key in ("score", "metrics"):
            if getattr(last, key) != getattr(record, key):
                yield key, getattr(record, key), f"that of {place}.{key}, the last epoch"


def of_epochs(record: Record) -> Iterator[Problem]:
    """The epochs whose score is not the mean of their metrics."""
    for place, epoch in enumerate(record.history):
        if not _is_mean(epoch.metrics, epoch.score):
            yield from _not_mean(f"history.{place}.", epoch.metrics, epoch.score)


def _has_metrics_of(task: Task, by_split: Metrics) -> bool:
    if len(by_split) != len(task.evaluated):
        return False
    for split in task.evaluated:
        found = by_split.get(split)
        if found is None or (tuple(found) != task.metrics and {*found} != {*task.metrics}):
            return False
    return True


def _is_mean(by_split: Metrics, score: float) -> bool:
    """Whether a score is the mean of its splits, each the mean of its metrics: `metrics.score`.

    False also where a metric may be under its least value.
    """
    total = 0.0
    for found in by_split.values():
        if not found or min(found.values()) < 0:
            return False
        total += sum(found.values()) / len(found)
    return bool(by_split) and abs(total / len(by_split) - score) <= ROUNDING


def _not_mean(place: str, by_split: Metrics, score: float) -> Iterator[Problem]:
    """What exactly is wrong with a score or its metrics, if anything is."""
    for split, found in by_split.items():
        for name, value in found.items():
            if value < LEAST.get(name, -1.0) - ROUNDING:
                yield f"{place}metrics.{split}.{name}", value, f"at least {LEAST.get(name, -1.0):g}"
        if not found:
            yield f"{place}metrics.{split}", found, "a metric"
            return
    made = metrics.score(by_split) if by_split else None
    if made is None or abs(made - score) > ROUNDING:
        yield f"{place}score", score, f"{made}, the mean of its metrics"


def _timing(timing: Timing, observed: Observed | None) -> Iterator[Problem]:
    off = timing.examples_per_s * timing.train_s - timing.examples
    if abs(off) > SPEED_ROUNDING * timing.examples:
        expected = f"timing.examples, {timing.examples}, in timing.train_s, {timing.train_s} s"
        yield "timing.examples_per_s", timing.examples_per_s, expected
    if abs(sum(timing.epoch_s) - timing.train_s) > SPEED_ROUNDING * timing.train_s:
        yield "timing.epoch_s", timing.epoch_s, f"a sum of timing.train_s, {timing.train_s}"
    if observed is None:
        return
    if timing.examples != observed.examples_planned:
        expected = f"observed.examples_planned, {observed.examples_planned}"
        yield "timing.examples", timing.examples, expected
    made = observed.updates + observed.skipped_updates
    for key, found in (("timing.steps", timing.steps), ("observed.updates", made)):
        if found != observed.steps_planned:
            yield key, found, f"observed.steps_planned, {observed.steps_planned}"
