"""Every call by which results are written to the disk or read from it; tests replace the disk.

What the calls promise after a power cut, on a disk that honours flushing: the bytes of a file are
there if `flush` returned after they were written. A name is there, or gone, if `flush_folder`
returned after it was made or removed. Anything else may be there in full, in part or not at all.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import uuid
from collections.abc import Generator
from pathlib import Path

from harness.errors import StorageError
from harness.files import paths
from harness.text.values import shown_path

NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS)
NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL, errno.EBADF)
NO_FOLDER_FLUSH = (errno.EINVAL, errno.ENOTSUP, errno.EROFS)  # there is nothing to flush


class Disk:
    """The real disk. Each method is one call of the operating system; all raise `OSError`."""

    def make_folder(self, folder: Path) -> None:
        """Make one folder, if it does not exist."""
        folder.mkdir(exist_ok=True)

    def create(self, path: Path) -> int:
        """Make an empty file and open it for writing. A name that is taken is an error."""
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)

    def write(self, descriptor: int, content: bytes) -> int:
        """Write; returns how many bytes were written, which may be fewer than given."""
        return os.write(descriptor, content)

    def flush(self, descriptor: int) -> None:
        """Return once the file's bytes would survive a power cut."""
        os.fsync(descriptor)

    def close(self, descriptor: int) -> None:
        """Close; this flushes nothing."""
        os.close(descriptor)

    def link(self, path: Path, name: Path) -> None:
        """Give a file a second name; raises `FileExistsError` if it is taken."""
        os.link(path, name)

    def rename(self, path: Path, name: Path) -> None:
        """Give a file another name, replacing whatever had it."""
        path.rename(name)

    def keep_access(self, path: Path, old: os.stat_result) -> None:
        """Give a file the owner and permissions of the file that it replaces."""
        with contextlib.suppress(PermissionError):  # somebody else's file in our folder
            if (new := path.stat()).st_uid != old.st_uid or new.st_gid != old.st_gid:
                os.chown(path, old.st_uid, old.st_gid)
        path.chmod(stat.S_IMODE(old.st_mode) & 0o777)

    def remove(self, path: Path) -> None:
        """Remove a name."""
        path.unlink()

    def flush_folder(self, folder: Path) -> None:
        """Return once the folder's names would survive a power cut."""
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        except OSError as error:
            if error.errno not in NO_FOLDER_FLUSH:
                raise
        finally:
            os.close(descriptor)

    def read(self, path: Path, limit: int) -> bytes:
        """The first `limit` bytes of a file; raises for anything else, such as a pipe."""
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise OSError(errno.EINVAL, "not a file")
            content = os.read(descriptor, min(limit, status.st_size + 1))
            if len(content) == status.st_size:
                return content
            with open(descriptor, "rb", closefd=False) as rest:  # it grew, or is large
                return content + rest.read(limit - len(content))
        finally:
            os.close(descriptor)

    def names(self, folder: Path) -> list[str]:
        """The names in a folder, sorted; none if there is no such folder."""
        try:
            return sorted(os.listdir(folder))  # noqa: PTH208  (100,000 Paths would take long)
        except FileNotFoundError:
            return []


DISK = Disk()


def read_file(disk: Disk, path: Path, limit: int, fix: str) -> bytes:
    """A whole file. Raises `StorageError`, also if it has more than `limit` bytes."""
    try:
        content = disk.read(path, limit + 1)
    except OSError as error:
        raise _unreadable(path, error, fix) from error
    if len(content) > limit:
        raise StorageError(f"{shown_path(path)}: larger than {limit:,} bytes. {fix}")
    return content


def names_in(disk: Disk, folder: Path, suffix: str | tuple[str, ...], fix: str) -> list[str]:
    """The names in a folder that end in `suffix`, sorted. Raises `StorageError`."""
    try:
        return [name for name in disk.names(folder) if name.endswith(suffix)]
    except OSError as error:
        raise _unreadable(folder, error, fix) from error


def _unreadable(path: Path, error: OSError, fix: str) -> StorageError:
    if error.errno in paths.NAMES:  # nothing is damaged: the path itself is impossible
        fix = "Fix: name another"
    return StorageError(f"{shown_path(path)}: cannot be read: {paths.reason(error)}. {fix}")


def make_folders(disk: Disk, folder: Path) -> None:
    """Make a folder and those above it, so that they survive a power cut.

    All of them are flushed: another process may have just made one and not flushed it yet.
    """
    folder = folder.absolute()
    for place in reversed((folder, *folder.parents)):
        if not place.exists():
            disk.make_folder(place)
    for place in folder.parents:
        with contextlib.suppress(
            PermissionError
        ):  # we may be allowed to search it, but not to open it
            disk.flush_folder(place)


@contextlib.contextmanager
def locked(folder: Path) -> Generator[None]:
    """Keep others out who lock this folder, where its file system has locks; a crash releases it.

    Raises `StorageError` if another process has locked it; `OSError`.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StorageError(
                f"{shown_path(folder)}: another process changes it right now, so nothing was "
                "changed. Fix: give the command again when that one is done"
            ) from error
        except OSError as error:  # such as a network file system without locks
            if error.errno not in NO_LOCKS:
                raise
        yield
    finally:
        os.close(descriptor)


def write_all(disk: Disk, descriptor: int, content: bytes) -> None:
    """Write every byte. Raises `OSError`, also if a full disk takes only a part of them."""
    left = memoryview(content)
    while left:
        taken = disk.write(descriptor, bytes(left))
        if taken <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        left = left[taken:]


def write_file(disk: Disk, path: Path, content: bytes) -> None:
    """Put `content` at `path`, whole and flushed. Raises `FileExistsError` if the name is taken."""
    temporary = _write_beside(disk, path, content)
    try:
        try:
            disk.link(temporary, path)  # unlike a rename, fails where `path` exists
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            if path.exists():
                raise FileExistsError(errno.EEXIST, "the file exists", str(path)) from error
            disk.rename(temporary, path)  # a file system without hard links
    finally:
        with contextlib.suppress(OSError):
            disk.remove(temporary)
    disk.flush_folder(path.parent)


def replace_file(disk: Disk, path: Path, content: bytes) -> None:
    """Put `content` at `path`, whole and flushed; a regular file that is there is replaced.

    Its permissions are kept. Raises `OSError`, also if anything else is there, such as a link or a
    device.
    """
    _regular_file(path)
    temporary = _write_beside(disk, path, content)
    try:
        if old := _regular_file(path):
            disk.keep_access(temporary, old)
        disk.rename(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            disk.remove(temporary)
        raise
    disk.flush_folder(path.parent)


def _regular_file(path: Path) -> os.stat_result | None:
    """The status of the regular file at `path`; None if nothing is there. Raises `OSError`."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EEXIST, f"there is {paths.kind(status.st_mode)}, and no file")
    return status


def _write_beside(disk: Disk, path: Path, content: bytes) -> Path:
    """Write a flushed file with that content in the folder of `path`; returns its path."""
    temporary = path.with_name(f".{uuid.uuid4().hex}.tmp")
    with _created(disk, temporary) as descriptor:
        write_all(disk, descriptor, content)
        disk.flush(descriptor)
    return temporary


@contextlib.contextmanager
def _created(disk: Disk, path: Path) -> Generator[int]:
    """A new open file; it is closed at the end, and removed if the block fails."""
    descriptor = disk.create(path)
    try:
        try:
            yield descriptor
        finally:
            disk.close(descriptor)
    except BaseException:
        with contextlib.suppress(OSError):
            disk.remove(path)
        raise
