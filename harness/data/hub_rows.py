"""Rows with named columns from a data set of the Hub.

`datasets` says which files hold which split. CSV, JSON lines and Parquet are then read here, each
split by itself: so a text such as "None" stays a text, and splits may differ in their columns.
Other formats are read by `datasets`. Code that comes with a data set is never run.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.catalog import split_slices
from harness.data import data_card, hub_files, row_files, tabular
from harness.data.tabular import MOST_SHOWN, Row, Rows
from harness.errors import DataError, UsageError
from harness.files import lines
from harness.hub import snapshots
from harness.spec import CustomRows
from harness.text.values import shown, shown_path

if TYPE_CHECKING:
    from datasets import BuilderConfig, DatasetBuilder

USUAL = ("validation", "dev", "valid", "val", "test")  # messages suggest the first that exists
NO_LABELS = (None, "", -1, "-1")  # cells of a split without labels
ROWS_PER_LABEL = 10  # labels that occur so often on average are classes; scores occur less often
TABLES = {"csv", "json", "parquet"}  # builders of `datasets` whose files can be read here


@dataclass(frozen=True)
class DataSet:
    """One config of a data set, in a snapshot."""

    custom: CustomRows
    snapshot: Path
    builder: DatasetBuilder
    files: Mapping[str, Sequence[str]]  # split -> its files

    @property
    def classes(self) -> dict[str, Sequence[str]]:
        """The class names of each column of ids, from the data set's card."""
        features = self.builder.info.features or {}
        return {name: kind.names for name, kind in features.items() if hasattr(kind, "names")}


def splits_of(custom: CustomRows, snapshot: Path) -> list[str]:
    """The splits of a data set. Raises `DataError`."""
    return list(_open(custom, snapshot).files)


def read(custom: CustomRows, split: str, snapshot: Path, wanted: Collection[str]) -> Rows:
    """The columns and rows of a split; labels are class names, not ids. Raises `DataError`."""
    data_set = _open(custom, snapshot)
    name = custom.splits.get(split, split)
    parts = _parts(custom, name)
    for part in parts:
        if part.split not in data_set.files:
            raise DataError(_missing_split(data_set, split, part.split))
    tables = {part.split: _table(data_set, part.split, wanted) for part in parts}
    counts = {base: len(table.rows) for base, table in tables.items()}
    _refuse_shared(custom, split, parts, counts)
    first = tables[parts[0].split]
    named = {base: table.named(custom.label) for base, table in tables.items()}
    rows = [
        named[part.split][number][1] for part in parts for number in part.rows(counts[part.split])
    ]
    if not rows:
        raise DataError(f"{custom.hub}/{name}: no row; expected one or more. Fix: correct splits")
    where = f"{custom.hub}/{name}"
    columns = [c for c in first.columns if all(c in table.columns for table in tables.values())]
    return Rows(columns, [(f"{where}, row {number}", row) for number, row in enumerate(rows)])


def _parts(custom: CustomRows, name: str) -> list[split_slices.Part]:
    try:
        return split_slices.parse(name)
    except UsageError as error:
        raise DataError(f"{custom.hub}: splits: {error}") from None


def _refuse_shared(
    custom: CustomRows, split: str, parts: Sequence[split_slices.Part], counts: Mapping[str, int]
) -> None:
    """Raise `DataError` where the validation split has row numbers of the training split."""
    train = _parts(custom, custom.splits["train"])
    if split == "validation" and (shared := split_slices.overlap(train, parts, counts)):
        raise DataError(
            f"{custom.hub}: train is {shown(custom.splits['train'])} and validation is "
            f"{shown(custom.splits['validation'])}: both hold the same rows of {shown(shared)}, "
            f"which has {counts[shared]}; expected no row in both. Fix: "
            + split_slices.suggest_separate(train, custom.splits["validation"], shared)
        )


def _open(custom: CustomRows, snapshot: Path) -> DataSet:
    import datasets

    datasets.disable_progress_bars()
    name = f"{custom.hub}/{custom.config}" if custom.config else str(custom.hub)
    with _reading(name, snapshot), snapshots.offline():
        data_card.check(snapshot, str(custom.hub))
        configs = datasets.get_dataset_config_names(str(snapshot))
        if custom.config not in configs and (custom.config or len(configs) > 1):
            found = "no config" if custom.config is None else f"config {shown(custom.config)}"
            raise DataError(
                f"{custom.hub}: {found}; it has {listed(configs)}. Fix: "
                f'config = "{configs[0]}" in the task'
            )
        builder = datasets.load_dataset_builder(str(snapshot), custom.config)
        data_files = builder.config.data_files or {}
        files = {str(split): list(paths) for split, paths in data_files.items()}
        all_files = [path for paths in files.values() for path in paths]
        data_card.check_files(str(custom.hub), _kind(builder), all_files, snapshot)
    return DataSet(custom, snapshot, builder, files)


def _kind(builder: DatasetBuilder) -> str:
    """The name of a builder of `datasets`: csv, json, parquet, ..."""
    return builder.__module__.rsplit(".", 1)[-1]


def _table(data_set: DataSet, split: str, wanted: Collection[str]) -> Rows:
    """A whole split of a data set."""
    try:
        tables = [_read_file(data_set, Path(path), wanted) for path in data_set.files[split]]
    except DataError as error:
        raise DataError(f"{data_set.custom.hub}: cannot be read: {error}") from error
    if any(table is None for table in tables):
        return _read_by_datasets(data_set, split)
    filled = [table for table in tables if table is not None and table.rows]
    if not filled:
        raise DataError(f"{data_set.custom.hub}/{split}: no row; expected one or more")
    columns = [c for c in filled[0].columns if all(c in table.columns for table in filled)]
    rows = [row for table in filled for row in table.rows]
    return Rows(columns, rows, {**filled[0].classes, **data_set.classes})


def _read_file(data_set: DataSet, path: Path, wanted: Collection[str]) -> Rows | None:
    """The rows of one file; None where only `datasets` can read it."""
    kind = _kind(data_set.builder)
    config: Any = data_set.builder.config  # each builder has fields of its own
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


def _is_plain(config: BuilderConfig) -> bool:
    """Whether a card leaves all settings for reading its files at their defaults.

    It may say what separates fields.
    """
    others = ("name", "version", "data_dir", "data_files", "description", "sep", "delimiter")
    return all(
        getattr(config, field.name) == getattr(type(config)(), field.name)
        for field in dataclasses.fields(config)
        if field.name not in (*others, "features")
    )


def _read_by_datasets(data_set: DataSet, split: str) -> Rows:
    """The rows of a split in a format that only `datasets` can read."""
    import datasets.config

    custom = data_set.custom
    settings: dict[str, Any] = {}  # keywords of the builder, which differ between formats
    if _kind(data_set.builder) == "csv":
        settings["keep_default_na"] = False  # so that "None" and the like stay texts
    with _reading(f"{custom.hub}/{split}", data_set.snapshot), snapshots.offline():
        files = {Path(path) for paths in data_set.files.values() for path in paths}
        name = hub_files.cache_name(path for path in files if path.is_file())
        cache = str(Path(datasets.config.HF_DATASETS_CACHE) / name)
        read = datasets.load_dataset(
            str(data_set.snapshot), custom.config, split=split, cache_dir=cache, **settings
        )
        read = read.select_columns(data_card.plain_columns(read.features))
    classes = {name: kind.names for name, kind in read.features.items() if hasattr(kind, "names")}
    rows: list[Row] = [(f"row {number}", fields) for number, fields in enumerate(read)]
    return Rows(list(read.column_names), rows, classes)


def _missing_split(data_set: DataSet, split: str, name: str) -> str:
    """The message for a split that does not exist: which one to use instead, or how to make one."""
    custom = data_set.custom
    start = f"{custom.hub}: no split {shown(name)}; it has {listed(list(data_set.files))}. Fix: "
    if split == "test":
        return start + 'splits = { test = "SPLIT" } in the task, or no --glue-predict-test'
    other = "validation" if split == "train" else "train"
    used = {part.split for part in _parts(custom, custom.splits[other])}
    order = sorted(data_set.files, key=lambda n: USUAL.index(n) if n in USUAL else len(USUAL))
    labelled = [known for known in order if _has_labels(data_set, known)]
    free = [known for known in labelled if known not in used]
    if free and used <= set(data_set.files):
        return start + f'splits = {{ {split} = "{free[0]}" }} in the task'
    if len(free) > 1:  # neither train nor validation exists
        train = next((known for known in free if known.startswith("train")), free[-1])
        validation = next(known for known in free if known != train)
        return start + f'splits = {{ train = "{train}", validation = "{validation}" }} in the task'
    if labelled:
        return start + _suggest_cut(data_set, labelled[0])
    return start + f"correct label: no split has labels in a column {shown(custom.label)}"


def _suggest_cut(data_set: DataSet, split: str) -> str:
    """How to cut a split in two. No slice will do if its rows are sorted by label."""
    label = data_set.custom.label
    labels = [fields.get(label) for _, fields in _table(data_set, split, [label]).rows]
    (first,) = split_slices.parse(f"{split}[:80%]")
    cut = len(first.rows(len(labels)))
    are_classes = len(set(labels)) <= len(labels) // ROWS_PER_LABEL
    if are_classes and set(labels[:cut]) != set(labels[cut:]):
        return (
            f"write {split} as two files that both hold every label, and name their folder as "
            "data: its rows are sorted by label, so no slice holds every label"
        )
    return f"{split_slices.suggest_cut(split)} in the task"


def _has_labels(data_set: DataSet, split: str) -> bool:
    """Whether a split holds labels. In a test set that is published without them, all are -1."""
    label = data_set.custom.label
    try:
        rows = _table(data_set, split, [label]).rows
    except DataError:
        return False
    return any(fields.get(label) not in NO_LABELS for _, fields in rows)


@contextmanager
def _reading(where: str, snapshot: Path) -> Generator[None]:
    """Turn whatever `datasets` raises for a data set into a `DataError` with all its causes."""
    import yaml

    try:
        yield
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())
        raise DataError(
            f"{shown_path(snapshot / 'README.md')}: not valid YAML: {reason[:300]}; expected YAML "
            f"between its lines ---. Fix: name another revision of {where}, or a folder with a "
            "copy of its files"
        ) from error
    except data_card.read_errors() as error:
        raise DataError(
            f"{where}: cannot be read: {'; '.join(_causes(error))[:400]}. Fix: correct config or "
            "splits of the task, or name a folder with files that can be read"
        ) from error


def _causes(error: BaseException | None) -> Iterator[str]:
    while error is not None:
        yield " ".join(f"{type(error).__name__}: {error}".split())
        error = error.__cause__


def listed(names: Sequence[str]) -> str:
    """Names for a message, at most `MOST_SHOWN` of them."""
    return ", ".join(map(shown, names[:MOST_SHOWN]))
