"""The files of another commit of a project, in a temporary folder of their own.

The folder is a new repository with the objects of that commit only. It has no hook, filter or
setting of the project's checkout, and nothing is written to that checkout. The objects are checked
against the commit's id, since an object's id is its hash.
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
from harness.system import git
from harness.text.values import shown, shown_path

PREFIX = "glue-recheck-"
LOCK = "lock"
TIMEOUT_S = 300.0
UNLOCKED_FOR_S = 3600.0  # no session takes so long between making a folder and locking it
FIX = (
    "Fix: run in a checkout whose history has the commit (`git fetch --unshallow`, or bring the "
    "branch up to date)"
)


@dataclass(frozen=True)
class Checkout:
    """The project at that commit, and a folder for temporary files of its processes.

    `folder` is what the project's folder is in this checkout; `top` is the whole checkout.
    """

    folder: Path
    top: Path
    temporary: Path

    def moved(self, project: Path, value: str) -> str:
        """An argument, with a path of the project replaced by the same path in this checkout.

        So older code reads the older model, rows or task file, if the repository holds them.
        """
        before, found, place = value.partition(f"{project}{os.sep}")
        is_here = found and (self.folder / place.partition("+")[0]).exists()
        return f"{before}{self.folder}{os.sep}{place}" if is_here else value


@contextlib.contextmanager
def of_commit(project: Path, commit: str, branch: str | None = None) -> Generator[Checkout]:
    """The files of `commit`, for as long as the block lasts.

    `project` is a folder in a git checkout. Folders that killed sessions left are removed first.
    Raises `UsageError` unless `commit` is a full id in the history of HEAD or of `branch`.
    """
    sweep(project)
    place = _place_of(project, commit, branch)
    with _temporary_folder() as root:
        (root / "tmp").mkdir()
        _check_out(project, root / "checkout", commit)
        yield Checkout(root / "checkout" / place, root / "checkout", root / "tmp")


@contextlib.contextmanager
def as_it_is(project: Path) -> Generator[Checkout]:
    """The project's folder itself, with a folder for temporary files while the block lasts."""
    sweep(project)
    top = git.ask(project, "rev-parse", "--show-toplevel").text
    with _temporary_folder() as root:
        (root / "tmp").mkdir()
        yield Checkout(project, Path(top) if top else project, root / "tmp")


def sweep(project: Path) -> None:
    """Remove the folders that killed sessions left; folders in use are locked, and stay."""
    _remove_worktrees(project)
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            status = folder.lstat()
            if status.st_uid == os.geteuid() and folder.is_dir() and not folder.is_symlink():
                _remove_unless_locked(folder, time.time() - status.st_mtime)


def _place_of(project: Path, commit: str, branch: str | None) -> Path:
    """The project's folder, relative to its checkout.

    Raises `UsageError` unless the commit may be run.
    """
    if not git.is_full_id(commit):
        raise UsageError(f"commit: found {shown(commit)}; expected a full commit id")
    place = git.ask(project, "rev-parse", "--show-prefix").text
    if place is None:
        raise UsageError(f"{shown_path(project)}: is in no git checkout, so no other code can run")
    kind = git.ask(project, "cat-file", "-t", commit)
    if kind.text != "commit":
        why = kind.errors or f"it is a {kind.text}"
        raise UsageError(f"commit {commit[:12]} is not in this checkout: {why}. {FIX}")
    if git.ask(project, "merge-base", "--is-ancestor", commit, "HEAD").code:
        why = git.why_not_on(project, branch, commit) if branch else ""
        if why or branch is None:
            also = f", and for branch {shown(branch)}: {why}" if branch else ""
            raise UsageError(
                f"commit {commit[:12]} is not in the history of HEAD{also}. So it is not run. {FIX}"
            )
    return Path(place)


@contextlib.contextmanager
def _temporary_folder() -> Generator[Path]:
    """A temporary folder with a lock: while the lock is held, no other session removes it."""
    try:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        lock = os.open(folder / LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise UsageError(f"a temporary folder cannot be written: {error}") from error
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


def _remove_worktrees(project: Path) -> None:
    """Remove the worktrees that killed sessions of earlier versions left, which have no lock."""
    temporary = Path(tempfile.gettempdir()).resolve()
    listed = git.ask(project, "worktree", "list", "--porcelain").text or ""
    for line in listed.splitlines():
        folder = Path(line.removeprefix("worktree "))
        parent = folder.parent
        is_ours = folder.name == "baseline" and parent.name.startswith("glue-bench-")
        if is_ours and parent.parent.resolve() == temporary and not _is_used(folder):
            git.ask(project, "worktree", "remove", "--force", "--force", str(folder))
            shutil.rmtree(parent, ignore_errors=True)


def _is_used(folder: Path) -> bool:
    """Whether a process has its working folder there; without /proc, whether the folder exists."""
    links = list(Path("/proc").glob("[0-9]*/cwd"))
    for link in links:
        with contextlib.suppress(OSError):
            if link.readlink().is_relative_to(folder):
                return True
    return not links and folder.exists()


def _check_out(project: Path, folder: Path, commit: str) -> None:
    """Make a repository of the objects of one commit, and write its files."""
    objects = _git(project, "rev-list", "--objects", "--no-walk", commit)
    pack = ("pack-objects", "-q", "--stdout", "--window=0")
    packed = _git(project, *pack, given=objects)
    folder.mkdir()
    own = git.WITHOUT_CONFIGURATION
    kind = "sha1" if len(commit) == 40 else "sha256"
    _git(folder, "init", "-q", "--template=", f"--object-format={kind}", also=own)
    _git(folder, "index-pack", "--stdin", given=packed, also=own)
    (folder / ".git" / "shallow").write_text(f"{commit}\n")  # its parents are not here
    (folder / ".git" / "HEAD").write_text(f"{commit}\n")
    _git(folder, "read-tree", "--reset", "-u", commit, also=own)


def _git(folder: Path, *args: str, given: bytes = b"", also: dict[str, str] | None = None) -> bytes:
    """The output of git, with `given` as its input. Raises `UsageError` if git fails."""
    answer = git.ask(folder, *args, given=given, also=also, timeout_s=TIMEOUT_S)
    if answer.code:
        errors = "; ".join(answer.errors.splitlines())
        raise UsageError(f"git {args[0]}: {errors}. {FIX}")
    return answer.output
