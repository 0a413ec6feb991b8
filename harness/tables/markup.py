"""Names as each format of a table writes them: as text, whatever they hold."""

from __future__ import annotations

import re

from harness.text.escape import distinct, spelt, visible

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
    | {sign: f"{{{sign}}}" for sign in "[]*"}  # the end of a row takes them for its own
    | {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        '"': r"\textquotedbl{}",
        "`": r"\textasciigrave{}",
    }
)
LIGATURE = re.compile(r"([-,'!?])(?=[-,'`])")
"""What LaTeX would draw as one sign, such as the two hyphens of an option."""


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
    text = "".join(one if ord(one) < 0x100 or one in "†…" else spelt(one) for one in visible(text))
    return LIGATURE.sub(r"\1{}", text.translate(LATEX))


def _reference(one: str) -> str:
    return f"&#{ord(one)};"
