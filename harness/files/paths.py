"""Paths as users write them, and why there is nothing where one leads.

None of these raises for a link that leads to itself, a name too long for any file, a folder above
that may not be searched or a user id without a home folder: `pathlib` does, differently from one
version of Python to the next.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from harness.text.values import shown, shown_path

NAMES = {
    errno.ELOOP: "a symbolic link on the way leads to itself",
    errno.ENAMETOOLONG: "its name is longer than a file system allows",
    errno.ENOTDIR: "a part of it is a file",
}
"""What is said of a path in place of the system's own words."""
NOTHING = "no such folder"
KINDS = (
    (stat.S_ISREG, "a file"),
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISLNK, "a symbolic link"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def home() -> Path | None:
    """The user's home folder; None where none is known, as for a user id without a name."""
    try:
        found = Path.home()
    except RuntimeError:
        return None
    return found if found.is_absolute() and found != Path(found.anchor) else None


def expanded(said: str | bytes | os.PathLike[str]) -> Path:
    """A path as it was written, `~` and `~USER` replaced. Raises `ValueError` that says why not."""
    text = os.fsdecode(said)
    if not text:
        raise ValueError("expected the name of a folder or file")
    if "\0" in text:
        raise ValueError("expected a path, which holds no NUL character")
    try:
        return Path(text).expanduser()
    except RuntimeError:
        user = text.split("/")[0][1:]
        found = f"no user is called {shown(user)}" if user else "no home folder is known"
        raise ValueError(f"{found}; expected the whole path, or ./{text[:20]}") from None


def located(said: str | bytes | os.PathLike[str], base: Path | None = None) -> Path:
    """A path that is meant from `base`, or from here, as an absolute one with its links followed.

    Raises `ValueError` that says why it cannot be one.
    """
    path = expanded(said)
    try:
        return (path if base is None else base / path).resolve()
    except RuntimeError:  # before Python 3.13
        raise ValueError(NAMES[errno.ELOOP]) from None
    except OSError as error:  # the folder this was started in is gone
        raise ValueError(reason(error)) from None


def for_writing(said: str | bytes | os.PathLike[str], base: Path | None = None) -> Path:
    """`located`, of a folder to be written into: raises `ValueError` where none can be, too."""
    path = expanded(said)
    if found := obstacle(path if base is None else base / path):
        raise ValueError(f"{shown_path(found[0])}: {found[1]}; expected a folder, or nothing there")
    return located(said, base)


def is_folder(path: Path) -> bool:
    """Whether a path leads to a folder; not so where that cannot be told."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def is_file(path: Path) -> bool:
    """Whether a path leads to a file; not so where that cannot be told."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def reason(error: OSError) -> str:
    """Why the system refused a path, in words that may stand in a message."""
    return NAMES.get(error.errno or 0) or error.strerror or str(error)


def why_no_folder(path: Path) -> str | None:
    """Why a path leads to no folder; None where it does."""
    try:
        status = path.stat()
    except FileNotFoundError:
        dangling = path.is_symlink()
        return "a symbolic link to what is not there" if dangling else NOTHING
    except OSError as error:
        return reason(error)
    except ValueError:
        return "a path holds no NUL character"
    return None if stat.S_ISDIR(status.st_mode) else f"it is {kind(status.st_mode)}"


def obstacle(folder: Path) -> tuple[Path, str] | None:
    """What keeps a folder from being there, or from being made: where, and why; None: nothing."""
    for place in reversed((folder, *folder.parents)):
        why = why_no_folder(place)
        if why == NOTHING:
            return None
        if why:
            return place, why
    return None


def kind(mode: int) -> str:
    """What a path leads to, by the mode that the system has for it."""
    return next((words for is_kind, words in KINDS if is_kind(mode)), "no file")
