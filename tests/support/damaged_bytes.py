"""Bytes of records that are cut, changed, doubled or mixed up, and a check of what reads them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import StorageError
from harness.records import codec
from harness.records.schema import Record
from harness.records.store import Store
from tests.support import printed_records
from tests.support.disks import Left
from tests.support.power_cuts import run

ROOT = Path("/results")
ONE, OTHER = run(1), run(2)


@st.composite
def damaged(draw: Any, content: bytes, donor: bytes) -> bytes:
    """The content after one to three accidents, such as a bit that flipped."""
    for _ in range(draw(st.integers(1, 3))):
        start, end = sorted(draw(st.tuples(*[st.integers(0, len(content))] * 2)))
        content = draw(st.sampled_from(ACCIDENTS))(draw, content, start, end, donor)
    return content


def cut(draw: Any, content: bytes, start: int, end: int, donor: bytes) -> bytes:
    return content[:start]


def leave_out(draw: Any, content: bytes, start: int, end: int, donor: bytes) -> bytes:
    return content[:start] + content[end:]


def flip(draw: Any, content: bytes, start: int, end: int, donor: bytes) -> bytes:
    flipped = bytes(byte ^ 1 << draw(st.integers(0, 7)) for byte in content[start : start + 1])
    return content[:start] + flipped + content[start + 1 :]


def double(draw: Any, content: bytes, start: int, end: int, donor: bytes) -> bytes:
    return content[:end] + content[start:]


def splice(draw: Any, content: bytes, start: int, end: int, donor: bytes) -> bytes:
    return content[:start] + donor[start:end] + content[end:]


def swap(draw: Any, content: bytes, start: int, end: int, donor: bytes) -> bytes:
    middle = (start + end) // 2
    return content[:start] + content[middle:end] + content[start:middle] + content[end:]


def blank(draw: Any, content: bytes, start: int, end: int, donor: bytes) -> bytes:
    return content[:start] + bytes(end - start) + content[end:]


def rubbish(draw: Any, content: bytes, start: int, end: int, donor: bytes) -> bytes:
    return content[:start] + draw(st.binary(max_size=40)) + content[start:]


ACCIDENTS = (cut, leave_out, flip, double, splice, swap, blank, rubbish)


def damaged_files(examples: int) -> Counter[str]:
    """Beside a whole file, a damaged one is read exactly or is an error that names it."""
    counts = Counter(tried=0, clear_errors=0, read_exactly=0)
    whole, donor = codec.to_bytes(ONE), codec.to_bytes(OTHER)
    path = ROOT / "runs" / "damaged.json"

    def judge(content: bytes) -> None:
        found = Store(ROOT, Left({ROOT / "runs" / "other.json": donor, path: content})).find()
        assert OTHER in found.records
        assert all(one in (ONE, OTHER) for one in found.records)
        assert len(found.records) + len(found.damaged) == 2
        counts["tried"] += 1
        counts["read_exactly"] += not found.damaged
        # Where the accidents made a copy of the other file, the second by name is told of.
        is_copy = content.rstrip() == donor.rstrip()
        counts["clear_errors"] += is_clear(found.damaged, str(path.parent if is_copy else path))

    _search(judge, damaged(whole, donor), examples)
    return counts


def damaged_lines(examples: int) -> Counter[str]:
    """Between whole lines, a damaged one is read exactly, or is an error with its number."""
    counts = Counter(tried=0, clear_errors=0, read_exactly=0)
    whole, donor = codec.to_line(ONE).encode(), codec.to_line(OTHER).encode()
    mark, _, body = whole.partition(b" ")  # without it a line is not known for a record

    def judge(content: bytes) -> None:
        lines = b"\n".join((b"some text", donor, mark + b" " + content + b" |", donor))
        found = printed_records.records_in(lines.decode(errors="surrogateescape"))
        records = [one for one in found if isinstance(one, Record)]
        errors = [one for one in found if isinstance(one, StorageError)]
        assert records.count(OTHER) >= 2
        assert all(one in (ONE, OTHER) for one in records)
        assert ONE in records or errors or records.count(OTHER) > 2
        counts["tried"] += 1
        counts["read_exactly"] += ONE in records
        counts["clear_errors"] += is_clear(errors, "line ")

    _search(judge, damaged(body, donor), examples)
    return counts


def is_clear(errors: list[StorageError], place: str) -> bool:
    """Whether there is an error, each with its place, on one line and with what fixes it."""
    for error in errors:
        text = str(error)
        assert text.startswith(place), text
        assert "Fix: " in text
        assert text.isprintable()
    return bool(errors)


def _search(judge: Any, contents: st.SearchStrategy[bytes], examples: int) -> None:
    settings(
        max_examples=examples, database=None, deadline=None,
        suppress_health_check=list(HealthCheck),
    )(given(contents)(judge))()  # fmt: skip
