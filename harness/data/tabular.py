"""Rows with named columns from text: CSV, tab-separated or JSON lines.

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
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from harness.files import lines
from harness.files.lines import at, error
from harness.text.values import shown

FORM = lines.Form(
    "a file of rows: .csv, .tsv, .jsonl or .parquet", "a row", "save it again", "shorten the text"
)
MOST_SHOWN = 8  # names in a message
COMMAS = (
    'python -c "import csv, sys; csv.writer(sys.stdout).writerows(csv.reader(sys.stdin, '
    "delimiter='{}'))\" < OLD.csv > NEW.csv"
)
JSON_LINES = (
    'python -c "import json, sys; [print(json.dumps(row)) for row in json.load(sys.stdin)]" '
    "< OLD.json > NEW.jsonl"
)
Row = tuple[str, Mapping[str, Any]]  # where a row is, and its fields


class Rows(NamedTuple):
    """The columns of a file, its rows, and the names of columns that hold ids of classes."""

    columns: Sequence[str]
    rows: Sequence[Row]
    classes: Mapping[str, Sequence[str]] = {}

    def named(self, column: str) -> list[Row]:
        """The rows, with the name of its class in place of each id in a column."""
        names = self.classes.get(column)
        if names is None:
            return list(self.rows)
        known = {str(place): name for place, name in enumerate(names)}

        def name(value: Any) -> Any:
            return (
                value if value in names or isinstance(value, bool) else known.get(str(value), value)
            )

        return [(where, {**row, column: name(row.get(column))}) for where, row in self.rows]


def separated(path: Path, text: str, mark: str = ",") -> Rows:
    """The rows of a file with quotes, whose fields `mark` separates. Raises `DataError`."""
    _check_separator(path, text, mark)
    csv.field_size_limit(lines.MAX_LINE)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True)
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


def tab_separated(path: Path, text: str) -> Rows:
    """The rows of a file without quotes, whose fields tabs separate. Raises `DataError`."""
    _check_line_ends(path, text)
    _check_separator(path, text, "\t")
    whole = text.replace("\r\n", "\n").removesuffix("\n").split("\n")
    found = [(number, line.split("\t") if line else []) for number, line in enumerate(whole, 1)]
    return _table(path, found, "take tabs and line breaks out of the texts, or save it as CSV")


def _check_separator(path: Path, text: str, mark: str) -> None:
    """Raise `DataError` where the first line is one field, and would be several by another mark.

    Likewise where it has as many fields as the second line by another mark alone: a header can hold
    a comma in a file that semicolons separate.
    """
    blank = len(text) - len(text.lstrip("\r\n"))
    number, first = 1 + text.count("\n", 0, blank), text[blank:].split("\n", 1)[0].rstrip("\r")
    if re.fullmatch(r'"?sep=(.?)"?[,;\t]*', first, re.IGNORECASE):
        said = f"{shown(first)}, a spreadsheet's note on its separator"
        raise error(at(path, number), said, "the names of the columns", "delete that line")
    second = text[blank:].partition("\n")[2].split("\n", 1)[0].rstrip("\r")
    if _fields(first, mark) > 1 and _fields(second, mark) in (0, _fields(first, mark)):
        return
    other = max((m for m in ",;\t|" if m != mark), key=lambda m: _fields(first, m))
    if _fields(first, mark) > 1 and _fields(first, other) != _fields(second, other):
        return
    if _fields(first, other) > 1:
        mend = {",": "call the file .csv", "\t": "call the file .tsv"}.get(
            other, f"separate them by commas, not {shown(other)}: {COMMAS.format(other)}"
        )
        one = "one column, " if _fields(first, mark) < 2 else ""
        said = f"{one}{shown(first)}: the separator is {shown(other)}"
        raise error(at(path, number), said, f"columns separated by {shown(mark)}", mend)


def _check_line_ends(path: Path, text: str) -> None:
    """Raise `DataError` for a file that carriage returns alone cut into lines."""
    if "\r" in text.strip("\r\n") and "\n" not in text:
        said = "lines end with a carriage return alone, as on early Macintoshes"
        raise error(at(path), said, "line feeds", "convert it: tr '\\r' '\\n' < OLD > NEW")


def _fields(line: str, mark: str) -> int:
    """How many fields a line has if `mark` separates them; 0 where quotes do not fit."""
    if mark == "\t":
        return line.count(mark) + 1
    try:
        return len(next(csv.reader([line], delimiter=mark, strict=True), []))
    except csv.Error:
        return 0


def _table(path: Path, found: list[tuple[int, list[str]]], mend: str) -> Rows:
    """The rows below the first line; empty `fields` are those of a blank line.

    In a file of one column a blank line is a row whose text is empty, in others it is none.
    """
    start = next((place for place, (_, fields) in enumerate(found) if fields), None)
    if start is None:
        return Rows([], [])
    (first, header), rest = found[start], found[start + 1 :]
    named = Counter(name for name in header if name)
    if twice := [name for name, count in named.items() if count > 1]:
        said = f"two columns called {shown(twice[0])}"
        raise error(at(path, first), said, "a name each", "rename one")
    rows: list[Row] = []
    for number, fields in _with_blanks(path, rest) if len(header) == 1 else rest:
        if not fields:
            continue
        if len(fields) != len(header):
            expected = f"{len(header)}, as in the first line"
            raise error(at(path, number), f"{len(fields)} field(s)", expected, mend)
        pairs = zip(header, fields, strict=True)
        rows.append((at(path, number), {name: field for name, field in pairs if name}))
    return Rows(list(named), rows)


def _with_blanks(path: Path, found: list[tuple[int, list[str]]]) -> list[tuple[int, list[str]]]:
    """The rows of a file of one column: blank lines are empty texts, but a last one is none."""
    rows = found[:-1] if found and not found[-1][1] else found
    if rows and not rows[-1][1]:
        said = "several blank lines end the file: rows without a text, or none"
        mend = 'delete them, or write each that is a row as "" in a .csv'
        raise error(at(path, rows[-1][0]), said, "at most one", mend)
    return [(number, fields or [""]) for number, fields in rows]


class _Doubled(dict[str, Any]):
    """A JSON object that holds a key twice, which a `dict` cannot."""

    key = ""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        found = _Doubled(found)
        found.key = Counter(name for name, _ in pairs).most_common(1)[0][0]
    return found


def json_lines(path: Path, text: str) -> Rows:
    """The rows of a file with a JSON object on each line. Raises `DataError`."""
    _check_line_ends(path, text)
    rows: list[Row] = []
    for number, line in enumerate(text.rstrip().split("\n") if text.strip() else [], 1):
        where = at(path, number)
        try:
            fields = json.loads(line, object_pairs_hook=_object)
        except (ValueError, RecursionError) as cause:
            said = f"no JSON: {cause}" if line.strip() else "a blank line"
            mend = "correct the line" if line.strip() else "delete it, or write the row there"
            raise error(where, said, "a JSON object on each line", mend) from cause
        _refuse_doubled(where, fields)
        if not isinstance(fields, dict):
            mend = "write one row on each line" + (
                f": {JSON_LINES}" if isinstance(fields, list) else ""
            )
            raise error(where, shown(line), "a JSON object, {...}", mend)
        rows.append((where, fields))
    return Rows(list(dict.fromkeys(name for _, fields in rows for name in fields)), rows)


def json_rows(path: Path, text: str) -> Rows | None:
    """The rows of a file that is one list of JSON objects, or has one on each line.

    None where it is neither, such as a table by columns. Raises `DataError`.
    """
    if not text.lstrip().startswith("["):
        return json_lines(path, text) if _is_a_row(*text.strip().partition("\n")[::2]) else None
    try:
        found = json.loads(text, object_pairs_hook=_object)
    except (ValueError, RecursionError) as cause:
        said = f"no JSON: {cause}"
        raise error(at(path), said, "a list of JSON objects", "correct it there") from cause
    if not all(isinstance(fields, dict) for fields in found):
        return None
    rows: list[Row] = [(f"{at(path)}, row {number}", row) for number, row in enumerate(found)]
    for where, fields in rows:
        _refuse_doubled(where, fields)
    return Rows(list(dict.fromkeys(name for _, fields in rows for name in fields)), rows)


def _is_a_row(line: str, rest: str) -> bool:
    """Whether the first line of a file is a JSON object, and no table by columns."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return False
    values = found.values() if isinstance(found, dict) else ()
    return bool(values) and bool(rest or not any(isinstance(v, dict | list) for v in values))


def _refuse_doubled(where: str, fields: Any) -> None:
    if isinstance(fields, _Doubled):
        said = f"the key {shown(fields.key)} stands there twice"
        raise error(where, said, "each key once", "delete one, or rename it")
