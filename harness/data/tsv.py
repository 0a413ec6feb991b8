"""Reads the classic `glue_data` directory: CoLA/, SST-2/, MRPC/, ... with tab-separated files.

Lines end at a line feed and fields at a tab, nowhere else: these files know no quoting, no escape
and no missing value, so quotes, `n/a`, trailing spaces, U+2028 and empty texts are kept as they
are. Whatever is malformed is a `DataError` that says where, what was found, what was expected and
how to mend it. Rows of another width are dropped and counted in QQP's labelled files, which are
known to have some; test rows never, because a submission owes a prediction for each. Labels of
test splits are never loaded.
"""

from __future__ import annotations

import errno
import hashlib
import itertools
import os
import re
import stat
from collections.abc import Callable, Collection, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Protocol

from harness import tasks
from harness.data.layout import FILES, FOLDERS, File
from harness.errors import DataError, UsageError, shown
from harness.names import unknown
from harness.spec import Split, Task

MAX_LINE = 1 << 20  # bytes, line end included
MAX_NAMES = 8  # of a directory's entries in a message
NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?", re.ASCII)
REFETCH = "fetch the file again from GLUE"
UNQUOTED = f"a text may hold neither tab nor line break and is never quoted: mend it, or {REFETCH}"
POINT = f"point --glue-data at the folder that holds {'/, '.join(FOLDERS[:2])}/, ..."

SIGNATURES = (
    (b"\x1f\x8b", "gzip-compressed data", "decompress it with gunzip"),
    (b"PK\x03\x04", "a zip archive", "unpack it with unzip"),
    (b"\xff\xfe", "UTF-16 text (little-endian)", "convert it with iconv -f UTF-16 -t UTF-8"),
    (b"\xfe\xff", "UTF-16 text (big-endian)", "convert it with iconv -f UTF-16 -t UTF-8"),
)


class _Digest(Protocol):
    def update(self, data: bytes, /) -> None: ...


@dataclass(frozen=True)
class FileReport:
    """What was read from one file."""

    name: str  # below the glue_data directory
    rows: int  # kept
    dropped: int  # QQP rows of another width, MNLI rows without a gold label
    sha256: str  # of the raw bytes


def read_split(directory: Path, task_name: str, split: str) -> tuple[Split, FileReport]:
    """One split and the report of its file. Ids are the row numbers in the file, from 0.

    Raises `DataError` for a missing or malformed file, `UsageError` for an unknown name.
    """
    task, file = _find(task_name, split)
    path = directory / file.path
    digest = hashlib.sha256()
    width = len(file.columns)
    text_at = [file.columns.index(column) for column in file.texts]
    label_at = file.columns.index(file.label) if file.label else None
    parse, expected = _label_parser(task, file)
    texts: list[tuple[str, ...]] = []
    labels: list[int | float] = []
    ids: list[int] = []
    dropped = 0
    for row, (number, line) in enumerate(_rows(directory, file, digest)):
        fields = line.split("\t")
        if len(fields) != width:
            if file.ragged:
                dropped += 1
                continue
            found = f"{len(fields)} tab-separated field(s) in {shown(line)}"
            raise _error(_at(path, number), found, _columns(file), UNQUOTED)
        if label_at is not None:
            word = fields[label_at]
            if word == file.no_label:
                dropped += 1
                continue
            label = parse(word)
            if label is None:
                found = f"{file.label} is {shown(word)}"
                raise _error(_at(path, number), found, expected, f"correct it, or {REFETCH}")
            labels.append(label)
        texts.append(tuple([fields[at] for at in text_at]))
        ids.append(row)
    if not texts:
        found = f"no usable row ({dropped} dropped)" if dropped else "a header and no row"
        raise _error(_at(path), found, _columns(file), REFETCH)

    report = FileReport(file.path, len(texts), dropped, digest.hexdigest())
    return Split(texts, labels if file.label else None, ids), report


def fingerprint(directory: Path, task_name: str, splits: Collection[str]) -> dict[str, str]:
    """The sha256 of the raw bytes of each split's file, which is not parsed."""
    hashes = {}
    for split in splits:
        _, file = _find(task_name, split)
        with _open(directory, file) as stream:
            hashes[split] = hashlib.file_digest(stream, "sha256").hexdigest()
    return hashes


def has(directory: Path, task_name: str, split: str) -> bool:
    """Whether anything is where the split's file belongs, readable or not."""
    return os.path.lexists(directory / _find(task_name, split)[1].path)


def agreement(task_name: str, split_name: str, split: Split, report: FileReport) -> dict[str, bool]:
    """Which facts known of GLUE's own split hold of `split`, as `read_split` returned it.

    Facts are the number of rows, that of each class, and the file's sha256.
    """
    task, file = _find(task_name, split_name)
    found = tasks.agreement(task, split_name, split)
    return found | ({"sha256": file.sha256 == report.sha256} if file.sha256 else {})


def _find(task_name: str, split: str) -> tuple[Task, File]:
    task = tasks.get(task_name)
    file = FILES.get((task.name, split))
    if file is None:
        raise UsageError(unknown(f"split of {task.title}", split, task.rows))
    return task, file


def _rows(directory: Path, file: File, digest: _Digest) -> Iterator[tuple[int, str]]:
    """The lines below the header."""
    path = directory / file.path
    lines = _lines(directory, file, digest)
    first = next(lines, None)
    if first is None:
        raise _error(_at(path), "the file is empty", _columns(file), REFETCH)
    if file.header:
        _check_header(path, file, first[1])
    else:
        yield first
    yield from lines


def _lines(directory: Path, file: File, digest: _Digest) -> Iterator[tuple[int, str]]:
    """Number and text of each line; `digest` gets the raw bytes on the way."""
    path = directory / file.path
    offset = 0
    with _open(directory, file) as stream:
        for number in itertools.count(1):
            raw = stream.readline(MAX_LINE + 1)
            if not raw:
                return
            digest.update(raw)
            if number == 1:
                _refuse_signature(path, raw)
            if len(raw) > MAX_LINE:
                found = f"a line of more than {MAX_LINE} bytes, starting with {_start(raw)}"
                raise _error(_at(path, number), found, _columns(file), UNQUOTED)
            if b"\0" in raw:
                found = f"a NUL byte (byte {offset + raw.index(0)} of the file)"
                mend = f"save it as UTF-8, or {REFETCH}"
                raise _error(_at(path, number), found, "UTF-8 text", mend)
            try:
                line = raw.removesuffix(b"\n").removesuffix(b"\r").decode()
            except UnicodeDecodeError as error:
                byte = raw[error.start]
                found = f"byte 0x{byte:02x} (byte {offset + error.start} of the file) is not UTF-8"
                mend = f"convert it (Latin-1: iconv -f LATIN1 -t UTF-8), or {REFETCH}"
                raise _error(_at(path, number), found, "UTF-8 text", mend) from error
            yield number, line.removeprefix("\ufeff") if number == 1 else line
            offset += len(raw)


def _check_header(path: Path, file: File, line: str) -> None:
    columns = line.split("\t")
    for index, (found, wanted) in enumerate(itertools.zip_longest(columns, file.columns), 1):
        if found == wanted:
            continue
        name = "missing" if found is None else shown(found)
        expected = shown(wanted) if wanted else f"no more than {len(file.columns)} columns"
        mend = f"make the header {', '.join(file.columns)} (tabs between), or {REFETCH}"
        raise _error(_at(path, 1), f"header column {index} is {name}", expected, mend)


def _label_parser(task: Task, file: File) -> tuple[Callable[[str], int | float | None], str]:
    """What turns a label cell into a label (None: it cannot be one), and its description."""
    if task.label_range:
        low, high = task.label_range

        def score(cell: str) -> float | None:
            value = float(cell) if NUMBER.fullmatch(cell) else low - 1
            return value if low <= value <= high else None

        return score, f"a number from {low:g} to {high:g}"
    names = task.labels if file.words else [str(index) for index in range(len(task.labels))]
    ids = {name: index for index, name in enumerate(names)}
    note = "" if file.header else " (this file has no header line)"
    return ids.get, f"one of {', '.join(names)}{note}"


def _refuse_signature(path: Path, start: bytes) -> None:
    for signature, name, mend in SIGNATURES:
        if start.startswith(signature):
            raise _error(_at(path), f"the file is {name}", "UTF-8 text", mend)


@contextmanager
def _open(directory: Path, file: File) -> Generator[BufferedReader, None, None]:
    """Open a file; what goes wrong then or while it is read is a `DataError`."""
    path = directory / file.path
    try:
        # Before it is opened: opening a named pipe would wait for a writer.
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            found = "a directory" if stat.S_ISDIR(mode) else "neither a file nor a directory"
            raise _error(_at(path), found, "a tab-separated file", f"put the file there; {REFETCH}")
        with path.open("rb") as stream:
            yield stream
    except (FileNotFoundError, NotADirectoryError) as error:
        raise _missing(directory, file) from error
    except OSError as error:
        raise _unreadable(path, error) from error


def _missing(directory: Path, file: File) -> DataError:
    path = directory / file.path
    held = path.parent if path.parent.is_dir() else directory
    try:
        names = sorted(entry.name for entry in held.iterdir())
        some = ", ".join(shown(name) for name in names[:MAX_NAMES]) or "nothing"
        more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
        found = f"no such file; {_at(held)} holds {some}{more}"
    except OSError as error:
        found = f"no such file; {_at(held)}: {error.strerror}"
    mend = POINT
    whole = directory.absolute()
    if whole.name in FOLDERS or (directory / path.name).is_file():
        mend += f": {_at(whole)} looks like one task's folder, try {_at(whole.parent)}"
    expected = f"the {file.split} split of {tasks.TASKS[file.task].title}"
    return _error(_at(path), found, expected, mend)


def _unreadable(path: Path, error: OSError) -> DataError:
    mend = "check the disk and the mount"
    if error.errno == errno.ELOOP:
        mend = "replace the symbolic link, which leads to itself"
    elif isinstance(error, PermissionError):
        mend = "give yourself read permission for it and search permission for its folders"
    return _error(_at(path), f"cannot be read: {error.strerror}", "a readable file", mend)


def _error(where: str, found: str, expected: str, mend: str) -> DataError:
    return DataError(f"{where}: {found}; expected {expected}; {mend}")


def _at(path: Path, line: int | None = None) -> str:
    text = str(path)
    text = text if text.isprintable() else ascii(text)
    return text if line is None else f"{text}:{line}"


def _start(raw: bytes) -> str:
    return shown(raw[:400].decode(errors="replace"))


def _columns(file: File) -> str:
    return f"{len(file.columns)} columns ({', '.join(file.columns)})"
