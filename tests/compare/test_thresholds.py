"""How much worse is too much: what can be said, what is refused, and which of several is meant."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.compare import thresholds
from harness.compare.measures import MEASURES, Measure
from harness.compare.thresholds import Threshold, Thresholds, parse
from harness.errors import UsageError
from harness.planning import option_sources, project

CELL = "rte-minilm-cpu-fp32"
SCORES = [name for name, row in MEASURES.items() if row.is_score]
every_measure = pytest.mark.parametrize("measure", MEASURES.values(), ids=[*MEASURES])


def written(tmp_path: Path, toml: str) -> Path:
    (tmp_path / "pyproject.toml").write_text(toml)
    return tmp_path


def read(tmp_path: Path, toml: str) -> Thresholds:
    return thresholds.from_pyproject(written(tmp_path, f"[tool.glue-bench.thresholds]\n{toml}"))


def said(found: Thresholds, cell: str = CELL) -> dict[str, str]:
    return {name: str(row) for name, row in found.of(cell).items()}


def test_every_metric_and_what_a_run_costs_can_be_gated() -> None:
    assert [*MEASURES] == [
        "score", "accuracy", "f1", "matthews_correlation", "pearson", "spearmanr",
        "step_time", "examples_per_s", "peak_memory",
    ]  # fmt: skip
    assert [*MEASURES][:6] == SCORES
    lower = {name for name, row in MEASURES.items() if not row.higher_is_better}
    assert lower == {"step_time", "peak_memory"}


@every_measure
def test_each_unit_is_read_with_the_sign_of_a_loss_or_none(measure: Measure) -> None:
    sign = "-" if measure.higher_is_better else "+"
    for unit in ("%", *measure.units):
        for text in (f"1.5{unit}", f"{sign}1.5{unit}", f" {sign}1.5 {unit} "):
            assert parse(measure.name, text, "here") == Threshold(measure, 1.5, unit)
    assert str(parse(measure.name, "10%", "here")) == f"{sign}10%"
    assert parse(measure.name, ".5%", "here").amount == 0.5


@every_measure
def test_a_change_for_the_better_is_refused(measure: Measure) -> None:
    wrong, right = ("+", "-") if measure.higher_is_better else ("-", "+")
    with pytest.raises(UsageError) as error:
        parse(measure.name, f"{wrong}1%", "here")
    message = str(error.value)
    assert message.startswith(f"here: found '{wrong}1%', which is a gain: for {measure.name}")
    assert message.endswith(f"expected such as {right}1{measure.shown_in}")
    assert parse(measure.name, message.split()[-1], "here")  # what it advises is right


@every_measure
@pytest.mark.parametrize(
    "text",
    ["", "pt", "1", "1furlong", "nan%", "inf%", "-inf%", "1e3%", "--1%", "1%%", "1 0%", "1,5%",
     "0x1%", "1.2.3%", "%1", "\x1b[31m1%", "1\u200b%"],
)  # fmt: skip
def test_what_is_no_number_with_a_unit_is_refused(measure: Measure, text: str) -> None:
    with pytest.raises(UsageError, match="expected a number and one of %, ") as error:
        parse(measure.name, text, "here")
    assert all(unit in str(error.value) for unit in measure.units)
    assert str(error.value).isprintable()


def test_units_of_other_measures_are_refused() -> None:
    units = {unit for row in MEASURES.values() for unit in row.units}
    assert units == {"pt", "ms", "s", "/s", "MB"}
    for row in MEASURES.values():
        for unit in units - {*row.units}:
            with pytest.raises(UsageError, match="expected a number and one of"):
                parse(row.name, f"1{unit}", "here")


@every_measure
def test_no_change_and_more_than_all_are_refused(measure: Measure) -> None:
    nothing, endless = f"0.0{measure.shown_in}", "9" * 400 + measure.shown_in
    all_of_it = ["100%"] if measure.higher_is_better else []
    if measure.is_score:
        all_of_it.append("100pt")
    for text in ("0%", nothing, endless, *all_of_it):
        with pytest.raises(UsageError, match="expected a finite number above 0"):
            parse(measure.name, text, "here")
    assert parse(measure.name, "99.9%", "here")
    assert measure.higher_is_better or parse(measure.name, "300%", "here")


def test_an_unknown_measure_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"^--fail-on acuracy: unknown measure 'acuracy'.*'accur"):
        thresholds.from_option(["acuracy:-1pt"])


def test_thresholds_are_typed_for_every_cell() -> None:
    found = thresholds.from_option(["accuracy:-1pt", "step_time:+10%", "peak_memory:64MB"])
    for cell in (CELL, "anything"):
        expected = {"accuracy": "-1pt", "step_time": "+10%", "peak_memory": "+64MB"}
        assert said(found, cell) == expected
    assert said(thresholds.from_option([])) == {}


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["accuracy"], "expected a measure and a change, such as accuracy:-1pt"),
        (["accuracy-1pt"], "expected a measure and a change"),
        ([":-1pt"], "unknown measure ''"),
        (["accuracy:"], "expected a number and one of"),
        (["accuracy:-1pt:2"], "expected a number and one of"),
        (["f1:-1pt", "f1:-2pt"], "f1 is given twice; expected once"),
        (["f1:-1pt", "f1:-1pt"], "f1 is given twice; expected once"),
    ],
)
def test_what_is_typed_wrong_is_refused(texts: list[str], words: str) -> None:
    with pytest.raises(UsageError) as error:
        thresholds.from_option(texts, "--option")
    assert str(error.value).startswith("--option")
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("measure", "text", "base", "margin"),
    [
        ("score", "0.2pt", 0.9, 0.002),
        ("score", "-1pt", 0.1, 0.01),
        ("matthews_correlation", "10%", 0.6, 0.06),
        ("matthews_correlation", "10%", -0.6, 0.06),
        ("step_time", "+10%", 0.5, math.log(1.1)),
        ("step_time", "+50ms", 0.5, math.log(1.1)),
        ("step_time", "+0.5s", 0.5, math.log(2)),
        ("step_time", "+300%", 0.5, math.log(4)),
        ("examples_per_s", "-10%", 200, -math.log(0.9)),
        ("examples_per_s", "-20/s", 200, -math.log(0.9)),
        ("examples_per_s", "-200/s", 200, math.inf),
        ("examples_per_s", "-999/s", 200, math.inf),
        ("peak_memory", "+100MB", 1000 * 2**20, math.log(1.1)),
        ("peak_memory", "+10%", 1000 * 2**20, math.log(1.1)),
    ],
)
def test_a_margin_is_as_the_gate_compares(
    measure: str, text: str, base: float, margin: float
) -> None:
    assert parse(measure, text, "here").margin(base) == pytest.approx(margin)


@given(st.sampled_from([*MEASURES]), st.floats(0.01, 99), st.floats(0.001, 1e9))
def test_a_share_of_any_base_is_the_same_margin_or_of_scores_in_proportion(
    name: str, percent: float, base: float
) -> None:
    threshold = Threshold(MEASURES[name], percent, "%")
    scale = base if MEASURES[name].is_score else 1
    assert threshold.margin(base) == pytest.approx(threshold.margin(1.0) * scale)
    assert threshold.margin(base) > 0


def test_a_margin_of_a_fifth_of_a_point_holds_unless_another_is_said(tmp_path: Path) -> None:
    assert said(thresholds.from_pyproject(tmp_path)) == {"score": "-0.2pt"}
    assert said(thresholds.from_pyproject(written(tmp_path, ""))) == {"score": "-0.2pt"}
    assert said(read(tmp_path, "")) == {"score": "-0.2pt"}
    assert said(read(tmp_path, '"sst2-*" = { score = "1pt" }')) == {"score": "-0.2pt"}
    found = said(read(tmp_path, '"rte-*" = { step_time = "10%" }'))
    assert found == {"score": "-0.2pt", "step_time": "+10%"}
    found = said(read(tmp_path, '"*" = { step_time = "10%" }'))
    assert found == {"score": "-0.2pt", "step_time": "+10%"}
    assert said(read(tmp_path, '"*" = { score = "3pt" }')) == {"score": "-3pt"}
    assert said(read(tmp_path, '"rte-*" = { score = "2pt" }')) == {"score": "-2pt"}


def test_the_pattern_that_says_most_of_a_name_wins_measure_by_measure(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        '"rte-minilm-*" = { score = "3pt" }\n"*-cpu-fp32" = { score = "4pt", f1 = "5pt" }\n'
        f'"{CELL}" = {{ step_time = "5%" }}\n"rte-*" = {{ score = "6pt", step_time = "7%" }}\n',
    )
    assert said(found) == {"score": "-3pt", "f1": "-5pt", "step_time": "+5%"}
    assert said(found, "rte-bert-mps-fp32") == {"score": "-6pt", "step_time": "+7%"}
    assert said(found, "cola-bert-mps-fp32") == {"score": "-0.2pt"}


def test_wildcards_say_nothing_of_a_name(tmp_path: Path) -> None:
    found = read(tmp_path, '"r[a-z]e-[abcdm]*" = { score = "3pt" }\n"rte-*" = { score = "4pt" }')
    assert said(found) == {"score": "-4pt"}
    found = read(tmp_path, '"????????????*" = { score = "3pt" }\n"rte-*" = { score = "4pt" }')
    assert said(found) == {"score": "-4pt"}


TIE = ['"rte-*" = { score = "1pt" }', '"*fp32" = { score = "2pt" }']
BEST = f'"{CELL}" = {{ score = "3pt" }}'


def test_patterns_that_say_as_much_are_both_named(tmp_path: Path) -> None:
    for lines in (TIE, TIE[::-1]):
        found = read(tmp_path, "\n".join(lines))
        with pytest.raises(UsageError) as error:
            found.of(CELL)
        assert all(word in str(error.value) for word in ("'rte-*'", "'*fp32'", CELL, "score"))
        assert said(found, "rte-bert-mps-bf16") == {"score": "-1pt"}


@pytest.mark.parametrize("place", [0, 1, 2])
def test_where_a_third_says_more_the_two_may_be_alike(tmp_path: Path, place: int) -> None:
    lines = [*TIE]
    lines.insert(place, BEST)
    assert said(read(tmp_path, "\n".join(lines))) == {"score": "-3pt"}


def test_two_alike_that_speak_of_other_measures_are_no_tie(tmp_path: Path) -> None:
    found = read(tmp_path, '"rte-*" = { score = "1pt" }\n"*fp32" = { f1 = "2pt" }')
    assert said(found) == {"score": "-1pt", "f1": "-2pt"}


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ('"*" = "1pt"', "'*': found '1pt'; expected measures, such as"),
        ('"rte-*" = 3', "'rte-*': found '3'; expected measures, such as"),
        ('"rte-*" = { score = 1 }', "'rte-*' score: found '1'; expected a number and one of"),
        ('"rte-*" = { score = true }', "'rte-*' score: found 'True'; expected a number"),
        ('"rte-*" = { score = ["1pt"] }', "expected a number and one of"),
        ('"rte-*" = { scroe = "1pt" }', "unknown measure 'scroe'. Did you mean 'score'?"),
        ('"rte-*" = { score = "1pt", score = "2pt" }', "not valid TOML"),
        ('"rte-*" = { score = "1pt" }\n"rte-*" = { score = "2pt" }', "not valid TOML"),
        ('"rte-*" = { score = "+1pt" }', "which is a gain"),
    ],
)
def test_what_a_file_says_wrong_is_refused(tmp_path: Path, toml: str, words: str) -> None:
    with pytest.raises(UsageError) as error:
        read(tmp_path, toml)
    assert str(error.value).startswith(str(tmp_path / "pyproject.toml"))
    assert words in str(error.value)


@pytest.mark.parametrize(
    "toml", ["[tool.glue-bench]\nthresholds = 3", "[tool]\nglue-bench = 3", "tool = 3"]
)
def test_what_is_no_table_is_refused(tmp_path: Path, toml: str) -> None:
    with pytest.raises(UsageError, match=r"pyproject\.toml: .*expected a table"):
        thresholds.from_pyproject(written(tmp_path, toml))


@pytest.mark.cases
@pytest.mark.parametrize(
    "pattern",
    ["rte", "RTE-*", "rte-minilm", "rte-minilm-cpu", "*-minilm", "rte-*-fp23", "cpu-fp32",
     "rte-minilm-CPU-fp32", "rte-*-s42"],
)  # fmt: skip
def test_a_pattern_that_fits_no_cell_is_refused(tmp_path: Path, pattern: str) -> None:
    limit = '{ score = "1pt" }'
    with pytest.raises(
        UsageError, match="matches no cell; expected a pattern of TASK-MODEL-TARGET"
    ):
        read(tmp_path, f'"{pattern}" = {limit}')


@pytest.mark.cases
@pytest.mark.parametrize(
    "pattern",
    [CELL, "rte-*", "*", "*-fp32", "*fp32", "*2", "rte-[a-z]*", "*-cpu-fp3[0-9]", "*-cpu-fp??"],
)
def test_a_pattern_that_may_fit_a_cell_is_none_the_worse(tmp_path: Path, pattern: str) -> None:
    assert said(read(tmp_path, f'"{pattern}" = {{ score = "1pt" }}'), CELL) == {"score": "-1pt"}


def test_options_leave_the_thresholds_alone_and_refuse_other_keys(tmp_path: Path) -> None:
    of = '"rte-*" = { score = "1pt" }\n'
    path = written(tmp_path, f"[tool.glue-bench]\nseeds = 3\n[tool.glue-bench.thresholds]\n{of}")
    file = path / "pyproject.toml"
    assert option_sources.options_in(project.table(file), file) == {"seeds": "3"}
    for key in ("threshold", "limits"):
        written(tmp_path, f"[tool.glue-bench.{key}]\n{of}")
        with pytest.raises(UsageError, match=f"unknown key '{key}'"):
            option_sources.options_in(project.table(file), file)
