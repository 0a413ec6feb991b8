"""The files of another commit of a project, in a temporary folder of their own.

The folder is a new repository with the objects of that commit only. It has no hook, filter or
setting of the project's checkout, and nothing is written to that checkout. The objects are checked
against the commit's id, since an object's id is its hash.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
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
END_OF_PATH = re.compile(r"\+|::")
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
        """An argument, with each path of the repository replaced by the same path in this checkout.

        `value` may be an option with its value, and the value a list with commas, of paths such as
        `NAME=/models/mine+lora`. `project` is the project's folder outside this checkout. So older
        code reads the older model, rows or task file. A path that this checkout lacks stays.
        """
        if self.folder == project:  # the working tree itself
            return value
        words = [(word, self._moved_path(project, word)) for word in _words(value)]
        return ",".join(word.text if path is None else word.with_path(path) for word, path in words)

    def lacks(self, project: Path, value: str) -> list[str]:
        """The paths of an argument that exist on this machine and have no copy in this checkout."""
        if self.folder == project:
            return []
        found = []
        for word in _words(value):
            if self._moved_path(project, word) is None:
                found += [path for path, _ in word.readings if _exists(Path(path))][:1]
        return found

    def _moved_path(self, project: Path, word: _Word) -> str | None:
        """The path of a word in this checkout, with its adaptation; None: it has none here."""
        for path, rest in word.readings:
            for outside, inside in self._roots(project).items():
                place = Path(os.path.normpath(path))
                if outside in place.parents and _exists(inside / place.relative_to(outside)):
                    return f"{inside / place.relative_to(outside)}{rest}"
        return None

    def _roots(self, project: Path) -> dict[Path, Path]:
        """The project's folder and the top of its repository -> what they are in this checkout."""
        roots = {project: self.folder}
        place = self.folder.relative_to(self.top).parts
        for folder in (project, project.resolve()):
            if not place:
                roots[folder] = self.top
            elif folder.parts[-len(place) :] == place:  # not where a link leads into a repository
                roots[folder.parents[len(place) - 1]] = self.top
        return roots


@dataclass(frozen=True)
class _Word:
    """A word of an argument: `start` ends in "=" or is empty; `path` is absolute or empty."""

    start: str
    path: str

    @property
    def text(self) -> str:
        return f"{self.start}{self.path}"

    def with_path(self, path: str) -> str:
        return f"{self.start}{path}"

    @property
    def readings(self) -> list[tuple[str, str]]:
        """The path and what follows it: nothing, an adaptation (`+lora`), or a test (`::test`)."""
        if not self.path:
            return []
        ends = [mark.start() for mark in END_OF_PATH.finditer(self.path)]
        return [(self.path[:end], self.path[end:]) for end in (len(self.path), *reversed(ends))]


def _words(argument: str) -> list[_Word]:
    """The words between the commas of an argument; one word if its path has commas itself."""
    whole = _word(argument)
    if any(_exists(Path(path)) for path, rest in whole.readings if "," not in rest):
        return [whole]
    return [_word(part) for part in argument.split(",")]


def _word(text: str) -> _Word:
    start, found, rest = text.partition(os.sep)
    is_path = found and (not start or start.endswith("="))
    return _Word(start, found + rest) if is_path else _Word(text, "")


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # too long for a file's name, or with a NUL: no path
        return False


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
