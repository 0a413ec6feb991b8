"""The two marks by which `glue-bench import` finds a session's records in a log.

A session announces itself, on a line of its own, before it loads anything of a model:

    GLUE-BENCH-SESSION 20260102T030405-1a2b3c4d

A record that cannot be stored is printed as `GLUE-BENCH-RECORD {...}`, and holds the same id. In
all text from elsewhere (names, messages, output of workers) the marks are escaped
(`escape.harmless`), so that no file of a model can forge a record.
"""

from __future__ import annotations

import re

BEGIN = "GLUE-BENCH-"
RECORD = f"{BEGIN}RECORD"
SESSION = f"{BEGIN}SESSION"
SESSION_ID = "[0-9]{8}T[0-9]{6}-[0-9a-f]{8}"

_COLOURS = rb"(?:\x1b\[[0-9;]*[A-Za-z]|\s)*"
_ANNOUNCED = re.compile(rb"%s (%s)%s\Z" % (SESSION.encode(), SESSION_ID.encode(), _COLOURS))


def announcement(session: str) -> str:
    """The line by which a session announces its id."""
    return f"{SESSION} {session}"


def announced(line: bytes) -> str | None:
    """The session that a line of a log announces. There may be text before it, but none after."""
    match = _ANNOUNCED.search(line)
    return match[1].decode() if match else None
