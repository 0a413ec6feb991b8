r"""The two marks by which `glue-bench import` finds what a session printed, and who may print them.

A session announces itself, on a line of its own, before it loads anything of a model:

    GLUE-BENCH-SESSION 20260102T030405-1a2b3c4d

A record that cannot be stored is printed as `GLUE-BENCH-RECORD {...}`, and holds the same id. All
text that is not the harness's own (names, messages, what workers print) has the marks spelt
otherwise, `GLUE-BENCH\x2dRECORD`, so that no file of a model can print a record of its own making.
"""

from __future__ import annotations

import re

BEGIN = "GLUE-BENCH-"
RECORD = f"{BEGIN}RECORD"
SESSION = f"{BEGIN}SESSION"
SESSION_ID = "[0-9]{8}T[0-9]{6}-[0-9a-f]{8}"
SPELT = r"GLUE-BENCH\x2d"

_COLOURS = rb"(?:\x1b\[[0-9;]*[A-Za-z]|\s)*"
_ANNOUNCED = re.compile(rb"%s (%s)%s\Z" % (SESSION.encode(), SESSION_ID.encode(), _COLOURS))


def announcement(session: str) -> str:
    """The line by which a session announces its id."""
    return f"{SESSION} {session}"


def announced(line: bytes) -> str | None:
    """The session that a line of a log announces; text may stand before it, and none after it."""
    found = _ANNOUNCED.search(line)
    return found[1].decode() if found else None


def spelt_out(text: str) -> str:
    """`text` without the marks. Call it last: what takes characters away could make one again."""
    return text.replace(BEGIN, SPELT)


class Speller:
    """Spells the marks out in a text that comes in pieces, also where one is cut in two.

    What `own` says passes, if it comes in one piece: a session's own announcement.
    """

    def __init__(self, own: str = "") -> None:
        kept = f"(?!{re.escape(own.removeprefix(BEGIN))}$)" if own else ""
        self._foreign = re.compile(f"{BEGIN}{kept}", re.MULTILINE)
        self._end = ""  # of what was let through, as long as a mark's beginning

    def __call__(self, piece: str) -> str:
        """The next piece, as it may be shown."""
        whole = self._foreign.sub(lambda found: SPELT, self._end + piece)
        shown = whole[len(self._end) :]
        self._end = whole[-len(BEGIN) + 1 :]
        return shown
