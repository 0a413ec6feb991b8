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
from harness.text.values import shown

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

BRANCH_VARIABLES = ("GITHUB_HEAD_REF", "GITHUB_REF_NAME", "CI_COMMIT_REF_NAME")
"""Variables in which GitHub and GitLab name the branch, since they check out a commit alone."""


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


def state(folder: Path) -> dict[str, str | bool | None]:
    """`commit`, `branch` and `dirty` of the repository that a folder belongs to; {} if none.

    A folder belongs to the repository whose current commit has files in it: not to one that merely
    lies above it, such as that of somebody's home folder. If git cannot read the repository, what
    is in the folder is not known to be clean: `dirty` is True, without a commit.
    """
    found = ask(folder, "ls-tree", "--name-only", "HEAD", "./")
    if found.code:
        is_repository = any((place / ".git").exists() for place in (folder, *folder.parents))
        return {"dirty": True} if is_repository else {}
    if not found.text:
        return {}
    return {"commit": head(folder), "branch": branch(folder), "dirty": is_changed(folder)}


def head(folder: Path) -> str | None:
    """The id of a checkout's current commit; None if git cannot tell."""
    commit = ask(folder, "rev-parse", "--verify", "HEAD^{commit}").text
    return commit if is_full_id(commit) else None


def branch(folder: Path) -> str | None:
    """The name of a checkout's branch; where a commit is checked out, the one that CI names."""
    if current := ask(folder, "symbolic-ref", "--short", "-q", "HEAD").text:
        return current
    return next(filter(None, map(os.environ.get, BRANCH_VARIABLES)), None)


def why_not_on(folder: Path, branch: str, commit: str) -> str | None:
    """Why `commit` is not known to be in the history of a branch of a checkout; None: it is.

    The branch may be local, or a branch of the remote `origin` as last fetched.
    """
    refs = (f"refs/heads/{branch}", f"refs/remotes/origin/{branch}")
    if not _refs(folder, *refs) & {*refs}:  # git takes `branch` for a pattern: others may match
        return f"cannot tell: this checkout has no branch {shown(branch)}, and none of origin's"
    if not is_full_id(commit) or ask(folder, "cat-file", "-e", f"{commit}^{{commit}}").code:
        return "cannot tell: this checkout does not have the commit"
    if _refs(folder, f"--contains={commit}", *refs) & {*refs}:
        return None
    if is_shallow(folder):
        return "cannot tell: this checkout is shallow (`git fetch --unshallow`)"
    return f"it is not in the history of {shown(branch)}"


def is_shallow(folder: Path) -> bool:
    """Whether a checkout has only a part of its history."""
    return ask(folder, "rev-parse", "--is-shallow-repository").text == "true"


def _refs(folder: Path, *arguments: str) -> set[str]:
    names = ask(folder, "for-each-ref", "--format=%(refname)", *arguments).text or ""
    return {*names.split()}


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
