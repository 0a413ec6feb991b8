"""The Hugging Face Hub: snapshots in the local cache, and fetching what is not there.

Nothing is loaded over the network: a model or data set is downloaded into a folder first. The Hub
is asked only once and gets a few seconds, because its client's own retries take 23 s to report that
there is no network. `hub.client` asks it, in a process that ends in time whatever the server does.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import subprocess
import sys
import threading
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness.text.escape import harmless
from harness.text.values import shown

LOOKUP = {"wait_s": 10.0, "least": 1}
DOWNLOAD = {"wait_s": 60.0, "least": 64 << 10}
"""A request is given up if the Hub sends fewer than `least` bytes in `wait_s` seconds."""
LONGEST_ANSWER = 1_000  # characters of each text in the client's answer
Kind = Literal["model", "dataset"]


@dataclass(frozen=True)
class Snapshot:
    """A folder in the cache, and the commit whose files it holds."""

    directory: Path
    revision: str


@dataclass(frozen=True)
class Absent:
    """There is no snapshot; `why` is a part of a sentence in a message."""

    why: str


def cache() -> str | None:
    """The folder of snapshots; None if it would be below an unknown home folder."""
    from huggingface_hub import constants

    folder = constants.HF_HUB_CACHE
    return None if folder.startswith("~") else folder


_offline_lock = threading.Lock()
_offline: list[bool] = []  # one entry per thread inside `offline`: the first value of the switch


@contextlib.contextmanager
def offline() -> Generator[None]:
    """In this block no library asks the Hub, whatever a model's files name.

    The switch holds for the whole process: requests of other threads are refused too.
    """
    from huggingface_hub import constants

    with _offline_lock:
        before = _offline[0] if _offline else constants.HF_HUB_OFFLINE
        _offline.append(before)
        constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        with _offline_lock:
            _offline.pop()
            if not _offline:
                constants.HF_HUB_OFFLINE = before


NO_CACHE = "no home folder is known, so there is no cache: HF_HOME has to name a folder"


def cached(
    kind: Kind, name: str, wanted: Sequence[str], revision: str | None = None
) -> Snapshot | None:
    """The newest snapshot of a repository, or that of a commit, that is on this disk.

    None if there is none, or a pattern of `wanted` matches none of its files.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    if cache() is None:
        return None
    try:
        folder = snapshot_download(
            name,
            repo_type=kind,
            revision=revision,
            cache_dir=cache(),
            allow_patterns=list(wanted),
            local_files_only=True,
        )
    except (HFValidationError, LocalEntryNotFoundError, PermissionError):
        return None  # if the cache cannot be read, `fetch` says so
    directory = Path(folder)
    if not all(any(directory.glob(pattern)) for pattern in wanted):
        return None
    return Snapshot(directory, directory.name)


CARD: dict[Kind, tuple[str, ...]] = {"model": (), "dataset": ("README.md",)}
"""The files that say where the files of each split are."""


@functools.cache
def find(
    kind: Kind,
    name: str,
    wanted: tuple[str, ...],
    also: tuple[str, ...] = (),
    revision: str | None = None,
) -> Snapshot | Absent:
    """The snapshot from the cache or else from the Hub; a process asks for each only once.

    A snapshot in the cache that has the files of `wanted`, but none of `also`, is returned only if
    the Hub gives nothing.
    """
    local = cached(kind, name, wanted, revision)
    if local and (not also or any(any(local.directory.glob(pattern)) for pattern in also)):
        return local
    fetched = fetch(kind, name, wanted, also, revision)
    return fetched if isinstance(fetched, Snapshot) else local or fetched


@functools.cache
def fetch_once(
    kind: Kind, name: str, wanted: tuple[str, ...], revision: str | None = None
) -> Snapshot | Absent:
    """The result of `fetch`; a process asks for each repository only once."""
    return fetch(kind, name, wanted, revision=revision)


def fetch(
    kind: Kind,
    name: str,
    wanted: Sequence[str],
    also: Sequence[str] = (),
    revision: str | None = None,
    *,
    again: bool = False,
) -> Snapshot | Absent:
    """Download a repository's files that match `wanted` or `also` into the cache.

    They are the newest, or those of a commit. A file of `also` may be missing. Files that are in
    the cache are downloaded only if `again` says so.
    """
    absent = _lookup(kind, name) if cache() else Absent(NO_CACHE)
    if absent:
        return absent
    answer = _ask(
        DOWNLOAD,
        verb="download",
        kind=kind,
        name=name,
        revision=revision,
        cache_dir=cache(),
        allow_patterns=[*CARD[kind], *wanted, *also],
        force_download=again,
    )
    if "folder" not in answer:
        return Absent(answer["absent"])
    folder = Path(answer["folder"])
    if not folder.resolve().is_relative_to(Path(str(cache())).resolve()):
        return Absent("the Hub's answer cannot be used: it leads out of the cache")
    missing = [pattern for pattern in wanted if not any(folder.glob(pattern))]
    if missing:
        return Absent(f"it holds no file {shown(missing[0])}")
    return Snapshot(folder, folder.name)


@functools.cache
def _lookup(kind: Kind, name: str) -> Absent | None:
    """Why the Hub does not allow a repository to be downloaded; None if it does."""
    answer = _ask(LOOKUP, verb="look up", kind=kind, name=name)
    return Absent(answer["absent"]) if "absent" in answer else None


def _ask(limits: Mapping[str, float], **request: object) -> dict[str, str]:
    """The answer of `hub.client`, in a process of its own, to a request of JSON values."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return {"absent": "HF_HUB_OFFLINE is set"}
    package = str(Path(__file__).parents[2])
    environment = os.environ | {
        "HF_ENDPOINT": constants.ENDPOINT,
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_XET": "1",  # its downloads cannot be counted
        "PYTHONPATH": os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")])),
    }
    progress = sys.stderr  # noqa: TID251  (the client shows only a number there)
    is_seen = progress is not None and progress.isatty()
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "harness.hub.client"],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=None if is_seen else subprocess.DEVNULL,
    )
    try:
        output, _ = process.communicate(json.dumps({"limits": limits, **request}).encode())
        return {key: harmless(text)[:LONGEST_ANSWER] for key, text in json.loads(output).items()}
    except ValueError:
        return {
            "absent": f"the Hub's client ended with exit code {process.returncode} and no answer"
        }
    finally:
        process.kill()
        process.wait()
