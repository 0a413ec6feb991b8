"""The rows a run reads, and what to record about them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from harness.catalog import tasks
from harness.catalog.sources import SOURCES
from harness.data import overlap, sample
from harness.data.row_sources import SourceSplit, home_of, rows_of
from harness.errors import DataError
from harness.spec import TEST, DataRequest, Split, Task

PINS = ("sha256", "commit")
"""The facts that leave no room for other rows."""


@dataclass(frozen=True)
class SplitInfo:
    """What to record about one split."""

    rows: int
    rows_in_source: int
    dropped: int  # malformed ones that the source held beside them
    sha256: str  # of the rows as they were used
    official: bool  # the source's rows are GLUE's own: `checked` is "sha256" or "commit"
    agrees: tuple[str, ...] = ()  # which facts hold: "rows", "class counts", "sha256", "commit"
    checked: str | None = None  # the strongest, where none fails: "sha256", "commit" or "counts"
    shared_with_train: int | None = None  # rows that have a training row's texts
    missing_labels: tuple[str, ...] = ()  # that no row has any more; of the training rows


@dataclass(frozen=True)
class Data:
    """The splits of one task; an MNLI task brings the diagnostic set along as `ax`."""

    splits: Mapping[str, Split]
    info: Mapping[str, SplitInfo]
    is_subset: bool  # a part of the source's rows, or rows that are not GLUE's
    has_overlap: bool = False  # scored on training rows, more of them than GLUE's own splits share


def fingerprint(request: DataRequest, task: Task) -> dict[str, object]:
    """What decides which rows `load` trains and evaluates on, without reading them as rows.

    Raises `DataError` where a file is missing.
    """
    is_capped = request.max_train is not None or request.max_eval is not None
    return {
        "source": rows_of(request).fingerprint(home_of(task)),
        "sample": sample.BY_RANK if task.custom and is_capped else sample.DATA_SEED,
        "max_train": request.max_train,
        "max_eval": request.max_eval,
    }


def load(request: DataRequest, task: Task, *, held_out: float = 0.0, seed: int = 0) -> Data:
    """The splits that a run of `task` reads.

    `held_out` is the share of the training rows that `seed` sets aside. Raises `DataError`.
    """
    source, home = rows_of(request), home_of(task)
    splits: dict[str, Split] = {}
    info: dict[str, SplitInfo] = {}
    wholes: dict[str, Split] = {}  # before they were sampled

    def add(name: str, held: SourceSplit, size: int | None = None, share: float = 0.0) -> None:
        whole = _whole(request, task, name, held)
        if name in task.evaluated:
            overlap.refuse_copy(task, name, wholes["train"], whole)
        part = sample.stratified(whole, size, f"{home.name}/{name}", glue=task.custom is None)
        used = splits[name] = sample.without(part, share, seed)
        checked, is_train = _checked(held.agreement), name == "train"
        wholes[name] = whole
        info[name] = SplitInfo(
            rows=len(used),
            rows_in_source=len(whole),
            dropped=held.dropped,
            sha256=digest(used),
            official=checked in PINS,
            agrees=tuple(fact for fact, holds in held.agreement.items() if holds),
            checked=checked,
            shared_with_train=None if is_train else overlap.shared(splits["train"], used),
            missing_labels=_missing_labels(task, used) if is_train else (),
        )

    add("train", source.read(home, "train"), request.max_train, held_out)
    for name in task.evaluated:
        add(name, source.read(home, name), request.max_eval)
    for name, held in _unlabelled(request, task):
        add(name, held)
    scored = [info[name] for name in ("train", *task.evaluated)]
    is_glue = SOURCES[request.kind].is_glue
    other = is_glue and not all(found.checked for found in scored)
    overlaps = any(
        not overlap.is_expected(
            task, name, info[name].shared_with_train or 0, info[name].rows,
            others=is_glue and not (info["train"].checked and info[name].checked),
        )
        for name in task.evaluated
    )  # fmt: skip
    capped = any(found.rows < found.rows_in_source for found in scored)
    return Data(splits, info, other or capped, overlaps)


def _missing_labels(task: Task, train: Split) -> tuple[str, ...]:
    """The names of labels that no training row has."""
    there = set(train.labels or ())
    return tuple(label for index, label in enumerate(task.labels) if index not in there)


def _checked(facts: Mapping[str, bool]) -> str | None:
    """What shows best that a split is GLUE's own; None where a fact fails, or none is known."""
    if not facts or not all(facts.values()):
        return None
    return next((fact for fact in PINS if fact in facts), "counts")


def dev_rows(request: DataRequest, task: Task) -> dict[str, Split]:
    """The splits that a run of `task` is scored on, as `load` has them. Raises `DataError`."""
    return {name: _part(request, task, name, request.max_eval) for name in task.evaluated}


def used_digests(
    request: DataRequest, task: Task, *, held_out: float = 0.0, seed: int = 0
) -> dict[str, str]:
    """sha256 of the rows of each split that `load` trains and scores on. Raises `DataError`."""
    train = sample.without(_part(request, task, "train", request.max_train), held_out, seed)
    dev = dev_rows(request, task)
    return {name: digest(rows) for name, rows in {"train": train, **dev}.items()}


def _part(request: DataRequest, task: Task, name: str, size: int | None) -> Split:
    """A sample of a labelled split."""
    home = home_of(task)
    whole = _whole(request, task, name, rows_of(request).read(home, name))
    return sample.stratified(whole, size, f"{home.name}/{name}", glue=task.custom is None)


def _whole(request: DataRequest, task: Task, name: str, held: SourceSplit) -> Split:
    """The rows of a split that are the task's own. Raises `DataError`."""
    home = home_of(task)
    if name in task.only and len(held.split) != home.rows[name]:
        raise DataError(
            f"{task.name}: {name} of {home.title} in {request.source} has {len(held.split)} "
            f"rows; expected all {home.rows[name]}, of which it is a range by number. Mend: "
            "use GLUE's own file"
        )
    whole = sample.only(held.split, task.only.get(name))
    if not len(whole):
        raise DataError(f"{task.name}: split {name} of {request.source} holds no row")
    return whole


def _unlabelled(request: DataRequest, task: Task) -> Iterator[tuple[str, SourceSplit]]:
    """The sets that a run predicts without scoring them."""
    source, home = rows_of(request), home_of(task)
    for name in task.predicted if request.predict_test else ():
        if TEST in request.needed or source.has(home, name):
            yield name, source.read(home, name)
    for part in tasks.parts(task.name):
        if part.name in request.needed or source.has(part, *part.predicted):
            yield part.name, source.read(part, *part.predicted)


def unlabelled_digests(request: DataRequest, task: Task) -> dict[str, str]:
    """sha256 of the rows of each unlabelled set that a run predicts. Raises `DataError`."""
    return {name: digest(held.split) for name, held in _unlabelled(request, task)}


def digest(split: Split) -> str:
    """sha256 of the rows: ids, texts and labels in order."""
    labels = split.labels or [None] * len(split)
    rows = zip(split.ids, split.texts, labels, strict=True)
    canonical = json.dumps([[i, *texts, label] for i, texts, label in rows], ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()
