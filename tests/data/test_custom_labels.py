"""Labels of a user's rows: ids, names that lack, and names that look the same."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from harness.data import custom
from harness.errors import DataError, UsageError
from tests.support.custom_task import put, task

cases = pytest.mark.cases


@cases
@pytest.mark.parametrize(
    ("labels", "cells", "said"),
    [
        ("[1, 2]", "01", r"'0'; .*one of '1', '2'; the column counts from 0: .*\[0, 1\]"),
        ("[1, 2, 3]", "012", r"'1', '2', '3'; the column counts from 0: .*\[0, 1, 2\]"),
        ("[2, 1]", "10", r"train.csv:3: stars is '0'; .*from 0: .*\[0, 1\]"),
        ('["bad", "good"]', "12", r"the column counts from 1: .*\[1, 2\]"),
        ("[1, 2]", "13", "expected one of '1', '2'; correct the row"),
        ("[-1, 0, 1]", "02", r"train.csv:3: .*expected one of '-1', '0', '1'; correct"),
        ("[2, 3]", "01", r"'0'; .*one of '2', '3'; the column counts from 0: .*\[0, 1\]"),
        ("[10, 20]", "10", r"one of '10', '20'; the column counts from 0: .*\[0, 1\]"),
        ('["0.5", "1.5"]', "01", r"one of '0.5', '1.5'; the column counts from 0"),
        ("[true, false]", "01", r"one of 'true', 'false'; the column counts from 0"),
    ],
)  # fmt: skip
def test_ids_that_count_otherwise_are_told_without_contradiction(
    labels: str, cells: str, said: str, tmp_path: Path
) -> None:
    rows = "".join(f"text {cell},{cell}\n" for cell in cells)
    path = put(tmp_path, {"train.csv": f"review,stars\n{rows}"}, f"labels = {labels}\n")
    with pytest.raises(DataError, match=said) as caught:
        custom.read_split(task(path), "train", None)
    assert "from 0, " not in str(caught.value)
    assert ("or their ids" in str(caught.value)) == ("bad" in labels)


@cases
@pytest.mark.parametrize("value", ["null", "NaN"])
@pytest.mark.parametrize("labels", ['["null", "NaN", "good"]', "[0, 1, 2]"])
def test_a_label_that_lacks_is_no_class(value: str, labels: str, tmp_path: Path) -> None:
    rows = f'{{"review": "a", "stars": {value}}}\n{{"review": "b", "stars": "good"}}\n'
    path = put(tmp_path, {"train.csv": None, "train.jsonl": rows}, f"labels = {labels}\n")
    with pytest.raises(DataError, match=rf"train.jsonl:1: stars is nothing \({value}\)"):
        custom.read_split(task(path), "train", None)


@cases
def test_a_word_that_names_a_class_is_one(tmp_path: Path) -> None:
    rows = '{"review": "a", "stars": "null"}\n{"review": "b", "stars": "NaN"}\n'
    path = put(tmp_path, {"train.csv": None, "train.jsonl": rows}, 'labels = ["null", "NaN"]\n')
    assert custom.read_split(task(path), "train", None).labels == [0, 1]


@pytest.mark.parametrize("cell", ["1_0", "01", "1.0", "+1", " 1", "2", "\uff11"])
def test_of_a_column_of_ids_the_odd_one_is_told(cell: str, tmp_path: Path) -> None:
    path = put(tmp_path, {"train.csv": f"review,stars\na,0\nb,{cell}\n"})
    with pytest.raises(DataError, match=r"train.csv:3: stars is "):
        custom.read_split(task(path), "train", None)


COMPOSED = "caf\xe9"
TWO_CHARACTERS = unicodedata.normalize("NFD", COMPOSED)


@cases
@pytest.mark.parametrize(
    ("label", "cell", "said"),
    [
        (COMPOSED, TWO_CHARACTERS, r"nearly a known name: 'cafe\\u0301' is not 'caf\\xe9'"),
        (TWO_CHARACTERS, COMPOSED, r"nearly a known name: 'caf\\xe9' is not 'cafe\\u0301'"),
        ("bad", "b\u200bad", r"nearly a known name: 'b\\u200bad' is not 'bad'"),
        ("bad", "bad\xa0", r"nearly a known name: 'bad\\xa0' is not 'bad'"),
        ("bad", "\uff42ad", r"nearly a known name: '\\uff42ad' is not 'bad'"),
        ("bad", "Bad", "nearly a known name: 'Bad' is not 'bad'"),
        ("bad", "b\u0430d", r"its characters are 'b\\u0430d'"),
    ],
)
def test_labels_that_look_the_same_are_told_apart(
    label: str, cell: str, said: str, tmp_path: Path
) -> None:
    content = f"review,stars\na,{cell}\nb,good\n"
    path = put(tmp_path, {"train.csv": content}, f'labels = ["{label}", "good"]\n')
    with pytest.raises(DataError, match=said):
        custom.read_split(task(path), "train", None)


@cases
def test_columns_and_labels_that_look_the_same_are_told_apart(tmp_path: Path) -> None:
    content = f"{TWO_CHARACTERS},stars\na,bad\nb,good\n"
    path = put(tmp_path, {"train.csv": content})
    path.write_text(path.read_text().replace('"review"', f'"{COMPOSED}"'))
    with pytest.raises(DataError, match=r"'caf\\xe9' is not 'cafe\\u0301'"):
        custom.read_split(task(path), "train", None)
    put(tmp_path, {}, f'labels = ["{COMPOSED}", "{TWO_CHARACTERS}"]\n')
    with pytest.raises(UsageError, match=r"'caf\\xe9' and 'cafe\\u0301', which look the same"):
        task(path)
