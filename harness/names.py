"""What to say of a name that nobody knows."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from harness.errors import drawn, shown


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that `name` was probably meant to be.

    One that looks the same comes first, then one with swapped letters.
    """
    known = list(known)
    alike = [other for other in known if drawn(other) == drawn(name)]
    swapped = [other for other in known if sorted(other) == sorted(name.lower())]
    close = alike or swapped or difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.6)
    return close[0] if close else None


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """A message that an unknown name deserves: the nearest known one, and all of them."""
    known = list(known)
    guess = nearest(name, known)
    hint = f" Did you mean '{guess}'?" if guess else ""
    if guess and drawn(guess) == drawn(name):
        hint = f" It looks like '{guess}', and is {name!a}."
    return f"unknown {kind} {shown(name)}.{hint} Known: {', '.join(known)}."
