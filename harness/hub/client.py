"""Asks the Hugging Face Hub, in a process of its own: `python -m harness.hub.client`.

A server may send a byte every few seconds, a login page in place of an answer, an answer that it
did not announce, or one without end. So each answer is checked and counted while it arrives. A
process of its own can be ended whatever it waits for, and its memory has a limit. It reads one
request, a JSON object, from its input and writes one answer: {"revision": ...}, {"folder": ...} or
{"absent": why}.
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

LOOKUP_S = 5.0  # for each step of a look-up: to connect, and for each part of the answer
MOST_REQUESTS = 20_000  # of one fetch: two per file, and some redirects
MOST_PAGES = 1_000  # of a listing; a page of the Hub has 1,000 files
MOST_FILE = 50 * GB  # the client's own limit
MOST_LISTING = 64 * MB  # of one page of a listing
MOST_BYTES = 200 * GB  # of one fetch
MEMORY = 8 * GB  # of address space; libraries reserve most of it and never use it
COMMIT = re.compile("[0-9a-f]{40}")
NAME = re.compile(r"[\w+=-][\w.+=-]{0,254}", re.ASCII)  # of a header that becomes a file's name


Response = Any
Request = Any
"""Objects of the client's HTTP library: of requests or httpx, depending on its version."""


class Refused(OSError):
    """An answer that a Hub would not give."""


class Guard:
    """Checks and counts each answer; `problem` is the first thing that was wrong."""

    def __init__(self) -> None:
        self.problem: str | None = None
        self.requests = self.received = self.pages = 0
        self.announced: dict[str, int] = {}  # URL -> bytes, as the answer to HEAD says
        self._lock = threading.Lock()

    def refuse(self, problem: str) -> Refused:
        """The error to raise for a problem, which is noted if it is the first."""
        self.problem = self.problem or problem
        return Refused(problem)

    def on_response(self, response: Response) -> None:
        """Check the headers of an answer, before its content is read."""
        url, headers = str(response.request.url), response.headers
        with self._lock:
            self.requests += 1
        if self.requests > MOST_REQUESTS:
            raise self.refuse(f"it takes more than {MOST_REQUESTS:,} requests")
        if headers.get("content-encoding", "identity") != "identity":
            raise self.refuse(f"{url} was sent compressed, which was not asked for")
        for name in ("etag", "x-linked-etag", "x-repo-commit"):
            value = headers.get(name, "0").removeprefix("W/").strip('"')
            if not NAME.fullmatch(value):
                problem = f"{url} has the header {name}: {value[:80]!a}; expected a file's name"
                raise self.refuse(problem)
        if response.is_success and "/resolve/" in url and response.request.method == "HEAD":
            self._note_size(response, url)
        is_listing = "/api/" in url and not response.is_redirect
        limit = MOST_LISTING if is_listing else self.announced.get(url, MOST_BYTES)
        response.stream = counted(self, response.stream, url, limit)
        if is_listing and response.is_success:
            self._check_listing(response, url)

    def _note_size(self, response: Response, url: str) -> None:
        """Note the size that the answer to a HEAD request announces."""
        if "x-repo-commit" not in response.headers:
            kind = response.headers.get("content-type", "no type")
            raise self.refuse(
                f"{url} was answered with {kind[:40]!a} and without the header X-Repo-Commit, so "
                "this is no Hub (a login page of the network?)"
            )
        size = response.headers.get("x-linked-size") or response.headers.get("content-length", "")
        if re.fullmatch(r"\d{1,15}", size):
            self.announced[url] = int(size)
        if self.announced.get(url, 0) > MOST_FILE:
            raise self.refuse(
                f"{url} announces {int(size):,} bytes; expected {MOST_FILE:,} or less"
            )

    def _check_listing(self, response: Response, url: str) -> None:
        """Check that a page of a listing is JSON, and that no file lies outside of its folder."""
        self.pages += 1
        if self.pages > MOST_PAGES:
            raise self.refuse(f"its listing has more than {MOST_PAGES:,} pages")
        response.read()
        try:
            listing = response.json()
        except (ValueError, RecursionError):
            kind = response.headers.get("content-type", "no type")
            raise self.refuse(
                f"{url} was answered with {kind[:40]!a}, {response.content[:60]!a}; expected JSON "
                "(a login page of the network?)"
            ) from None
        for entry in listing if isinstance(listing, list) else [listing]:
            for name in self._names_in(entry, url):
                if name is not None and not _is_inside(name):
                    raise self.refuse(f"{url} names the file {str(name)[:80]!a}")

    def _names_in(self, entry: object, url: str) -> list[object]:
        """What stands for names of files in an entry of a listing."""
        if not isinstance(entry, dict):
            return [entry]
        commit, siblings = entry.get("sha", "0" * 40), entry.get("siblings") or []
        if not (isinstance(commit, str) and COMMIT.fullmatch(commit)):
            raise self.refuse(f"{url} names the commit {str(commit)[:80]!a}")
        if not isinstance(siblings, list):
            raise self.refuse(f"{url} has siblings that are no list")
        names = [one.get("rfilename") if isinstance(one, dict) else one for one in siblings]
        return [entry.get("path"), *names]

    def count(self, size: int) -> None:
        """Add to the bytes received. Raises `Refused` if they are too many."""
        with self._lock:
            self.received += size
        if self.received > MOST_BYTES:
            raise self.refuse(f"it sent more than {MOST_BYTES:,} bytes")


def counted(guard: Guard, stream: Any, url: str, limit: int) -> Any:
    """The content of an answer, at most `limit` bytes of it.

    It has the type that the client's HTTP library asks of a stream. That library differs from one
    version of the client to the next, hence `Any`.
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


def _is_inside(name: object) -> bool:
    """Whether a file of that name lies inside of the folder that it is stored in."""
    if not isinstance(name, str) or not name or not name.isprintable() or name.startswith("/"):
        return False
    return ".." not in PurePosixPath(name.replace("\\", "/")).parts


def watch(guard: Guard, wait_s: float, least: int) -> None:
    """End this process if fewer than `least` bytes come in `wait_s` seconds, or its parent died.

    A new answer counts as `least` bytes, since small files and pages of a listing are short.
    """
    parent = os.getppid()
    terminal = sys.stderr  # noqa: TID251  (only a number of bytes is shown)
    before, since = (0, 0), time.monotonic()
    while os.getppid() == parent:
        time.sleep(min(0.2, wait_s / 4))
        if terminal is not None and terminal.isatty() and guard.received > MB:
            terminal.write(f"\rfetched {guard.received // MB:,} MB ")
        if guard.received - before[0] >= least or guard.requests > before[1]:
            before, since = (guard.received, guard.requests), time.monotonic()
        elif time.monotonic() - since > wait_s:
            received = guard.received - before[0]
            write({"absent": f"the Hub sent {received:,} bytes in {wait_s:g} s, and was given up"})
            break
    os._exit(0)


def look_up(kind: str, name: str) -> dict[str, str]:
    """Ask for the newest commit of a repository."""
    from huggingface_hub import HfApi

    info = HfApi().repo_info(name, repo_type=kind, timeout=LOOKUP_S)
    return {"revision": str(info.sha)}


def download(kind: str, name: str, **options: Any) -> dict[str, str]:
    """Download files into the cache. `options` are JSON values for `snapshot_download`."""
    from huggingface_hub import snapshot_download

    return {"folder": snapshot_download(name, repo_type=kind, **options)}


def why_not(error: BaseException, guard: Guard) -> str:
    """Why the Hub gave nothing, as a part of a sentence in a message."""
    from huggingface_hub import errors

    message = (str(error).splitlines() or [""])[0] or type(error).__name__
    if guard.problem:
        return f"the Hub's answer cannot be used: {guard.problem}"
    if isinstance(error, errors.GatedRepoError):
        return "its page has to grant you access, and HF_TOKEN has to be set"
    if isinstance(error, errors.RepositoryNotFoundError):
        return "the Hub has none of this name, or it is private and HF_TOKEN is not set"
    if isinstance(error, errors.HFValidationError):
        return "not a name that the Hub allows"
    if isinstance(error, errors.OfflineModeIsEnabled):
        return "HF_HUB_OFFLINE is set"
    if isinstance(error, PermissionError):  # the token's file, or the cache
        return f"a file of the Hub's client cannot be read ({message})"
    if isinstance(error, errors.LocalEntryNotFoundError) or not isinstance(
        error, OSError | errors.HTTPError
    ):
        return f"the Hub's answer cannot be used ({type(error).__name__}: {message})"
    return f"the Hub cannot be reached, or its files cannot be stored ({message})"


def refuse_other(request: Request) -> None:
    """Raise for a request that is no part of the task; the client continues without an answer."""
    if request.url.path.endswith("/api/agent-harnesses"):
        raise OSError("not needed")


def write(answer: dict[str, str]) -> None:
    """Write the answer, all of it at once."""
    stream = sys.stdout  # noqa: TID251  (a pipe to the process that asked)
    stream.write(json.dumps(answer) + "\n")
    stream.flush()


def main() -> None:
    """Answer the one request of the input."""
    request = json.loads(sys.stdin.read())
    guard, limits = Guard(), request.pop("limits")
    with contextlib.suppress(ValueError, OSError):  # a lower limit is set already
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    from huggingface_hub import constants, get_session, logging
    from huggingface_hub.utils import disable_progress_bars

    logging.set_verbosity(logging.CRITICAL)  # its warnings quote what a server sent
    disable_progress_bars()
    # The client first asks for a list of agents. It stores any answer, and a bad one breaks it.
    constants.AGENT_HARNESSES_PATH = os.devnull
    session = get_session()
    session.headers["Accept-Encoding"] = "identity"  # so that what is sent is what is stored
    session.event_hooks = {
        "request": [refuse_other, *session.event_hooks["request"]],
        "response": [*session.event_hooks["response"], guard.on_response],
    }
    threading.Thread(
        target=watch, args=(guard, limits["wait_s"], limits["least"]), daemon=True
    ).start()
    ask = look_up if request.pop("verb") == "look up" else download
    try:
        answer = ask(**request)
    except KeyboardInterrupt:
        answer = {"absent": "it was interrupted"}
    except Exception as error:  # noqa: BLE001  (whatever it is, the Hub gave nothing)
        answer = {"absent": why_not(error, guard)}
    write(answer)
    os._exit(0)  # threads of the client may still wait for a server


if __name__ == "__main__":
    main()
