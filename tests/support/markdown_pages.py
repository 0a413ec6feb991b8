"""Markdown as a reader sees it: markdown-it renders it, html.parser reads the HTML."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from markdown_it import MarkdownIt

BREAK = "\u200b"  # a space of no width
CELLS = ("td", "th")
BLOCKS = ("p", "h1", "h2", "h3", "pre", "li", "blockquote")
HARMLESS = {
    "table", "thead", "tbody", "tr", "th", "td", "p", "h1", "h2", "h3", "code", "pre", "strong",
    "em",
}  # fmt: skip
ACTS = re.compile(
    r"""
    @(?=[\w-])               # a mention, an e-mail address, user@commit
    | \#(?=\d) | \bgh-(?=\d) # an issue
    | :[\w+-]+:              # an emoji
    | :// | www\.            # a link; mailto: and xmpp: need the @
    """,
    re.VERBOSE | re.IGNORECASE,
)
"""What GitHub acts on in rendered text: docs.github.com, "Autolinked references and URLs"."""


class Page(HTMLParser):
    """A page's tables as rows of cells, its other blocks as (tag, text), and every tag it has."""

    def __init__(self, markdown: str) -> None:
        super().__init__()
        self.source = markdown
        self.tags: set[str] = set()
        self.rows: list[list[str]] = []
        self.blocks: list[tuple[str, str]] = []
        self.oddities: list[str] = []  # attributes, comments, declarations
        self.text = ""
        self._in = ""
        self.feed(MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(markdown))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.oddities += [name for name, _ in attrs if name not in ("style", "class")]
        if tag == "tr":
            self.rows.append([])
        elif tag in CELLS:
            self.rows[-1].append("")
            self._in = "cell"
        elif tag in BLOCKS:
            self.blocks.append((tag, ""))
            self._in = "block"

    def handle_endtag(self, tag: str) -> None:
        if tag in (*CELLS, *BLOCKS):
            self._in = ""

    def handle_data(self, data: str) -> None:
        if self.blocks and self.blocks[-1][0] == "pre" and self._in:
            self.text += "\n"  # GitHub acts on no code
        else:
            self.text += data
        said = data.replace(BREAK, "")
        if self._in == "cell":
            self.rows[-1][-1] += said
        elif self._in or said.strip():
            tag, text = self.blocks[-1]
            self.blocks[-1] = (tag, text + said)

    def handle_comment(self, data: str) -> None:
        self.oddities.append(f"<!--{data}-->")

    handle_decl = handle_pi = unknown_decl = handle_comment


def assert_harmless(page: Page, *more: str) -> None:
    """Nothing but text in blocks and tables, beside the tags in `more`, and nothing to act on."""
    assert page.tags <= {*HARMLESS, *more}, page.source
    assert not page.oddities, page.source
    assert not (found := ACTS.search(page.text)), (found, page.source)
    # GitHub looks for math in what is no code; a backtick is never but at a fence.
    assert "$" not in page.source.partition("```")[0], page.source


def collapsed(text: str) -> str:
    """As HTML shows its spaces."""
    return " ".join(text.split())
