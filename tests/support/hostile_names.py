"""Names that do harm in some output, and hypothesis strategies that draw more of them."""

from __future__ import annotations

from hypothesis import strategies as st

from harness.tables.columns import CELL, MODEL, RECIPE, STATUS, TASK, Column, figures
from harness.tables.table import Figure, Table

NAMES = (
    "a|b", "a\\|b", "\\", "a\\", "`", "``x`", "```", "~~~", "~~gone~~", "*b*", "**", "__init__",
    "_x_", "a_", "[x](http://e.org)", "![i](//e.org/i.png)", "[x]", "[^1]", "[ ] task", "<b>",
    "<img src=x onerror=alert(1)>", "<!-- c -->", "<https://e.org>", "&lt;", "&#64;you", "&amp;",
    "@octocat", "a@b.c", "mailto:a@b.c", "xmpp:a@b.c", "torch@0123abc", "https://e.org/a_b_c",
    "ftp://e.org", "www.e.org", "WWW.E.ORG", "#12", "GH-12", "gh-12", "org/repo#12", ":tada:",
    ":+1:", "::tada::", "$x$", "$$x$$", "$`x`$", "# h", "## h ##", "- a", "+ a", "* a", "1. a",
    "12) a", "> q", "    code", "---", "- - -", "***", "___", "===", "|---|", "| a | b |", ":-:",
    "=1+1", "+1", "-1", "@SUM(A1)", " =1", "\t=1", "\r=1", "'=1", "＝1", "＠x",
    "=cmd|' /C calc'!A0",
    "1e5", "007", "1-2", "TRUE", "nan", "0x1F", "1,5", "", " ", "  a", "a  b", "a ", "-",
    '"quoted"', "a,b", "a;b", "a\nb", "a\r\nb", "\x00", "\x1b[31mred", "\x9b31m", "\u202egnp.exe",
    "\u2066x\u2069", "\u200b", "\ufeff", "\u2028x\u2029", "a\x85b", "\ud800", "\U000e0041",
    "\u3164", "a\ufe0f", "e\u0301", "模型", "🤖", "::set-output name=x::y", "##[error]x",
    "  ##vso[task]x", "#", "%s", "100%", "a % b", "^^M", "\\input{x}", "$\\write18{x}$", "{", "}",
    "[2em] x", "*2", "--x", "?`!`", ",,x''", "<<x>>", "\\\\", "~", '"', "&", "^",
    "\\begin{tabular}", "x" * 300, "::" + "y z" * 100, "&" * 300, "模" * 300, "x" * 90 + "::" * 80,
)  # fmt: skip

texts = st.one_of(
    st.sampled_from(NAMES),
    st.text(st.characters(exclude_categories=())),
    st.lists(
        st.one_of(
            st.sampled_from(NAMES),
            st.sampled_from(list("|\\`*_~[]()<>&@#$:=+-.!'\"^%{} \t\r\n0x/\u200b\u2028\x85")),
            st.characters(exclude_categories=()),
        ),
        max_size=12,
    ).map("".join),
    st.integers(75, 400).flatmap(lambda size: st.text(min_size=size, max_size=size + 5)),
)
"""Any text: surrogates, controls and what reorders a line are in it."""


def table(*names: str, said: str = "said", rows: int = 1, fill: tuple[str, ...] = ()) -> Table:
    """A table that has these names in columns of names, and `said` wherever else text may be."""
    row = (said, *names[:3], Figure(0.5, sd=0.25), Figure(0.25, mark="†"), said)
    return Table(
        title=said,
        columns=(
            TASK,
            *(CELL, MODEL, RECIPE)[: len(names)],
            Column("score", is_ranked=True),
            *figures("mark"),
            STATUS,
        ),
        rows=(row,) * rows,
        notes=(said, said),
        fill=fill,
    )
