"""Names and other text as each format of a table shows them, whatever they hold."""

from __future__ import annotations

import re

from harness.text.escape import distinct, spelt, visible

FORMULA = tuple("=+-@＝＋－＠")
"""How a formula of a spreadsheet may begin (OWASP, "CSV Injection")."""

ACTIVE = re.compile(r"[\\`*\[\]<>&|~$#\u200b]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
"""What Markdown takes for structure. A character reference in its place is decoded afterwards."""
MEANT = re.compile(r"@|#(?=\d)|(?i:\bgh-)(?=\d)|:(?=//|[\w+-]+:)|(?i:www)(?=\.)")
"""What GitHub looks for in rendered text: mentions, issues, links, emoji."""
BLOCK = re.compile(r"^(?:(-)|(\+)(?= |$)|\d+([.)])(?= |$))")
"""How a line begins that Markdown takes for a list or a rule."""
LATEX = str.maketrans(
    {sign: f"\\{sign}" for sign in "&%$#_{}"}
    | {sign: f"{{{sign}}}" for sign in "[]*"}  # a row's end would take them as its argument
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
"""Characters that LaTeX would join into one, such as the two hyphens of an option."""


def markdown(text: str) -> str:
    """Text that GitHub shows literally: no link, HTML, emphasis, new column or mention.

    A zero-width space separates what GitHub would still act on after decoding character references.
    """
    parted = MEANT.sub("\\g<0>\u200b", visible(text))
    return ACTIVE.sub(lambda found: _reference(found[0]), parted)


def paragraph(text: str) -> str:
    """`markdown(text)` as a line of its own that starts no list, rule or code block."""
    text = markdown(text).strip()
    found = BLOCK.match(text)
    if not found or found.lastindex is None:
        return text
    place = found.start(found.lastindex)
    return f"{text[:place]}{_reference(text[place])}{text[place + 1 :]}"


def spreadsheet(text: str) -> str:
    """Text that no spreadsheet takes for a formula: an apostrophe precedes what would be one."""
    text = distinct(text)
    return f"'{text}" if text.lstrip(" '").startswith(FORMULA) else text


def latex(text: str) -> str:
    """Text that LaTeX shows literally; what pdfLaTeX has no letters for is written as codes."""
    text = "".join(one if ord(one) < 0x100 or one in "†…" else spelt(one) for one in visible(text))
    return LIGATURE.sub(r"\1{}", text.translate(LATEX))


def _reference(one: str) -> str:
    return f"&#{ord(one)};"
