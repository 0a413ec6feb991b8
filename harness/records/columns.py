"""The columns of the DataFrame of runs: name, dtype, unit, meaning, and how each is filled."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.catalog.tasks import TASKS
from harness.records import flags
from harness.records.schema import Record, SplitRecord
from harness.system import environment

# No column is of dtype `object`. Times have microseconds, as records do.
TEXT, COUNT, FIGURE, TIME = "string", "Int64", "float64", "datetime64[us, UTC]"
YES, KNOWN_YES = "boolean", "bool"

Reader = Callable[[Record], object]


@dataclass(frozen=True)
class Column:
    """One column. What a record lacks is <NA> in it, in a float64 column NaN."""

    name: str
    dtype: str
    unit: str  # "" where there is none
    meaning: str
    place: str | Reader  # the path to the value in a record, or the function that finds it


def _text(name: str, meaning: str, place: str | Reader) -> Column:
    return Column(name, TEXT, "", meaning, place)


def _count(name: str, unit: str, meaning: str, place: str | Reader) -> Column:
    return Column(name, COUNT, unit, meaning, place)


def _figure(name: str, unit: str, meaning: str, place: str) -> Column:
    return Column(name, FIGURE, unit, meaning, place)


def _fraction(name: str, meaning: str, place: str) -> Column:
    return Column(name, FIGURE, "fraction", meaning, place)


def _yes(name: str, meaning: str, place: str | Reader) -> Column:
    return Column(name, YES, "", meaning, place)


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


def _speedups(record: Record) -> str | None:
    if record.model is None or not record.model.speedups:
        return None
    return "+".join(name for name, how in record.model.speedups.items() if how == "used")


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
    _text("task", "a GLUE task or a custom one", "case.task"),
    _text("model", "its name", "case.model"),
    _text("target", "device and precision", "case.target"),
    _count("seed", "", "initializes all random generators", "case.seed"),
    _text("case", "task, model, target and seed, for reading", "case.id"),
    _text("id", "unique id of this run", "id"),
    Column("created", TIME, "UTC", "when the run ended", "created"),
    _text("session", "id of its session, whose journal tells more", "session"),
    _text("profile", "the profile of that session", "profile"),
    _text("cell_key", "hash of everything that decides the score, except the seed", "cell_key"),
    # How it ended.
    _text("status", "ok, diverged, failed, oom, timeout, crashed or skipped", "status"),
    _text("reason", "why it is not ok", "reason"),
    _text("flags", "its flags, separated by commas", lambda record: ",".join(record.flags)),
    *(
        Column(f"flag_{name}", KNOWN_YES, "", flag.meaning, _has(name))
        for name, flag in flags.FLAGS.items()
        if not flag.is_of_cell
    ),
    # What it scored, after the last epoch.
    _fraction("score", "mean of the task's metrics", "score"),
    _text("metrics", "names of those metrics, joined by +", _metrics_of),
    _fraction("floor", "the best constant predictor's score", "floor"),
    *(
        _fraction(name, f"of {', '.join(tasks)}", f"metrics.{name.replace('/', '.')}")
        for name, tasks in METRICS.items()
    ),
    # What it took.
    _figure("train_s", "s", "training", "timing.train_s"),
    _figure("eval_s", "s", "evaluation, of all epochs", "timing.eval_s"),
    _figure("load_s", "s", "loading rows and weights", "timing.load_s"),
    _figure("examples_per_s", "rows/s", "in training", "timing.examples_per_s"),
    _figure("tokens_per_s", "tokens/s", "in training, without padding", "timing.tokens_per_s"),
    _figure("step_s", "s", "median of the training steps", "timing.step_s"),
    _figure("cpu_s", "s", "CPU time of training, user and system, all threads", "timing.cpu_s"),
    _fraction(
        "steal_share",
        "share of the machine's CPU time in training that its hypervisor gave to others",
        "timing.steal_share",
    ),
    _count(
        "instructions",
        "",
        "of training outside the kernel, where the processor's counters can be read",
        "timing.instructions",
    ),
    _count("steps", "steps", "optimizer steps", "timing.steps"),
    _count("examples", "rows", "trained on, over all epochs", "timing.examples"),
    _count("tokens", "tokens", "trained on, without padding", "timing.tokens"),
    _count(
        "peak_memory_bytes",
        "bytes",
        "peak resident memory of the run's process",
        "memory.peak_memory_bytes",
    ),
    _count(
        "floor_memory_bytes",
        "bytes",
        "baseline memory: what that process held before the run",
        "memory.floor_memory_bytes",
    ),
    _count(
        "peak_device_memory_bytes",
        "bytes",
        "peak memory of the accelerator",
        "memory.peak_device_memory_bytes",
    ),
    # How it was trained.
    _text("recipe", "name of the hyper-parameters", "recipe.name"),
    _figure("learning_rate", "", "its peak", "recipe.learning_rate"),
    _count("epochs", "epochs", "of this task", "recipe.epochs"),
    _count("batch_size", "rows", "in one optimizer step", "recipe.batch_size"),
    _count("max_length", "tokens", "longer inputs are truncated", "recipe.max_length"),
    _fraction("warmup", "share of the steps in which the learning rate rises", "recipe.warmup"),
    _figure("weight_decay", "", "AdamW's, on matrices", "recipe.weight_decay"),
    _count(
        "micro_batch",
        "rows",
        "computed at once; fewer where memory ran out",
        "batching.micro_batch",
    ),
    _count("oom_retries", "", "fresh starts because memory ran out", "batching.oom_retries"),
    _count("parameters", "", "of the model, head included", "model.parameters"),
    _count(
        "trained_parameters", "", "parameters that training may change", "model.trained_parameters"
    ),
    _count(
        "saved_bytes",
        "bytes",
        "size of those: what a task adds to a disk that has the checkpoint",
        "model.saved_bytes",
    ),
    _text("device", "torch's name of the target's device", "identity.target.device"),
    _text("arithmetic", "dtype of the matrix products, as observed", "observed.arithmetic"),
    _text("bf16_products", "of a bf16 run: native, or upcast to fp32", "model.bf16_products"),
    _text("speedups", "speed-ups that were used, joined by +", _speedups),
    _count("threads", "", "number of torch's threads", "threads"),
    # On which rows.
    _text("data", "toy, hub, glue_data or own (a custom task)", "source.kind"),
    _text("data_revision", "hub: the data set's commit", "source.revision"),
    _count("max_train", "rows", "limit that was asked for; missing: all rows", "source.max_train"),
    _count("max_eval", "rows", "likewise, for each dev split", "source.max_eval"),
    _count("train_rows", "rows", "trained on in one epoch", "data.splits.train.rows"),
    _count("dev_rows", "rows", "scored on, both splits of MNLI together", _dev_rows),
    _yes(
        "train_is_glue", "trained on all of GLUE's official rows", "data.splits.train.is_glues_own"
    ),
    _yes("dev_is_glue", "scored on all of GLUE's official rows", _dev_is_own),
    _text(
        "train_checked",
        "how the source of the training rows was confirmed as GLUE's: "
        "sha256, commit, or counts only; missing: not confirmed",
        _train_checked,
    ),
    _text(
        "dev_checked",
        "likewise for the dev rows; of MNLI's two splits the weaker",
        lambda record: _checked(_dev(record)),
    ),
    _text(
        "dev_sha256",
        "of the dev rows as scored: only runs with the same value compare",
        _dev_sha256,
    ),
    # With what software, on which machine.
    *(
        _text(name.replace("-", "_"), f"version of {name}", f"environment.{name}")
        for name in ("python", "glue-bench", *environment.PACKAGES)
    ),
    _text("glue_bench_sha256", "of glue-bench's own sources", "environment.glue-bench_sha256"),
    _text("commit", "of the git checkout in which pytest ran", "environment.commit"),
    _text("branch", "of that checkout", "environment.branch"),
    _yes("dirty", "that checkout had uncommitted changes", "environment.dirty"),
    _text("os", "operating system", "environment.os"),
    _text("machine", "architecture of the processor", "environment.machine"),
    _text("cpu", "the processor's name", "environment.cpu"),
    _count("cores", "", "logical CPUs", "environment.cores"),
    _count("machine_memory_bytes", "bytes", "memory of the machine", "environment.memory_bytes"),
    _text("boot", "the same on one machine until it restarts", "environment.boot"),
    # What lies beside it.
    _text("predictions", "its file in `predictions/`, one line per row", "predictions.name"),
)
