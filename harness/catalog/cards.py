"""The card of a fine-tuned model: what it was trained on, and which files belong to it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from harness.catalog.model_files import ADAPTER, CARD, READ
from harness.files import hashes, paths, reading
from harness.spec import JsonObject

FILES = "files"


def write(folder: Path, facts: JsonObject) -> str:
    """Write a card beside a model's files, with `facts` and the files' sizes and hashes.

    Returns the sha256 of the card. Raises `OSError`.
    """
    files = {
        path.relative_to(folder).as_posix(): {
            "bytes": path.stat().st_size,
            "sha256": hashes.sha256(path),
        }
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    content = json.dumps({**facts, FILES: files}, indent=1) + "\n"
    (folder / CARD).write_text(content, "utf-8")
    return hashlib.sha256(content.encode()).hexdigest()


def problems(home: Path, name: str | None, sha256: str | None) -> Iterator[str]:
    """Why the folder `name` in `home` is not the saved model of a run, or not all of it.

    `sha256` is the hash of the card that the run's record holds.
    """
    if not name or not (home / name / CARD).is_file():
        yield f"not in {home}"
    elif sha256 is None:
        yield (
            f"{name} in {home} may belong to another run: an earlier glue-bench made this run, and "
            "stored no hash of its model"
        )
    else:
        yield from _check_files(home / name, sha256)


def _check_files(folder: Path, sha256: str) -> Iterator[str]:
    try:
        content = reading.read(folder / CARD, reading.JSON)
        if hashlib.sha256(content).hexdigest() != sha256:
            yield f"{folder} holds the model of another run, or its {CARD} was changed"
            return
        files = json.loads(content)[FILES]
        for name, stored in files.items():
            if problem := _difference(folder / name, stored):
                yield f"{folder / name}: {problem}"
        others = {
            path.relative_to(folder).as_posix()
            for pattern in (*READ, ADAPTER)
            for path in folder.glob(pattern)
        }
        for name in sorted(others - set(files)):
            if not (folder / name).is_dir():
                yield f"{folder / name}: was added later"
    except OSError as error:
        yield f"{folder}: cannot be read: {paths.reason(error)}"
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        yield f"{folder / CARD}: is not the card of a model: {type(error).__name__}"


def _difference(path: Path, stored: JsonObject) -> str | None:
    """How a file differs from what its card says of it; None: it does not."""
    if not path.is_file():
        return "is missing"
    size = path.stat().st_size
    if size != stored["bytes"]:
        return f"has {size:,} bytes, and had {stored['bytes']:,}"
    return "was changed" if hashes.sha256(path) != stored["sha256"] else None
