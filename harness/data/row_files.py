"""A file of a user's rows: which formats there are, and how others are made one of them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

from harness.data import parquet, tabular
from harness.data.tabular import FORM, JSON_LINES, Rows
from harness.files import lines
from harness.files.lines import at, error
from harness.text.values import shown

TEXTS: dict[str, Callable[[Path, str], Rows]] = {
    ".csv": tabular.separated,
    ".tsv": tabular.tab_separated,
    ".jsonl": tabular.json_lines,
}
OTHERS = {  # endings of files that cannot be read -> how to make one of them that can
    ".json": f"write one object on each line: {JSON_LINES}",
    ".ndjson": "call the file .jsonl",
    ".json5": "write one JSON object on each line, and call the file .jsonl",
    ".txt": "name its columns in the first line, and call it .csv or .tsv",
    ".tab": "call the file .tsv",
    ".pq": "call the file .parquet",
    ".feather": "save it as Parquet: pandas.read_feather(OLD).to_parquet(NEW)",
    ".arrow": "save it as Parquet: pandas.read_feather(OLD).to_parquet(NEW)",
    ".xls": "save it as CSV in UTF-8",
    ".xlsx": "save it as CSV in UTF-8",
    ".ods": "save it as CSV in UTF-8",
    ".gz": "decompress it with gunzip",
    ".bz2": "decompress it with bunzip2",
    ".xz": "decompress it with unxz",
    ".zst": "decompress it with unzstd",
    ".zip": "unpack it with unzip",
}


def content(path: Path) -> bytes:
    """The bytes of a file. Raises `DataError`."""
    try:
        with lines.opened(path, FORM) as stream:
            return stream.read(FORM.kind.most)  # a file of /proc has no size and may have no end
    except (FileNotFoundError, NotADirectoryError) as cause:
        raise error(at(path), "no such file", FORM.file, "correct its name") from cause


def of_file(path: Path, wanted: Collection[str]) -> Rows:
    """The columns of a file, and its rows, at least one. Raises `DataError`."""
    found = read(path, wanted)
    if not found.rows:
        raise error(at(path), "no row", "one or more", "put the rows there")
    return found


def read(path: Path, wanted: Collection[str]) -> Rows:
    """The columns of a file, and its rows: of Parquet just with the columns that are wanted.

    Raises `DataError`.
    """
    ending = path.suffix.lower()
    if ending == ".parquet":
        raw = content(path)
        if not raw.startswith(parquet.SIGNATURE):
            lines.refuse_signature(path, raw)
        return parquet.read(path, raw, wanted)
    if ending in TEXTS:
        return TEXTS[ending](path, lines.decoded(path, content(path)))
    mend = OTHERS.get(ending, "save it as one of them")
    raw = content(path)  # first: it may be a folder, or not there
    if ending == ".json" and raw.lstrip().startswith(b"{"):
        mend = "call the file .jsonl if each line is an object, else write one on each line"
    raise error(at(path), f"a file that ends in {shown(path.suffix)}", FORM.file, mend)
