"""Read GLUE from `nyu-mll/glue` on the Hugging Face Hub: Parquet files, read through `datasets`.

Labels of test splits are never loaded. On the Hub, those of MRPC are real ones, all others are -1.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from harness.catalog import tasks
from harness.data import data_card, hub_files
from harness.errors import DataError, DataUnavailable
from harness.files import hashes as file_hashes
from harness.hub import snapshots
from harness.spec import Split, Task
from harness.text.values import shown

if TYPE_CHECKING:
    from datasets import Dataset

REPOSITORY = "nyu-mll/glue"


def locate(task: Task) -> snapshots.Snapshot:
    """The snapshot with a task's splits, fetched if it is not in the cache.

    Raises `DataUnavailable`.
    """
    result = snapshots.find("dataset", REPOSITORY, *_files(task))
    if isinstance(result, snapshots.Snapshot):
        return result
    raise DataUnavailable(
        f"{REPOSITORY}, {task.source}: not in the cache of the Hugging Face Hub, and "
        f"{result.why}. Fix: `glue-bench fetch {task.name}` where there is a network, or "
        "--glue-data DIR for a folder in the glue_data layout, or --glue-profile toy"
    )


def fetch(task: Task, *, again: bool = False) -> snapshots.Snapshot | snapshots.Absent:
    """Fetch every split of a task into the cache, from the newest revision."""
    return snapshots.fetch("dataset", REPOSITORY, *_files(task), again=again)


def _files(task: Task) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Patterns of the files that a task needs, and those of its parts.

    It needs all its splits, because `datasets` reads all of them or none.
    """
    home = tasks.TASKS[task.source]
    wanted = tuple(pattern(home.name, split) for split in home.rows)
    parts = tasks.parts(task.name)
    return wanted, tuple(pattern(part.name, split) for part in parts for split in part.rows)


def pattern(config: str, split: str) -> str:
    """The files of one split in the repository."""
    return f"{config}/{split}-*.parquet"


def has(snapshot: Path, config: str, split: str) -> bool:
    """Whether the snapshot holds a split."""
    return any(snapshot.glob(pattern(config, split)))


def read_split(snapshot: Path, task: Task, name: str) -> Split:
    """One split. Ids are row numbers: the data set's own `idx` has gaps for MRPC.

    Raises `DataError`.
    """
    rows = _open(snapshot, task.source, name)
    wanted = [*task.text_columns, *([] if name in task.predicted else ["label"])]
    present = data_card.plain_columns(rows.features)
    missing = [column for column in wanted if column not in present]
    if missing:
        raise _error(task, name, f"no column {shown(missing[0])}; it has {shown(present)}", wanted)
    columns = [rows[column][:] for column in task.text_columns]
    for column, texts in zip(task.text_columns, columns, strict=True):
        for row, text in enumerate(texts):
            if not isinstance(text, str):
                raise _error(task, name, f"row {row}: {column} is {shown(text)}", "a text")
    labels = None if name in task.predicted else _labels(rows, task, name)
    return Split(list(zip(*columns, strict=True)), labels, range(len(rows)))


def agreement(snapshot: Path, task: Task, name: str, rows: Split) -> dict[str, bool]:
    """For each known fact about the official split, whether `rows` agree with it.

    Facts are the number of rows, that of each class, and either the file's sha256, which is known
    for one commit, or `commit`: the file's sha256 is the one that the Hub has for it at this
    commit. Links in the cache say that one, so a cache that was copied without its links has no
    such fact.
    """
    agrees = tasks.agreement(task, name, rows)
    files = sorted(snapshot.glob(pattern(task.source, name)))
    expected = [hub_files.SHA256.get(str(file.relative_to(snapshot))) for file in files]
    hashes = [file_hashes.remembered(file) for file in files]
    if files and hashes == expected:
        return agrees | {"sha256": True}
    if snapshot.name == hub_files.COMMIT and any(expected):
        return agrees | {"sha256": False}
    names = [_blob(file) for file in files]
    if re.fullmatch("[0-9a-f]{40}", snapshot.name) and all(names):
        return agrees | {"commit": hashes == names}
    return agrees


def _blob(file: Path) -> str | None:
    """The sha256 in the name of the cache's blob that a file links to; None: it links to none."""
    target = file.resolve()
    is_blob = target.parent.name == "blobs" and re.fullmatch("[0-9a-f]{64}", target.name)
    return target.name if file.is_symlink() and is_blob else None


def _open(snapshot: Path, config: str, split: str) -> Dataset:
    import datasets.config
    import yaml

    datasets.disable_progress_bars()
    try:
        files = [*snapshot.glob(f"{config}/*.parquet"), *snapshot.glob("README.md")]
        cache = Path(datasets.config.HF_DATASETS_CACHE) / hub_files.cache_name(files)
        data_card.check(snapshot, REPOSITORY)
        with snapshots.offline():
            return datasets.load_dataset(str(snapshot), config, split=split, cache_dir=str(cache))
    except (*data_card.read_errors(), yaml.YAMLError) as error:
        cause = error.__cause__ or error
        reason = " ".join(f"{type(cause).__name__}: {cause}".split())
        raise DataError(
            f"{snapshot}: {config}/{split} cannot be read: {reason[:300]}. "
            f"Fix: `glue-bench fetch --again {config}`"
        ) from error


def _labels(rows: Dataset, task: Task, split: str) -> list[int] | list[float]:
    values = rows["label"][:]
    if task.label_range:
        low, high = task.label_range
        for row, value in enumerate(values):
            if not isinstance(value, float) or not low <= value <= high:
                wanted = f"a number from {low:g} to {high:g}"
                raise _error(task, split, f"row {row}: label is {shown(value)}", wanted)
        return [float(value) for value in values]
    names = getattr(rows.features["label"], "names", None)
    if names is None or sorted(names) != sorted(task.labels):
        raise _error(task, split, f"labels named {shown(names)}", f"the labels {task.labels}")
    ids = [task.labels.index(name) for name in names]
    for row, value in enumerate(values):
        if value is None or not 0 <= value < len(ids):
            wanted = f"an id from 0 to {len(ids) - 1}"
            raise _error(task, split, f"row {row}: label is {shown(value)}", wanted)
    return [ids[value] for value in values]


def _error(task: Task, split: str, found: str, expected: object) -> DataError:
    return DataError(
        f"{REPOSITORY}, {task.source}/{split}: {found}; expected {expected}. Fix: fetch it again "
        f"with `glue-bench fetch --again {task.name}`"
    )
