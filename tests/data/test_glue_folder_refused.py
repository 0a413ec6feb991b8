"""What the reader of the glue_data layout refuses: malformed, missing and unreadable files."""

from __future__ import annotations

import codecs
import errno
import gzip
import io
import os

import pytest

from harness.catalog import tasks
from harness.catalog.glue_files import FILES, FOLDERS
from harness.data import glue_folder
from harness.errors import DataError
from harness.files.lines import MAX_LINE
from tests.support.glue_files import (
    EVERY,
    HEADED,
    LABELLED,
    STRICT,
    encode,
    put,
    read,
    refused,
    row,
)


@EVERY
def test_empty_file(tmp_path, file):
    put(tmp_path, file, b"")
    refused(tmp_path, file, "the file is empty", f"{len(file.columns)} columns", "fetch")


@HEADED
def test_header_only(tmp_path, file):
    put(tmp_path, file, encode(file, []))
    refused(tmp_path, file, "a header and no row", "fetch")


@HEADED
def test_wrong_header(tmp_path, file):
    columns = list(file.columns)
    first, second, last = columns[0], columns[1], columns[-1]
    width = len(columns)
    for header, column, found, expected in (
        ([second, first, *columns[2:]], 1, f"'{second}'", f"'{first}'"),
        (columns[:-1], width, "missing", f"'{last}'"),
        ([*columns, "more"], width + 1, "'more'", f"no more than {width} columns"),
        ([*columns[:-1], last.upper()], width, f"'{last.upper()}'", f"'{last}'"),
        ([f'"{name}"' for name in columns], 1, f"'\"{first}\"'", f"'{first}'"),
        ([",".join(columns)], 1, f"'{first},", f"'{first}'"),
    ):
        rows = ["\t".join(header), "\t".join(["x"] * width)]
        put(tmp_path, file, "\n".join(rows).encode())
        found = f"header column {column} is {found}"
        refused(tmp_path, file, found, f"expected {expected}", ", ".join(columns), line=1)


@STRICT
def test_wrong_number_of_columns(tmp_path, file):
    for bad in (row(file)[:-1], [*row(file), "x"], [""]):
        put(tmp_path, file, encode(file, [row(file), bad, row(file)]))
        found = f"{len(bad)} tab-separated field(s)"
        refused(tmp_path, file, found, f"{len(file.columns)} columns", "tab", line=2 + file.header)


def test_no_usable_row(tmp_path):
    file = FILES["qqp", "train"]
    put(tmp_path, file, encode(file, [["x"], ["y"]]))
    refused(tmp_path, file, "no usable row (2 dropped)", "fetch")


@LABELLED
def test_unknown_label(tmp_path, file):
    task = tasks.TASKS[file.task]
    choices = task.labels if file.words else ("0", "1")
    expected = "a number from 0 to 5" if task.is_regression else f"one of {', '.join(choices)}"
    for label in ("", " 1", "1 ", "-1", "true", "ENTAILMENT", "nan", "7", "2,5", "\uff11"):
        put(tmp_path, file, encode(file, [row(file), row(file, label=label)]))
        found = f"{file.label} is '{label}'"
        refused(tmp_path, file, found, expected, "correct it", line=2 + file.header)


@pytest.mark.parametrize(
    "score",
    ["5.1", "-0.1", "5.0000001", "inf", "-inf", "nan", "1e400", "1_0", "0x1", "-", "\uff11.5"],
)
def test_score_out_of_range(tmp_path, score):
    file = FILES["stsb", "train"]
    put(tmp_path, file, encode(file, [row(file, label=score)]))
    refused(tmp_path, file, f"score is '{score}'", "a number from 0 to 5", line=2)


def test_header_line_in_a_file_without_one(tmp_path):
    file = FILES["cola", "validation"]
    put(tmp_path, file, encode(file, [list(file.columns), row(file)]))
    refused(tmp_path, file, "label is 'label'", "no header line", line=1)


@STRICT
def test_long_and_odd_values_are_cut_and_escaped(tmp_path, file):
    put(tmp_path, file, encode(file, [["\x1b[2J\u202e" + "y" * 5000]]))
    message = refused(tmp_path, file, "\\x1b", "\\u202e", line=1 + file.header)
    assert "y" * 81 not in message


@EVERY
def test_nul_byte(tmp_path, file):
    content = encode(file, [row(file), row(file, **{file.texts[0]: "a\0b"})])
    put(tmp_path, file, content)
    offset = f"byte {content.index(0)} of the file"
    refused(tmp_path, file, "a NUL byte", offset, "UTF-8", line=2 + file.header)


@EVERY
def test_not_utf8(tmp_path, file):
    valid = encode(file, [row(file), row(file, **{file.texts[0]: "@"})])
    for bad in (b"\xe9", b"\xed\xa0\x80", b"\xc0\x80", b"\x92"):
        content = valid.replace(b"@", bad)
        put(tmp_path, file, content)
        found = f"byte 0x{bad[0]:02x} (byte {content.index(bad)} of the file) is not UTF-8"
        refused(tmp_path, file, found, "iconv", line=2 + file.header)


@EVERY
def test_another_format_is_named(tmp_path, file):
    valid = encode(file, [row(file)])
    little, big = (valid.decode().encode(f"utf-16-{order}") for order in ("le", "be"))
    for content, name, fix in (
        (gzip.compress(valid), "gzip-compressed data", "gunzip"),
        (b"PK\x03\x04" + valid, "a zip archive", "unzip"),
        (codecs.BOM_UTF16_LE + little, "UTF-16 text (little-endian)", "iconv"),
        (codecs.BOM_UTF16_BE + big, "UTF-16 text (big-endian)", "iconv"),
        (big, "", "UTF-8"),
    ):
        put(tmp_path, file, content)
        if name:
            refused(tmp_path, file, f"the file is {name}", fix)
        else:
            refused(tmp_path, file, "a NUL byte", fix, line=1)


def test_a_line_of_ten_megabytes(tmp_path):
    file = FILES["rte", "train"]
    put(tmp_path, file, encode(file, [row(file), row(file, sentence1="y" * 10_000_000)]))
    refused(tmp_path, file, f"more than {MAX_LINE} bytes", line=3)


@pytest.mark.parametrize("end", [b"\n", b""])
def test_line_too_long(tmp_path, end):
    file = FILES["sst2", "train"]
    head = encode(file, [row(file)])
    full = head + b"y" * (MAX_LINE - 3) + b"\t1\n"
    put(tmp_path, file, full)
    assert len(read(tmp_path, file)[0].texts[1][0]) == MAX_LINE - 3
    put(tmp_path, file, head + b"y" * MAX_LINE + b"\t1" + end)
    refused(tmp_path, file, f"more than {MAX_LINE} bytes", "'yyy", line=3)


# ---- Missing and unreadable files -------------------------------------------------------------


def test_missing_file_lists_what_is_there(tmp_path):
    file = FILES["rte", "train"]
    folder = tmp_path / "RTE"
    folder.mkdir()
    for index in range(12):
        (folder / f"part{index:02}.txt").touch()
    message = refused(tmp_path, file, "no such file", "'part00.txt'", "and 4 more", "--glue-data")
    assert "expected the train split of RTE;" in message
    assert "part11" not in message
    assert not glue_folder.has(tmp_path, "rte", "train")


def test_missing_folder(tmp_path):
    (tmp_path / "SST-2").mkdir()
    refused(tmp_path, FILES["rte", "train"], "holds 'SST-2'", "CoLA/, SST-2/, ...")


def test_empty_and_missing_directory(tmp_path):
    refused(tmp_path, FILES["rte", "train"], "holds nothing", "--glue-data")
    refused(tmp_path / "no", FILES["rte", "train"], "No such file or directory", "--glue-data")


def test_directory_is_a_file(tmp_path):
    path = tmp_path / "glue.zip"
    path.touch()
    refused(path, FILES["rte", "train"], "no such file", "Not a directory", "--glue-data")


@pytest.mark.parametrize("folder", FOLDERS)
def test_directory_of_one_task_gets_a_hint(tmp_path, folder):
    directory = tmp_path / folder
    directory.mkdir()
    refused(directory, FILES["rte", "train"], "one task's folder", f"try {tmp_path}")


def test_renamed_directory_of_one_task_gets_a_hint(tmp_path):
    directory = tmp_path / "sst"
    directory.mkdir()
    (directory / "train.tsv").touch()
    refused(directory, FILES["sst2", "train"], "one task's folder", f"try {tmp_path}")


def test_odd_names_are_escaped(tmp_path):
    (tmp_path / "a\nb").mkdir()
    refused(tmp_path, FILES["rte", "train"], r"'a\nb'")
    with pytest.raises(DataError) as caught:
        read(tmp_path / "a\nb", FILES["rte", "train"])
    assert r"a\nb/RTE/train.tsv" in str(caught.value)
    assert str(caught.value).isprintable()


@EVERY
def test_directory_in_place_of_a_file(tmp_path, file):
    (tmp_path / file.path).mkdir(parents=True)
    refused(tmp_path, file, "a directory", "expected a tab-separated file")
    assert glue_folder.has(tmp_path, file.task, file.split)


@EVERY
def test_symlink_loop(tmp_path, file):
    path = tmp_path / file.path
    path.parent.mkdir()
    path.symlink_to(path.name)
    refused(tmp_path, file, "cannot be read", "replace the symbolic link")
    assert glue_folder.has(tmp_path, file.task, file.split)


def test_dangling_symlink(tmp_path):
    file = FILES["rte", "train"]
    (tmp_path / "RTE").mkdir()
    (tmp_path / file.path).symlink_to("gone.tsv")
    refused(tmp_path, file, "no such file")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this platform has no named pipes")
def test_named_pipe_does_not_hang(tmp_path):
    file = FILES["rte", "train"]
    (tmp_path / "RTE").mkdir()
    os.mkfifo(tmp_path / file.path)
    refused(tmp_path, file, "a named pipe", "put the file there")


@EVERY
def test_no_permission(tmp_path, monkeypatch, file):
    put(tmp_path, file, encode(file, [row(file)]))

    def denied(*_args: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(os, "open", denied)
    refused(tmp_path, file, "Permission denied", "read permission")


def test_error_while_reading(tmp_path, monkeypatch):
    class Broken(io.BytesIO):
        def readline(self, size: int | None = -1, /) -> bytes:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    file = FILES["rte", "train"]
    put(tmp_path, file, encode(file, [row(file)]))
    monkeypatch.setattr(os, "fdopen", lambda *_args: Broken())
    refused(tmp_path, file, os.strerror(errno.EIO), "disk")
