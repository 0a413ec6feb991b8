"""Rows with named columns from a data set of the Hub.

`datasets` says which files hold which split. CSV, JSON lines and Parquet are then read here, split
by split, so that a text such as "None" stays a text and the columns of one split are no matter to
another; other formats are left to `datasets`. No code that comes with a data set is run.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.catalog import split_slices
from harness.data import data_card, hub_files, row_files, tabular
from harness.data.tabular import MOST_SHOWN, Row, Rows
from harness.errors import DataError, UsageError
from harness.files import lines
from harness.hub import snapshots
from harness.spec import CustomRows
from harness.text.values import shown, shown_path

USUAL = ("validation", "dev", "valid", "val", "test")  # the first that is there is advised
NO_LABELS = (None, "", -1, "-1")  # cells of a split without labels
FEW_LABELS = 10  # of classes, so many rows of each are expected; of scores, less
TABLES = {"csv", "json", "parquet"}  # builders of `datasets` whose files can be read here


@dataclass(frozen=True)
class DataSet:
    """A snapshot of a data set, one of its configs."""

    custom: CustomRows
    snapshot: Path
    builder: Any  # a datasets.DatasetBuilder
    files: Mapping[str, Sequence[str]]  # split -> its files

    @property
    def classes(self) -> dict[str, Sequence[str]]:
        """The names of ids, as the data set's card has them."""
        features = self.builder.info.features or {}
        return {name: kind.names for name, kind in features.items() if hasattr(kind, "names")}


def splits_of(custom: CustomRows, snapshot: Path) -> list[str]:
    """The splits of a data set. Raises `DataError`."""
    return list(_open(custom, snapshot).files)


def read(custom: CustomRows, split: str, snapshot: Path, wanted: Collection[str]) -> Rows:
    """The columns of a split, and its rows; classes by their names. Raises `DataError`."""
    found = _open(custom, snapshot)
    name = custom.splits.get(split, split)
    parts = _parts(custom, name)
    for part in parts:
        if part.split not in found.files:
            raise DataError(_without(found, split, part.split))
    tables = {part.split: _table(found, part.split, wanted) for part in parts}
    counts = {base: len(table.rows) for base, table in tables.items()}
    _check_apart(custom, split, parts, counts)
    first = tables[parts[0].split]
    named = {base: table.named(custom.label) for base, table in tables.items()}
    rows = [
        named[part.split][number][1] for part in parts for number in part.rows(counts[part.split])
    ]
    if not rows:
        raise DataError(f"{custom.hub}/{name}: no row; expected one or more. Mend: correct splits")
    where = f"{custom.hub}/{name}"
    shared = [c for c in first.columns if all(c in table.columns for table in tables.values())]
    return Rows(shared, [(f"{where}, row {number}", row) for number, row in enumerate(rows)])


def _parts(custom: CustomRows, name: str) -> list[split_slices.Part]:
    try:
        return split_slices.parse(name)
    except UsageError as error:
        raise DataError(f"{custom.hub}: splits: {error}") from None


def _check_apart(
    custom: CustomRows, split: str, parts: Sequence[split_slices.Part], counts: Mapping[str, int]
) -> None:
    """Raise `DataError` where a split shares rows with the training split, by their numbers."""
    train = _parts(custom, custom.splits["train"])
    if split == "validation" and (twice := split_slices.overlap(train, parts, counts)):
        raise DataError(
            f"{custom.hub}: train is {shown(custom.splits['train'])} and validation is "
            f"{shown(custom.splits['validation'])}: both hold the same rows of {shown(twice)}, "
            f"which has {counts[twice]}; expected no row in both. Mend: "
            + split_slices.apart(train, custom.splits["validation"], twice)
        )


def _open(custom: CustomRows, snapshot: Path) -> DataSet:
    import datasets

    datasets.disable_progress_bars()
    called = f"{custom.hub}/{custom.config}" if custom.config else str(custom.hub)
    with _reading(called, snapshot), snapshots.offline():
        data_card.check(snapshot, str(custom.hub))
        configs = datasets.get_dataset_config_names(str(snapshot))
        if custom.config not in configs and (custom.config or len(configs) > 1):
            found = "no config" if custom.config is None else f"config {shown(custom.config)}"
            raise DataError(
                f"{custom.hub}: {found}; it has {listed(configs)}. Mend: "
                f'config = "{configs[0]}" in the task'
            )
        builder = datasets.load_dataset_builder(str(snapshot), custom.config)
        named = builder.config.data_files or {}
        files = {str(split): list(paths) for split, paths in named.items()}
        kind = builder.__module__.rsplit(".", 1)[-1]
        every = [path for paths in files.values() for path in paths]
        data_card.check_files(str(custom.hub), kind, every, snapshot)
    return DataSet(custom, snapshot, builder, files)


def _table(found: DataSet, split: str, wanted: Collection[str]) -> Rows:
    """A whole split of a data set, from its own files."""
    try:
        tables = [_file(found, Path(path), wanted) for path in found.files[split]]
    except DataError as error:
        raise DataError(f"{found.custom.hub}: cannot be read: {error}") from error
    if any(table is None for table in tables):
        return _by_datasets(found, split)
    known = [table for table in tables if table is not None and table.rows]
    if not known:
        raise DataError(f"{found.custom.hub}/{split}: no row; expected one or more")
    shared = [c for c in known[0].columns if all(c in table.columns for table in known)]
    rows = [row for table in known for row in table.rows]
    return Rows(shared, rows, {**known[0].classes, **found.classes})


def _file(found: DataSet, path: Path, wanted: Collection[str]) -> Rows | None:
    """The rows of one file; None where only `datasets` can read it."""
    kind, config = found.builder.__module__.rsplit(".", 1)[-1], found.builder.config
    ending = path.suffix.lower()
    if kind not in TABLES or not path.is_file():
        return None
    if kind == "csv" and ending in (".csv", ".tsv") and _is_plain(config):
        text = lines.decoded(path, row_files.content(path))
        return tabular.separated(path, text, config.delimiter or config.sep)
    if kind == "json" and ending == ".json" and _is_plain(config):
        return tabular.json_rows(path, lines.decoded(path, row_files.content(path)))
    plain_json = ending == ".jsonl" and _is_plain(config)
    return row_files.read(path, wanted) if plain_json or ending == ".parquet" else None


def _is_plain(config: Any) -> bool:
    """Whether the card says nothing of how its files are to be read, but what separates fields."""
    told = ("name", "version", "data_dir", "data_files", "description", "sep", "delimiter")
    return all(
        getattr(config, field.name) == getattr(type(config)(), field.name)
        for field in dataclasses.fields(config)
        if field.name not in (*told, "features")
    )


def _by_datasets(found: DataSet, split: str) -> Rows:
    """The rows of a split in a format that is left to `datasets`."""
    import datasets.config

    custom = found.custom
    kind = found.builder.__module__.rsplit(".", 1)[-1]
    texts: dict[str, Any] = {"keep_default_na": False} if kind == "csv" else {}  # "None" is a text
    with _reading(f"{custom.hub}/{split}", found.snapshot), snapshots.offline():
        files = {Path(path) for paths in found.files.values() for path in paths}
        name = hub_files.cache_name(path for path in files if path.is_file())
        cache = str(Path(datasets.config.HF_DATASETS_CACHE) / name)
        read: Any = datasets.load_dataset(
            str(found.snapshot), custom.config, split=split, cache_dir=cache, **texts
        )
        read = read.select_columns(data_card.plain_columns(read.features))
    classes = {name: kind.names for name, kind in read.features.items() if hasattr(kind, "names")}
    rows: list[Row] = [(f"row {number}", fields) for number, fields in enumerate(read)]
    return Rows(list(read.column_names), rows, classes)


def _without(found: DataSet, split: str, name: str) -> str:
    """What to say of a split that is not there: which may stand for it, or how to make one."""
    custom = found.custom
    said = f"{custom.hub}: no split {shown(name)}; it has {listed(list(found.files))}. Mend: "
    if split == "test":
        return said + 'splits = { test = "SPLIT" } in the task, or no --glue-predict-test'
    other = "validation" if split == "train" else "train"
    taken = {part.split for part in _parts(custom, custom.splits[other])}
    order = sorted(found.files, key=lambda n: USUAL.index(n) if n in USUAL else len(USUAL))
    labelled = [known for known in order if _has_labels(found, known)]
    free = [known for known in labelled if known not in taken]
    if free and taken <= set(found.files):
        return said + f'splits = {{ {split} = "{free[0]}" }} in the task'
    if len(free) > 1:  # neither of the two is there
        train = next((known for known in free if known.startswith("train")), free[-1])
        validation = next(known for known in free if known != train)
        return said + f'splits = {{ train = "{train}", validation = "{validation}" }} in the task'
    if labelled:
        return said + _cut(found, labelled[0])
    return said + f"correct label: no split has labels in a column {shown(custom.label)}"


def _cut(found: DataSet, split: str) -> str:
    """How to cut a split in two; rows that are sorted by their label cannot be."""
    label = found.custom.label
    labels = [fields.get(label) for _, fields in _table(found, split, [label]).rows]
    (first,) = split_slices.parse(f"{split}[:80%]")
    cut = len(first.rows(len(labels)))
    few = len(set(labels)) <= len(labels) // FEW_LABELS
    if few and set(labels[:cut]) != set(labels[cut:]):
        return (
            f"write {split} as two files that both hold every label, and name their folder as "
            "data: its rows are sorted by label, so that no slice does"
        )
    return f"{split_slices.advice(split)} in the task"


def _has_labels(found: DataSet, split: str) -> bool:
    """Whether a split holds labels; those that test sets are published without are all -1."""
    label = found.custom.label
    try:
        rows = _table(found, split, [label]).rows
    except DataError:
        return False
    return any(fields.get(label) not in NO_LABELS for _, fields in rows)


@contextmanager
def _reading(where: str, snapshot: Path) -> Generator[None]:
    """Whatever `datasets` cannot read is a `DataError` with every cause that it gives."""
    import yaml
    from datasets.exceptions import DatasetsError

    try:
        yield
    except yaml.YAMLError as error:
        said = " ".join(str(error).split())
        raise DataError(
            f"{shown_path(snapshot / 'README.md')}: not valid YAML: {said[:300]}; expected YAML "
            f"between its lines ---. Mend: name another revision of {where}, or a folder with a "
            "copy of its files"
        ) from error
    except (
        OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError,
        NotImplementedError, DatasetsError,
    ) as error:  # fmt: skip
        raise DataError(
            f"{where}: cannot be read: {'; '.join(_causes(error))[:400]}. Mend: correct config or "
            "splits of the task, or name a folder with files that can be read"
        ) from error


def _causes(error: BaseException | None) -> Iterator[str]:
    while error is not None:
        yield " ".join(f"{type(error).__name__}: {error}".split())
        error = error.__cause__


def listed(names: Sequence[str]) -> str:
    """Names as a message shows them: not all where there are many."""
    return ", ".join(map(shown, names[:MOST_SHOWN]))
