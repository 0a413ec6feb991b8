"""The events of a journal: the keys of each event, and the values that are allowed.

The checksum of a line says that its bytes did not change, and not who wrote them. So each event is
checked against this table when it is read. Other keys are allowed and ignored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Literal, NamedTuple, get_args

from harness.records.schema import Status
from harness.text.values import shown

EventName = Literal["planned", "started", "finished", "skipped", "reused", "tested", "ended"]
LONGEST_TEXT = 65_536  # characters of a name or a reason
MOST_EXIT_STATUS = 999
OUTCOMES = ("passed", "failed", "skipped")
STATUSES = get_args(Status)


class Rule(NamedTuple):
    """Which values are allowed, in words and as a test."""

    expected: str
    holds: Callable[[object], bool]


def _is_text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= LONGEST_TEXT and not _is_half(value)


def _is_half(text: str) -> bool:
    """Whether it holds half a surrogate pair, which cannot be written to a file or a terminal."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _is_case(value: object) -> bool:
    return _is_text(value) and bool(value)


def _is_time(value: object) -> bool:
    try:
        return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def _is_exit_status(value: object) -> bool:
    return value is None or (type(value) is int and abs(value) <= MOST_EXIT_STATUS)


TIME = Rule("a time with its zone", _is_time)
CASE = Rule("the id of a case", _is_case)
CASES = Rule("a list of ids of cases", lambda v: isinstance(v, list) and all(map(_is_case, v)))
KEYS: Mapping[str, Mapping[str, Rule]] = {
    "planned": {
        "cases": CASES,
        "settings": Rule("an object", lambda value: isinstance(value, dict)),
    },
    "started": {"case": CASE},
    "finished": {
        "case": CASE,
        "status": Rule(f"one of {', '.join(STATUSES)}", lambda value: value in STATUSES),
    },
    "skipped": {
        "case": CASE,
        "reason": Rule("a text or null", lambda value: value is None or _is_text(value)),
    },
    "reused": {"case": CASE},
    "tested": {
        "case": CASE,
        "outcome": Rule(f"one of {', '.join(OUTCOMES)}", lambda value: value in OUTCOMES),
    },
    "ended": {"exit_status": Rule("a whole number or null", _is_exit_status)},
}


def problem(event: Mapping[str, object]) -> str | None:
    """What is wrong with the first wrong key of an event; None: nothing is."""
    name = event.get("event")
    if not isinstance(name, str) or name not in KEYS:
        return f"key event: found {shown(name)}; expected one of {', '.join(KEYS)}"
    for key, rule in {"time": TIME, **KEYS[name]}.items():
        if key not in event:
            return f"key {key}: missing; expected {rule.expected}"
        if not rule.holds(event[key]):
            return f"key {key}: found {shown(event[key])}; expected {rule.expected}"
    return None
