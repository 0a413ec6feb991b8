"""Check that a data set makes `datasets` read only files of its own snapshot.

The card of a data set (the YAML of README.md, or .huggingface.yaml) says which files hold which
split. `datasets` takes any path there: /etc/passwd, a folder above, a URL, a chain of file systems.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from harness.data import compressed
from harness.errors import DataError
from harness.files import paths, reading
from harness.spec import Json
from harness.text.values import shown, shown_path

if TYPE_CHECKING:
    from datasets import Features

CARDS = ("README.md", ".huggingface.yaml", "dataset_infos.json")  # what `datasets` 5.2 reads
FILES = ("data_files", "data_dir", "path")  # the keys of a config that name files
MOST_VALUES = 1_000_000  # in a card; each alias of YAML counts again
MOST_FILES = 1_000_000  # in a snapshot
BUILDERS = ("csv", "json", "parquet", "text", "arrow")
"""The builders of `datasets` that only read rows; others unpickle, unpack or download files."""
SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
COPY = "name a folder with a copy of its rows as data"


def check(snapshot: Path, name: str) -> None:
    """Raise `DataError` where a snapshot's card, or a link in it, names a file outside.

    `name` is the data set's name in the message. This must run before `datasets` looks at the
    snapshot: to find files for a pattern, it may use the network.
    """
    _check_links(snapshot, name)
    for file in CARDS[:2]:
        if os.path.lexists(snapshot / file):
            _check_card(f"{name}: {file}", _read_card(snapshot / file))


def check_files(name: str, builder: str, files: Iterable[str], snapshot: Path) -> None:
    """Raise `DataError` for files that `datasets` found but must not read.

    These are files outside the snapshot, files that are too large, and files of other builders.
    """
    if builder not in BUILDERS:
        raise DataError(
            f"{name}: its files need the builder {shown(builder)} of `datasets`; expected one of "
            f"{', '.join(BUILDERS)}. Fix: {COPY}"
        )
    home = _home(snapshot)
    for file in files:
        path = Path(file)
        if SCHEME.match(file) or not path.is_absolute() or not _is_below(path, home):
            raise _outside(f"{name}: data_files", file)
        try:
            reading.check(path, path.stat(), reading.ROWS)
            compressed.check(path)
        except OSError as error:
            raise DataError(
                f"{shown_path(path)}: cannot be read: {paths.reason(error)}. Fix: {COPY}"
            ) from error


def read_errors() -> tuple[type[Exception], ...]:
    """What `datasets` raises for files that it cannot read, apart from YAML that is not valid."""
    from datasets.exceptions import DatasetsError

    return (
        OSError,
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
        RecursionError,
        NotImplementedError,
        DatasetsError,
    )


def plain_columns(features: Features | None) -> list[str]:
    """The columns of texts, numbers or classes. Reading any other kind may open files."""
    import datasets

    plain = (datasets.Value, datasets.ClassLabel)
    return [column for column, kind in (features or {}).items() if isinstance(kind, plain)]


def _read_card(path: Path) -> Json:
    """The content of a card, as `datasets` reads it. Raises `DataError` and `yaml.YAMLError`."""
    import yaml
    from huggingface_hub import DatasetCard

    try:
        text = reading.read(path, reading.DATA_CARD).decode()
        if path.name != CARDS[0]:
            return yaml.safe_load(text)
        return DatasetCard(text, ignore_metadata_errors=True).data.to_dict()
    except OSError as error:
        reason = paths.reason(error)
        raise DataError(f"{shown_path(path)}: cannot be read: {reason}. Fix: {COPY}") from error
    except (ValueError, TypeError, RecursionError, AttributeError) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise DataError(
            f"{shown_path(path)}: cannot be read: {reason[:200]}; expected YAML between its lines "
            f"---. Fix: {COPY}"
        ) from error


def _check_card(where: str, card: Json) -> None:
    configs = card.get("configs") if isinstance(card, dict) else None
    for key, value in _values("configs", configs):
        last = key.rpartition(".")[2].partition("[")[0]
        is_inside = any(part.partition("[")[0] == FILES[0] for part in key.split("."))
        if isinstance(value, str) and (last in FILES or is_inside) and _leads_out(value):
            raise _outside(f"{where}: key {key}", value)


def _values(key: str, content: Json) -> Iterator[tuple[str, Json]]:
    """Every single value inside the content of a card, with the path of keys to it."""
    stack = [(key, content)]
    for _ in range(MOST_VALUES):
        if not stack:
            return
        key, value = stack.pop()
        if isinstance(value, dict):
            stack += [(f"{key}.{name}", one) for name, one in value.items()]
        elif isinstance(value, list | tuple | set):
            stack += [(f"{key}[{place}]", one) for place, one in enumerate(value)]
        else:
            yield key, value
    raise DataError(f"{key}: more than {MOST_VALUES:,} values; expected fewer. Fix: {COPY}")


def _leads_out(path: str) -> bool:
    """Whether a path or pattern of a card may name files outside the card's folder."""
    parts = PurePosixPath(path.replace("\\", "/")).parts
    return (
        SCHEME.match(path) is not None
        or path.startswith(("/", "\\", "~"))
        or "::" in path
        or "\0" in path
        or ".." in parts
    )


def _outside(where: str, found: str) -> DataError:
    return DataError(
        f"{where}: found {shown(found)}, which leads out of the data set; expected a path below "
        f"its folder. Fix: {COPY}"
    )


def _home(snapshot: Path) -> Path:
    """The folder that links of a snapshot may lead into: in the Hub's cache, the repository's."""
    is_cached = snapshot.parent.name == "snapshots"
    return (snapshot.parents[1] if is_cached else snapshot).resolve()


def _is_below(path: Path, home: Path) -> bool:
    try:
        return path.resolve().is_relative_to(home)
    except (OSError, RuntimeError):  # a link to itself
        return False


def _check_links(snapshot: Path, name: str) -> None:
    """Raise `DataError` for an entry that is not a file, a folder, or a link to a file inside."""
    home = _home(snapshot)
    count = 0
    for folder, folders, files in os.walk(snapshot):
        for entry in (Path(folder) / name for name in (*folders, *files)):
            count += 1
            mode = entry.lstat().st_mode
            if stat.S_ISLNK(mode) and not _is_below(entry, home):
                raise _outside(f"{name}: {entry.relative_to(snapshot)}", str(entry.readlink()))
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode)):
                raise DataError(
                    f"{shown_path(entry)}: it is {reading.kind_of(mode)}; expected a file. "
                    f"Fix: {COPY}"
                )
        if count > MOST_FILES:
            raise DataError(f"{name}: more than {MOST_FILES:,} files; expected fewer. Fix: {COPY}")
