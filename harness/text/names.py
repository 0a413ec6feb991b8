"""Messages about unknown names: what the name was probably meant to be."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from harness.text.values import drawn, shown

HIDDEN = ("Cf", "Mn")  # Unicode's categories of format characters and of marks such as accents

MOST_GUESSES = 6
NO_SYNONYMS: Mapping[str, str] = MappingProxyType({})


def guesses(
    name: str, known: Iterable[str], synonyms: Mapping[str, str] = NO_SYNONYMS
) -> list[str]:
    """The known names that `name` was probably meant to be, the likeliest first; maybe none.

    These are tried in order: the same letters in another order; the plural; names that begin with
    `name`; names that contain it, as `bert-base-uncased` contains `bert-base` and `cuda-fp16`
    contains `cuda`; similar names. A device's number (`cuda:0`) is ignored. `synonyms` maps a part
    that people write to the known one.
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
    """The id of a case that is given as pytest prints it, `FILE::test_finetune[CASE]`."""
    match = re.fullmatch(r"(?:.*::)?test_finetune\[(.+)\]", name)
    return match[1] if match else name


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that `name` was probably meant to be, above all one that looks the same."""
    known = list(known)
    alike = (other for other in known if drawn(other) == drawn(name))
    return next(alike, None) or next(iter(guesses(name, known)), None)


def unknown(
    kind: str, name: str, known: Iterable[str], synonyms: Mapping[str, str] = NO_SYNONYMS
) -> str:
    """The message about an unknown name: the nearest known ones, then all of them."""
    known = list(known)
    quoted = [f"'{guess}'" for guess in guesses(name, known, synonyms)[:MOST_GUESSES]]
    hint = f" Did you mean {one_of(quoted)}?" if quoted else ""
    if alike := next((other for other in known if drawn(other) == drawn(name)), None):
        hint = f" It looks like '{alike}', but is {name!a}."
    return f"unknown {kind} {shown(name)}.{hint} Known: {', '.join(known)}."


def one_of(words: list[str]) -> str:
    """`a`, `a or b`, `a, b or c`."""
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last


def _parts(name: str) -> list[str]:
    return [part for part in re.split(r"[-_ ]+", name.lower().strip()) if part]


def _holds(whole: list[str], parts: list[str]) -> bool:
    """Whether `whole` contains `parts`, one after the other."""
    starts = range(len(whole) - len(parts) + 1)
    return any(whole[start:][: len(parts)] == parts for start in starts)


def lookalike(name: str, known: Iterable[str]) -> str:
    """What to add to a message about `name` if a known name looks nearly the same on a screen.

    Such names differ in capitals, spaces or the way characters are composed (`é` can be one
    character or two). Both are then shown by their characters' codes. So is a name that mixes ASCII
    letters with others (a Cyrillic a looks like a Latin one). Empty for other names.
    """
    for other in known:
        if other != name and _look(other) == _look(name):
            return f" (nearly a known name: {name!a} is not {other!a})"
    letters = {char.isascii() for char in name if char.isalpha()}
    return f" (its characters are {name!a})" if len(letters) > 1 else ""


def _look(name: str) -> str:
    """A name without what is hard to see: composition, width, capitals, spaces, hidden marks."""
    seen = unicodedata.normalize("NFKC", name).casefold()
    return "".join(c for c in seen if not c.isspace() and unicodedata.category(c) not in HIDDEN)
