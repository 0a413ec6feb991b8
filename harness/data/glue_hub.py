"""GLUE as `nyu-mll/glue` of the Hugging Face Hub: parquet files, read through `datasets`.

Labels of test splits are never loaded. The Hub's copy of MRPC has real ones there, the others -1.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from harness.catalog import tasks
from harness.data import data_card, hub_files
from harness.errors import DataError, DataUnavailable
from harness.files import hashes as file_hashes
from harness.hub import snapshots
from harness.spec import Split, Task
from harness.text.values import shown

REPOSITORY = "nyu-mll/glue"


def locate(task: Task) -> snapshots.Snapshot:
    """The snapshot that holds a task's splits, fetched if it is not in the cache.

    Raises `DataUnavailable`.
    """
    found = snapshots.find("dataset", REPOSITORY, *_files(task))
    if isinstance(found, snapshots.Snapshot):
        return found
    raise DataUnavailable(
        f"{REPOSITORY}, {task.source}: not in the cache of the Hugging Face Hub, and "
        f"{found.why}. Mend: `glue-bench fetch {task.name}` where there is a network, or "
        "--glue-data DIR for a folder in the glue_data layout, or --glue-profile toy"
    )


def fetch(task: Task, *, again: bool = False) -> snapshots.Snapshot | snapshots.Absent:
    """Bring every split of a task into the cache, newest revision."""
    return snapshots.fetch("dataset", REPOSITORY, *_files(task), again=again)


def _files(task: Task) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What a task cannot do without (`datasets` reads all splits or none), and its parts."""
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
    held = data_card.plain_columns(rows.features)
    lacking = [column for column in wanted if column not in held]
    if lacking:
        raise _error(task, name, f"no column {shown(lacking[0])}; it has {shown(held)}", wanted)
    columns = [rows[column][:] for column in task.text_columns]
    for column, texts in zip(task.text_columns, columns, strict=True):
        for row, text in enumerate(texts):
            if not isinstance(text, str):
                raise _error(task, name, f"row {row}: {column} is {shown(text)}", "a text")
    labels = None if name in task.predicted else _labels(rows, task, name)
    return Split(list(zip(*columns, strict=True)), labels, range(len(rows)))


def agreement(snapshot: Path, task: Task, name: str, rows: Split) -> dict[str, bool]:
    """Which facts known of GLUE's own split hold of `rows`, as `read_split` returned them.

    Facts are the number of rows, that of each class, and either the file's sha256 (known of one
    commit) or `commit`: the file holds the very bytes that the Hub's client was told to expect of
    this commit. There is no such fact of a cache that was copied without its links.
    """
    found = tasks.agreement(task, name, rows)
    files = sorted(snapshot.glob(pattern(task.source, name)))
    expected = [hub_files.SHA256.get(str(file.relative_to(snapshot))) for file in files]
    hashes = [file_hashes.remembered(file) for file in files]
    if files and hashes == expected:
        return found | {"sha256": True}
    if snapshot.name == hub_files.COMMIT and any(expected):
        return found | {"sha256": False}
    names = [_blob(file) for file in files]
    if re.fullmatch("[0-9a-f]{40}", snapshot.name) and all(names):
        return found | {"commit": hashes == names}
    return found


def _blob(file: Path) -> str | None:
    """The sha256 by which the Hub's client named the bytes that a file links to."""
    target = file.resolve()
    is_blob = target.parent.name == "blobs" and re.fullmatch("[0-9a-f]{64}", target.name)
    return target.name if file.is_symlink() and is_blob else None


def _open(snapshot: Path, config: str, split: str) -> Any:
    import datasets.config
    import yaml
    from datasets.exceptions import DatasetsError

    datasets.disable_progress_bars()
    try:
        files = [*snapshot.glob(f"{config}/*.parquet"), *snapshot.glob("README.md")]
        cache = Path(datasets.config.HF_DATASETS_CACHE) / hub_files.cache_name(files)
        data_card.check(snapshot, REPOSITORY)
        with snapshots.offline():
            return datasets.load_dataset(str(snapshot), config, split=split, cache_dir=str(cache))
    except (
        OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError,
        NotImplementedError, DatasetsError, yaml.YAMLError,
    ) as error:  # fmt: skip
        cause = error.__cause__ or error
        said = " ".join(f"{type(cause).__name__}: {cause}".split())
        raise DataError(
            f"{snapshot}: {config}/{split} cannot be read: {said[:300]}. "
            f"Mend: `glue-bench fetch --again {config}`"
        ) from error


def _labels(rows: Any, task: Task, split: str) -> list[int] | list[float]:
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
        f"{REPOSITORY}, {task.source}/{split}: {found}; expected {expected}. Mend: fetch it again "
        f"with `glue-bench fetch --again {task.name}`"
    )
