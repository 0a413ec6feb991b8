"""Read a file of custom rows: the formats, and how to convert files in others."""

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
OTHERS = {  # endings of files that cannot be read -> how to convert them
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
            return stream.read(FORM.kind.most)  # a limit, since a file of /proc may have no end
    except (FileNotFoundError, NotADirectoryError) as cause:
        raise error(at(path), "no such file", FORM.file, "correct its name") from cause


def of_file(path: Path, wanted: Collection[str]) -> Rows:
    """The columns and rows of a file, at least one row. Raises `DataError`."""
    table = read(path, wanted)
    if not table.rows:
        raise error(at(path), "no row", "one or more", "put the rows there")
    return table


def read(path: Path, wanted: Collection[str]) -> Rows:
    """The columns and rows of a file. Rows of Parquet have only the wanted columns.

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
    fix = OTHERS.get(ending, "save it as one of them")
    raw = content(path)  # first, since it may be a folder, or not exist
    if ending == ".json" and raw.lstrip().startswith(b"{"):
        fix = "call the file .jsonl if each line is an object, else write one on each line"
    raise error(at(path), f"a file that ends in {shown(path.suffix)}", FORM.file, fix)
