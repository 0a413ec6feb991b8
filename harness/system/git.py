"""Every question that is put to git. Asking runs no code that a repository names.

A repository's own configuration names programs: hooks, a file system monitor, filters, what
fetches objects that are missing. Here each is switched off, and so is what the environment says of
where the repository is (`GIT_DIR` and its kin). The user's own configuration is read: without its
`safe.directory`, git says nothing of a checkout that belongs to somebody else.
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
    "safe.bareRepository=explicit",  # a folder that merely looks like a repository is none
    "submodule.recurse=false",
)
ENVIRONMENT = {
    "GIT_ALLOW_PROTOCOL": "none",  # unlike protocol.allow, no repository's protocol.ext.allow wins
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",  # an id means the object whose hash it is
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
"""For a repository that was made here, and needs nothing of the user's own configuration."""

INSTALLED = ("site-packages", "dist-packages")
"""Folders of packages that were installed: a repository that tracks one is not the package's."""


@dataclass(frozen=True)
class Answer:
    """What git wrote, and its exit code: that of `timeout` (124), or of a shell (127), for none."""

    code: int
    output: bytes
    errors: str

    @property
    def text(self) -> str | None:
        """What it wrote, without the last line end; None where it failed."""
        return None if self.code else os.fsdecode(self.output).removesuffix("\n")


def ask(
    folder: Path,
    *args: str,
    given: bytes = b"",
    also: dict[str, str] | None = None,
    timeout_s: float | None = None,
) -> Answer:
    """Run git in a folder, with no code of its repository. Raises nothing: see `Answer`.

    `given` is its standard input; `also` are variables of its environment. Without `timeout_s` it
    has `TIMEOUT_S`.
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
    except (OSError, ValueError) as error:  # no git, no such folder; a NUL among the arguments
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
    """Where a folder is in the checkout that tracks a file of it.

    None where no checkout does, or one that holds installed packages.
    """
    if ask(folder, "ls-files", "--error-unmatch", "--", file).code:
        return None
    prefix = ask(folder, "rev-parse", "--show-prefix").text
    if not prefix or not {*INSTALLED}.isdisjoint(Path(prefix).parts):
        return None
    return Path(prefix)


def head(folder: Path) -> str | None:
    """The id of the commit that a checkout stands at."""
    found = ask(folder, "rev-parse", "--verify", "HEAD^{commit}").text
    return found if is_full_id(found) else None


def is_changed(folder: Path) -> bool | None:
    """Whether a checkout's tracked files are others than its commit's; None: git cannot tell.

    Filters are not run. A file with a filter, such as one of LFS, is seen as changed where it was
    touched since git last looked at it.
    """
    without_filters = _without_filters(folder)
    if without_filters is None:
        return None
    said = ask(
        folder, *without_filters, "status", "--porcelain", "--untracked-files=no",
        "--ignore-submodules=dirty", "--no-renames",
    ).text  # fmt: skip
    return None if said is None else bool(said)


def _without_filters(folder: Path) -> list[str] | None:
    """Options by which no filter that any configuration names is run."""
    named = ask(folder, "config", "--list", "--name-only", "-z").text
    if named is None:
        return None
    filters = {key.rpartition(".")[0] for key in named.split("\0") if key.startswith("filter.")}
    if any("=" in name for name in filters):  # `-c` would read another name
        return None
    settings = ("clean=", "smudge=", "process=", "required=false")
    return [
        word for name in sorted(filters) for end in settings for word in ("-c", f"{name}.{end}")
    ]


def is_full_id(text: object) -> bool:
    """Whether a text is a whole id of an object, in hex digits: no branch, no option, no part."""
    return isinstance(text, str) and FULL_ID.fullmatch(text) is not None
