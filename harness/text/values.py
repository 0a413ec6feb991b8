"""Values, names and paths in messages: on one line, and not to be confused with others."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

from harness.text.escape import UNSEEN

VALUE_WIDTH = 80
VALUE_END = 25
"""The number of characters that are kept at the end of a value that is cut."""
LATIN = str.maketrans(
    "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0455\u0456\u0458\u04bb\u0501\u051b\u051d"
    "\u0410\u0412\u0415\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0423\u0425\u0405\u0406\u0408"
    "\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7\u03bf",
    "aeopcyxsijhdqwABEKMHOPCTYXSIJABEZHIKMNOPTYXo",
)
"""Cyrillic and Greek letters that fonts draw as a Latin one (Unicode's confusables.txt)."""
LOOKALIKES = frozenset(map(chr, LATIN))
SPELT = re.compile(r"\\(x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8}|[nrt\\])")
"""Text that looks like an escape sequence."""
ALIKE = re.compile("[\u2010\u2011\u2212\u2160-\u217f\ufb00-\ufb06]")
"""Characters that look like ASCII ones: hyphens, minus, Roman numerals, ligatures."""


def shown(value: object) -> str:
    """`value` for a message: in quotes, on one line, escaped, at most 80 characters of it.

    Text that looks like another text is escaped too, such as a Cyrillic letter among Latin ones, or
    an accent that is a character of its own. The middle of a longer value is cut.
    """
    try:
        text = value if isinstance(value, str) else str(value)
    except ValueError:  # Python does not print whole numbers of more than 4,300 digits
        text = f"a {type(value).__name__} that is too long to show"
    if len(text) > VALUE_WIDTH:
        text = f"{text[: VALUE_WIDTH - VALUE_END - 3]}...{text[-VALUE_END:]}"
    return f"'{text}'" if _is_seen(text) else ascii(text)


def _is_seen(text: str) -> bool:
    return text.isprintable() and not looks_like_another(text)


def looks_like_another(text: str) -> bool:
    """Whether a different text would look the same."""
    if SPELT.search(text):
        return True
    if text.isascii():
        return False
    if not unicodedata.is_normalized("NFC", text) or UNSEEN.search(text) or ALIKE.search(text):
        return True
    if LOOKALIKES.isdisjoint(text):
        return False
    letters = [char for char in text if char.isalpha() and char not in LOOKALIKES]
    has_latin = any(map(_is_latin, letters))
    return has_latin or not letters  # other letters show that a word is Cyrillic or Greek


def drawn(text: str) -> str:
    """What a text looks like; equal for two texts that look the same."""
    whole = unicodedata.normalize("NFKC", UNSEEN.sub("", text).translate(LATIN))
    return "".join(char for char in whole if char.isprintable())


def _is_latin(letter: str) -> bool:
    return unicodedata.name(letter, "").startswith("LATIN")


def plain(text: str) -> str:
    """A name for a message or a table: whole, on one line, escaped only if needed."""
    return text if _is_seen(text) else ascii(text)


def shown_path(path: Path) -> str:
    """A path for a message: whole, so that it can be copied, and escaped only if needed."""
    text = str(path)  # some file systems store every accent apart: those are not escaped
    return text if text.isprintable() else ascii(text)
