"""The card of a fine-tuned model: what it was trained on, and the files that it consists of."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.catalog.weights import ADAPTER, CARD, READ
from harness.files import hashes, paths, reading

FILES = "files"


def write(folder: Path, said: Mapping[str, Any]) -> str:
    """Put a card beside a model's files, with their sizes and hashes; returns its own sha256.

    Raises `OSError`.
    """
    files = {
        path.relative_to(folder).as_posix(): {
            "bytes": path.stat().st_size,
            "sha256": hashes.sha256(path),
        }
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    content = json.dumps({**said, FILES: files}, indent=1) + "\n"
    (folder / CARD).write_text(content, "utf-8")
    return hashlib.sha256(content.encode()).hexdigest()


def problems(home: Path, name: str | None, sha256: str | None) -> Iterator[str]:
    """Why the model in the folder `name` of `home` is not, or not wholly, the one with that card.

    `sha256` is that of the card, as a run's record has it.
    """
    if not name or not (home / name / CARD).is_file():
        yield f"not in {home}"
    elif sha256 is None:
        yield (
            f"{name} in {home} may be another's: the run is of an earlier glue-bench, which stored "
            "no hash of it"
        )
    else:
        yield from _of_files(home / name, sha256)


def _of_files(folder: Path, sha256: str) -> Iterator[str]:
    try:
        content = reading.read(folder / CARD, reading.JSON)
        if hashlib.sha256(content).hexdigest() != sha256:
            yield f"{folder} holds another run's, or its {CARD} was changed"
            return
        files = json.loads(content)[FILES]
        for name, told in files.items():
            if why := _unlike(folder / name, told):
                yield f"{folder / name}: {why}"
        others = {
            path.relative_to(folder).as_posix()
            for pattern in (*READ, ADAPTER)
            for path in folder.glob(pattern)
        }
        for name in sorted(others - set(files)):
            if not (folder / name).is_dir():
                yield f"{folder / name}: was put there later"
    except OSError as error:
        yield f"{folder}: cannot be read: {paths.reason(error)}"
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        yield f"{folder / CARD}: no card of a model: {type(error).__name__}"


def _unlike(path: Path, told: Mapping[str, Any]) -> str | None:
    """What of a file is not as its card says; None: nothing."""
    if not path.is_file():
        return "is gone"
    size = path.stat().st_size
    if size != told["bytes"]:
        return f"holds {size:,} bytes, and held {told['bytes']:,}"
    return "was changed" if hashes.sha256(path) != told["sha256"] else None
