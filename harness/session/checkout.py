"""The files of an older commit of this checkout, in a temporary folder of their own.

The folder is a new repository with the objects of that commit alone: no hook, filter or setting of
this checkout's comes along, and nothing is written to it. What git gives is checked against the
commit's id, since an object's id is its hash.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from harness.errors import UsageError
from harness.system import environment, git
from harness.text.values import shown

PREFIX = "glue-recheck-"
LOCK = "lock"
TIMEOUT_S = 300.0
UNLOCKED_FOR_S = 3600.0  # after so long, a folder without a lock is not being made any more
MEND = (
    "Mend: run in a checkout of glue-bench whose HEAD has the baseline's commit in its history "
    "(`git fetch --unshallow`, or bring the branch up to date)"
)


@dataclass(frozen=True)
class Checkout:
    """A folder with glue-bench as it was, and one for the temporary files of what runs there."""

    folder: Path
    temporary: Path


@contextlib.contextmanager
def of_commit(commit: str) -> Generator[Checkout]:
    """The files of `commit`, which HEAD has to have in its history, for as long as the block lasts.

    What killed sessions left of such folders is removed first. Raises `UsageError`.
    """
    sweep()
    place = _checked(commit)
    with _temporary() as made:
        (made / "tmp").mkdir()
        _fill(made / "checkout", commit)
        yield Checkout(made / "checkout" / place, made / "tmp")


def sweep() -> None:
    """Remove the folders that killed sessions left; those in use are locked, and stay."""
    _remove_worktrees()
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            found = folder.lstat()
            if found.st_uid == os.geteuid() and folder.is_dir() and not folder.is_symlink():
                _remove_unless_locked(folder, time.time() - found.st_mtime)


def _checked(commit: str) -> Path:
    """Where in the checkout glue-bench is. Raises `UsageError` unless the commit may be run."""
    if not git.is_full_id(commit):
        raise UsageError(
            f"stage 2: the baseline's commit: found {shown(commit)}; expected a full commit id"
        )
    place = environment.place_in_checkout()
    if place is None:
        raise UsageError(f"stage 2: glue-bench does not run from a git checkout of its own. {MEND}")
    kind = git.ask(environment.HERE, "cat-file", "-t", commit)
    if kind.text != "commit":
        said = kind.errors or f"it is a {kind.text}"
        raise UsageError(f"stage 2: commit {commit[:12]} is not in this checkout: {said}. {MEND}")
    if git.ask(environment.HERE, "merge-base", "--is-ancestor", commit, "HEAD").code:
        raise UsageError(
            f"stage 2: commit {commit[:12]} is not in the history of HEAD, and is not run. {MEND}"
        )
    return place.parent


@contextlib.contextmanager
def _temporary() -> Generator[Path]:
    """A locked temporary folder: while the lock is held, no other session removes it."""
    try:
        made = Path(tempfile.mkdtemp(prefix=PREFIX))
        lock = os.open(made / LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise UsageError(f"stage 2: no temporary folder can be written: {error}") from error
    try:
        with contextlib.suppress(OSError):  # a file system without locks: then it is not swept
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)
        os.close(lock)


def _remove_unless_locked(folder: Path, age_s: float) -> None:
    try:
        lock = os.open(folder / LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        if age_s > UNLOCKED_FOR_S:
            shutil.rmtree(folder, ignore_errors=True)
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(lock)


def _remove_worktrees() -> None:
    """Remove what killed sessions of earlier versions left: worktrees, which nothing had locked."""
    temporary = Path(tempfile.gettempdir()).resolve()
    listed = git.ask(environment.HERE, "worktree", "list", "--porcelain").text or ""
    for line in listed.splitlines():
        folder = Path(line.removeprefix("worktree "))
        made = folder.parent
        is_ours = folder.name == "baseline" and made.name.startswith("glue-bench-")
        if is_ours and made.parent.resolve() == temporary and not _is_used(folder):
            git.ask(environment.HERE, "worktree", "remove", "--force", "--force", str(folder))
            shutil.rmtree(made, ignore_errors=True)


def _is_used(folder: Path) -> bool:
    """Whether a process works in a folder; where that cannot be told, whether it is there."""
    working = list(Path("/proc").glob("[0-9]*/cwd"))
    for link in working:
        with contextlib.suppress(OSError):
            if link.readlink().is_relative_to(folder):
                return True
    return not working and folder.exists()


def _fill(folder: Path, commit: str) -> None:
    """Make a repository of the objects of one commit, and check it out."""
    named = _told(environment.HERE, "rev-list", "--objects", "--no-walk", commit)
    packed = _told(environment.HERE, "pack-objects", "-q", "--stdout", "--window=0", given=named)
    folder.mkdir()
    kind = "sha1" if len(commit) == 40 else "sha256"
    _told(folder, "init", "-q", "--template=", f"--object-format={kind}")
    _told(folder, "index-pack", "--stdin", given=packed)
    (folder / ".git" / "shallow").write_text(f"{commit}\n")  # its parents are not here
    (folder / ".git" / "HEAD").write_text(f"{commit}\n")
    _told(folder, "read-tree", "--reset", "-u", commit)


def _told(folder: Path, *args: str, given: bytes = b"") -> bytes:
    """What git writes. Raises `UsageError`."""
    own = {} if folder == environment.HERE else git.WITHOUT_CONFIGURATION
    answer = git.ask(folder, *args, given=given, also=own, timeout_s=TIMEOUT_S)
    if answer.code:
        said = "; ".join(answer.errors.splitlines())
        raise UsageError(f"stage 2: git {args[0]}: {said}. {MEND}")
    return answer.output
