"""Files and folders that a user names to be written: what may be there, and what to say if not.

One rule for all of them. A file is new, or takes the place of a regular file, at once and with its
permissions. A link, a device, a pipe, a socket or a folder in its place is refused and left as it
is. A folder may be reached by links; anything else in its place is refused.
"""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from collections.abc import Iterable
from pathlib import Path

from harness.errors import StorageError, UsageError
from harness.files import paths
from harness.files.disk import DISK, Disk, make_folders, replace_file
from harness.text.values import shown_path

FOLDER_ERRORS = (errno.ENOTDIR, errno.EEXIST, errno.ELOOP, errno.ENOENT)
"""What the system says where another thing stands in a folder's place."""


def check_file(path: Path, option: str, example: str) -> None:
    """Raise `UsageError` where no file can be put at `path`, `StorageError` where it may not be.

    `example` is what the message proposes to name in its place. Nothing is written.
    """
    if problem := _problem(path, example):
        found, mend = problem
        raise UsageError(f"{option} {shown_path(path)}: {found}. Mend: {mend}")
    if paths.is_file(path) and not os.access(path, os.W_OK):
        raise StorageError(
            f"{option} {shown_path(path)}: it may not be written to. Mend: allow it by `chmod +w`, "
            "or name another file"
        )
    _try_to_write(path.parent, option)


def check_files(folder: Path, names: Iterable[str], option: str) -> None:
    """Raise what `check_file` raises for files of a folder, and for what cannot be a folder."""
    check_folder(folder, option)
    if paths.is_folder(folder):
        for name in names:
            check_file(folder / name, option, str(folder.with_name(f"{folder.name}-2")))


def check_folder(folder: Path, option: str) -> None:
    """Raise `UsageError` where no folder can be, `StorageError` where none may be written to."""
    if found := paths.obstacle(folder):
        place, why = found
        raise UsageError(
            f"{option} {shown_path(place)}: {why}; expected a folder, or nothing there yet. Mend: "
            "name another folder"
        )
    place = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    _try_to_write(place, option)


def replace(path: Path, content: bytes, option: str, example: str) -> None:
    """Put `content` at `path`, whole; raises what `check_file` raises, and leaves no other file."""
    check_file(path, option, example)
    try:
        replace_file(DISK, path, content)
    except OSError as error:
        raise StorageError(cannot_write(path, error, option, len(content))) from error


def _problem(path: Path, example: str) -> tuple[str, str] | None:
    """What is wrong with a file's place, and what mends it; None where nothing is."""
    mend = f"name another file, such as {example}"
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        if paths.is_folder(path.parent):
            return None
        folder = shown_path(path.parent)
        if found := paths.obstacle(path.parent):
            return f"{shown_path(found[0])}: {found[1]}; expected a folder", mend
        return f"there is no folder {folder}", f"make it with `mkdir -p {folder}`"
    except OSError as error:
        return paths.reason(error), mend
    except ValueError:
        return "a path holds no NUL character", mend
    if stat.S_ISREG(mode):
        return None
    if not stat.S_ISLNK(mode):
        return f"it is {paths.kind(mode)}; expected a file, or nothing there yet", mend
    if paths.is_file(path) and not path.resolve().is_relative_to("/proc"):
        mend = f"name the file that it leads to, {shown_path(path.resolve())}, or another one"
    return "it is a symbolic link, which is not followed; expected a file", mend


def _try_to_write(folder: Path, option: str) -> None:
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise StorageError(cannot_write(folder, error, option)) from error


def make_folder(folder: Path, option: str = "--glue-results", disk: Disk = DISK) -> None:
    """Make the folder that an option names, and try to write there. Raises `StorageError`."""
    try:
        make_folders(disk, folder)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise StorageError(cannot_write(folder, error, option)) from error


def cannot_write(path: Path, error: OSError, option: str, size: int = 0) -> str:
    """What to say of a file or folder that could not be written; `size` in bytes."""
    room = error.errno in (errno.ENOSPC, errno.EDQUOT)
    asked = f" ({size:,} bytes)" if size else ""
    why = paths.reason(error)
    found = paths.obstacle(path if not size else path.parent)
    if found and error.errno in FOLDER_ERRORS:
        why = f"{shown_path(found[0])}: {found[1]}; expected a folder"
    return (
        f"{shown_path(path)}{asked}: could not write: {why}. Mend: "
        f"{'make room, or ' if room else ''}choose another folder with {option}"
    )
