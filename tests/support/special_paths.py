"""Paths where no file or folder can be written: links, pipes, devices."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path
from typing import NamedTuple


class Seen(NamedTuple):
    """What is known of a place, and of what a link there leads to."""

    mode: int
    inode: int
    device: int
    target: str | None
    content: bytes | None


def seen(path: Path) -> Seen | None:
    """What stands at a path, its content too; None: nothing."""
    try:
        found = path.lstat()
    except OSError:
        return None
    target = str(path.readlink()) if path.is_symlink() else None
    content = path.read_bytes() if path.is_file() else None
    return Seen(found.st_mode, found.st_ino, found.st_rdev, target, content)


def everything(folder: Path) -> dict[Path, Seen | None]:
    """All that a folder holds; links are not followed."""
    return {Path(at) / name: seen(Path(at) / name)
            for at, folders, files in os.walk(folder) for name in (*folders, *files)}  # fmt: skip


def not_for_files(home: Path) -> dict[str, Path]:
    """Paths in a new folder at which a file must not be written, by what is there."""
    home.mkdir(parents=True)
    places = not_for_folders(home / "more")
    places = {name: path for name, path in places.items() if name != "a file"}
    (home / "target").write_text("precious")
    (home / "folder").mkdir()
    (home / "link").symlink_to(home / "target")
    (home / "link to link").symlink_to(home / "link")
    (home / "link to folder").symlink_to(home / "folder")
    return places | {
        "a folder": home / "folder",
        "a link": home / "link",
        "a link to a link": home / "link to link",
        "a link to a folder": home / "link to folder",
        "no folder above": home / "none" / "file",
    }


def not_for_folders(home: Path) -> dict[str, Path]:
    """Paths in a new folder at which no folder can be, by what is there."""
    home.mkdir(parents=True)
    (home / "a file").write_text("precious")
    os.mkfifo(home / "pipe")
    (home / "link to pipe").symlink_to(home / "pipe")
    (home / "dangling").symlink_to(home / "nowhere")
    (home / "loop").symlink_to(home / "loop")
    (home / "link to stdout").symlink_to("/proc/self/fd/1")
    with socket.socket(socket.AF_UNIX) as made:
        descriptor = os.open(home, os.O_RDONLY)  # a socket's path has 107 bytes at most
        try:
            made.bind(f"/proc/self/fd/{descriptor}/socket")
        finally:
            os.close(descriptor)
    places = {
        "a file": home / "a file",
        "a pipe": home / "pipe",
        "a link to a pipe": home / "link to pipe",
        "a dangling link": home / "dangling",
        "a loop": home / "loop",
        "a link to standard output": home / "link to stdout",
        "a socket": home / "socket",
        "below a file": home / "a file" / "x",
        "below a pipe": home / "pipe" / "x",
        "below a loop": home / "loop" / "x",
        "too long": home / ("n" * 300),
        "NUL": home / "a\0b",
    }
    return places | devices(home)


def devices(home: Path) -> dict[str, Path]:
    """Copies of devices of this machine, where this user may make some."""
    numbers = {"null": (1, 3), "zero": (1, 5), "full": (1, 7)}
    try:
        for name, number in numbers.items():
            os.mknod(home / name, stat.S_IFCHR | 0o666, os.makedev(*number))
    except PermissionError:
        return {}
    return {f"the device {name}": home / name for name in numbers}
