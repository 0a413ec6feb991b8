"""Tables with hostile names, as the readers of each format read them."""

from __future__ import annotations

import csv
import io
import json
import re
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harness.tables import formats
from harness.tables.columns import CELL, MODEL, RECIPE, TARGET, Column, figures, words
from harness.tables.markup import spreadsheet
from harness.tables.table import FILL, WIDTH, Figure, Table
from harness.text.escape import brief, visible
from tests.support.hostile_names import NAMES, table, texts
from tests.support.markdown_pages import Page, assert_harmless, collapsed
from tests.text.test_escape import COMMAND, FORMULAS, latin, read_latex, unseen

NAMED = st.lists(texts, min_size=3, max_size=3)
EVERY_NAME = Table(
    "Every name",
    (MODEL, RECIPE, *figures("score")),
    tuple((name, "toy", Figure(place / 1000)) for place, name in enumerate(NAMES)),
)


@given(NAMED, texts)
def test_markdown_cells_show_the_names(names: list[str], said: str) -> None:
    made = table(*names, said=said)
    page = Page(formats.markdown(made))
    assert_harmless(page)
    shown = collapsed(visible(said))
    assert [[collapsed(cell) for cell in row] for row in page.rows] == [
        [*made.header],
        [shown, *map(brief, names), "50.00 ±25.00", "25.00†", shown],
    ]
    blocks = [(tag, collapsed(text)) for tag, text in page.blocks]
    assert blocks == [("h2", shown), *([("p", shown)] * 2 if shown else [])]


def test_markdown_has_a_row_for_every_name() -> None:
    page = Page(formats.markdown(EVERY_NAME))
    assert_harmless(page)
    assert [row[0] for row in page.rows] == ["model", *map(brief, NAMES)]
    assert {len(row) for row in page.rows} == {3}
    ordinary = Table("t", (MODEL, TARGET), (("google/bert_uncased_L-2", "cpu-bf16"),))
    assert "| google/bert_uncased_L-2 | cpu-bf16 |" in formats.markdown(ordinary)


@given(st.lists(texts, min_size=1, max_size=3))
def test_commands_stay_in_their_fence(fill: list[str]) -> None:
    page = Page(formats.markdown(table("a", fill=tuple(fill))))
    assert_harmless(page)
    assert [tag for tag, _ in page.blocks] == ["h2", "p", "p", "p", "pre"]
    assert page.blocks[-1] == ("pre", "".join(f"{visible(line)}\n" for line in fill))
    assert page.blocks[-2] == ("p", FILL)


def test_the_best_are_marked_beside_hostile_names() -> None:
    rows = tuple((name, Figure(score)) for name, score in (("**", 0.5), ("_x_", 0.7), ("`", 0.6)))
    made = Table("t", (MODEL, Column("score", is_ranked=True)), rows)
    page = Page(formats.markdown(made))
    assert page.rows[1:] == [["**", "50.00"], ["_x_", "70.00"], ["`", "60.00"]]
    assert {"strong", "em"} <= page.tags
    assert r"\textbf{70.00}" in formats.latex(made)
    assert r"\underline{60.00}" in formats.latex(made)


@given(NAMED, texts)
def test_csv_text_stays_text_and_numbers_stay_numbers(names: list[str], said: str) -> None:
    written = formats.csv([(said, table(*names, said=said))])
    written.encode()
    (row,) = csv.DictReader(io.StringIO(written))
    expected = [said, said, *names, said]
    columns = ["board", "task", "cell", "model", "recipe", "status"]
    assert [row[column] for column in columns] == [spreadsheet(text) for text in expected]
    numbers = {"score": "50.00", "score sd": "25.00", "mark": "25.00"}
    assert {name: Decimal(row[name]) for name in numbers} == {
        name: Decimal(number) for name, number in numbers.items()
    }
    quoted = list(csv.reader(io.StringIO(written), quoting=csv.QUOTE_NONNUMERIC))
    typed = dict(zip(quoted[0], quoted[1], strict=True))
    assert {name for name, value in typed.items() if isinstance(value, float)} == {*numbers}
    for value in (*quoted[0], *(value for value in quoted[1] if isinstance(value, str))):
        assert not value.lstrip().startswith(FORMULAS)


@pytest.mark.parametrize("name", ["1e5", "007", "1-2", "TRUE", "0x1F", "1,5", "nan"])
def test_names_like_numbers_are_quoted(name: str) -> None:
    written = formats.csv([("b", table(name))])
    assert f'"{name}"' in written
    (line,) = list(csv.reader(io.StringIO(written), quoting=csv.QUOTE_NONNUMERIC))[1:]
    assert line[2] == name
    page = Page(formats.markdown(table(name)))
    assert page.rows[1][1] == name
    assert table(name).text().splitlines()[3].split()[1] == name


def test_headers_of_csv_are_no_formulas() -> None:
    written = formats.csv([("b", Table("t", words("=1+1"), (("x",),)))])
    assert next(csv.reader(io.StringIO(written))) == ["board", "'=1+1"]


@given(NAMED, texts)
def test_json_holds_the_very_names(names: list[str], said: str) -> None:
    written = json.dumps(formats.as_json(table(*names, said=said, fill=(said,))), allow_nan=False)
    assert written.isascii()
    found = json.loads(written)
    assert [found["title"], *found["notes"], *found["fill"]] == [said] * 4
    (row,) = found["rows"]
    assert [row[name] for name in ("task", "cell", "model", "recipe")] == [said, *names]
    assert row["score"] == {"shown": "50.00 ±25.00", "value": 0.5, "unit": "fraction", "sd": 0.25}
    assert row["mark"]["mark"] == "†"


@pytest.mark.parametrize("names", [NAMES, NAMES[:20], NAMES[-20:]])
def test_latex_rows_have_their_cells(names: tuple[str, ...]) -> None:
    rows = tuple((name, "toy", Figure(0.5)) for name in names)
    written = formats.latex(Table("Names", (MODEL, RECIPE, *figures("score")), rows))
    lines = [
        line.removesuffix(r" \\").split(" & ") for line in written.splitlines() if " & " in line
    ]
    lines = [line for line in lines if line[0] != "model"]  # a long table repeats its head
    assert [len(line) for line in lines] == [3] * len(names)
    assert [read_latex(first) for first, *_ in lines] == [latin(brief(name)) for name in names]
    assert not any(first.lstrip().startswith(("[", "*")) for first, *_ in lines)


@given(NAMED, texts)
def test_latex_notes_are_lines_of_their_own(names: list[str], said: str) -> None:
    written = formats.latex(table(*names, said=said, fill=(said,)))
    assert "\n\n" not in written.split(r"\end{tabular}")[0]
    assert not unseen(written.replace("\n", ""))
    comments = [line for line in written.splitlines() if line.startswith("%")]
    assert comments[-1].removeprefix("% ") == visible(said)
    assert "\n\\end{table}\n%" in written
    ordinary = formats.latex(table("a", "b", "c", said="x" if said else "", fill=("x",)))
    assert len(written.splitlines()) == len(ordinary.splitlines())


@pytest.mark.cases
@example(["a", "b", "c"], " ", 1)  # a blank last line
@example(["a", "b", "c"], "", 1)
@example(["a", "b", "c"], " ]", 1)
@given(NAMED, texts, st.integers(1, 3))
def test_the_terminal_obeys_nothing(names: list[str], said: str, rows: int) -> None:
    text = table(*names, said=said, rows=rows, fill=(said,)).text()
    lines = text.split("\n")
    assert not unseen("".join(lines))
    assert not COMMAND.search(text)
    assert len(text.splitlines()) == len(lines)
    folded = lines[: lines.index(FILL, 2)]
    assert max(map(len, folded)) <= WIDTH
    assert text.endswith(f"{FILL}\n{visible(said).rstrip()}".rstrip())


@pytest.mark.parametrize("name", NAMES)
def test_a_row_of_names_is_one_line_in_the_terminal(name: str) -> None:
    made = Table(
        "t", (CELL, MODEL, RECIPE, TARGET, *figures("score")), ((name,) * 4 + (Figure(0.5),),)
    )
    lines = made.text().splitlines()
    assert len(lines) == 4
    assert max(map(len, lines)) <= WIDTH
    assert re.search(r"50\.00$", lines[3])
