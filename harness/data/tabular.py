"""Rows with named columns from text: CSV, tab-separated or JSON lines.

CSV is read by Python's `csv` in its strict mode. Tab-separated files have no quotes, like GLUE's.
The first line of either names the columns. Texts are kept as they are. Anything malformed raises a
`DataError` that says where it is and what was found.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from harness.files import lines
from harness.files.lines import at, error
from harness.spec import Json, JsonObject
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
Row = tuple[str, JsonObject]  # where a row is, for messages, and its fields
Fields = tuple[int, list[str]]  # the number of a line, and its fields


class Rows(NamedTuple):
    """The columns of a file, its rows, and the class names of columns that hold ids."""

    columns: Sequence[str]
    rows: Sequence[Row]
    classes: Mapping[str, Sequence[str]] = {}

    def named(self, column: str) -> list[Row]:
        """The rows, with the class name in place of each id in a column."""
        names = self.classes.get(column)
        if names is None:
            return list(self.rows)
        by_id = {str(index): name for index, name in enumerate(names)}

        def name(value: Json) -> Json:
            is_name = value in names or isinstance(value, bool)
            return value if is_name else by_id.get(str(value), value)

        return [(where, {**row, column: name(row.get(column))}) for where, row in self.rows]


def separated(path: Path, text: str, mark: str = ",") -> Rows:
    """The rows of a file with quotes, whose fields `mark` separates. Raises `DataError`."""
    _check_separator(path, text, mark)
    csv.field_size_limit(lines.MAX_LINE)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True)
    parsed: list[Fields] = []
    try:
        for fields in reader:
            parsed.append((reader.line_num, fields))
    except csv.Error as cause:
        where = at(path, reader.line_num)
        if "field larger" in str(cause):
            found = f"a field of more than {lines.MAX_LINE} characters"
            raise error(where, found, FORM.line, FORM.too_long) from cause
        raise error(where, str(cause), "well-formed CSV", "correct the quotes there") from cause
    return _table(path, parsed, "put a text that holds a comma or a line break in double quotes")


def tab_separated(path: Path, text: str) -> Rows:
    """The rows of a file without quotes, whose fields tabs separate. Raises `DataError`."""
    _check_line_ends(path, text)
    _check_separator(path, text, "\t")
    all_lines = text.replace("\r\n", "\n").removesuffix("\n").split("\n")
    parsed = [
        (number, line.split("\t") if line else []) for number, line in enumerate(all_lines, 1)
    ]
    return _table(path, parsed, "take tabs and line breaks out of the texts, or save it as CSV")


def _check_separator(path: Path, text: str, mark: str) -> None:
    """Raise `DataError` where another character than `mark` separates the fields.

    That is so where the first line is one field by `mark` and several by the other character. It is
    so too where only the other character gives the first two lines the same number of fields: in a
    file that semicolons separate, the header may hold a comma.
    """
    blank = len(text) - len(text.lstrip("\r\n"))
    number, first = 1 + text.count("\n", 0, blank), text[blank:].split("\n", 1)[0].rstrip("\r")
    if re.fullmatch(r'"?sep=(.?)"?[,;\t]*', first, re.IGNORECASE):
        found = f"{shown(first)}, a spreadsheet's note on its separator"
        raise error(at(path, number), found, "the names of the columns", "delete that line")
    second = text[blank:].partition("\n")[2].split("\n", 1)[0].rstrip("\r")
    count = _count_fields(first, mark)
    if count > 1 and _count_fields(second, mark) in (0, count):
        return
    other = max((m for m in ",;\t|" if m != mark), key=lambda m: _count_fields(first, m))
    other_count = _count_fields(first, other)
    if count > 1 and other_count != _count_fields(second, other):
        return
    if other_count > 1:
        remedy = {",": "call the file .csv", "\t": "call the file .tsv"}.get(
            other, f"separate them by commas, not {shown(other)}: {COMMAS.format(other)}"
        )
        one = "one column, " if count < 2 else ""
        found = f"{one}{shown(first)}: the separator is {shown(other)}"
        raise error(at(path, number), found, f"columns separated by {shown(mark)}", remedy)


def _check_line_ends(path: Path, text: str) -> None:
    """Raise `DataError` for a file whose lines end only with carriage returns."""
    if "\r" in text.strip("\r\n") and "\n" not in text:
        found = "lines end with a carriage return alone, as on early Macintoshes"
        raise error(at(path), found, "line feeds", "convert it: tr '\\r' '\\n' < OLD > NEW")


def _count_fields(line: str, mark: str) -> int:
    """How many fields a line has if `mark` separates them; 0 where quotes do not match."""
    if mark == "\t":
        return line.count(mark) + 1
    try:
        return len(next(csv.reader([line], delimiter=mark, strict=True), []))
    except csv.Error:
        return 0


def _table(path: Path, parsed: list[Fields], remedy: str) -> Rows:
    """The rows below the header; a blank line has no fields.

    In a file of one column, a blank line is a row with an empty text. In others it is skipped.
    """
    start = next((index for index, (_, fields) in enumerate(parsed) if fields), None)
    if start is None:
        return Rows([], [])
    (first, header), rest = parsed[start], parsed[start + 1 :]
    columns = Counter(name for name in header if name)
    if twice := [name for name, count in columns.items() if count > 1]:
        found = f"two columns called {shown(twice[0])}"
        raise error(at(path, first), found, "a name each", "rename one")
    rows: list[Row] = []
    for number, fields in _with_blanks(path, rest) if len(header) == 1 else rest:
        if not fields:
            continue
        if len(fields) != len(header):
            expected = f"{len(header)}, as in the first line"
            raise error(at(path, number), f"{len(fields)} field(s)", expected, remedy)
        pairs = zip(header, fields, strict=True)
        rows.append((at(path, number), {name: field for name, field in pairs if name}))
    return Rows(list(columns), rows)


def _with_blanks(path: Path, parsed: list[Fields]) -> list[Fields]:
    """The rows of a file of one column: a blank line is an empty text, except at the end."""
    rows = parsed[:-1] if parsed and not parsed[-1][1] else parsed
    if rows and not rows[-1][1]:
        found = "several blank lines at the end, which may be rows without a text, or none"
        remedy = 'delete them, or write each that is a row as "" in a .csv'
        raise error(at(path, rows[-1][0]), found, "at most one", remedy)
    return [(number, fields or [""]) for number, fields in rows]


class _Doubled(dict[str, Json]):
    """A JSON object that has a key twice, which a `dict` cannot show."""

    key = ""


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        fields = _Doubled(fields)
        fields.key = Counter(name for name, _ in pairs).most_common(1)[0][0]
    return fields


def json_lines(path: Path, text: str) -> Rows:
    """The rows of a file with a JSON object on each line. Raises `DataError`."""
    _check_line_ends(path, text)
    rows: list[Row] = []
    for number, line in enumerate(text.rstrip().split("\n") if text.strip() else [], 1):
        where = at(path, number)
        try:
            fields = json.loads(line, object_pairs_hook=_object)
        except (ValueError, RecursionError) as cause:
            found = f"no JSON: {cause}" if line.strip() else "a blank line"
            remedy = "correct the line" if line.strip() else "delete it, or write the row there"
            raise error(where, found, "a JSON object on each line", remedy) from cause
        _refuse_doubled(where, fields)
        if not isinstance(fields, dict):
            remedy = "write one row on each line" + (
                f": {JSON_LINES}" if isinstance(fields, list) else ""
            )
            raise error(where, shown(line), "a JSON object, {...}", remedy)
        rows.append((where, fields))
    return Rows(_columns(rows), rows)


def _columns(rows: Sequence[Row]) -> list[str]:
    """The names of the fields of all rows, in the order in which they first occur."""
    return list(dict.fromkeys(name for _, fields in rows for name in fields))


def json_rows(path: Path, text: str) -> Rows | None:
    """The rows of a file that is one list of JSON objects, or has one object on each line.

    None where it is neither: a table by columns, for example. Raises `DataError`.
    """
    if not text.lstrip().startswith("["):
        return json_lines(path, text) if _is_row(*text.strip().partition("\n")[::2]) else None
    try:
        content = json.loads(text, object_pairs_hook=_object)
    except (ValueError, RecursionError) as cause:
        found = f"no JSON: {cause}"
        raise error(at(path), found, "a list of JSON objects", "correct it there") from cause
    if not all(isinstance(fields, dict) for fields in content):
        return None
    rows: list[Row] = [(f"{at(path)}, row {number}", row) for number, row in enumerate(content)]
    for where, fields in rows:
        _refuse_doubled(where, fields)
    return Rows(_columns(rows), rows)


def _is_row(line: str, rest: str) -> bool:
    """Whether the first line of a file is a row as a JSON object, and not a table by columns."""
    try:
        content = json.loads(line)
    except (ValueError, RecursionError):
        return False
    values = content.values() if isinstance(content, dict) else ()
    return bool(values) and bool(rest or not any(isinstance(v, dict | list) for v in values))


def _refuse_doubled(where: str, fields: object) -> None:
    if isinstance(fields, _Doubled):
        found = f"the key {shown(fields.key)} stands there twice"
        raise error(where, found, "each key once", "delete one, or rename it")
