r"""Text that others wrote, made harmless for terminals and logs.

What cannot be seen, or would reorder a line, is spelt out (`\x1b`, `\u202e`). So is one sign of
each command that a CI service would obey. `tables.markup` escapes what Markdown, LaTeX and
spreadsheets take for their own signs.
"""

from __future__ import annotations

import hashlib
import re

from harness.text import log_marks

LONGEST = 80
"""Characters of a name in formats that are read; files for programs hold it whole."""

UNSEEN = re.compile(
    r"[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    r"\U000e0100-\U000e01ef]"
)
"""What Python calls printable and fonts draw as nothing: fillers, variation selectors."""
COMMAND = re.compile(
    r"(?m:^)[ \t]*(?P<sign>::)"  # GitHub, Forgejo: at the start of a line, after white space
    r"|##\w{0,40}\["  # anywhere: `##[error]` of GitHub and Azure, `##vso[`, `##teamcity[`
    r"|section_(?:start|end):\d|travis_(?:fold|time):"  # GitLab, Travis: anywhere
    rf"|(?-i:{log_marks.BEGIN})",
    re.IGNORECASE,
)
"""What a CI service that reads a log would obey, and what `glue-bench import` would read.

github.com/actions/runner, ActionCommand.cs; github.com/microsoft/azure-pipelines-agent, Command.cs;
"Service messages" of TeamCity; lib/gitlab/ci/ansi2json of GitLab; lib/travis/build of Travis.
"""
LONGEST_COMMAND = 64  # characters by which each of them is known
SPACES = re.compile(r"^ | $|(?<= ) ")
"""Spaces that formats drop: at an end, and after another."""


def visible(text: str) -> str:
    """`text` on one line, with what cannot be seen spelt out, and nothing for a CI service."""
    return _defused(_seen(text))


def harmless(text: str) -> str:
    """`visible` text of any number of lines: line ends and tabs stay as they are."""
    return _defused("\n".join("\t".join(map(_seen, line.split("\t"))) for line in text.split("\n")))


class Speller:
    """`harmless` for a text that comes in parts: a command may begin in one and end in the next.

    `passed` matches what is let through as it is, such as colours; a carriage return in it begins
    a line.
    """

    def __init__(self, passed: re.Pattern[str] | None = None) -> None:
        self._passed = passed
        self._line = ""  # how the line that is being written ends

    def __call__(self, text: str) -> str:
        parts, place = [], 0
        for found in self._passed.finditer(text) if self._passed else ():
            parts += [self._part(text[place : found.start()]), found[0]]
            self._line = "" if found[0].endswith("\r") else self._line
            place = found.end()
        return "".join([*parts, self._part(text[place:])])

    def let_through(self, text: str) -> None:
        """Let this text pass too, where it comes in one part."""
        before = f"{self._passed.pattern}|" if self._passed else ""
        self._passed = re.compile(before + re.escape(text))

    def _part(self, text: str) -> str:
        whole = _defused(self._line + harmless(text), len(self._line))
        written, line = whole[len(self._line) :], whole.rpartition("\n")[2]
        if len(line) > LONGEST_COMMAND:  # not at its start any more, unless it is blank
            line = f"x{line[-LONGEST_COMMAND:]}" if line.strip() else " "
        self._line = line
        return written


def json(text: str) -> str:
    r"""JSON that means the same and holds nothing for a CI service: a sign is written `\u005b`."""
    return COMMAND.sub(lambda found: f"{found[0][:-1]}\\u{ord(found[0][-1]):04x}", text)


def _seen(text: str) -> str:
    """`text` with what cannot be seen spelt out."""
    if text.isprintable() and not UNSEEN.search(text):
        return text
    return "".join(
        one if one.isprintable() and not UNSEEN.match(one) else spelt(one) for one in text
    )


def _defused(text: str, start: int = 0) -> str:
    """`text` in which no command is left: of each, a sign from `start` on is spelt out."""
    parts, place = [], 0
    for found in COMMAND.finditer(text):
        sign = max(found.start("sign") if found["sign"] else found.start(), start)
        if found.end() > start:
            parts += [text[place:sign], spelt(text[sign])]
            place = sign + 1
    return "".join([*parts, text[place:]])


def foldable(text: str) -> str:
    """`visible(text)` that may be folded anywhere: no later line is for a CI service either."""
    return re.sub(r"([:#])(?=\1)", lambda found: spelt(found[0]), visible(text))


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


def spelt(one: str) -> str:
    """A character as Python writes it in a string."""
    if one.isascii() and one.isprintable():
        return f"\\x{ord(one):02x}"
    return one.encode("unicode_escape").decode()


def _shown(text: str) -> str:
    return SPACES.sub(lambda found: spelt(found[0]), visible(text))


def _digits(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:6]
