"""The rows a run reads, and what to record about them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.data import sample, toy, tsv
from harness.errors import DataError
from harness.spec import DataRequest, Split, Task

AX = "ax"
TOY = "toy"


@dataclass(frozen=True)
class SplitInfo:
    """What to record about one split."""

    rows: int
    rows_in_source: int
    dropped: int  # malformed ones that the source held beside them
    sha256: str  # of the rows as they were used
    official: bool  # the source's rows are GLUE's own, by count, class counts and, if known, bytes


@dataclass(frozen=True)
class Data:
    """The splits of one task; an MNLI task brings the diagnostic set along as `ax`."""

    splits: Mapping[str, Split]
    info: Mapping[str, SplitInfo]
    is_subset: bool  # trained or evaluated on other than all of the source's own rows


def fingerprint(request: DataRequest, task: Task) -> dict[str, object]:
    """What decides which rows `load` returns, without reading them as rows.

    Raises `DataError` where a file is missing.
    """
    if request.source == TOY:
        source: object = {"toy": toy.VERSION}
    else:
        source = tsv.fingerprint(Path(request.source), task.name, ("train", *task.evaluated))
    return {
        "source": source,
        "sample": sample.DATA_SEED,
        "max_train": request.max_train,
        "max_eval": request.max_eval,
    }


def load(request: DataRequest, task: Task) -> Data:
    """Train and evaluation splits of `task`. Raises `DataError`."""
    splits: dict[str, Split] = {}
    info: dict[str, SplitInfo] = {}
    for name, (split, dropped, official) in _read(request, task).items():
        if not len(split):
            raise DataError(f"{task.name}: split {name} of {request.source} holds no row")
        size = request.max_train if name == "train" else request.max_eval
        used = split if name == AX else sample.stratified(split, size, f"{task.name}/{name}")
        splits[name] = used
        info[name] = SplitInfo(len(used), len(split), dropped, digest(used), official)
    scored = [found for name, found in info.items() if name != AX]
    changed = request.source != TOY and not all(found.official for found in scored)
    return Data(splits, info, changed or any(f.rows < f.rows_in_source for f in scored))


def _read(request: DataRequest, task: Task) -> dict[str, tuple[Split, int, bool]]:
    """Each split, how many rows were dropped from it, and whether it is GLUE's own."""
    wanted = ("train", *task.evaluated)
    if request.source == TOY:
        made = toy.generate(task.name)
        kept = (*wanted, AX) if task.name == "mnli" else wanted
        return {name: (made[name], 0, False) for name in kept}
    directory = Path(request.source)
    found = {}
    for name in wanted:
        split, report = tsv.read_split(directory, task.name, name)
        found[name] = (split, report.dropped, tsv.official(task.name, name, split, report))
    if task.name == "mnli" and tsv.has(directory, AX, "test"):
        split, report = tsv.read_split(directory, AX, "test")
        found[AX] = (split, report.dropped, tsv.official(AX, "test", split, report))
    return found


def digest(split: Split) -> str:
    """sha256 of the rows: ids, texts and labels in order."""
    labels = split.labels or [None] * len(split)
    rows = zip(split.ids, split.texts, labels, strict=True)
    canonical = json.dumps([[i, *texts, label] for i, texts, label in rows], ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()


def source_name(request: DataRequest) -> str:
    """`toy` or `glue_data`: what a table says about where rows come from."""
    return "toy" if request.source == TOY else "glue_data"
