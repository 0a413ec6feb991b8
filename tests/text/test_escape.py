"""What becomes of a name: seen as it is, told from others, and obeyed by nobody."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import example, given

from harness.tables import markup
from harness.text import escape
from tests.support.hostile_names import NAMES, texts
from tests.support.markdown_pages import Page, assert_harmless, collapsed

ORDINARY = (
    "bert-base-uncased", "google/bert_uncased_L-2_H-128_A-2", "cpu-bf16", "run_glue-5ep",
    "my_model", "all-MiniLM-L6-v2", "mine.0a1b2c", "sst2-toy-bert-cpu-fp32-s42", "2.13.0+cpu",
    "-2.00", "-", "88.00 ±1.20", "12 (+0.5 to +1.5)", "arXiv:1810.04805 Table 1",
    "/home/me/models/bert", "modèle", "a: b; c, d",
)  # fmt: skip
COMMAND = re.compile(r"^\s*(::|##\[|##vso\[)", re.MULTILINE)
FORMULAS = tuple("=+-@＝＋－＠\t\r")
# Each of LaTeX's own signs stands only in one of these; what it says stands beside it.
LATEX = {rf"\{sign}": sign for sign in "&%$#_{}"} | {
    r"\textbackslash{}": "\\", r"\textasciitilde{}": "~", r"\textasciicircum{}": "^",
    r"\textless{}": "<", r"\textgreater{}": ">", r"\textbar{}": "|", r"\textquotedbl{}": '"',
    r"\textasciigrave{}": "`", "{[}": "[", "{]}": "]", "{*}": "*", "{}": "",
}  # fmt: skip
LATEX_TOKEN = re.compile("|".join(sorted(map(re.escape, LATEX), key=len, reverse=True)))
LIGATURES = ("--", "``", "''", ",,", "<<", ">>", "?`", "!`")


def read_latex(text: str) -> str:
    """What LaTeX shows for it. Raises `AssertionError` for a sign that is not escaped."""
    rest = LATEX_TOKEN.sub("", text)
    assert not set(rest) & set('\\&%$#_{}~^<>|"`[]*'), text
    return LATEX_TOKEN.sub(lambda found: LATEX[found[0]], text)


def latin(text: str) -> str:
    """With what pdfLaTeX has no letters for spelt out."""
    return "".join(
        one if ord(one) < 0x100 or one in "†…" else one.encode("unicode_escape").decode()
        for one in text
    )


def unseen(text: str) -> set[str]:
    """Categories of what no reader sees: controls, formats, surrogates, unassigned, separators."""
    kinds = {unicodedata.category(one) for one in text if one != " "}
    return {kind for kind in kinds if kind[0] in "CZ"}


@pytest.mark.parametrize("name", ORDINARY)
def test_ordinary_names_stay_as_they_are(name: str) -> None:
    for form in (escape.visible, escape.foldable, escape.distinct, escape.brief, markup.markdown):
        assert form(name) == name
    assert read_latex(markup.latex(name)) == name
    assert markup.spreadsheet(name).lstrip("'") == name


@given(texts)
@example("x\u2028::y")
def test_visible_text_is_one_line_that_is_seen(text: str) -> None:
    shown = escape.visible(text)
    assert not unseen(shown)
    assert len(shown.splitlines()) <= 1
    assert not COMMAND.match(shown)
    assert escape.visible(shown) == shown


@given(texts)
def test_no_part_of_foldable_text_is_a_command(text: str) -> None:
    shown = escape.foldable(text)
    assert not unseen(shown)
    assert "::" not in shown
    assert "##" not in shown
    assert escape.foldable(shown) == shown


@given(texts, texts)
@example("\x1b[0m", r"\x1b[0m")
@example("::x", r"\x3a:x")
@example("a", "a ")
@example("a b", "a  b")
@example("bert", "bert\ufe0f")
@example("bert", "bert\u3164")
@example("\ud800", "\\ud800")
@example("x" * 300, "x" * 301)
@example("x" * 90 + "a" + "x" * 90, "x" * 90 + "b" + "x" * 90)
@example("y" * 79 + "\x1b", "y" * 79 + "\x1c")
def test_two_names_never_look_alike(one: str, other: str) -> None:
    for form in (escape.brief, escape.distinct, markup.spreadsheet):
        assert (form(one) == form(other)) == (one == other)


@given(texts)
def test_brief_names_are_short_and_stay_so(text: str) -> None:
    shown = escape.brief(text)
    assert len(shown) <= escape.LONGEST
    assert not unseen(shown)
    assert shown == collapsed(shown)  # no format drops a space of it
    assert escape.brief(shown) == shown
    assert shown[:30] == escape.distinct(text)[:30]


@given(texts)
def test_markdown_shows_the_text_and_nothing_else(text: str) -> None:
    for page in (Page(f"## {markup.markdown(text)}"), Page(f"p\n\n{markup.paragraph(text)}\n\nq")):
        assert_harmless(page)
        said = collapsed(escape.visible(text))
        assert [collapsed(block) for _, block in page.blocks if block not in ("p", "q")] in (
            [[said]] if said and said not in ("p", "q") else [[], [""]]
        )
        assert page.tags <= {"h2", "p"}


@given(texts)
def test_a_spreadsheet_takes_no_text_for_a_formula(text: str) -> None:
    written = markup.spreadsheet(text)
    assert not written.lstrip().startswith(FORMULAS)
    assert not written.lstrip("'").startswith(FORMULAS) or written.startswith("'")
    assert not unseen(written)
    assert escape.distinct(text) in (written, written[1:])


@given(texts)
def test_latex_reads_the_text_back(text: str) -> None:
    written = markup.latex(text)
    assert not any(pair in written for pair in LIGATURES)
    assert not written.startswith(("[", "*"))
    assert set(written) <= {*map(chr, range(0x20, 0x7F)), *map(chr, range(0xA1, 0x100)), *"†…"}
    assert read_latex(written) == latin(escape.visible(text))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\n", r"\x1b[31mred\n"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("::set-output", r"\x3a:set-output"),
        ("  ##vso[task]", r"  \x23#vso[task]"),
        ("a::b", "a::b"),
        ("模型 🤖 e\u0301", "模型 🤖 e\u0301"),
    ],
)
def test_what_is_spelt_out(text: str, shown: str) -> None:
    assert escape.visible(text) == shown


def test_every_hostile_name_is_told_from_the_others() -> None:
    assert len({escape.brief(name) for name in NAMES}) == len({*NAMES})
