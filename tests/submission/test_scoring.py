from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import metrics
from harness.catalog import tasks
from harness.catalog.glue_files import FILES
from harness.errors import GlueBenchError
from harness.records.store import Store
from harness.submission import files, scoring
from harness.submission.files import SUBMISSION_FILES
from tests.support.glue_files import encode, put
from tests.support.glue_files import row as glue_row
from tests.support.pytest_project import glue_bench
from tests.support.submission_runs import run

MRPC = tasks.TASKS["mrpc"]
GOLD = [1, 0, 1, 1, 0, 1, 1, 0]
TOLD = [1, 0, 0, 1, 1, 1, 1, 0]


def written(path: Path, *lines: object) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


@pytest.fixture
def gold(tmp_path: Path) -> Path:
    return written(tmp_path / "gold", *GOLD)


FORMS = {
    "a value a line": TOLD,
    "a submission": ["index\tprediction", *(f"{i}\t{v}" for i, v in enumerate(TOLD))],
    "in any order": ["index\tlabel", *(f"{i}\t{v}" for i, v in reversed([*enumerate(TOLD)]))],
    "names": [MRPC.labels[v] for v in TOLD],
    "names in capitals": [MRPC.labels[v].upper() for v in TOLD],
    "ids and names": [*TOLD[:4], *(MRPC.labels[v] for v in TOLD[4:])],
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_predictions_and_of_labels(tmp_path: Path, gold: Path, form: str) -> None:
    told = written(tmp_path / "told", *FORMS[form])
    expected = metrics.evaluate(MRPC, GOLD, TOLD)
    assert scoring.score(told, gold, MRPC).metrics == expected == {"accuracy": 0.75, "f1": 0.8}
    swapped = scoring.score(gold, told, MRPC)  # both of MRPC's metrics are symmetric
    assert swapped.metrics == expected


def test_the_printed_figures(tmp_path: Path, gold: Path, capsys, monkeypatch) -> None:
    told = written(tmp_path / "told", *TOLD)
    args = ("score", told, "--task", "MRPC", "--labels", gold, "--split", "validation")
    code, out, _ = glue_bench(capsys, monkeypatch, *args)
    assert (code, out) == (
        0,
        "MRPC validation\naccuracy  75.00\nf1        80.00\nscore     77.50\n"
        "floor     69.71\nrows      8 (GLUE has 408)\n",
    )


def test_the_constant_of_mrpcs_dev_set_scores_what_is_known_of_it(tmp_path: Path) -> None:
    negative, positive = MRPC.class_counts["validation"]
    file = FILES["mrpc", "validation"]
    rows = [glue_row(file, label=str(v)) for v in [0] * negative + [1] * positive]
    labels = put(tmp_path, file, encode(file, rows))
    told = written(tmp_path / "told", *[1] * 408)
    found = scoring.score(told, labels.rename(tmp_path / "any.name"), MRPC, "validation")
    assert scoring.text(found).split()[2:] == [
        "accuracy", "68.38", "f1", "81.22", "score", "74.80", "floor", "74.80", "rows", "408",
    ]  # fmt: skip


@pytest.mark.parametrize("file", [f for f in FILES.values() if f.label], ids=lambda f: f.path)
def test_labels_from_any_file_of_glue_data(tmp_path: Path, file: Any) -> None:
    task = tasks.TASKS[file.task]
    words = ("1.5", "2.25") if task.is_regression else task.labels if file.words else ("0", "1")
    labels = put(tmp_path, file, encode(file, [glue_row(file, label=word) for word in words]))
    found = scoring.score(written(tmp_path / "told", *words), labels, task)
    assert (found.score, found.rows) == (pytest.approx(1.0), len(words))


def test_rows_of_a_range_by_their_numbers(tmp_path: Path) -> None:
    file, ood = FILES["cola", "validation"], tasks.TASKS["cola-ood"]
    values = [row % 3 % 2 for row in range(1043)]
    content = encode(file, [glue_row(file, label=str(value)) for value in values])
    labels = put(tmp_path, file, content)
    here = [f"{row}\t{values[row]}" for row in range(527, 1043)]
    found = scoring.score(written(tmp_path / "told", "index\tp", *here), labels, ood)
    assert (found.score, found.rows) == (pytest.approx(1.0), 516)


@settings(max_examples=25)
@given(name=st.sampled_from(["WNLI.tsv", "AX.tsv", "RTE.tsv"]), draws=st.randoms())
def test_a_submitted_file_scores_as_the_run_did(
    tmp_path_factory: pytest.TempPathFactory, name: str, draws: random.Random
) -> None:
    (file,) = [file for file in SUBMISSION_FILES if file.name == name]
    labels = range(draws.randint(1, len(file.task_row.labels)))
    gold, told = (draws.choices(labels, k=file.rows) for _ in range(2))
    folder = tmp_path_factory.mktemp("round")
    (folder / "told").write_bytes(files.content(file, told))
    found = scoring.score(folder / "told", written(folder / "gold", *gold), file.task_row)
    assert found.metrics == metrics.evaluate(file.task_row, gold, told)
    assert found.floor == metrics.floor(file.task_row, {"": gold})


def test_a_stored_runs_predictions(tmp_path: Path, gold: Path, capsys, monkeypatch) -> None:
    table = {
        "split": ["validation"] * 8 + ["test"] * 8,
        "row": [*range(8)] * 2,
        "prediction": TOLD + GOLD,
    }
    made = run(Store(tmp_path / "r"), "mrpc", predictions=table)
    assert made.predictions is not None
    file = tmp_path / "r" / "predictions" / made.predictions.name
    assert scoring.score(file, gold, MRPC).metrics == metrics.evaluate(MRPC, GOLD, TOLD)
    assert scoring.score(file, gold, MRPC, "test").score == 1.0
    for args, said in (
        (("--task", "mnli"), "--split: none is named, and"),
        (("--task", "cola", "--split", "train"), "--split: found 'train', and"),
        (("--task", "stsb", "--split", "tset"), "Did you mean 'test'?"),
    ):
        code, _, err = glue_bench(capsys, monkeypatch, "score", file, "--labels", gold, *args)
        assert (code, said in err) == (2, True), err


def test_ax_and_each_half_of_mnli_from_an_mnli_runs_predictions(tmp_path: Path) -> None:
    splits = ("validation_matched", "validation_mismatched", "ax")
    told = {name: [i % 3 for i in range(9 + k)] for k, name in enumerate(splits)}
    table: dict[str, list[Any]] = {"split": [], "row": [], "prediction": []}
    for name, values in told.items():
        table["split"] += [name] * len(values)
        table["row"] += range(len(values))
        table["prediction"] += values
    made = run(Store(tmp_path / "r"), "mnli", predictions=table)
    assert made.predictions is not None
    file = tmp_path / "r" / "predictions" / made.predictions.name
    mnli, ax = tasks.TASKS["mnli"], tasks.TASKS["ax"]
    for name, values in told.items():
        labels = written(tmp_path / "labels", *[(value + 1) % 3 for value in values])
        own = ax if name == "ax" else mnli
        found = scoring.score(file, labels, own, None if name == "ax" else name)
        assert found.rows == len(values)
        assert set(found.metrics) == set(own.metrics)
        assert found.score < 0 if name == "ax" else found.score == 0


INDEXED = FORMS["a submission"]
BAD = {
    "row counts": (TOLD[:7], "told: 7 predictions; expected 8, one for each"),
    "a row twice": ([*INDEXED[:8], "3\t1"], "told:9: row 3 is in line 5 too; expected"),
    "a row missing": ([*INDEXED[:8], "9\t1"], "told: no prediction for row 7, but one for row 9"),
    "an unknown label": (["1", "2", *TOLD[2:]], "told:2: '2'; expected a label of MRPC: 0, 1, not"),
    "another task's": (["1", "neutral", *TOLD[2:]], "told:2: 'neutral', a label of MNLI, AX; exp"),
    "no number": (["nan", *TOLD[1:]], "told:1: 'nan'; expected a label of MRPC"),
    "a float": (["1.0", *TOLD[1:]], "told:1: '1.0'; expected a label of MRPC"),
    "an empty line": ([*TOLD[:7], ""], "told:8: ''; expected"),
    "three columns": ([INDEXED[0] + "\tx", "0\t1\t1"], "told:1: the header 'index\\tprediction\\t"),
    "no index": (["id\tprediction", *INDEXED[1:]], "told:1: the header 'id\\tprediction'; expect"),
    "no header": (
        INDEXED[1:],
        "told:1: the header '0\\t1'; expected one value per line, or a header",
    ),
    "a bad index": ([*INDEXED[:8], "x\t1"], "told:9: 'x\\t1'; expected a row number and a value,"),
    "a huge index": ([*INDEXED[:8], "9" * 5000 + "\t1"], "told:9: '999"),
    "a negative index": ([*INDEXED[:8], "-1\t1"], "told:9: '-1\\t1'; expected a row number"),
    "too wide": ([*INDEXED[:8], "7\t1\t1"], "told:9: '7\\t1\\t1'; expected a row number"),
    "a header alone": (INDEXED[:1], "told: a header and no row; expected"),
    "nothing": ([], "told: the file is empty; expected"),
    "hostile": (["\x1b[31m", *TOLD[1:]], "told:1: '\\x1b[31m'; expected a label of MRPC"),
    "broken parquet": (["PAR1", *TOLD[1:]], "told: cannot be read as parquet: "),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_predictions_are_one_clear_error(tmp_path: Path, gold: Path, what: str) -> None:
    lines, said = BAD[what]
    told = written(tmp_path / "told", *lines)
    with pytest.raises(GlueBenchError) as caught:
        scoring.score(told, gold, MRPC)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path}/{said}")
    assert message.isprintable()
    assert message.count("; ") >= 2  # found; expected; fix
    assert len(message) < len(str(tmp_path)) * 2 + 400


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["sentence\tlabel", "x\t1"], ":1: the columns of a file of SST-2; expected labels of MR"),
        (["index\tsentence", "0\tx"], ":1: the columns of a file without labels of CoLA or SST-2"),
        (["0", "3"], ":2: '3'; expected a label of MRPC"),
        (None, ": no such file; expected a file"),
    ],
)
def test_bad_labels_are_one_clear_error(tmp_path: Path, lines: Any, said: str) -> None:
    if lines:
        written(tmp_path / "labels", *lines)
    told = written(tmp_path / "told", 0, 1)
    with pytest.raises(GlueBenchError) as caught:
        scoring.score(told, tmp_path / "labels", MRPC)
    assert str(caught.value).startswith(f"{tmp_path}/labels{said}")


@pytest.mark.parametrize("value", ["nan", "inf", "1e999", "1_0", "entailment", ""])
def test_scores_have_to_be_finite_numbers(tmp_path: Path, value: str) -> None:
    stsb = tasks.TASKS["stsb"]
    gold = written(tmp_path / "gold", 0.5, 4, 5, 2.25)
    told = written(tmp_path / "told", -0.25, 4.5, 7, 2)  # as a regression has it: unclamped
    assert math.isfinite(scoring.score(told, gold, stsb).score)
    written(told, 1, 2, value, 3)
    with pytest.raises(GlueBenchError, match=r"told:3: .*; expected a finite number"):
        scoring.score(told, gold, stsb)
    written(gold, 1, 2, "5.1", 3)
    with pytest.raises(GlueBenchError, match=r"gold:3: .*labels: from 0 to 5"):
        scoring.score(told, gold, stsb)


def test_a_table_that_is_no_runs(tmp_path: Path, gold: Path) -> None:
    import pandas as pd

    pd.DataFrame({"row": [0]}).to_parquet(tmp_path / "x")
    with pytest.raises(GlueBenchError, match="no column split, prediction among 'row'"):
        scoring.score(tmp_path / "x", gold, MRPC)
    table = {"split": ["test"] * 8, "row": [0] * 8, "prediction": TOLD}
    pd.DataFrame(table).to_parquet(tmp_path / "x")
    with pytest.raises(GlueBenchError, match="row 0 of 'test' twice"):
        scoring.score(tmp_path / "x", gold, MRPC)
    table = {"split": ["test"] * 8, "row": [*range(8)], "prediction": [*TOLD[:7], 2]}
    pd.DataFrame(table).to_parquet(tmp_path / "x")
    with pytest.raises(GlueBenchError, match="row 7 of test is '2'; expected a label of MRPC"):
        scoring.score(tmp_path / "x", gold, MRPC)
