"""Every call of git. None runs code that a repository names.

A repository's configuration names programs: hooks, a file system monitor, filters, a program that
fetches missing objects. Here each is switched off. Variables such as `GIT_DIR`, which say where the
repository is, are not passed on. The user's own configuration is read: without its
`safe.directory`, git refuses a checkout that belongs to somebody else.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from harness.system import inherited

TIMEOUT_S = 10.0
FULL_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
SWITCHED_OFF = (
    "core.fsmonitor=false",
    f"core.hooksPath={os.devnull}",
    "core.askPass=",
    "core.sshCommand=false",
    "core.gitProxy=false",
    "core.alternateRefsCommand=false",
    "credential.helper=",
    "diff.external=",
    "log.showSignature=false",
    "protocol.allow=never",
    "safe.bareRepository=explicit",  # a folder that only looks like a repository does not count
    "submodule.recurse=false",
)
ENVIRONMENT = {
    "GIT_ALLOW_PROTOCOL": "none",  # wins over a repository's protocol.ext.allow
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",  # so that an id always means the object with that hash
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}
WITHOUT_CONFIGURATION = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_ATTR_NOSYSTEM": "1",
}
"""Variables for a repository that was made here and needs no configuration of the user."""

INSTALLED = ("site-packages", "dist-packages")
"""Folders of installed packages: a repository that tracks one is not the package's own."""


@dataclass(frozen=True)
class Answer:
    """What git wrote, and its exit code; 124: it took too long; 127: it could not be started."""

    code: int
    output: bytes
    errors: str

    @property
    def text(self) -> str | None:
        """The output without the last line end; None if git failed."""
        return None if self.code else os.fsdecode(self.output).removesuffix("\n")


def ask(
    folder: Path,
    *args: str,
    given: bytes = b"",
    also: dict[str, str] | None = None,
    timeout_s: float | None = None,
) -> Answer:
    """Run git in a folder, without code of its repository. Raises nothing: see `Answer`.

    `given` is its standard input; `also` has variables for its environment. The default for
    `timeout_s` is `TIMEOUT_S`.
    """
    limit_s = TIMEOUT_S if timeout_s is None else timeout_s
    settings = [word for setting in SWITCHED_OFF for word in ("-c", setting)]
    try:
        process = subprocess.Popen(
            ["git", "--no-pager", *settings, *args],
            cwd=folder,
            env=inherited.environment() | ENVIRONMENT | (also or {}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:  # no git, no such folder, a NUL in an argument
        return Answer(127, b"", str(getattr(error, "strerror", None) or error))
    with process:
        try:
            output, errors = process.communicate(given, limit_s)
        except subprocess.TimeoutExpired:
            return Answer(124, b"", f"no answer within {limit_s:g} s")
        finally:
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
    return Answer(process.returncode, output, errors.decode(errors="replace").strip())


def place_of(folder: Path, file: str) -> Path | None:
    """The path of a folder within the checkout that tracks `file` of it.

    None if no checkout tracks it, or only as an installed package.
    """
    if ask(folder, "ls-files", "--error-unmatch", "--", file).code:
        return None
    prefix = ask(folder, "rev-parse", "--show-prefix").text
    if not prefix or not {*INSTALLED}.isdisjoint(Path(prefix).parts):
        return None
    return Path(prefix)


def head(folder: Path) -> str | None:
    """The id of a checkout's current commit; None if git cannot tell."""
    commit = ask(folder, "rev-parse", "--verify", "HEAD^{commit}").text
    return commit if is_full_id(commit) else None


def is_changed(folder: Path) -> bool | None:
    """Whether tracked files of a checkout were changed since its commit; None: git cannot tell.

    Filters are not run. So a file with a filter, such as one of LFS, counts as changed if it was
    touched since git last looked at it.
    """
    without_filters = _without_filters(folder)
    if without_filters is None:
        return None
    options = ("--untracked-files=no", "--ignore-submodules=dirty", "--no-renames")
    changes = ask(folder, *without_filters, "status", "--porcelain", *options).text
    return None if changes is None else bool(changes)


def _without_filters(folder: Path) -> list[str] | None:
    """Options that switch off every filter of the configuration; None: git cannot tell."""
    keys = ask(folder, "config", "--list", "--name-only", "-z").text
    if keys is None:
        return None
    filters = {key.rpartition(".")[0] for key in keys.split("\0") if key.startswith("filter.")}
    if any("=" in name for name in filters):  # `-c` would cut the name at that character
        return None
    settings = ("clean=", "smudge=", "process=", "required=false")
    return [
        word for name in sorted(filters) for end in settings for word in ("-c", f"{name}.{end}")
    ]


def is_full_id(text: object) -> bool:
    """Whether a text is the full id of an object, in hexadecimal digits."""
    return isinstance(text, str) and FULL_ID.fullmatch(text) is not None
