"""Paths as users write them, and why there is no file or folder at one.

No function here raises the errors that `pathlib` raises, and that differ between versions of
Python: for a link that points to itself, a name that is too long, a folder that may not be searched
or a user id without a home folder.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from harness.text.values import shown, shown_path

NAMES = {
    errno.ELOOP: "a symbolic link in it points to itself",
    errno.ENAMETOOLONG: "its name is longer than a file system allows",
    errno.ENOTDIR: "a part of it is a file",
}
"""Messages that replace the system's own."""
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
    """The user's home folder; None if it is not known, as for a user id without a name."""
    try:
        folder = Path.home()
    except RuntimeError:
        return None
    return folder if folder.is_absolute() and folder != Path(folder.anchor) else None


def expanded(path: str | bytes | os.PathLike[str]) -> Path:
    """A path with `~` and `~USER` replaced. Raises `ValueError` with the reason."""
    text = os.fsdecode(path)
    if not text:
        raise ValueError("expected the name of a folder or file")
    if "\0" in text:
        raise ValueError("expected a path, which cannot contain a NUL character")
    try:
        return Path(text).expanduser()
    except RuntimeError:
        user = text.split("/")[0][1:]
        why = f"no user is called {shown(user)}" if user else "no home folder is known"
        raise ValueError(f"{why}; expected the whole path, or ./{text[:20]}") from None


def located(path: str | bytes | os.PathLike[str], base: Path | None = None) -> Path:
    """A path that is relative to `base`, or to the working folder, as an absolute one.

    Links are followed. Raises `ValueError` with the reason.
    """
    expanded_path = expanded(path)
    try:
        return (expanded_path if base is None else base / expanded_path).resolve()
    except RuntimeError:  # before Python 3.13
        raise ValueError(NAMES[errno.ELOOP]) from None
    except OSError as error:  # the working folder is gone
        raise ValueError(reason(error)) from None


def for_writing(path: str | bytes | os.PathLike[str], base: Path | None = None) -> Path:
    """As `located`, for an output folder: raises `ValueError` also if no folder can be there."""
    expanded_path = expanded(path)
    if found := obstacle(expanded_path if base is None else base / expanded_path):
        place, why = found
        raise ValueError(f"{shown_path(place)}: {why}; expected a folder, or nothing there")
    return located(path, base)


def is_folder(path: Path) -> bool:
    """Whether there is a folder at a path; False also if that cannot be found out."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def is_file(path: Path) -> bool:
    """Whether there is a file at a path; False also if that cannot be found out."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def reason(error: OSError) -> str:
    """Why the system refused a path, in words for a message."""
    return NAMES.get(error.errno or 0) or error.strerror or str(error)


def why_no_folder(path: Path) -> str | None:
    """Why there is no folder at a path; None: there is one."""
    try:
        status = path.stat()
    except FileNotFoundError:
        dangling = path.is_symlink()
        return "a symbolic link to something that does not exist" if dangling else NOTHING
    except OSError as error:
        return reason(error)
    except ValueError:
        return "a path cannot contain a NUL character"
    return None if stat.S_ISDIR(status.st_mode) else f"it is {kind(status.st_mode)}"


def obstacle(folder: Path) -> tuple[Path, str] | None:
    """What prevents a folder from being there or made: where it is, and why; None: nothing."""
    for place in reversed((folder, *folder.parents)):
        why = why_no_folder(place)
        if why == NOTHING:
            return None
        if why:
            return place, why
    return None


def kind(mode: int) -> str:
    """What is at a path, by its mode in the system."""
    return next((words for is_kind, words in KINDS if is_kind(mode)), "no file")
