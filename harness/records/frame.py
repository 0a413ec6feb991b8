"""Records as a tidy DataFrame: one row a run, and the same columns whatever the records hold.

Metrics are columns, `SPLIT/METRIC`, and not lines of their own: GLUE has but seven of them, and so
a run stays one line, with all that it may be grouped by. `frame.melt(value_vars=METRICS)` makes a
line of each.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from harness.catalog.tasks import TASKS
from harness.records import flags
from harness.records.schema import Record, SplitRecord
from harness.system import environment
from harness.text.values import shown

if TYPE_CHECKING:
    import pandas as pd

Reader = Callable[[Record], Any]
Found = dict[str, Sequence[Any]]  # what each record has, by the path to it; "": the records

# None of them is `object`. Times have microseconds, as records do.
TEXT, COUNT, FIGURE, TIME = "string", "Int64", "float64", "datetime64[us, UTC]"
YES, KNOWN_YES = "boolean", "bool"
KINDS: Mapping[str, tuple[type, ...]] = {
    TEXT: (str,), COUNT: (int, float), FIGURE: (int, float), TIME: (datetime,), YES: (bool,),
    KNOWN_YES: (bool,),
}  # fmt: skip
FRACTION = "fraction"
TOGETHER = 64  # records read at once: few enough to stay in the CPU's cache


@dataclass(frozen=True)
class Column:
    """A row: what a column holds. What a record lacks is <NA>, in a float64 column NaN."""

    name: str
    dtype: str
    unit: str  # "" where there is none
    meaning: str
    place: str | Reader  # the path to it, along fields and keys; or what finds it


def _has(flag: str) -> Reader:
    return lambda record: flag in record.flags


def _metrics() -> dict[str, list[str]]:
    """Each metric of a dev split, and the tasks that have it."""
    found: dict[str, list[str]] = {}
    for task in TASKS.values():
        for split in task.evaluated:
            for metric in task.metrics:
                found.setdefault(f"{split}/{metric}", []).append(task.name)
    return found


def _dev(record: Record) -> list[SplitRecord]:
    splits = record.data.splits if record.data else {}
    return [splits[name] for name in DEV if name in splits]


def _dev_rows(record: Record) -> int | None:
    return sum(split.rows for split in _dev(record)) or None


def _dev_is_own(record: Record) -> bool | None:
    return all(split.is_glues_own for split in _dev(record)) if _dev(record) else None


def _dev_sha256(record: Record) -> str | None:
    """Of one dev set its sha256; of several the sha256 of those."""
    found = [split.sha256 for split in _dev(record)]
    several = hashlib.sha256("".join(found).encode()).hexdigest()
    return several if len(found) > 1 else next(iter(found), None)


def _checked(splits: Sequence[SplitRecord]) -> str | None:
    """The weakest of what was found of the splits; None where they are not GLUE's."""
    found = [split.strongest_check for split in splits]
    order = ("sha256", "commit", "counts", None)
    return max(found, key=order.index, default=None)


def _train_checked(record: Record) -> str | None:
    train = record.data.splits.get("train") if record.data else None
    return _checked([train] if train else [])


def _metrics_of(record: Record) -> str | None:
    """The names of the metrics that the score is the mean of."""
    found = next((record.metrics[split] for split in DEV if split in record.metrics), {})
    return "+".join(sorted(found)) or None


METRICS = _metrics()
DEV = tuple(dict.fromkeys(split for task in TASKS.values() for split in task.evaluated))

COLUMNS = (
    # Which run it is.
    Column("task", TEXT, "", "a GLUE task or a custom one", "case.task"),
    Column("model", TEXT, "", "its name", "case.model"),
    Column("target", TEXT, "", "device and precision", "case.target"),
    Column("seed", COUNT, "", "initializes all random generators", "case.seed"),
    Column("case", TEXT, "", "task, model, target and seed, for reading", "case.id"),
    Column("id", TEXT, "", "unique id of this run", "id"),
    Column("created", TIME, "UTC", "when the run ended", "created"),
    Column("session", TEXT, "", "id of its session, whose journal tells more", "session"),
    Column("profile", TEXT, "", "the profile of that session", "profile"),
    Column(
        "cell_key", TEXT, "", "hash of everything that decides the score, except the seed",
        "cell_key",
    ),
    # How it ended.
    Column(
        "status", TEXT, "", "ok, diverged, failed, oom, timeout, crashed or skipped", "status"
    ),
    Column("reason", TEXT, "", "why it is not ok", "reason"),
    Column(
        "flags", TEXT, "", "its flags, separated by commas",
        lambda record: ",".join(record.flags),
    ),
    *(
        Column(f"flag_{name}", KNOWN_YES, "", flag.meaning, _has(name))
        for name, flag in flags.FLAGS.items()
        if not flag.is_of_cell
    ),
    # What it scored, after the last epoch.
    Column("score", FIGURE, FRACTION, "mean of the task's metrics", "score"),
    Column("metrics", TEXT, "", "names of those metrics, joined by +", _metrics_of),
    Column("floor", FIGURE, FRACTION, "the best constant predictor's score", "floor"),
    *(
        Column(name, FIGURE, FRACTION, f"of {', '.join(tasks)}",
               f"metrics.{name.replace('/', '.')}")
        for name, tasks in METRICS.items()
    ),
    # What it took.
    Column("train_s", FIGURE, "s", "training", "timing.train_s"),
    Column("eval_s", FIGURE, "s", "evaluation, of all epochs", "timing.eval_s"),
    Column("load_s", FIGURE, "s", "loading rows and weights", "timing.load_s"),
    Column("examples_per_s", FIGURE, "rows/s", "in training", "timing.examples_per_s"),
    Column(
        "tokens_per_s", FIGURE, "tokens/s", "in training, without padding",
        "timing.tokens_per_s",
    ),
    Column("steps", COUNT, "steps", "optimizer steps", "timing.steps"),
    Column("examples", COUNT, "rows", "trained on, over all epochs", "timing.examples"),
    Column("tokens", COUNT, "tokens", "trained on, without padding", "timing.tokens"),
    Column(
        "peak_memory_bytes", COUNT, "bytes", "peak resident memory of the run's process",
        "memory.peak_memory_bytes",
    ),
    Column(
        "floor_memory_bytes", COUNT, "bytes",
        "baseline memory: what that process held before the run", "memory.floor_memory_bytes",
    ),
    Column(
        "peak_device_memory_bytes", COUNT, "bytes", "peak memory of the accelerator",
        "memory.peak_device_memory_bytes",
    ),
    # How it was trained.
    Column("recipe", TEXT, "", "name of the hyper-parameters", "recipe.name"),
    Column("learning_rate", FIGURE, "", "its peak", "recipe.learning_rate"),
    Column("epochs", COUNT, "epochs", "of this task", "recipe.epochs"),
    Column("batch_size", COUNT, "rows", "in one optimizer step", "recipe.batch_size"),
    Column("max_length", COUNT, "tokens", "longer inputs are truncated", "recipe.max_length"),
    Column(
        "warmup", FIGURE, FRACTION, "share of the steps in which the learning rate rises",
        "recipe.warmup",
    ),
    Column("weight_decay", FIGURE, "", "AdamW's, on matrices", "recipe.weight_decay"),
    Column(
        "micro_batch", COUNT, "rows", "computed at once; fewer where memory ran out",
        "batching.micro_batch",
    ),
    Column(
        "oom_retries", COUNT, "", "fresh starts because memory ran out",
        "batching.oom_retries",
    ),
    Column("parameters", COUNT, "", "of the model, head included", "model.parameters"),
    Column(
        "trained_parameters", COUNT, "", "parameters that training may change",
        "model.trained_parameters",
    ),
    Column("saved_bytes", COUNT, "bytes", "size of those: what a task adds to a disk that has "
        "the checkpoint", "model.saved_bytes"),
    Column("device", TEXT, "", "torch's name of the target's device", "identity.target.device"),
    Column(
        "arithmetic", TEXT, "", "dtype of the matrix products, as observed",
        "observed.arithmetic",
    ),
    Column(
        "bf16_products", TEXT, "", "of a bf16 run: native, or upcast to fp32",
        "model.bf16_products",
    ),
    Column("threads", COUNT, "", "number of torch's threads", "threads"),
    # On which rows.
    Column("data", TEXT, "", "toy, hub, glue_data or own (a custom task)", "source.kind"),
    Column("data_revision", TEXT, "", "hub: the data set's commit", "source.revision"),
    Column(
        "max_train", COUNT, "rows", "limit that was asked for; missing: all rows",
        "source.max_train",
    ),
    Column("max_eval", COUNT, "rows", "likewise, for each dev split", "source.max_eval"),
    Column("train_rows", COUNT, "rows", "trained on in one epoch", "data.splits.train.rows"),
    Column("dev_rows", COUNT, "rows", "scored on, both splits of MNLI together", _dev_rows),
    Column(
        "train_is_glue", YES, "", "trained on all of GLUE's official rows",
        "data.splits.train.is_glues_own",
    ),
    Column("dev_is_glue", YES, "", "scored on all of GLUE's official rows", _dev_is_own),
    Column(
        "train_checked", TEXT, "", "how the source of the training rows was confirmed as GLUE's: "
        "sha256, commit, or counts only; missing: not confirmed", _train_checked,
    ),
    Column(
        "dev_checked", TEXT, "", "likewise for the dev rows; of MNLI's two splits the weaker",
        lambda record: _checked(_dev(record)),
    ),
    Column(
        "dev_sha256", TEXT, "", "of the dev rows as scored: only runs with the same value compare",
        _dev_sha256,
    ),
    # With what software, on which machine.
    *(
        Column(name.replace("-", "_"), TEXT, "", f"version of {name}", f"environment.{name}")
        for name in ("python", "glue-bench", *environment.PACKAGES)
    ),
    Column(
        "commit", TEXT, "", "commit of glue-bench, if run from a git checkout",
        "environment.commit",
    ),
    Column("dirty", YES, "", "that checkout had uncommitted changes", "environment.dirty"),
    Column("os", TEXT, "", "operating system", "environment.os"),
    Column("machine", TEXT, "", "architecture of the processor", "environment.machine"),
    Column("cpu", TEXT, "", "the processor's name", "environment.cpu"),
    Column("cores", COUNT, "", "logical CPUs", "environment.cores"),
    Column(
        "machine_memory_bytes", COUNT, "bytes", "memory of the machine",
        "environment.memory_bytes",
    ),
    Column("boot", TEXT, "", "the same on one machine until it restarts", "environment.boot"),
    # What lies beside it.
    Column(
        "predictions", TEXT, "", "its file in `predictions/`, one line per row", "predictions.name"
    ),
)  # fmt: skip


def of(records: Sequence[Record]) -> tuple[pd.DataFrame, list[str]]:
    """A line per record, in their order, under `COLUMNS`; and what they hold that no column shows.

    That is a value that does not fit its column's dtype, which is missing in the frame, and a
    metric that has no column.
    """
    import pandas as pd

    held: list[list[Any]] = [[] for _ in COLUMNS]
    for start in range(0, len(records), TOGETHER):
        found: Found = {"": records[start : start + TOGETHER]}
        for column, values in zip(COLUMNS, held, strict=True):
            values += _along(column.place, found)
    columns, complaints = {}, []
    for column, values in zip(COLUMNS, held, strict=True):
        for row in _misfits(values, column.dtype):
            complaints.append(
                f"run {records[row].id}: {column.name} is {shown(values[row])}; expected "
                f"{column.dtype}: missing in the frame"
            )
            values[row] = None
        columns[column.name] = pd.Series(values, dtype=column.dtype)
    return pd.DataFrame(columns), complaints + _without_column(records)


def _along(place: str | Reader, found: Found) -> Sequence[Any]:
    """What every record has there, None where it goes no further."""
    if not isinstance(place, str):
        return [place(record) for record in found[""]]
    if place not in found:
        before, _, step = place.rpartition(".")
        found[place] = [
            value.get(step) if isinstance(value, dict) else getattr(value, step, None)
            for value in _along(before, found)
        ]
    return found[place]


def _misfits(values: Sequence[Any], dtype: str) -> list[int]:
    """The rows whose values pandas cannot hold as `dtype`."""
    if _fit(values, dtype):
        return []
    return [
        row
        for row, value in enumerate(values)
        if not _fit([value], dtype) or (value is not None and _is_other(value, dtype))
    ]


def _is_other(value: Any, dtype: str) -> bool:
    """Whether pandas takes a value by itself, but not beside others of `dtype`."""
    is_yes = dtype in (YES, KNOWN_YES)
    return not isinstance(value, KINDS[dtype]) or isinstance(value, bool) != is_yes


def _fit(values: Sequence[Any], dtype: str) -> bool:
    import pandas as pd

    try:
        pd.Series(values, dtype=dtype)
    except (TypeError, ValueError, OverflowError):
        return False
    return True


def _without_column(records: Sequence[Record]) -> list[str]:
    unknown = Counter(
        name
        for record in records
        for split, metrics in record.metrics.items()
        for metric in metrics
        if (name := f"{split}/{metric}") not in METRICS
    )
    return [
        f"metric {shown(name)} of {runs} run(s) has no column: not in the frame"
        for name, runs in unknown.items()
    ]
