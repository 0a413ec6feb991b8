"""Word vectors in GloVe's text format: a word and its numbers on each line, spaces between."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import numpy as np

from harness.errors import DataError
from harness.files import hashes, lines, reading
from harness.files.lines import at, error
from harness.text.values import shown

FORM = lines.Form(
    "a text file of word vectors",
    "a word and its numbers, with spaces between",
    "unpack it again from where it was published",
    "name a file of word vectors in GloVe's text format",
    reading.VECTORS,
)


def fingerprint(path: Path, *, anew: bool = False) -> str:
    """The sha256 of the file's bytes. Raises `DataError`.

    A file that has not changed is read only once, unless `anew` asks for it.
    """
    stamped(path)
    with lines.opened(path, FORM):  # only a regular file has a hash
        return hashes.sha256(path) if anew else hashes.remembered(path)


def stamped(path: Path) -> tuple[int, ...]:
    """`file_hashes.stamp` of the file. Raises `DataError` where there is none."""
    try:
        with lines.opened(path, FORM):
            return hashes.stamp(path)
    except (FileNotFoundError, NotADirectoryError) as cause:
        raise _missing(path) from cause


def read(path: Path, words: Collection[str]) -> dict[str, np.ndarray]:
    """The vectors of those of `words` that the file has: float32, all of one length.

    Text files of word2vec and fastText begin with a line of two numbers, which is skipped. Some
    words of GloVe contain spaces, so each line is read from its end. Raises `DataError`.
    """
    wanted, vectors, width = set(words), {}, 0
    try:
        for number, line in lines.read(path, FORM):
            fields = line.rstrip(" ").split(" ")
            if number == 1 and len(fields) == 2:
                continue
            width = width or len(fields) - 1
            if width < 1 or len(fields) <= width:
                found = f"{len(fields) - 1} number(s) in {shown(line)}"
                raise error(at(path, number), found, _expected(width), FORM.again)
            word = " ".join(fields[:-width])
            if word in wanted:
                vectors[word] = _numbers(path, number, fields[-width:])
    except (FileNotFoundError, NotADirectoryError) as cause:
        raise _missing(path) from cause
    if not vectors:
        raise error(
            at(path),
            f"none of the {len(wanted)} words of the training rows",
            "vectors of lower-case words",
            "name a file in the language of the rows",
        )
    return vectors


def _numbers(path: Path, line: int, fields: list[str]) -> np.ndarray:
    try:
        vector = np.array(fields, dtype=np.float32)
    except ValueError as cause:
        found = f"{shown(' '.join(fields))} for numbers"
        raise error(at(path, line), found, _expected(len(fields)), FORM.again) from cause
    if not np.isfinite(vector).all():
        found = f"a number that is not finite in {shown(' '.join(fields))}"
        raise error(at(path, line), found, _expected(len(fields)), FORM.again)
    return vector


def _expected(width: int) -> str:
    return f"a word and {width} numbers, as on the first line" if width > 0 else FORM.line


def _missing(path: Path) -> DataError:
    return error(at(path), "no such file", FORM.file, "name one with --glue-vectors FILE")
