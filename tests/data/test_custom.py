"""Files of a user's rows: what is read, and what is said of those that cannot be."""

from __future__ import annotations

import codecs
import gzip
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.data import custom
from harness.errors import DataError
from tests.support.custom_task import CLASSES, TRAIN, loaded, parquet, put, task

cases = pytest.mark.cases


def texts_of_test(path: Path) -> list[str]:
    return [text for (text,) in loaded(path, predict_test=True).splits["test"].texts]


@cases
@pytest.mark.parametrize(
    ("name", "content", "texts"),
    [
        ("test.csv", 'review\n"a"\n""\n"b"\n"c"\n""\n"d"\n', ["a", "", "b", "c", "", "d"]),
        ("test.csv", "review\na\n\nb\n", ["a", "", "b"]),
        ("test.csv", "review\r\na\r\n\r\nb\r\n", ["a", "", "b"]),
        ("test.csv", "review\na\n\nb", ["a", "", "b"]),
        ("test.csv", 'review\na\n""\n', ["a", ""]),
        ("test.csv", "review\na\n  \nb\n", ["a", "  ", "b"]),
        ("test.csv", "review\na\nb\n\n", ["a", "b"]),
        ("test.csv", "\nreview\na\nb\n", ["a", "b"]),
        ("test.csv", "id,review\n1,a\n2,\n3,b\n", ["a", "", "b"]),
        ("test.csv", "id,review\n1,a\n\n2,b\n", ["a", "b"]),
        ("test.tsv", "review\na\n\nb\n", ["a", "", "b"]),
        ("test.tsv", "review\r\na\r\n\r\nb\r\n\r\n", ["a", "", "b"]),
        ("test.jsonl", '{"review": "a"}\n{"review": ""}\n{"review": "b"}\n\n', ["a", "", "b"]),
    ],
)
def test_a_blank_row_of_a_test_file_keeps_its_place(
    name: str, content: str, texts: list[str], tmp_path: Path
) -> None:
    assert texts_of_test(put(tmp_path, {name: content})) == texts


@cases
@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("test.csv", "review\na\n\n\n", r"test.csv:3: several blank lines at the end"),
        ("test.tsv", "review\na\n\n\n", r"test.tsv:3: several blank lines at the end"),
        ("test.csv", 'id,review\n1,a\n""\n2,b\n', r"test.csv:3: 1 field\(s\); expected 2"),
        ("test.jsonl", '{"review": "a"}\n\n{"review": "b"}\n', "test.jsonl:2: a blank line"),
        ("test.jsonl", '{"review": "a"}\n{"review": null}\n', r"test.jsonl:2: .*nothing \(null\)"),
    ],
)
def test_a_blank_row_that_may_be_none_is_an_error(
    name: str, content: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=said):
        texts_of_test(put(tmp_path, {name: content}))


@cases
@pytest.mark.parametrize(
    "cell",
    ["1_5", "1_000", " 1.5", "1.5 ", "nan", "inf", "-inf", "infinity", "\uff11", "\u096b", "0x1",
     "", "True", "1.5.0", "1e400", "5.0000001", "1\xa0", "50%", "--1", "1e", "-", "1,5"],
)  # fmt: skip
def test_a_score_is_a_number_as_it_is_written(cell: str, tmp_path: Path) -> None:
    path = put(tmp_path, {"train.csv": f'review,stars\na,"{cell}"\nb,2\n'}, "range = [0, 5]\n")
    with pytest.raises(DataError, match=r"train.csv:2: stars is '.*expected a number from 0 to 5"):
        custom.read_split(task(path), "train", None)


@pytest.mark.parametrize(
    ("cell", "score"), [("+1", 1), (".5", 0.5), ("1.", 1), ("1E-2", 0.01), ("-0", 0), ("1e0", 1)]
)
def test_a_score_in_any_usual_notation(cell: str, score: float, tmp_path: Path) -> None:
    path = put(tmp_path, {"train.csv": f"review,stars\na,{cell}\nb,2\n"}, "range = [0, 5]\n")
    assert custom.read_split(task(path), "train", None).labels == [score, 2]


@cases
@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("train.jsonl", '{"review": "a", "stars": "bad", "stars": "good"}', ":1: the key 'stars'"),
        ("train.jsonl", '{"review": "a", "\\u0073tars": "bad", "stars": "good"}', "key 'stars'"),
        ("train.jsonl", '{"review": "a", "review": "b", "stars": "bad"}', "key 'review'"),
        ("train.jsonl", '{"review": "a", "stars": "bad", "x": 1, "x": 1}', "key 'x'"),
        ("train.csv", "review,stars,stars\na,bad,good\n", ":1: two columns called 'stars'"),
        ("train.tsv", "review\tstars\treview\na\tbad\tb\n", ":1: two columns called 'review'"),
        ("train.parquet", None, "two columns called 'review'"),
    ],
)
def test_a_name_that_stands_twice_is_an_error(
    name: str, content: str | None, said: str, tmp_path: Path
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = put(tmp_path, {"train.csv": None, name: content})
    if content is None:
        table = pa.table([["a"], ["b"], ["bad"]], names=["review", "review", "stars"])
        pq.write_table(table, tmp_path / "rows" / name)
    with pytest.raises(DataError, match=said):
        custom.read_split(task(path), "train", None)


def test_a_nested_name_that_stands_twice_is_no_matter(tmp_path: Path) -> None:
    rows = (
        '{"review": "a", "stars": "bad", "x": {"y": 1, "y": 2}}\n{"review": "b", "stars": "good"}'
    )
    path = put(tmp_path, {"train.csv": None, "train.jsonl": rows})
    assert custom.read_split(task(path), "train", None).labels == [0, 1]


@cases
@pytest.mark.parametrize(
    "content",
    ['review;stars\n"a, b";bad\n"c";good\n', '"review";"stars"\n"a";"bad"\n"b";"good"\n',
     "\ufeffreview;stars\na;bad\nb;good\n", '"x, y";review;stars\n1;a;bad\n2;b;good\n',
     "\n\nreview|stars\na|bad\nb|good\n", "review;stars;a, b\na;bad;1\nb;good;2\n"],
)  # fmt: skip
def test_another_separator_is_named_and_its_fix_works(content: str, tmp_path: Path) -> None:
    path = put(tmp_path, {"train.csv": content})
    mark = "|" if "|" in content else ";"
    with pytest.raises(DataError, match=rf"train.csv:\d: .*: the separator is '\{mark}'") as caught:
        custom.read_split(task(path), "train", None)
    command = str(caught.value).partition(": python ")[2].removesuffix(" < OLD.csv > NEW.csv")
    code = command.removeprefix('-c "').removesuffix('"')
    train = tmp_path / "rows" / "train.csv"
    with train.open("rb") as old:
        done = subprocess.run(
            [sys.executable, "-X", "utf8", "-c", code], stdin=old, capture_output=True, check=True
        )
    train.write_bytes(done.stdout.lstrip(b"\r\n"))
    assert custom.read_split(task(path), "train", None).labels == [0, 1]


@cases
@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("train.csv", "review\tstars\na\tbad\n", r"the separator is '\\t'; .*call the file .tsv"),
        ("train.tsv", "review,stars\na,bad\n", "the separator is ','; .*call the file .csv"),
        ("train.tsv", "review;stars\na;bad\n", "the separator is ';'; .*separate them by commas"),
        *(
            ("train.csv", f"{line}\n{TRAIN}", "a spreadsheet's note on its separator.*delete that")
            for line in ("sep=,", "sep=;", "SEP=;", '"sep=;"', "sep=\t", "sep=|", "sep=;;", "sep=")
        ),
        ("train.csv", "\ufeffsep=;\nreview;stars\na;bad\n", ":1: 'sep=;', a spreadsheet's note"),
        ("train.tsv", "sep=\t\nreview\tstars\na\tbad\n", ":1: 'sep=.t', a spreadsheet's note"),
        ("train.csv", "review\tstars\ta, b\na\tbad\tc\n", r":1: .*the separator is '\\t'"),
        *(
            (
                name,
                "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
                f"{name}: the file is a git-lfs pointer.*git lfs pull",
            )
            for name in ("train.csv", "train.tsv", "train.jsonl", "train.parquet")
        ),
        ("train.tsv", "review\tstars\ra\tbad\r", r"train.tsv: lines end with a carriage return"),
        ("train.jsonl", '{"review": "a"}\r{"review": "b"}\r', r"a carriage return.*: tr "),
    ],
)
def test_what_the_first_line_is_is_said(name: str, content: str, said: str, tmp_path: Path) -> None:
    path = put(tmp_path, {"train.csv": None, name: content})
    with pytest.raises(DataError, match=said):
        custom.read_split(task(path), "train", None)


@cases
@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"a \x93film\x94", "byte 0x93 is not UTF-8; .*iconv -f WINDOWS-1252 -t UTF-8"),
        (b"5 \x80", "iconv -f WINDOWS-1252 -t UTF-8"),
        (b"caf\xe9 \x93", "byte 0xe9 is not UTF-8; .*iconv -f WINDOWS-1252 -t UTF-8"),
        (b"caf\xe9", "iconv -f LATIN1 -t UTF-8"),
        (b"a \x81", "iconv -f ENCODING -t UTF-8"),  # Windows-1252 has no such byte
        (b"caf\xc3\xa9 \xe9", "correct the text there: the other characters are UTF-8"),
        (b"a\0b", "a NUL byte; .*remove it"),
    ],
)
def test_what_the_encoding_may_be_is_said(text: bytes, said: str, tmp_path: Path) -> None:
    path = put(tmp_path, {"train.csv": b"review,stars\n" + text + b",bad\n"})
    with pytest.raises(DataError, match=f"train.csv:2: .*{said}"):
        custom.read_split(task(path), "train", None)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (TRAIN.encode("utf-16"), r"UTF-16 text \(little-endian\)"),
        (TRAIN.encode("utf-16-le"), "iconv -f UTF-16LE -t UTF-8"),
        (TRAIN.encode("utf-16-be"), "iconv -f UTF-16BE -t UTF-8"),
        (TRAIN.encode("utf-32"), r"UTF-32 text \(little-endian\)"),
        (codecs.BOM_UTF32_BE + TRAIN.encode("utf-32-be"), r"UTF-32 text \(big-endian\)"),
        (gzip.compress(TRAIN.encode(), mtime=0), "gzip-compressed"),
        (b"PK\x03\x04", "a zip archive.*a workbook as CSV"),
        (b"\xd0\xcf\x11\xe0", "an Excel workbook"),
        (b"PAR1", "Parquet data; .*give the file the ending .parquet"),
        (b"ARROW1", "Arrow data"),
    ],
)
def test_what_is_no_text_is_named(content: bytes, said: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"train.csv.*{said}"):
        custom.read_split(task(put(tmp_path, {"train.csv": content})), "train", None)


@cases
@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("t.json", "[{}]", "write one object on each line: python"),
        ("t.json", '{"review": "a"}', "call the file .jsonl"),
        ("t.ndjson", "", "call the file .jsonl"),
        ("t.txt", "", "call it .csv or .tsv"),
        ("t.xlsx", "", "save it as CSV in UTF-8"),
        ("t.csv.gz", "", "gunzip"),
        ("t.feather", "", "to_parquet"),
        ("t.pkl", "", "save it as one of them"),
        ("t", "", "save it as one of them"),
    ],
)
def test_files_of_another_kind_say_what_can_be_read(
    name: str, content: str, said: str, tmp_path: Path
) -> None:
    path = put(tmp_path, {name: content}, CLASSES + f'splits = {{ train = "{name}" }}\n')
    with pytest.raises(DataError, match=r"\.csv, \.tsv, \.jsonl or \.parquet; .*" + said):
        custom.read_split(task(path), "train", None)


@cases
@pytest.mark.parametrize(
    ("labels", "more", "read"),
    [
        (["bad", "good"], CLASSES, [0, 1]),
        ([0, 1], CLASSES, [0, 1]),
        ([True, False], "labels = [false, true]\n", [1, 0]),
        ([0.5, 4.0], "range = [0, 5]\n", [0.5, 4]),
        (["0.5", "4"], "range = [0, 5]\n", [0.5, 4]),
    ],
)
def test_a_parquet_file_is_read(
    labels: list[Any], more: str, read: list[Any], tmp_path: Path
) -> None:
    content = parquet(review=["None", "N/A"], stars=labels, image=[[1], [2]])
    path = put(tmp_path, {"train.csv": None, "train.parquet": content}, more)
    split = custom.read_split(task(path), "train", None)
    assert (list(split.texts), split.labels) == ([("None",), ("N/A",)], read)


@cases
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (lambda: parquet(review=["a", None], stars=[0, 1]), r"row 1: review is nothing \(null\)"),
        (lambda: parquet(review=["a", "b"], stars=[0, None]), r"row 1: stars is nothing \(null\)"),
        (lambda: parquet(review=[1, 2], stars=[0, 1]), r"row 0: review is '1' \(int\)"),
        (lambda: parquet(review=[["a"], ["b"]], stars=[0, 1]), "'review' is of type 'list"),
        (lambda: parquet(review=[{"a": 1}], stars=[0]), "'review' is of type 'struct"),
        (lambda: parquet(review=[b"a"], stars=[0]), "'review' is of type 'binary'"),
        (lambda: parquet(text=["a"], stars=[0]), "no column 'review'; the columns are 'text'"),
        (lambda: parquet(x=["a"]), "no column 'review'; the columns are 'x'"),
        (lambda: parquet(review=[], stars=[]), "no row"),
        (lambda: parquet(review=["a"], stars=[0])[:-20], "no Parquet: .*magic bytes"),
        (lambda: TRAIN, "no Parquet: .*expected a file of rows"),
        (lambda: "PAR1", "no Parquet: .*expected a file of rows: .csv"),
    ],
)
def test_what_is_wrong_with_a_parquet_file_is_said(content: Any, said: str, tmp_path: Path) -> None:
    path = put(tmp_path, {"train.csv": None, "train.parquet": content()})
    with pytest.raises(DataError, match=rf"train.parquet.*{said}"):
        custom.read_split(task(path), "train", None)
