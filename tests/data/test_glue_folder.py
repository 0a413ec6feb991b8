"""The reader of the classic glue_data layout on well-formed files, and on damaged ones."""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.catalog import tasks
from harness.catalog.glue_files import FILES, File
from harness.data import glue_folder
from harness.errors import DataError, UsageError
from harness.spec import Split
from tests.support import scoreboard
from tests.support.glue_files import (
    EVERY,
    LABELLED,
    encode,
    labels,
    put,
    read,
    refused,
    row,
    valid_label,
)


def test_table_covers_every_split_of_every_task():
    wanted = {(name, split) for name in tasks.DATA_SETS for split in tasks.TASKS[name].rows}
    assert set(FILES) == wanted
    for file in FILES.values():
        task = tasks.TASKS[file.task]
        folder = "diagnostic" if file.task == "ax" else task.title
        assert file.path.startswith(folder + "/")
        assert len(file.texts) == len(task.text_columns)
        assert {*file.texts, file.label or file.texts[0]} <= set(file.columns)
        assert (file.label is None) == file.split.startswith("test")


@EVERY
def test_minimal_file(tmp_path, file):
    put(tmp_path, file, encode(file, [row(file), row(file)]))
    split, report = read(tmp_path, file)
    assert list(split.texts) == [("x",) * len(file.texts)] * 2
    assert list(split.ids) == [0, 1]
    assert (report.rows, report.dropped) == (2, 0)
    if file.label:
        assert labels(split) == ([2.5] * 2 if file.task == "stsb" else [1, 1])
    else:
        assert split.labels is None
    assert not glue_folder.agreement(file.task, file.split, split, report)["rows"]


@EVERY
def test_line_ends_and_mark_make_no_difference(tmp_path, file):
    rows = [row(file), row(file)]
    put(tmp_path, file, encode(file, rows))
    plain, plain_report = read(tmp_path, file)
    for content in (
        encode(file, rows, "\r\n"),
        encode(file, rows)[:-1],
        codecs.BOM_UTF8 + encode(file, rows),
        codecs.BOM_UTF8 + encode(file, rows, "\r\n")[:-2],
    ):
        put(tmp_path, file, content)
        split, report = read(tmp_path, file)
        assert split == plain
        assert report.sha256 != plain_report.sha256


@LABELLED
def test_every_label(tmp_path, file):
    task = tasks.TASKS[file.task]
    words = ("0", "5", "3.25", "0.000", "1e0", "+2.") if task.is_regression else task.labels
    cells = words if task.is_regression or file.words else ("0", "1")
    put(tmp_path, file, encode(file, [row(file, label=cell) for cell in cells]))
    split, _ = read(tmp_path, file)
    expected = [float(word) for word in words] if task.is_regression else [*range(len(words))]
    assert labels(split) == expected


def test_mark_inside_a_file_is_text(tmp_path):
    file = FILES["sst2", "train"]
    put(
        tmp_path, file, encode(file, [row(file, sentence="\ufeffx"), row(file, sentence="x\ufeff")])
    )
    assert list(read(tmp_path, file)[0].texts) == [("\ufeffx",), ("x\ufeff",)]


CELLS = st.one_of(
    st.sampled_from(["", "NA", "n/a", "null", "nan", "007", '"', '""', '"a', "'", "#", "\\N", " "]),
    st.text(st.sampled_from("a\"'\ufeff\u2028\u2029\x85\r\x0b\x0c\x1c\x1e \\,;#é\U0001f600")),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\t\n\0")),
)


@st.composite
def tables(draw: st.DrawFn) -> tuple[File, list[list[str]], bytes]:
    file = draw(st.sampled_from(list(FILES.values())))
    rows = []
    for _ in range(draw(st.integers(1, 4))):
        cells = [draw(CELLS) for _ in file.columns]
        if file.label:
            cells[file.columns.index(file.label)] = valid_label(file)
        cells[-1] = cells[-1].rstrip("\r")  # one before the line feed belongs to the line end
        rows.append(cells)
    content = encode(file, rows, draw(st.sampled_from(["\n", "\r\n"])))
    if draw(st.booleans()):
        content = content.removesuffix(b"\n")
    return file, rows, codecs.BOM_UTF8 + content


@settings(max_examples=100, deadline=None)
@given(table=tables())
def test_round_trip(tmp_path_factory, table):
    file, rows, content = table
    directory = tmp_path_factory.getbasetemp() / "round_trip"
    put(directory, file, content)
    split, report = read(directory, file)
    at = [file.columns.index(column) for column in file.texts]
    assert list(split.texts) == [tuple(cells[index] for index in at) for cells in rows]
    assert (report.rows, report.dropped) == (len(rows), 0)


@settings(max_examples=100, deadline=None)
@given(
    table=tables(),
    where=st.floats(0, 1),
    cut=st.integers(0, 3),
    new=st.one_of(st.binary(max_size=3), st.sampled_from([b"\t", b"\n", b"\r", b"\0", b"\xff"])),
)
def test_damage_is_read_or_refused(tmp_path_factory, table, where, cut, new):
    file, _, content = table
    at = int(where * len(content))
    content = content[:at] + new + content[at + cut :]
    directory = tmp_path_factory.getbasetemp() / "damage"
    path = put(directory, file, content)
    scoreboard.add("bad inputs", tried=1, clear_errors=0, read_exactly=0)
    try:
        split, report = read(directory, file)
    except DataError as error:
        assert str(error).startswith(str(path))
        assert str(error).isprintable()
        scoreboard.add("bad inputs", clear_errors=1)
    else:
        lines = content.removeprefix(codecs.BOM_UTF8).removesuffix(b"\n").split(b"\n")
        assert len(split) + report.dropped == len(lines) - file.header
        columns = [file.columns.index(name) for name in file.texts]
        for texts, row_id in zip(split.texts, split.ids, strict=True):
            fields = lines[row_id + file.header].decode().removesuffix("\r").split("\t")
            assert list(texts) == [fields[column] for column in columns]
        scoreboard.add("bad inputs", read_exactly=1)


def test_rows_without_gold_label_are_counted(tmp_path):
    file = FILES["mnli", "validation_matched"]
    rows = [row(file, label=label) for label in ("-", "neutral", "-", "entailment")]
    put(tmp_path, file, encode(file, rows))
    split, report = read(tmp_path, file)
    assert (labels(split), list(split.ids)) == ([1, 0], [1, 3])
    assert (report.rows, report.dropped) == (2, 2)


@pytest.mark.parametrize("split", ["train", "validation"])
def test_qqp_rows_of_another_width_are_counted(tmp_path, split):
    file = FILES["qqp", split]
    rows = [row(file), row(file)[:-1], [*row(file), "x"], [""], row(file)]
    put(tmp_path, file, encode(file, rows))
    read_back, report = read(tmp_path, file)
    assert list(read_back.ids) == [0, 4]
    assert (report.rows, report.dropped) == (2, 3)


def test_labels_of_a_test_split_are_not_loaded(tmp_path):
    file = FILES["mrpc", "test"]
    put(tmp_path, file, encode(file, [row(file, index="1")]))
    assert read(tmp_path, file)[0].labels is None
    labelled = encode(file, [row(file)]).replace(b"index", b"Quality", 1)
    put(tmp_path, file, labelled)
    refused(tmp_path, file, "'Quality'", "expected 'index'", line=1)


def test_official_needs_rows_counts_and_bytes():
    file = FILES["wnli", "validation"]

    def facts(classes: Sequence[int], sha256: str | None) -> list[str]:
        split = Split([("x", "y")] * len(classes), classes, range(len(classes)))
        report = glue_folder.FileReport(file.path, len(classes), 0, str(sha256))
        found = glue_folder.agreement("wnli", "validation", split, report)
        assert set(found) == {"rows", "class counts", "sha256"}
        return [fact for fact, holds in found.items() if holds]

    classes = [0] * 40 + [1] * 31
    assert facts(classes, file.sha256) == ["rows", "class counts", "sha256"]
    assert facts(classes, "0" * 64) == ["rows", "class counts"]
    assert facts([*classes[1:], 1], file.sha256) == ["rows", "sha256"]
    assert facts(classes[1:], file.sha256) == ["sha256"]


def test_fingerprint_reads_bytes_only(tmp_path):
    file = FILES["rte", "train"]
    put(tmp_path, file, b"\xff\0 anything")
    first = glue_folder.fingerprint(tmp_path, "rte", ["train"])
    put(tmp_path, file, b"\xff\0 anything else")
    assert glue_folder.fingerprint(tmp_path, "rte", ["train"])["train"] != first["train"]
    with pytest.raises(DataError, match=r"dev\.tsv: no such file"):
        glue_folder.fingerprint(tmp_path, "rte", ["train", "validation"])


def test_unknown_names():
    with pytest.raises(UsageError, match="Did you mean 'cola'"):
        glue_folder.read_split(Path(), "colla", "train")
    with pytest.raises(UsageError, match="Did you mean 'validation'"):
        glue_folder.read_split(Path(), "cola", "validatoin")
    with pytest.raises(UsageError, match="Known: test"):
        glue_folder.read_split(Path(), "ax", "train")
