"""The Hugging Face Hub: snapshots in the local cache, and fetching what is not there.

Nothing is loaded over the network: a model or data set is first a folder here. The Hub is asked
once, within seconds and without a second try, because its client's own retries take 23 s to say
that there is no network. It is asked by `hub_client`, in a process that ends in time whatever the
server does.
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
from typing import Any, Literal

from harness.text.escape import harmless
from harness.text.values import shown

LOOKUP = {"wait_s": 10.0, "least": 1}
DOWNLOAD = {"wait_s": 60.0, "least": 64 << 10}
"""When the Hub is given up: it sent fewer than `least` bytes in `wait_s` seconds."""
MOST_SAID = 1_000  # characters of what the client says
Kind = Literal["model", "dataset"]


@dataclass(frozen=True)
class Snapshot:
    """A folder in the cache, and the commit whose files it holds."""

    directory: Path
    revision: str


@dataclass(frozen=True)
class Absent:
    """Why there is no snapshot: what was found, in words that may stand in a message."""

    found: str


def cache() -> str | None:
    """The folder that snapshots are kept in; None where it lies below a home that is not known."""
    from huggingface_hub import constants

    folder = constants.HF_HUB_CACHE
    return None if folder.startswith("~") else folder


_offline_lock = threading.Lock()
_offline: list[bool] = []  # for each thread that is within: what the switch was before all


@contextlib.contextmanager
def offline() -> Generator[None]:
    """Within, no library asks the Hub, whatever a model's files name: it takes itself for offline.

    The switch is the whole process's: what another thread asks meanwhile is refused too.
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


NO_CACHE = "no home folder is known, so its cache has no place: HF_HOME has to name a folder"


def cached(
    kind: Kind, name: str, wanted: Sequence[str], revision: str | None = None
) -> Snapshot | None:
    """The snapshot last fetched of a repository, if each pattern of `wanted` matches a file of it.

    Or that of a commit. Looks at the disk only.
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
        return None  # where the cache may not be read, `fetch` says so
    directory = Path(folder)
    if not all(any(directory.glob(pattern)) for pattern in wanted):
        return None
    return Snapshot(directory, directory.name)


CARD: dict[Kind, tuple[str, ...]] = {"model": (), "dataset": ("README.md",)}
"""What says where the files of a repository's splits are."""


@functools.cache
def find(
    kind: Kind,
    name: str,
    wanted: tuple[str, ...],
    also: tuple[str, ...] = (),
    revision: str | None = None,
) -> Snapshot | Absent:
    """The snapshot from the cache, else from the Hub; in one process each is asked for once.

    One that has every file of `wanted` and none of `also` will do where the Hub has nothing better.
    """
    here = cached(kind, name, wanted, revision)
    if here and (not also or any(any(here.directory.glob(pattern)) for pattern in also)):
        return here
    fetched = fetch(kind, name, wanted, also, revision)
    return fetched if isinstance(fetched, Snapshot) else here or fetched


@functools.cache
def fetch_once(
    kind: Kind, name: str, wanted: tuple[str, ...], revision: str | None = None
) -> Snapshot | Absent:
    """What `fetch` brings; in one process each is asked for once."""
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
    """Bring a repository's newest files that match `wanted`, or `also` if any, into the cache.

    Or those of a commit. Files that are there already are only fetched `again` on request.
    """
    absent = _lookup(kind, name) if cache() else Absent(NO_CACHE)
    if absent:
        return absent
    said = _asked(
        DOWNLOAD,
        act="download",
        kind=kind,
        name=name,
        revision=revision,
        cache_dir=cache(),
        allow_patterns=[*CARD[kind], *wanted, *also],
        force_download=again,
    )
    if "folder" not in said:
        return Absent(said["absent"])
    found = Path(said["folder"])
    if not found.resolve().is_relative_to(Path(str(cache())).resolve()):
        return Absent("the Hub's answer cannot be used: it leads out of the cache")
    lacking = [pattern for pattern in wanted if not any(found.glob(pattern))]
    if lacking:
        return Absent(f"it holds no file {shown(lacking[0])}")
    return Snapshot(found, found.name)


@functools.cache
def _lookup(kind: Kind, name: str) -> Absent | None:
    """Why the Hub does not let a repository be fetched; None if it does."""
    said = _asked(LOOKUP, act="look up", kind=kind, name=name)
    return Absent(said["absent"]) if "absent" in said else None


def _asked(limits: Mapping[str, float], **request: Any) -> dict[str, str]:
    """What `hub_client` says to a request, in a process of its own."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return {"absent": "HF_HUB_OFFLINE is set"}
    package = str(Path(__file__).parents[2])
    environment = os.environ | {
        "HF_ENDPOINT": constants.ENDPOINT,
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_XET": "1",  # its downloads are not counted
        "PYTHONPATH": os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")])),
    }
    progress = sys.stderr  # noqa: TID251  (handed on, for a progress bar of numbers)
    is_seen = progress is not None and progress.isatty()
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "harness.hub.client"],
        env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=None if is_seen else subprocess.DEVNULL,
    )  # fmt: skip
    try:
        said, _ = process.communicate(json.dumps({"limits": limits, **request}).encode())
        return {key: harmless(text)[:MOST_SAID] for key, text in json.loads(said).items()}
    except ValueError:
        return {"absent": f"the Hub's client ended with {process.returncode} and no answer"}
    finally:
        process.kill()
        process.wait()
