r"""Makes text from elsewhere harmless for terminals and logs.

Characters that cannot be seen, or reorder a line, are escaped (`\x1b`, `\u202e`). So is one
character of each command that a CI service would obey. `tables.markup` escapes the special
characters of Markdown, LaTeX and spreadsheets.
"""

from __future__ import annotations

import hashlib
import re

from harness.text import log_marks

LONGEST = 80
"""Characters of a name in formats for readers; files for programs hold the whole name."""

UNSEEN = re.compile(
    r"[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    r"\U000e0100-\U000e01ef]"
)
"""Printable characters, for Python, that fonts draw as nothing: fillers, variation selectors."""
COMMAND = re.compile(
    r"(?m:^)[ \t]*(?P<sign>::)"  # GitHub, Forgejo: at the start of a line, maybe after white space
    r"|##\w{0,40}\["  # anywhere: `##[error]` of GitHub and Azure, `##vso[`, `##teamcity[`
    r"|section_(?:start|end):\d|travis_(?:fold|time):"  # GitLab, Travis: anywhere
    rf"|(?-i:{log_marks.BEGIN})",
    re.IGNORECASE,
)
"""What a CI service would obey in a log, and what `glue-bench import` would read.

github.com/actions/runner, ActionCommand.cs; github.com/microsoft/azure-pipelines-agent, Command.cs;
"Service messages" of TeamCity; lib/gitlab/ci/ansi2json of GitLab; lib/travis/build of Travis.
"""
LONGEST_COMMAND = 64  # characters in which each of them is recognized
SPACES = re.compile(r"^ | $|(?<= ) ")
"""Spaces that formats drop: at either end, and after another space."""


def visible(text: str) -> str:
    """`text` on one line, with unseen characters and commands for CI services escaped."""
    return _defused(_seen(text))


def harmless(text: str) -> str:
    """As `visible`, for text of several lines: line ends and tabs stay as they are."""
    return _defused("\n".join("\t".join(map(_seen, line.split("\t"))) for line in text.split("\n")))


class Speller:
    """`harmless` for a text that comes in parts: a command may begin in one and end in the next.

    What `passed` matches, such as colours, is not escaped; a carriage return in it begins a line.
    """

    def __init__(self, passed: re.Pattern[str] | None = None) -> None:
        self._passed = passed
        self._line = ""  # the end of the line that is being written

    def __call__(self, text: str) -> str:
        parts, place = [], 0
        for match in self._passed.finditer(text) if self._passed else ():
            parts += [self._part(text[place : match.start()]), match[0]]
            self._line = "" if match[0].endswith("\r") else self._line
            place = match.end()
        return "".join([*parts, self._part(text[place:])])

    def let_through(self, text: str) -> None:
        """Let this text through unchanged too, if it comes in one part."""
        before = f"{self._passed.pattern}|" if self._passed else ""
        self._passed = re.compile(before + re.escape(text))

    def _part(self, text: str) -> str:
        whole = _defused(self._line + harmless(text), len(self._line))
        written, line = whole[len(self._line) :], whole.rpartition("\n")[2]
        if len(line) > LONGEST_COMMAND:  # past the start of the line, unless it is blank
            line = f"x{line[-LONGEST_COMMAND:]}" if line.strip() else " "
        self._line = line
        return written


def json(text: str) -> str:
    r"""JSON with the same meaning and no command for a CI service: `[` is written as `\u005b`."""
    return COMMAND.sub(lambda match: f"{match[0][:-1]}\\u{ord(match[0][-1]):04x}", text)


def _seen(text: str) -> str:
    """`text` with unseen characters escaped."""
    if text.isprintable() and not UNSEEN.search(text):
        return text
    return "".join(
        char if char.isprintable() and not UNSEEN.match(char) else spelt(char) for char in text
    )


def _defused(text: str, start: int = 0) -> str:
    """`text` without commands: in each, one character at `start` or after it is escaped."""
    parts, place = [], 0
    for match in COMMAND.finditer(text):
        sign = max(match.start("sign") if match["sign"] else match.start(), start)
        if match.end() > start:
            parts += [text[place:sign], spelt(text[sign])]
            place = sign + 1
    return "".join([*parts, text[place:]])


def foldable(text: str) -> str:
    """`visible(text)` that stays harmless wherever it is folded into lines."""
    return re.sub(r"([:#])(?=\1)", lambda match: spelt(match[0]), visible(text))


def distinct(text: str) -> str:
    """`text`, if nothing in it has to be escaped; else `visible(text)` and 6 digits of its hash.

    So a control character and a text that looks like its escape sequence still differ.
    """
    shown = _shown(text)
    return text if shown == text else f"{shown}.{_digits(text)}"


def brief(text: str, limit: int = LONGEST) -> str:
    """`distinct(text)` in at most `limit` characters, with the hash if anything is left out."""
    whole = distinct(text)
    return whole if len(whole) <= limit else f"{short(_shown(text), limit - 7)}.{_digits(text)}"


def short(text: str, limit: int) -> str:
    """`text` in at most `limit` characters. The middle is cut: names differ at both ends."""
    if len(text) <= limit:
        return text
    head = (limit - 1) // 2
    return f"{text[:head]}…{text[len(text) - (limit - 1 - head) :]}"


def spelt(char: str) -> str:
    """The escape sequence of a character, as in a Python string."""
    if char.isascii() and char.isprintable():
        return f"\\x{ord(char):02x}"
    return char.encode("unicode_escape").decode()


def _shown(text: str) -> str:
    return SPACES.sub(lambda match: spelt(match[0]), visible(text))


def _digits(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:6]
