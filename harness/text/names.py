"""What to say of a name that nobody knows."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from harness.text.values import drawn, shown

HIDDEN = ("Cf", "Mn")  # Unicode's categories of marks that are not seen as characters

MOST_GUESSES = 6
NO_SYNONYMS: Mapping[str, str] = MappingProxyType({})


def guesses(
    name: str, known: Iterable[str], synonyms: Mapping[str, str] = NO_SYNONYMS
) -> list[str]:
    """The known names that `name` was probably meant to be, the likeliest first; maybe none.

    In this order: the same letters in another order; a plural; names that begin with `name`, or
    have it among their parts, as `bert-base-uncased` has `bert-base` and `cuda-fp16` has `cuda`;
    names of similar letters. A device's number (`cuda:0`) counts for nothing. `synonyms` maps a
    part that people write to the one that is known.
    """
    known = list(known)
    parts = [synonyms.get(part, part) for part in _parts(re.sub(r":\d+$", "", name))]
    if not parts:
        return []
    written = "-".join(parts)
    swapped = [other for other in known if sorted(other) == sorted(name.lower())]
    plural = [other for other in known if other == f"{written}s"]
    begin = [other for other in known if _parts(other)[: len(parts)] == parts]
    within = [other for other in known if _holds(_parts(other), parts)]
    similar = difflib.get_close_matches(written, known, n=1, cutoff=0.6)
    return next(filter(None, (swapped, plural, begin, within, similar)), [])


def case_of(name: str) -> str:
    """A case as pytest prints it, `test_finetune[CASE]` with its file before it, as its bare id."""
    found = re.fullmatch(r"(?:.*::)?test_finetune\[(.+)\]", name)
    return found[1] if found else name


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that `name` was probably meant to be; one that looks the same is first."""
    known = list(known)
    alike = (other for other in known if drawn(other) == drawn(name))
    return next(alike, None) or next(iter(guesses(name, known)), None)


def unknown(
    kind: str, name: str, known: Iterable[str], synonyms: Mapping[str, str] = NO_SYNONYMS
) -> str:
    """A message that an unknown name deserves: the nearest known ones, and all of them."""
    known = list(known)
    found = [f"'{guess}'" for guess in guesses(name, known, synonyms)[:MOST_GUESSES]]
    hint = f" Did you mean {one_of(found)}?" if found else ""
    if alike := next((other for other in known if drawn(other) == drawn(name)), None):
        hint = f" It looks like '{alike}', and is {name!a}."
    return f"unknown {kind} {shown(name)}.{hint} Known: {', '.join(known)}."


def one_of(words: list[str]) -> str:
    """`a`, `a or b`, `a, b or c`."""
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last


def _parts(name: str) -> list[str]:
    return [part for part in re.split(r"[-_ ]+", name.lower().strip()) if part]


def _holds(whole: list[str], parts: list[str]) -> bool:
    """Whether `parts` stand in `whole`, one after the other."""
    starts = range(len(whole) - len(parts) + 1)
    return any(whole[start:][: len(parts)] == parts for start in starts)


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
