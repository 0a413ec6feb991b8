"""Rows with named columns: CSV, tab-separated or JSON lines, or a data set of the Hub.

CSV is read as Python's `csv` reads it, strictly; a tab-separated file as GLUE's are, without
quotes. The first line of either names the columns. Texts are kept as they are. Whatever is wrong is
a `DataError` that says where, and what was found.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.data import lines
from harness.data.lines import at, error
from harness.errors import DataError, shown
from harness.spec import OwnRows

FORM = lines.Form(
    "a file of rows: .csv, .tsv or .jsonl", "a row", "save it again", "shorten the text"
)
MOST_SHOWN = 8  # names in a message
Row = tuple[str, Mapping[str, Any]]  # where a row is, and its fields
Rows = tuple[Sequence[str], Iterator[Row]]  # the columns, and the rows


def content(path: Path) -> bytes:
    """The bytes of a file. Raises `DataError`."""
    try:
        with lines.opened(path, FORM) as stream:
            return stream.read()
    except (FileNotFoundError, NotADirectoryError) as cause:
        raise error(at(path), "no such file", FORM.file, "correct its name") from cause


def of_file(path: Path) -> Rows:
    """The columns of a file, and its rows. Raises `DataError`."""
    ending = path.suffix.lower()
    if ending not in FORMATS:
        found = f"a file that ends in {shown(path.suffix)}"
        raise error(at(path), found, FORM.file, "rename it")
    rows = FORMATS[ending](path, _text(path))
    if not rows:
        raise error(at(path), "no row", "one or more", "put the rows there")
    return list(dict.fromkeys(name for _, fields in rows for name in fields)), iter(rows)


def _text(path: Path) -> str:
    raw = content(path)
    lines.refuse_signature(path, raw)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as cause:
        line, byte = 1 + raw[: cause.start].count(b"\n"), raw[cause.start]
        raise error(
            at(path, line), f"byte 0x{byte:02x} is not UTF-8", "UTF-8 text",
            "convert it (Latin-1: iconv -f LATIN1 -t UTF-8)",
        ) from cause  # fmt: skip
    if "\0" in text:
        line = 1 + text[: text.index("\0")].count("\n")
        raise error(at(path, line), "a NUL byte", "UTF-8 text", FORM.again)
    return text


def _comma_separated(path: Path, text: str) -> list[Row]:
    csv.field_size_limit(lines.MAX_LINE)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    found: list[tuple[int, list[str]]] = []
    try:
        for fields in reader:
            found.append((reader.line_num, fields))
    except csv.Error as cause:
        if "field larger" in str(cause):
            said = f"a field of more than {lines.MAX_LINE} characters"
            raise error(at(path, reader.line_num), said, FORM.line, FORM.too_long) from cause
        raise error(
            at(path, reader.line_num), str(cause), "well-formed CSV", "correct the quotes there"
        ) from cause
    return _table(path, found, "put a text that holds a comma or a line break in double quotes")


def _tab_separated(path: Path, text: str) -> list[Row]:
    whole = text.replace("\r\n", "\n").removesuffix("\n").split("\n")
    found = [(number, line.split("\t")) for number, line in enumerate(whole, 1)]
    return _table(path, found, "take tabs and line breaks out of the texts, or save it as CSV")


def _table(path: Path, found: list[tuple[int, list[str]]], mend: str) -> list[Row]:
    filled = [(number, fields) for number, fields in found if fields not in ([], [""])]
    if not filled:
        return []
    (first, header), *rest = filled
    named = Counter(name for name in header if name)
    if twice := [name for name, count in named.items() if count > 1]:
        said = f"two columns called {shown(twice[0])}"
        raise error(at(path, first), said, "a name each", "rename one")
    if len(header) == 1 and (mark := next((m for m in ";\t|" if m in header[0]), None)):
        said = f"one column, {shown(header[0])}"
        mend = f"separate them by commas, not {shown(mark)}; tabs: call the file .tsv"
        raise error(at(path, first), said, "several", mend)
    rows: list[Row] = []
    for number, fields in rest:
        if len(fields) != len(header):
            expected = f"{len(header)}, as in the first line"
            raise error(at(path, number), f"{len(fields)} field(s)", expected, mend)
        pairs = zip(header, fields, strict=True)
        rows.append((at(path, number), {name: field for name, field in pairs if name}))
    return rows


def _json_lines(path: Path, text: str) -> list[Row]:
    rows: list[Row] = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        where = at(path, number)
        try:
            fields = json.loads(line)
        except (ValueError, RecursionError) as cause:
            said = f"no JSON: {cause}"
            raise error(where, said, "a JSON object on each line", "correct the line") from cause
        if not isinstance(fields, dict):
            raise error(where, shown(line), "a JSON object, {...}", "write one row on each line")
        rows.append((where, fields))
    return rows


FORMATS: dict[str, Callable[[Path, str], list[Row]]] = {
    ".csv": _comma_separated,
    ".tsv": _tab_separated,
    ".jsonl": _json_lines,
}


def splits_of(own: OwnRows, snapshot: Path) -> list[str]:
    """The splits of a data set of the Hub. Raises `DataError`."""
    import datasets

    with _reading(f"{own.hub}/{own.config}" if own.config else str(own.hub)):
        configs = datasets.get_dataset_config_names(str(snapshot))
        if own.config not in configs and (own.config or len(configs) > 1):
            found = "no config" if own.config is None else f"config {shown(own.config)}"
            raise DataError(
                f"{own.hub}: {found}; it has {_listed(configs)}. Mend: "
                f'config = "{configs[0]}" in the task'
            )
        return list(datasets.get_dataset_split_names(str(snapshot), own.config))


def of_hub(own: OwnRows, split: str, snapshot: Path) -> Rows:
    """The columns of a split of a data set of the Hub, and its rows; classes by their names.

    Raises `DataError`.
    """
    import datasets

    datasets.disable_progress_bars()
    name = own.splits.get(split, split)
    where = f"{own.hub}/{name}"
    there = splits_of(own, snapshot)
    if re.fullmatch(r"\w+", name) and name not in there:  # not a slice, as train[:80%]
        raise DataError(
            f"{own.hub}: no split {shown(name)}; it has {_listed(there)}. Mend: "
            f'splits = {{ {split} = "{there[-1]}" }} in the task'
        )
    with _reading(where):
        found: Any = datasets.load_dataset(str(snapshot), own.config, split=name)
    names = getattr(found.features.get(own.label), "names", None)

    def rows() -> Iterator[Row]:
        for number, fields in enumerate(found):
            value = fields.get(own.label)
            known = names is not None and isinstance(value, int) and 0 <= value < len(names)
            yield f"{where}, row {number}", fields | ({own.label: names[value]} if known else {})

    return list(found.column_names), rows()


@contextmanager
def _reading(where: str) -> Generator[None]:
    """Whatever `datasets` cannot read is a `DataError` with every cause that it gives."""
    from datasets.exceptions import DatasetsError

    try:
        yield
    except (OSError, ValueError, DatasetsError) as error:
        said: list[str] = []
        link: BaseException | None = error
        while link is not None:
            said.append(" ".join(f"{type(link).__name__}: {link}".split()))
            link = link.__cause__
        raise DataError(
            f"{where}: cannot be read: {'; '.join(said)[:400]}. Mend: correct config or splits of "
            "the task, or name a folder with files that can be read"
        ) from error


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(shown, names[:MOST_SHOWN]))
