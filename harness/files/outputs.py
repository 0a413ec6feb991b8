"""Files and folders that a user names as outputs: what may be there already.

One rule holds for all. A file is new, or replaces a regular file at once and keeps its permissions.
If a link, a device, a pipe, a socket or a folder is in its place, that is refused and left alone. A
folder may be reached through links; anything else in its place is refused.
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
"""Errors of the system if something else is in a folder's place."""


def check_file(path: Path, option: str, example: str) -> None:
    """Raise `UsageError` if no file can be at `path`, `StorageError` if it may not be written.

    `example` is the name that the message proposes instead. Nothing is written.
    """
    if problem := _problem(path, example):
        found, fix = problem
        raise UsageError(f"{option} {shown_path(path)}: {found}. Fix: {fix}")
    if paths.is_file(path) and not os.access(path, os.W_OK):
        raise StorageError(
            f"{option} {shown_path(path)}: it may not be written. Fix: allow it with `chmod +w`, "
            "or name another file"
        )
    _try_to_write(path.parent, option)


def check_files(folder: Path, names: Iterable[str], option: str) -> None:
    """Check the folder, and each file of these names that is to be written there."""
    check_folder(folder, option)
    if paths.is_folder(folder):
        for name in names:
            check_file(folder / name, option, str(folder.with_name(f"{folder.name}-2")))


def check_folder(folder: Path, option: str) -> None:
    """Raise `UsageError` if no folder can be there, `StorageError` if it may not be written."""
    if obstacle := paths.obstacle(folder):
        place, why = obstacle
        raise UsageError(
            f"{option} {shown_path(place)}: {why}; expected a folder, or nothing there yet. Fix: "
            "name another folder"
        )
    place = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    _try_to_write(place, option)


def replace(path: Path, content: bytes, option: str, example: str) -> None:
    """Put `content` at `path`, whole. Raises as `check_file` does; leaves no temporary file."""
    check_file(path, option, example)
    try:
        replace_file(DISK, path, content)
    except OSError as error:
        raise StorageError(cannot_write(path, error, option, len(content))) from error


def _problem(path: Path, example: str) -> tuple[str, str] | None:
    """What is wrong with a file's place, and how to fix it; None: nothing."""
    fix = f"name another file, such as {example}"
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        if paths.is_folder(path.parent):
            return None
        folder = shown_path(path.parent)
        if obstacle := paths.obstacle(path.parent):
            place, why = obstacle
            return f"{shown_path(place)}: {why}; expected a folder", fix
        return f"there is no folder {folder}", f"make it with `mkdir -p {folder}`"
    except OSError as error:
        return paths.reason(error), fix
    except ValueError:
        return "a path cannot contain a NUL character", fix
    if stat.S_ISREG(mode):
        return None
    if not stat.S_ISLNK(mode):
        return f"it is {paths.kind(mode)}; expected a file, or nothing there yet", fix
    if paths.is_file(path) and not path.resolve().is_relative_to("/proc"):
        fix = f"name the file that it points to, {shown_path(path.resolve())}, or another one"
    return "it is a symbolic link, which is not followed; expected a file", fix


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
    """The message about a file or folder that could not be written; `size` in bytes."""
    is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    bytes_needed = f" ({size:,} bytes)" if size else ""
    why = paths.reason(error)
    obstacle = paths.obstacle(path if not size else path.parent)
    if obstacle and error.errno in FOLDER_ERRORS:
        why = f"{shown_path(obstacle[0])}: {obstacle[1]}; expected a folder"
    return (
        f"{shown_path(path)}{bytes_needed}: could not write: {why}. Fix: "
        f"{'make room, or ' if is_full else ''}choose another folder with {option}"
    )
