"""The two marks by which `glue-bench import` finds what a session printed, and who may print them.

A session announces itself, on a line of its own, before it loads anything of a model:

    GLUE-BENCH-SESSION 20260102T030405-1a2b3c4d

A record that cannot be stored is printed as `GLUE-BENCH-RECORD {...}`, and holds the same id. All
text that is not the harness's own (names, messages, what workers print) has the marks spelt
otherwise (`escape.harmless`), so that no file of a model can print a record of its own making.
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
    """The session that a line of a log announces; text may stand before it, and none after it."""
    found = _ANNOUNCED.search(line)
    return found[1].decode() if found else None
