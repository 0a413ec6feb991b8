"""What to say of a name that nobody knows."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable

from harness.errors import drawn, shown

HIDDEN = ("Cf", "Mn")  # Unicode's categories of marks that are not seen as characters


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


def lookalike(name: str, known: Iterable[str]) -> str:
    """What to add to a message about `name` where a known name looks the same on a screen.

    One that differs in capitals, spaces or the way its characters are composed (`é` can be one
    character or two); both are then shown by their characters' codes, as is a name in which ASCII
    letters and others are mixed (a Cyrillic a looks like a Latin one). Empty for other names.
    """
    for other in known:
        if other != name and _look(other) == _look(name):
            return f" (nearly a known name: {name!a} is not {other!a})"
    letters = {char.isascii() for char in name if char.isalpha()}
    return f" (its characters are {name!a})" if len(letters) > 1 else ""


def _look(name: str) -> str:
    """A name without what is hard to see: composition, width, capitals, spaces, marks of format."""
    seen = unicodedata.normalize("NFKC", name).casefold()
    return "".join(c for c in seen if not c.isspace() and unicodedata.category(c) not in HIDDEN)
