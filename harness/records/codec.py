"""Records as bytes: strict JSON whose last key is a checksum of everything before it.

`sealed` and `opened` do the same for other files, such as a baseline's history. A file (`to_bytes`)
is indented, a line (`to_line`) is not; any other reader can take both as JSON. Where the checksum
holds, the bytes are as they were written, and are parsed once. Where it does not, they are checked
step by step, so that the error says what is wrong. Records of older schemas are converted by
`upgrades`.
"""

from __future__ import annotations

import contextlib
import json
import re
import zlib
from collections.abc import Collection, Iterator
from typing import TypeVar

from pydantic import ValidationError
from pydantic_core import to_json

from harness.errors import StorageError
from harness.records import consistency, upgrades
from harness.records.schema import SCHEMA, Part, Record
from harness.spec import JsonObject
from harness.text import log_marks
from harness.text.escape import json as harmless_json
from harness.text.values import shown

MARK = log_marks.RECORD
FIX = "Fix: bring back an undamaged copy, or move it away"
LONGEST_KEY = 80  # characters that a message shows of a key
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
MOST_OPENINGS = 200  # levels of brackets; pydantic writes at most 255
FIX_OF_LINE = "Fix: give the log as it was printed, each record whole on one line"
_LINE_END = re.compile(rb', "crc32": "[0-9a-f]{8}"\}')
_END = re.compile(rb',\s*"crc32":\s*"([0-9a-f]{8})"\s*\}\s*\Z')
P = TypeVar("P", bound=Part)


def sealed(part: Part) -> bytes:
    """The content of a file that holds `part`, indented, with its checksum."""
    body = part.model_dump_json(by_alias=True, indent=1).removesuffix("\n}").encode()
    return body + b',\n "crc32": "%08x"\n}\n' % zlib.crc32(body)


def opened(content: bytes, kind: type[P], schemas: Collection[int]) -> P:
    """The part that `sealed` wrote. Raises `StorageError` that says what is wrong with it."""
    body = _checked(content)
    raw = _strict(content if body is None else body)
    _schema(raw, schemas)
    if body is None:
        raise _unchecked()
    return _validated(raw, kind)


def to_bytes(record: Record) -> bytes:
    """The content of a record's file."""
    return sealed(record)


def to_line(record: Record) -> str:
    """A record on one line, with a mark by which `in_line` finds it between other text.

    Where a value of the record looks like that mark, or like a command to a CI service, one of its
    characters is escaped; JSON reads it as the same text.
    """
    body = json.dumps(record.model_dump(mode="json", by_alias=True), allow_nan=False)[:-1]
    body = harmless_json(body)
    return f'{MARK} {body}, "crc32": "{zlib.crc32(body.encode()):08x}"}}'


def from_bytes(content: bytes) -> Record:
    """The record of such a file or line. Raises `StorageError` that says what is wrong with it."""
    body = _checked(content)
    if body is None:
        raw = _strict(content)
        if _schema(raw) in upgrades.WITHOUT_CHECKSUM:
            return _consistent(_validated(upgrades.upgraded(raw), Record))
        raise _unchecked()
    if not (b"NaN" in body or b"Infinity" in body):  # pydantic would accept these as numbers
        with contextlib.suppress(ValidationError):  # of another schema, or invalid: checked below
            record = Record.model_validate_json(body)
            if record.schema_number == SCHEMA and "schema_number" in record.model_fields_set:
                return _consistent(record)
    raw = _strict(body)
    _schema(raw)
    return _consistent(_validated(upgrades.upgraded(raw), Record))


def _checked(content: bytes) -> bytes | None:
    """The JSON without its checksum; None if it has none. Raises `StorageError` for a wrong one."""
    end = _END.search(content, max(0, len(content) - 64))
    if end is None:
        return None
    body = content[: end.start()]
    if zlib.crc32(body) != int(end[1], 16):
        _strict(content)  # if it is not even JSON, say that instead
        raise StorageError(
            f"key crc32: found {shown(end[1].decode())}, and the content's is "
            f"{zlib.crc32(body):08x}: it was changed after it was written. {FIX}"
        )
    return body + b"}"


def _unchecked() -> StorageError:
    return StorageError(f"key crc32: missing; expected the checksum that ends a record. {FIX}")


def to_lines(record: Record) -> str:
    """What is printed of a record: the announcement of its session, if it has one, and its line."""
    announced = [log_marks.announcement(record.session)] if record.session else []
    return "\n".join([*announced, to_line(record)])


def in_line(line: bytes, number: int) -> Iterator[Record | StorageError]:
    """The records of a line; two processes may have written theirs into the same line."""
    for body in line.split(MARK.encode())[1:]:
        end = _LINE_END.search(body)
        body = body[: end.end()] if end else body
        try:
            yield from_bytes(body.strip())
        except (StorageError, ValueError, RecursionError) as error:
            is_ours = isinstance(error, StorageError)
            said = str(error) if is_ours else f"not a record: {error!a:.90}. {FIX}"
            yield StorageError(f"line {number}: {said.replace(FIX, FIX_OF_LINE)}")


def _strict(content: bytes) -> dict[str, object]:
    try:
        raw = json.loads(content, parse_constant=_refuse, object_pairs_hook=_once)
        if _may_not_be_written(content):
            to_json(raw)
    except (ValueError, RecursionError) as error:
        raise StorageError(
            f"not a record: {shown(str(error))}; expected strict JSON as glue-bench writes it. "
            f"{FIX}"
        ) from error
    if not isinstance(raw, dict):
        raise StorageError(f"not a record: found {shown(raw)}; expected a JSON object. {FIX}")
    return raw


def _may_not_be_written(content: bytes) -> bool:
    """Whether it may hold half a surrogate pair, or more levels than pydantic can write."""
    openings = content.count(b"[") + content.count(b"{")
    return openings > MOST_OPENINGS or _SURROGATE.search(content) is not None


def _schema(raw: JsonObject, known: Collection[int] = upgrades.READ) -> int:
    found = raw.get("schema")
    if type(found) is not int or found not in known:
        oldest, newest = min(known), max(known)
        span = str(newest) if oldest == newest else f"{oldest} to {newest}"
        is_old = isinstance(found, int) and found < oldest
        raise StorageError(
            f"key schema: found {shown(found)}; this glue-bench reads {span}. Fix: "
            f"{'make it again, or ' if is_old else ''}install the glue-bench that wrote it"
            f"{'' if is_old else ', or a newer one'}"
        )
    return found


def _validated(raw: JsonObject, kind: type[P]) -> P:
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise StorageError(
            f"key {shown(key)}: {first['msg']}, found {shown(first['input'])}. {FIX}"
        ) from error


def _consistent(record: Record) -> Record:
    for key, found, expected in consistency.problems(record):
        where = key if key.isprintable() and len(key) <= LONGEST_KEY else shown(key)
        raise StorageError(f"key {where}: found {shown(found)}; expected {expected}. {FIX}")
    return record


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not JSON")


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key occurs twice")
    return found
