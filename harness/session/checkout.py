"""The files of an older commit of this checkout, in a temporary folder of their own.

The folder is a new repository with the objects of that commit only. It has no hook, filter or
setting of this checkout, and nothing is written to this checkout. The objects are checked against
the commit's id, since an object's id is its hash.
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
UNLOCKED_FOR_S = 3600.0  # no session takes so long between making a folder and locking it
FIX = (
    "Fix: run in a checkout of glue-bench whose HEAD has the baseline's commit in its history "
    "(`git fetch --unshallow`, or bring the branch up to date)"
)


@dataclass(frozen=True)
class Checkout:
    """A folder with glue-bench at that commit, and one for temporary files of its processes."""

    folder: Path
    temporary: Path


@contextlib.contextmanager
def of_commit(commit: str) -> Generator[Checkout]:
    """The files of `commit`, for as long as the block lasts.

    Folders that killed sessions left are removed first. Raises `UsageError` unless the commit is in
    the history of HEAD.
    """
    sweep()
    place = _place_of_package(commit)
    with _temporary_folder() as root:
        (root / "tmp").mkdir()
        _check_out(root / "checkout", commit)
        yield Checkout(root / "checkout" / place, root / "tmp")


def sweep() -> None:
    """Remove the folders that killed sessions left; folders in use are locked, and stay."""
    _remove_worktrees()
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            status = folder.lstat()
            if status.st_uid == os.geteuid() and folder.is_dir() and not folder.is_symlink():
                _remove_unless_locked(folder, time.time() - status.st_mtime)


def _place_of_package(commit: str) -> Path:
    """The folder within the checkout that holds glue-bench.

    Raises `UsageError` unless the commit may be run.
    """
    if not git.is_full_id(commit):
        raise UsageError(
            f"stage 2: the baseline's commit: found {shown(commit)}; expected a full commit id"
        )
    place = environment.place_in_checkout()
    if place is None:
        raise UsageError(f"stage 2: glue-bench does not run from a git checkout of its own. {FIX}")
    kind = git.ask(environment.HERE, "cat-file", "-t", commit)
    if kind.text != "commit":
        why = kind.errors or f"it is a {kind.text}"
        raise UsageError(f"stage 2: commit {commit[:12]} is not in this checkout: {why}. {FIX}")
    if git.ask(environment.HERE, "merge-base", "--is-ancestor", commit, "HEAD").code:
        raise UsageError(
            f"stage 2: commit {commit[:12]} is not in the history of HEAD, so it is not run. {FIX}"
        )
    return place.parent


@contextlib.contextmanager
def _temporary_folder() -> Generator[Path]:
    """A temporary folder with a lock: while the lock is held, no other session removes it."""
    try:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        lock = os.open(folder / LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise UsageError(f"stage 2: a temporary folder cannot be written: {error}") from error
    try:
        with contextlib.suppress(OSError):  # some file systems have no locks
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
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
    """Remove the worktrees that killed sessions of earlier versions left, which have no lock."""
    temporary = Path(tempfile.gettempdir()).resolve()
    listed = git.ask(environment.HERE, "worktree", "list", "--porcelain").text or ""
    for line in listed.splitlines():
        folder = Path(line.removeprefix("worktree "))
        parent = folder.parent
        is_ours = folder.name == "baseline" and parent.name.startswith("glue-bench-")
        if is_ours and parent.parent.resolve() == temporary and not _is_used(folder):
            git.ask(environment.HERE, "worktree", "remove", "--force", "--force", str(folder))
            shutil.rmtree(parent, ignore_errors=True)


def _is_used(folder: Path) -> bool:
    """Whether a process has its working folder there; without /proc, whether the folder exists."""
    links = list(Path("/proc").glob("[0-9]*/cwd"))
    for link in links:
        with contextlib.suppress(OSError):
            if link.readlink().is_relative_to(folder):
                return True
    return not links and folder.exists()


def _check_out(folder: Path, commit: str) -> None:
    """Make a repository of the objects of one commit, and write its files."""
    objects = _git(environment.HERE, "rev-list", "--objects", "--no-walk", commit)
    pack = ("pack-objects", "-q", "--stdout", "--window=0")
    packed = _git(environment.HERE, *pack, given=objects)
    folder.mkdir()
    kind = "sha1" if len(commit) == 40 else "sha256"
    _git(folder, "init", "-q", "--template=", f"--object-format={kind}")
    _git(folder, "index-pack", "--stdin", given=packed)
    (folder / ".git" / "shallow").write_text(f"{commit}\n")  # its parents are not here
    (folder / ".git" / "HEAD").write_text(f"{commit}\n")
    _git(folder, "read-tree", "--reset", "-u", commit)


def _git(folder: Path, *args: str, given: bytes = b"") -> bytes:
    """The output of git, with `given` as its input. Raises `UsageError` if git fails."""
    variables = {} if folder == environment.HERE else git.WITHOUT_CONFIGURATION
    answer = git.ask(folder, *args, given=given, also=variables, timeout_s=TIMEOUT_S)
    if answer.code:
        errors = "; ".join(answer.errors.splitlines())
        raise UsageError(f"stage 2: git {args[0]}: {errors}. {FIX}")
    return answer.output
