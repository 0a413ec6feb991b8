"""How wide columns are, by their kinds, where a line of the terminal is too short for all."""

from __future__ import annotations

from harness.tables import formats
from harness.tables.columns import (
    MODEL,
    RECIPE,
    STATUS,
    TARGET,
    Column,
    Kind,
    figures,
    scores,
    words,
)
from harness.tables.table import WIDTH, Figure, Table

SCORE = Figure(0.5, sd=0.01)


def lines(*columns: Column, row: tuple[str | Figure, ...]) -> list[str]:
    """The header, the rule and the row, each on as many lines as it takes."""
    found = Table("t", columns, (row,)).text().splitlines()[1:]
    assert max(map(len, found)) <= WIDTH
    return found


def test_names_are_cut_and_words_are_folded() -> None:
    long = "a-" * 60
    head, rule, row = lines(MODEL, *figures("n"), row=(long, SCORE))
    assert (head.split(), len(rule)) == (["model", "n"], WIDTH)
    assert "..." in row or "…" in row
    _, _, *rows = lines(*words("why"), *figures("n"), row=("one word " * 20, SCORE))
    assert len(rows) > 1
    assert " ".join(row.removesuffix(str(SCORE)).strip() for row in rows).split() == [
        *("one word " * 20).split()
    ]


def test_figures_keep_their_width_and_only_the_heading_of_a_score_is_folded() -> None:
    heading = "reviews (acc+F1, 872 dev rows)"
    columns = scores(*(f"{heading} {place}" for place in range(4)))
    top, *_, row = lines(*columns, row=(SCORE,) * 4)
    assert top.count("reviews") == 4
    assert row.split() == ["50.00", "±1.00"] * 4
    wide = Table("t", figures(*(f"{heading} {place}" for place in range(4))), ((SCORE,) * 4,))
    assert len(wide.text().splitlines()[1]) > WIDTH


def test_the_first_turn_gives_way_first() -> None:
    assert STATUS.turn < RECIPE.turn < MODEL.turn < TARGET.turn < Column("other").turn
    row = ("r" * 60, "t" * 12)
    _, rule, _ = lines(RECIPE, TARGET, *figures("n"), row=(*row, SCORE))
    assert [len(part) for part in rule.split()][1:] == [len(row[1]), len(str(SCORE))]


def test_a_column_of_any_format_stands_on_the_side_of_its_kind() -> None:
    table = Table("t", (MODEL, Column("n", Kind.FIGURE), *words("why")), (("m", SCORE, "so"),))
    assert r"\begin{tabular}{lrl}" in formats.latex(table)
    assert "| model   |           n | why   |" in formats.markdown(table)
