"""Journals whose checksums are right and whose events are wrong."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, NamedTuple

from tests.support import forger

CASE = "rte-toy-bert-cpu-fp32-s42"
TIME = "2026-01-02T03:04:05+00:00"
EVENTS: tuple[dict[str, Any], ...] = (
    {"event": "planned", "cases": [CASE, "rte-toy-bert-cpu-bf16-s42"], "settings": {"data": "toy"}},
    {"event": "started", "case": CASE},
    {"event": "finished", "case": CASE, "record": "0" * 32, "status": "ok"},
    {"event": "skipped", "case": CASE, "record": "0" * 32, "reason": "no device"},
    {"event": "reused", "case": CASE, "record": "0" * 32},
    {"event": "tested", "case": CASE, "outcome": "passed"},
    {"event": "ended", "exit_status": 0},
)


class Journal(NamedTuple):
    said: str
    content: bytes
    lines: int  # that may be named


def forged() -> Iterator[Journal]:
    """A good journal in which one event was changed, and whole files of other kinds."""
    events = [event | {"time": TIME} for event in EVENTS]
    for number, event in enumerate(events):
        for said, made in forger.changes(event):
            lines = [forger.sealed_event(one) for one in events]
            lines[number] = forger.sealed_event(made)
            yield Journal(f"{event['event']}: {said}", b"".join(lines), 1)
        for value in (None, [], [event], "x", 1):
            yield Journal(f"{event['event']} is {value}", forger.sealed_event(value), 1)
    whole = b"".join(map(forger.sealed_event, events))
    yield from (
        Journal("empty", b"", 0),
        Journal("without line ends", whole.replace(b"\n", b""), 1),
        Journal("empty lines", b"\n" * 5_000_000 + whole, 0),
        Journal("one long line", b'{"crc32": "' + b"a" * 20_000_000, 1),
        Journal("deep", b'{"crc32": "00000000", "event": ' + b"[" * 1_000_000, 1),
        Journal("lines of nothing", b"x\n" * 500_000, 1),
        Journal("NUL", b"\x00" * 1_000_000, 1),
        Journal("other encoding", whole.decode().encode("utf-16"), 100),
        Journal("cut", whole[:-20], 1),
        Journal("twice", whole + whole, 0),
        Journal("long number", b'{"crc32": "00000000", "event": ' + b"1" * 10_000 + b"}", 1),
        Journal("100,000 cases", forger.sealed_event(_many(events[0])) + whole, 0),
        Journal("100,000 begun", forger.sealed_event(events[1]) * 50_000, 0),
    )


def _many(planned: dict[str, Any]) -> dict[str, Any]:
    made = copy.deepcopy(planned)
    made["cases"] = [f"rte-toy-bert-cpu-fp32-s{seed}" for seed in range(100_000)]
    return made
