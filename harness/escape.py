r"""Names are data: whatever a name holds comes out as text, in every format that tables have.

What cannot be seen, or would reorder a line, is spelt out (`\x1b`, `\u202e`). What a format would
take for its own signs is escaped as that format escapes it.
"""

from __future__ import annotations

import hashlib
import re

from harness.log_marks import spelt_out

LONGEST = 80
"""Characters of a name in formats that are read; files for programs hold it whole."""

UNSEEN = re.compile(
    r"[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    r"\U000e0100-\U000e01ef]"
)
"""What Python calls printable and fonts draw as nothing: fillers, variation selectors."""
COMMAND = re.compile(r"^( *)([:#])(?=\2)")
"""How a line begins that a CI service would obey: `::set-output`, `##[group]`, `##vso[`."""
SPACES = re.compile(r"^ | $|(?<= ) ")
"""Spaces that formats drop: at an end, and after another."""
FORMULA = tuple("=+-@＝＋－＠")
"""What a spreadsheet takes for the beginning of a formula (OWASP, "CSV Injection")."""

ACTIVE = re.compile(r"[\\`*\[\]<>&|~$#\u200b]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
"""What Markdown reads as structure; a reference to the character is read after all structure."""
MEANT = re.compile(r"@|#(?=\d)|(?i:\bgh-)(?=\d)|:(?=//|[\w+-]+:)|(?i:www)(?=\.)")
"""What GitHub looks for in the text of a rendered page: mentions, issues, links, emoji."""
BLOCK = re.compile(r"^(?:(-)|(\+)(?= |$)|\d+([.)])(?= |$))")
"""How a line begins that Markdown takes for a list or a rule."""
LATEX = str.maketrans(
    {sign: f"\\{sign}" for sign in "&%$#_{}"}
    | {
        "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
        "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}",
        "`": r"\textasciigrave{}",
    }
    | {sign: f"{{{sign}}}" for sign in "[]*"}  # the end of a row takes them for its own
)  # fmt: skip
LIGATURE = re.compile(r"([-,'!?])(?=[-,'`])")
"""What LaTeX would draw as one sign, such as the two hyphens of an option."""


def visible(text: str) -> str:
    """`text` on one line, with what cannot be seen spelt out, and nothing for a CI service."""
    if not text.isprintable() or UNSEEN.search(text):
        text = "".join(
            one if one.isprintable() and not UNSEEN.match(one) else _spelt(one) for one in text
        )
    return spelt_out(COMMAND.sub(lambda found: found[1] + _spelt(found[2]), text))


def foldable(text: str) -> str:
    """`visible(text)` that may be folded anywhere: no later line is for a CI service either."""
    return re.sub(r"([:#])(?=\1)", lambda found: _spelt(found[0]), visible(text))


def distinct(text: str) -> str:
    """`text`, if it is seen as it is; else `visible(text)` and 6 hex digits of its hash.

    So an escape sequence and a control character that is spelt like it still look different.
    """
    shown = _shown(text)
    return text if shown == text else f"{shown}.{_digits(text)}"


def brief(text: str, limit: int = LONGEST) -> str:
    """`distinct(text)` in at most `limit` characters; for what is left out its hash stands too."""
    whole = distinct(text)
    return whole if len(whole) <= limit else f"{short(_shown(text), limit - 7)}.{_digits(text)}"


def short(text: str, limit: int) -> str:
    """`text` in at most `limit` characters; the middle gives way, since both ends tell apart."""
    if len(text) <= limit:
        return text
    head = (limit - 1) // 2
    return f"{text[:head]}…{text[len(text) - (limit - 1 - head) :]}"


def markdown(text: str) -> str:
    """Text that GitHub shows as it is: no link, no HTML, no emphasis, no new column, nobody told.

    A space of no width parts what GitHub acts on after it read the character references.
    """
    parted = MEANT.sub("\\g<0>\u200b", visible(text))
    return ACTIVE.sub(lambda found: _reference(found[0]), parted)


def paragraph(text: str) -> str:
    """`markdown(text)` for a line of its own, which begins no list, rule or code."""
    text = markdown(text).strip()
    found = BLOCK.match(text)
    if not found or found.lastindex is None:
        return text
    place = found.start(found.lastindex)
    return f"{text[:place]}{_reference(text[place])}{text[place + 1 :]}"


def spreadsheet(text: str) -> str:
    """Text that is no formula: an apostrophe stands before what would be one."""
    text = distinct(text)
    return f"'{text}" if text.lstrip(" '").startswith(FORMULA) else text


def latex(text: str) -> str:
    """Text that LaTeX shows as it is; what pdfLaTeX has no letters for is spelt out."""
    text = "".join(one if ord(one) < 0x100 or one in "†…" else _spelt(one) for one in visible(text))
    return LIGATURE.sub(r"\1{}", text.translate(LATEX))


def _spelt(one: str) -> str:
    """A character as Python writes it in a string."""
    if one.isascii() and one.isprintable():
        return f"\\x{ord(one):02x}"
    return one.encode("unicode_escape").decode()


def _shown(text: str) -> str:
    return SPACES.sub(lambda found: _spelt(found[0]), visible(text))


def _reference(one: str) -> str:
    return f"&#{ord(one)};"


def _digits(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:6]
