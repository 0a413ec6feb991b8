"""Load the rows that a run trains and is scored on, with what its record says about them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from harness.catalog import tasks
from harness.catalog.sources import SOURCES
from harness.data import overlap, sample
from harness.data.row_sources import SourceSplit, rows_of, stored_task
from harness.errors import DataError
from harness.spec import TEST, DataRequest, Split, Task

PINS = ("sha256", "commit")
"""The facts that prove that rows are the official ones. Counts do not."""


@dataclass(frozen=True)
class SplitInfo:
    """What to record about one split."""

    rows: int
    rows_in_source: int
    dropped: int  # malformed rows of the source, which are not used
    sha256: str  # of the rows that were used
    official: bool  # the source's rows are the official ones: `checked` is "sha256" or "commit"
    agrees: tuple[str, ...] = ()  # which facts hold: "rows", "class counts", "sha256", "commit"
    checked: str | None = None  # the strongest, if none fails: "sha256", "commit" or "counts"
    shared_with_train: int | None = None  # rows that have a training row's texts
    missing_labels: tuple[str, ...] = ()  # of the training split: labels that no row used has


@dataclass(frozen=True)
class Data:
    """The splits of one task; those of MNLI include the diagnostic set as `ax`."""

    splits: Mapping[str, Split]
    info: Mapping[str, SplitInfo]
    is_subset: bool  # trained or scored on part of the data set, or on rows that are not GLUE's
    has_overlap: bool = False  # scored on more training rows than GLUE's official splits share


def fingerprint(request: DataRequest, task: Task) -> dict[str, object]:
    """What decides the rows that `load` trains and scores on. It does not parse their files.

    Raises `DataError` where a file is missing.
    """
    is_capped = request.max_train is not None or request.max_eval is not None
    return {
        "source": rows_of(request).fingerprint(stored_task(task)),
        "sample": sample.BY_RANK if task.custom and is_capped else sample.DATA_SEED,
        "max_train": request.max_train,
        "max_eval": request.max_eval,
    }


def load(request: DataRequest, task: Task, *, held_out: float = 0.0, seed: int = 0) -> Data:
    """The splits that a run of `task` reads.

    `held_out` is the share of the training rows that `seed` sets aside, unused. Raises `DataError`.
    """
    source, home = rows_of(request), stored_task(task)
    splits: dict[str, Split] = {}
    info: dict[str, SplitInfo] = {}
    complete: dict[str, Split] = {}  # before sampling

    def add(name: str, read: SourceSplit, size: int | None = None, share: float = 0.0) -> None:
        all_rows = _rows_of_task(request, task, name, read)
        if name in task.evaluated:
            overlap.refuse_copy(task, name, complete["train"], all_rows)
        drawn = sample.stratified(all_rows, size, f"{home.name}/{name}", glue=task.custom is None)
        used = splits[name] = sample.without(drawn, share, seed)
        checked, is_train = _strongest(read.agreement), name == "train"
        complete[name] = all_rows
        info[name] = SplitInfo(
            rows=len(used),
            rows_in_source=len(all_rows),
            dropped=read.dropped,
            sha256=digest(used),
            official=checked in PINS,
            agrees=tuple(fact for fact, holds in read.agreement.items() if holds),
            checked=checked,
            shared_with_train=None if is_train else overlap.count(splits["train"], used),
            missing_labels=_missing_labels(task, used) if is_train else (),
        )

    add("train", source.read(home, "train"), request.max_train, held_out)
    for name in task.evaluated:
        add(name, source.read(home, name), request.max_eval)
    for name, read in _unlabelled(request, task):
        add(name, read)
    return Data(splits, info, _is_subset(request, task, info), _has_overlap(request, task, info))


def _is_subset(request: DataRequest, task: Task, info: Mapping[str, SplitInfo]) -> bool:
    """Whether a run uses part of the rows, or rows in place of GLUE's that are not confirmed."""
    used = [info[name] for name in ("train", *task.evaluated)]
    is_unconfirmed = SOURCES[request.kind].is_glue and not all(split.checked for split in used)
    return is_unconfirmed or any(split.rows < split.rows_in_source for split in used)


def _has_overlap(request: DataRequest, task: Task, info: Mapping[str, SplitInfo]) -> bool:
    """Whether a scored split shares more rows with the training rows than is known of GLUE's."""
    is_glue = SOURCES[request.kind].is_glue
    return any(
        not overlap.is_expected(
            task,
            name,
            info[name].shared_with_train or 0,
            info[name].rows,
            unconfirmed=is_glue and not (info["train"].checked and info[name].checked),
        )
        for name in task.evaluated
    )


def _missing_labels(task: Task, train: Split) -> tuple[str, ...]:
    """The names of labels that no training row has."""
    present = set(train.labels or ())
    return tuple(label for index, label in enumerate(task.labels) if index not in present)


def _strongest(facts: Mapping[str, bool]) -> str | None:
    """The strongest fact that confirms a split; None where a fact fails, or none is known."""
    if not facts or not all(facts.values()):
        return None
    return next((fact for fact in PINS if fact in facts), "counts")


def dev_rows(request: DataRequest, task: Task) -> dict[str, Split]:
    """The splits that a run of `task` is scored on, as `load` gives them. Raises `DataError`."""
    return {name: _sample(request, task, name, request.max_eval) for name in task.evaluated}


def used_digests(
    request: DataRequest, task: Task, *, held_out: float = 0.0, seed: int = 0
) -> dict[str, str]:
    """sha256 of the rows of each split that `load` trains and scores on. Raises `DataError`."""
    train = sample.without(_sample(request, task, "train", request.max_train), held_out, seed)
    dev = dev_rows(request, task)
    return {name: digest(rows) for name, rows in {"train": train, **dev}.items()}


def _sample(request: DataRequest, task: Task, name: str, size: int | None) -> Split:
    """A sample of a labelled split."""
    home = stored_task(task)
    all_rows = _rows_of_task(request, task, name, rows_of(request).read(home, name))
    return sample.stratified(all_rows, size, f"{home.name}/{name}", glue=task.custom is None)


def _rows_of_task(request: DataRequest, task: Task, name: str, read: SourceSplit) -> Split:
    """The rows of a split that belong to the task, which may be a range. Raises `DataError`."""
    home = stored_task(task)
    if name in task.only and len(read.split) != home.rows[name]:
        raise DataError(
            f"{task.name}: {name} of {home.title} in {request.source} has {len(read.split)} "
            f"rows; expected all {home.rows[name]}, because this task is a range of them by row "
            "number. Fix: use the official file"
        )
    rows = sample.only(read.split, task.only.get(name))
    if not len(rows):
        raise DataError(f"{task.name}: split {name} of {request.source} holds no row")
    return rows


def _unlabelled(request: DataRequest, task: Task) -> Iterator[tuple[str, SourceSplit]]:
    """The sets that a run predicts without scoring them."""
    source, home = rows_of(request), stored_task(task)
    for name in task.predicted if request.predict_test else ():
        if TEST in request.needed or source.has(home, name):
            yield name, source.read(home, name)
    for part in tasks.parts(task.name):
        if part.name in request.needed or source.has(part, *part.predicted):
            yield part.name, source.read(part, *part.predicted)


def unlabelled_digests(request: DataRequest, task: Task) -> dict[str, str]:
    """sha256 of the rows of each unlabelled set that a run predicts. Raises `DataError`."""
    return {name: digest(read.split) for name, read in _unlabelled(request, task)}


def digest(split: Split) -> str:
    """sha256 over the id, texts and label of each row, in order."""
    labels = split.labels or [None] * len(split)
    rows = zip(split.ids, split.texts, labels, strict=True)
    canonical = json.dumps([[i, *texts, label] for i, texts, label in rows], ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()
