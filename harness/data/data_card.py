"""What a data set's own files may make `datasets` read: files of its snapshot, and no others.

The card of a data set (the YAML of README.md, or .huggingface.yaml) says which files hold which
split. `datasets` takes any path there: /etc/passwd, a folder above, a URL, a chain of file systems.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from harness.data import compressed
from harness.errors import DataError
from harness.files import paths, reading
from harness.text.values import shown, shown_path

CARDS = ("README.md", ".huggingface.yaml", "dataset_infos.json")  # that `datasets` 5.2 reads
FILES = ("data_files", "data_dir", "path")  # the keys of a config that name files
MOST_VALUES = 1_000_000  # of a card, aliases of YAML counted each time
MOST_FILES = 1_000_000  # of a snapshot
BUILDERS = ("csv", "json", "parquet", "text", "arrow")
"""The builders of `datasets` that read rows of texts; others unpickle, extract or fetch."""
SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
COPY = "name a folder with a copy of its rows as data"


def check(snapshot: Path, name: str) -> None:
    """Raise `DataError` where a snapshot's card, or a link, leads out of it.

    `name` is what the data set is called in the message. Called before `datasets` looks at the
    snapshot, for looking a pattern up would ask the network.
    """
    _check_links(snapshot, name)
    for file in CARDS[:2]:
        if os.path.lexists(snapshot / file):
            _check_said(f"{name}: {file}", _said(snapshot / file))


def check_files(name: str, builder: str, files: Iterable[str], snapshot: Path) -> None:
    """Raise `DataError` for files that `datasets` found and that are not rows of the snapshot."""
    if builder not in BUILDERS:
        raise DataError(
            f"{name}: its files are read by the builder {shown(builder)} of `datasets`; expected "
            f"one of {', '.join(BUILDERS)}. Mend: {COPY}"
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
                f"{shown_path(path)}: cannot be read: {paths.reason(error)}. Mend: {COPY}"
            ) from error


def plain_columns(features: Any) -> list[str]:
    """The columns that hold texts, numbers or classes: others open files as they are read."""
    import datasets

    plain = (datasets.Value, datasets.ClassLabel)
    return [column for column, kind in (features or {}).items() if isinstance(kind, plain)]


def _said(path: Path) -> Any:
    """What a card says, as `datasets` reads it. Raises `DataError` and `yaml.YAMLError`."""
    import yaml
    from huggingface_hub import DatasetCard

    try:
        text = reading.read(path, reading.DATA_CARD).decode()
        if path.name != CARDS[0]:
            return yaml.safe_load(text)
        return DatasetCard(text, ignore_metadata_errors=True).data.to_dict()
    except OSError as error:
        said = paths.reason(error)
        raise DataError(f"{shown_path(path)}: cannot be read: {said}. Mend: {COPY}") from error
    except (ValueError, TypeError, RecursionError, AttributeError) as error:
        said = " ".join(f"{type(error).__name__}: {error}".split())
        raise DataError(
            f"{shown_path(path)}: cannot be read: {said[:200]}; expected YAML between its lines "
            f"---. Mend: {COPY}"
        ) from error


def _check_said(where: str, said: Any) -> None:
    configs = said.get("configs") if isinstance(said, dict) else None
    for key, value in _values("configs", configs):
        named = key.rpartition(".")[2].partition("[")[0]
        inside = any(part.partition("[")[0] == FILES[0] for part in key.split("."))
        if isinstance(value, str) and (named in FILES or inside) and _leads_out(value):
            raise _outside(f"{where}: key {key}", value)


def _values(key: str, said: Any) -> Iterator[tuple[str, Any]]:
    """Every value that stands somewhere in a card, and the keys that lead to it."""
    stack = [(key, said)]
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
    raise DataError(f"{key}: more than {MOST_VALUES:,} values; expected fewer. Mend: {COPY}")


def _leads_out(said: str) -> bool:
    """Whether a path or pattern of a card is more than a place below its folder."""
    parts = PurePosixPath(said.replace("\\", "/")).parts
    return bool(
        SCHEME.match(said) or "::" in said or "\0" in said or ".." in parts
        or said.startswith(("/", "\\", "~"))
    )  # fmt: skip


def _outside(where: str, found: str) -> DataError:
    return DataError(
        f"{where}: found {shown(found)}, which leads out of the data set; expected a path below "
        f"its folder. Mend: {COPY}"
    )


def _home(snapshot: Path) -> Path:
    """The folder that a snapshot's links may lead into: in the Hub's cache the repository's own."""
    is_cached = snapshot.parent.name == "snapshots"
    return (snapshot.parents[1] if is_cached else snapshot).resolve()


def _is_below(path: Path, home: Path) -> bool:
    try:
        return path.resolve().is_relative_to(home)
    except (OSError, RuntimeError):  # a link to itself
        return False


def _check_links(snapshot: Path, name: str) -> None:
    """Raise `DataError` for what is neither a file, nor a folder, nor a link to a file inside."""
    home = _home(snapshot)
    counted = 0
    for folder, folders, files in os.walk(snapshot):
        for entry in (Path(folder) / one for one in (*folders, *files)):
            counted += 1
            mode = entry.lstat().st_mode
            if stat.S_ISLNK(mode) and not _is_below(entry, home):
                raise _outside(f"{name}: {entry.relative_to(snapshot)}", str(entry.readlink()))
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode)):
                raise DataError(
                    f"{shown_path(entry)}: it is {reading.kind_of(mode)}; expected a file. "
                    f"Mend: {COPY}"
                )
        if counted > MOST_FILES:
            raise DataError(f"{name}: more than {MOST_FILES:,} files; expected fewer. Mend: {COPY}")
