"""Values in messages: two that differ never look the same."""

from __future__ import annotations

import unicodedata

import pytest

from harness.text.escape import harmless
from harness.text.names import unknown
from harness.text.values import plain, shown

PAIRS = {
    "accents apart": ("caf\xe9", "cafe\u0301"),
    "Korean syllables apart": ("\ud55c\uad6d", unicodedata.normalize("NFD", "\ud55c\uad6d")),
    "a Cyrillic letter": ("bad", "b\u0430d"),
    "only Cyrillic letters": ("co", "\u0441\u043e"),
    "Greek capitals": ("ABE", "\u0391\u0392\u0395"),
    "Kelvin": ("K", "\u212a"),
    "a ligature": ("film", "\ufb01lm"),
    "a minus sign": ("-1", "\u22121"),
    "a hyphen": ("a-b", "a\u2010b"),
    "no width": ("ab", "a\u200bb"),
    "a wide space": ("a b", "a\xa0b"),
    "a filler": ("a", "a\u3164"),
    "a variation selector": ("a", "a\ufe0f"),
    "a Roman numeral": ("IV", "\u2163"),
    "a space at the end": ("a", "a "),
    "not UTF-8": ("caf\\udce9", "caf\udce9"),
    "two long ones": ("x" * 300 + "1", "x" * 300 + "2"),
}


@pytest.mark.cases
@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
def test_two_that_differ_do_not_look_the_same(pair: tuple[str, str]) -> None:
    one, other = map(shown, pair)
    assert one.isprintable()
    assert other.isprintable()
    assert one != other
    assert one.isascii() or other.isascii()


@pytest.mark.parametrize(
    "text",
    ["caf\xe9", "\u65e5\u672c", "\ud55c\uad6d", "\u0445\u043e\u0440\u043e\u0448\u043e",
     "na\xefve\u2014\u2026", "\u0394x", "\xb5m", "\U0001f642"],
)  # fmt: skip
def test_the_words_of_any_language_are_shown_as_they_are(text: str) -> None:
    assert shown(text) == f"'{text}'"
    assert plain(text) == text


@pytest.mark.cases
def test_an_unknown_name_that_looks_like_a_known_one() -> None:
    assert r"looks like 'sst2', but is 's\u0455t2'" in unknown("task", "s\u0455t2", ["sst2", "rte"])
    assert r"looks like 'co', but is '\u0441\u043e'" in unknown("label", "\u0441\u043e", ["co"])


@pytest.mark.cases
def test_a_number_that_python_writes_out_no_more() -> None:
    assert "too long to show" in shown(10**5000)


def test_a_message_keeps_its_lines_and_moves_no_terminal() -> None:
    assert harmless("a\n  b\x1b[31m\udce9\r") == "a\n  b\\x1b[31m\\udce9\\r"
