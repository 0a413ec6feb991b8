"""Records, journal lines and predictions with right checksums and invented content.

Anyone can compute a checksum. So each field of a real record gets values that its author never
meant, one at a time and in pairs, and each file is sealed again.
"""

from __future__ import annotations

import copy
import json
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from harness.errors import StorageError
from harness.records.store import read

Raw = dict[str, Any]
Place = tuple[str | int, ...]

LONG = "a" * 100_000
DEEP: Any = []
for _ in range(300):
    DEEP = [DEEP]

TEXTS = (
    "", " ", "x", "../../x", "/etc/passwd", "a\nb", "\x1b[31m\x07\x00", "\ud800", "\u202e", "NaN",
    LONG, "ok", "failed", "skipped", "nosuch", "0" * 32, "F" * 32, "0" * 64, "sst2", "stsb", "toy",
    "hub", "own", "cpu-int3", "accuracy", "validation",
)  # fmt: skip
NUMBERS = (
    0, 1, -1, 7, 2**31, 2**32, 2**53, 2**63, 2**64, 10**30, -(10**30), 10**400, 0.0, -0.0, 0.5,
    0.99, 1.5, 5.0, -0.5, -2.0, 1e-320, 1e308, -1e308,
)  # fmt: skip
TIMES = (
    "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.999999-14:00",
    "9999-12-31T23:59:59Z", "2026-01-01T00:00:00", "2026-01-01", "2026-13-01T00:00:00Z",
    "1970-01-01T00:00:00Z", 0, -1, 1e308, 10**30,
)  # fmt: skip
OTHERS = (None, True, False, [], {}, [[]], [None], {"": None}, {"a": {"b": []}}, DEEP)
VALUES = (*TEXTS, *NUMBERS, *OTHERS)


class Forged(NamedTuple):
    """A file's content, and what was changed in it."""

    said: str
    content: bytes


def sealed(raw: Raw) -> bytes:
    """A record's file with the right checksum, whatever it says."""
    body = json.dumps(raw, indent=1).removesuffix("\n}").encode()
    return body + b',\n "crc32": "%08x"\n}\n' % zlib.crc32(body)


def sealed_event(event: Any) -> bytes:
    """A journal's line with the right checksum, whatever it says."""
    body = json.dumps(event, sort_keys=True)
    return f'\n{{"crc32": "{zlib.crc32(body.encode()):08x}", "event": {body}}}\n'.encode()


def places(raw: Any, above: Place = ()) -> Iterator[Place]:
    """Where something stands in a value of JSON; of a list its first and its last item."""
    if isinstance(raw, dict):
        steps: Sequence[str | int] = list(raw)
    elif isinstance(raw, list) and raw:
        steps = sorted({0, len(raw) - 1})
    else:
        return
    for step in steps:
        yield (*above, step)
        yield from places(raw[step], (*above, step))


def at(raw: Any, place: Place) -> Any:
    """What stands there."""
    for step in place:
        raw = raw[step]
    return raw


def changed(raw: Raw, place: Place, value: Any) -> Raw:
    """A copy in which `value` stands there."""
    made = copy.deepcopy(raw)
    at(made, place[:-1])[place[-1]] = value
    return made


def changes(raw: Raw) -> Iterator[tuple[str, Raw]]:
    """Every change of one place: another value, a key that is gone, renamed or new, other lengths.

    The record's own list of places is walked, so that a new field is forged too.
    """
    for place in places(raw):
        name, held = ".".join(map(str, place)), at(raw, place)
        values = [*VALUES, *(TIMES if place[-1] in ("created", "time") else ())]
        for value in values:
            if type(value) is not type(held) or value != held:
                yield f"{name} = {json.dumps(value)[:40]}", changed(raw, place, value)
        if isinstance(held, int | float) and not isinstance(held, bool):
            for value in (-held, held + 1, held * 1.01, held * 1000):
                yield f"{name} = {value:g}", changed(raw, place, value)
        if isinstance(held, list):
            for value in (held[:1], held[1:], held + held, held * 1000, [held]):
                yield f"{name}: {len(value)} items", changed(raw, place, value)
        if isinstance(held, dict):
            yield f"{name}: one key more", changed(raw, place, {**held, "extra": 1})
            yield f"{name}: a long key", changed(raw, place, {**held, LONG: 1})
            yield f"{name}: in a list", changed(raw, place, [held])
        gone = copy.deepcopy(raw)
        del at(gone, place[:-1])[place[-1]]
        yield f"{name}: gone", gone
        if isinstance(place[-1], str):
            renamed = copy.deepcopy(gone)
            at(renamed, place[:-1])[place[-1] + "_"] = held
            yield f"{name}: renamed", renamed
    yield "one key more", {**raw, "extra": 1}
    yield "reversed", dict(reversed(raw.items()))


def pairs(raw: Raw, drawn: Any, count: int) -> Iterator[tuple[str, Raw]]:
    """Two or three changes at a time, drawn at random."""
    all_places = list(places(raw))
    for _ in range(count):
        made, said = raw, []
        for place in drawn.sample(all_places, drawn.choice((2, 2, 3))):
            value = drawn.choice((*VALUES, *TIMES))
            try:
                made = changed(made, place, value)
            except (KeyError, IndexError, TypeError):  # the first took its place away
                continue
            said.append(f"{'.'.join(map(str, place))} = {json.dumps(value)[:40]}")
        yield "; ".join(said), made


def refused(path: Path) -> str | None:
    """What reading a record says of it; None where it is read."""
    try:
        read(path)
    except StorageError as error:
        return str(error)
    return None
