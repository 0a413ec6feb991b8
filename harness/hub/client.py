"""Asks the Hugging Face Hub, in a process of its own: `python -m harness.hub.client`.

A server may send a byte every few seconds, a login page in place of an answer, another answer than
it announced, or never stop. Here each answer is checked as it comes in, and counted; a process can
be ended whatever it waits for, and its memory has a limit. It reads one request, a JSON object,
from its input, and writes one answer: {"revision": ...}, {"folder": ...} or {"absent": why}.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import resource
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from harness.files.reading import GB, MB

LOOKUP_S = 5.0  # for each step of a look-up: connecting, the answer, each part of it
MOST_REQUESTS = 20_000  # of one fetch: files, each asked for twice, some with a redirect
MOST_PAGES = 1_000  # of a listing; the Hub puts 1,000 files on a page
MOST_FILE = 50 * GB  # the client's own limit
MOST_LISTING = 64 * MB  # of one answer that lists files
MOST_BYTES = 200 * GB  # of one fetch
MEMORY = 8 * GB  # address space, most of it libraries' and never used
COMMIT = re.compile("[0-9a-f]{40}")
NAME = re.compile(r"[\w+=-][\w.+=-]{0,254}", re.ASCII)  # that the client makes a file's name of


class Refused(OSError):
    """An answer that is none of a Hub's."""


class Guard:
    """What is counted and checked of each answer; `said` is the first thing that was wrong."""

    def __init__(self) -> None:
        self.said: str | None = None
        self.requests = self.received = self.pages = 0
        self.announced: dict[str, int] = {}  # URL -> bytes, as HEAD has said
        self._lock = threading.Lock()

    def refuse(self, said: str) -> Refused:
        self.said = self.said or said
        return Refused(said)

    def on_response(self, response: Any) -> None:
        """Check the head of an answer, before its content is read."""
        url, headers = str(response.request.url), response.headers
        with self._lock:
            self.requests += 1
        if self.requests > MOST_REQUESTS:
            raise self.refuse(f"it asks for more than {MOST_REQUESTS:,} requests")
        if headers.get("content-encoding", "identity") != "identity":
            raise self.refuse(f"{url} is sent compressed, though that was not asked for")
        for name in ("etag", "x-linked-etag", "x-repo-commit"):
            said = headers.get(name, "0").removeprefix("W/").strip('"')
            if not NAME.fullmatch(said):
                raise self.refuse(f"{url} has the header {name}: {said[:80]!a}, no file's name")
        if response.is_success and "/resolve/" in url and response.request.method == "HEAD":
            self._note_size(response, url)
        is_listing = "/api/" in url and not response.is_redirect
        limit = MOST_LISTING if is_listing else self.announced.get(url, MOST_BYTES)
        response.stream = counted(self, response.stream, url, limit)
        if is_listing and response.is_success:
            self._check_listing(response, url)

    def _note_size(self, response: Any, url: str) -> None:
        if "x-repo-commit" not in response.headers:
            kind = response.headers.get("content-type", "no type")
            raise self.refuse(
                f"{url} was answered with {kind[:40]!a} and without the header X-Repo-Commit, so "
                "it is no Hub that answers (a login page of the network?)"
            )
        size = response.headers.get("x-linked-size") or response.headers.get("content-length", "")
        if re.fullmatch(r"\d{1,15}", size):
            self.announced[url] = int(size)
        if self.announced.get(url, 0) > MOST_FILE:
            raise self.refuse(
                f"{url} announces {int(size):,} bytes; expected {MOST_FILE:,} or less"
            )

    def _check_listing(self, response: Any, url: str) -> None:
        self.pages += 1
        if self.pages > MOST_PAGES:
            raise self.refuse(f"its listing has more than {MOST_PAGES:,} pages")
        response.read()
        try:
            said = response.json()
        except (ValueError, RecursionError):
            kind = response.headers.get("content-type", "no type")
            raise self.refuse(
                f"{url} was answered with {kind[:40]!a}, {response.content[:60]!a}; expected JSON "
                "(a login page of the network?)"
            ) from None
        entries = said if isinstance(said, list) else [said]
        for entry in entries:
            named = [entry.get("path")] if isinstance(entry, dict) else [entry]
            if isinstance(entry, dict):
                commit, siblings = entry.get("sha", "0" * 40), entry.get("siblings") or []
                if not (isinstance(commit, str) and COMMIT.fullmatch(commit)):
                    raise self.refuse(f"{url} names the commit {str(commit)[:80]!a}")
                if not isinstance(siblings, list):
                    raise self.refuse(f"{url} has siblings that are no list")
                named += [o.get("rfilename") if isinstance(o, dict) else o for o in siblings]
            for name in named:
                if name is not None and not _is_inside(name):
                    raise self.refuse(f"{url} names the file {str(name)[:80]!a}")

    def count(self, size: int) -> None:
        """Note bytes of content. Raises `Refused` where they are too many."""
        with self._lock:
            self.received += size
        if self.received > MOST_BYTES:
            raise self.refuse(f"it sent more than {MOST_BYTES:,} bytes")


def counted(guard: Guard, stream: Any, url: str, limit: int) -> Any:
    """The content of an answer; not more of it than `limit` bytes.

    Of the type that the client's HTTP library, whichever it is, asks of a stream.
    """
    base: Any = type(stream).__base__

    class Counted(base):
        def __init__(self) -> None:
            self.size = 0

        def __iter__(self) -> Iterator[bytes]:
            for part in stream:
                self.size += len(part)
                if self.size > limit:
                    raise guard.refuse(f"{url} sent more than {limit:,} bytes")
                guard.count(len(part))
                yield part

        def close(self) -> None:
            stream.close()

    return Counted()


def _is_inside(name: Any) -> bool:
    """Whether a name of a file stays below the folder that it is put in."""
    if not isinstance(name, str) or not name or not name.isprintable() or name.startswith("/"):
        return False
    return ".." not in PurePosixPath(name.replace("\\", "/")).parts


def watch(guard: Guard, wait_s: float, least: int) -> None:
    """End this process where fewer than `least` bytes came in `wait_s` seconds, or its parent died.

    An answer that began counts as much: small files and pages of a listing are few bytes.
    """
    parent = os.getppid()
    terminal = sys.stderr  # noqa: TID251  (of what is fetched, only the number of bytes is shown)
    before, since = (0, 0), time.monotonic()
    while os.getppid() == parent:
        time.sleep(min(0.2, wait_s / 4))
        if terminal is not None and terminal.isatty() and guard.received > MB:
            terminal.write(f"\rfetched {guard.received // MB:,} MB ")
        if guard.received - before[0] >= least or guard.requests > before[1]:
            before, since = (guard.received, guard.requests), time.monotonic()
        elif time.monotonic() - since > wait_s:
            came = guard.received - before[0]
            answer({"absent": f"the Hub sent {came:,} bytes in {wait_s:g} s, and was given up"})
            break
    os._exit(0)


def look_up(kind: str, name: str) -> dict[str, str]:
    """Ask whether a repository may be fetched."""
    from huggingface_hub import HfApi

    info = HfApi().repo_info(name, repo_type=kind, timeout=LOOKUP_S)
    return {"revision": str(info.sha)}


def download(kind: str, name: str, **how: Any) -> dict[str, str]:
    """Bring files into the cache."""
    from huggingface_hub import snapshot_download

    return {"folder": snapshot_download(name, repo_type=kind, **how)}


def why_not(error: BaseException, guard: Guard) -> str:
    """Why the Hub gave nothing, in words that may stand in a message."""
    from huggingface_hub import errors

    said = (str(error).splitlines() or [""])[0] or type(error).__name__
    if guard.said:
        return f"the Hub's answer cannot be used: {guard.said}"
    if isinstance(error, errors.GatedRepoError):
        return "access to it has to be asked for on its page, and HF_TOKEN set"
    if isinstance(error, errors.RepositoryNotFoundError):
        return "the Hub knows none of this name, or it is private and HF_TOKEN not set"
    if isinstance(error, errors.HFValidationError):
        return "not a name that the Hub allows"
    if isinstance(error, errors.OfflineModeIsEnabled):
        return "HF_HUB_OFFLINE is set"
    if isinstance(error, PermissionError):  # the token's file, or the cache
        return f"a file of the Hub's client cannot be read ({said})"
    if isinstance(error, errors.LocalEntryNotFoundError) or not isinstance(
        error, OSError | errors.HTTPError
    ):
        return f"the Hub's answer cannot be used ({type(error).__name__}: {said})"
    return f"the Hub cannot be reached, or its files cannot be kept ({said})"


def refuse_other(request: Any) -> None:
    """Raise for what the client asks beside its task; it goes on without an answer."""
    if request.url.path.endswith("/api/agent-harnesses"):
        raise OSError("not asked")


def answer(said: dict[str, str]) -> None:
    """Write the answer, whole or not at all."""
    stream = sys.stdout  # noqa: TID251  (a pipe to the process that asked)
    stream.write(json.dumps(said) + "\n")
    stream.flush()


def main() -> None:
    """Answer the one request that stands in the input."""
    request = json.loads(sys.stdin.read())
    guard, limits = Guard(), request.pop("limits")
    with contextlib.suppress(ValueError, OSError):  # a lower limit than ours is set already
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    from huggingface_hub import constants, get_session, logging
    from huggingface_hub.utils import disable_progress_bars

    logging.set_verbosity(logging.CRITICAL)  # its warnings quote what a server sent
    disable_progress_bars()
    # The client asks for a list of agents first, keeps whatever came, and fails by it ever after.
    constants.AGENT_HARNESSES_PATH = os.devnull
    session = get_session()
    session.headers["Accept-Encoding"] = "identity"  # what is sent is what is kept
    session.event_hooks = {
        "request": [refuse_other, *session.event_hooks["request"]],
        "response": [*session.event_hooks["response"], guard.on_response],
    }
    threading.Thread(
        target=watch, args=(guard, limits["wait_s"], limits["least"]), daemon=True
    ).start()
    act = look_up if request.pop("act") == "look up" else download
    try:
        said = act(**request)
    except KeyboardInterrupt:
        said = {"absent": "it was interrupted"}
    except Exception as error:  # noqa: BLE001  (whatever it was, the Hub gave nothing)
        said = {"absent": why_not(error, guard)}
    answer(said)
    os._exit(0)  # threads of the client may still wait for a server


if __name__ == "__main__":
    main()
