"""The reader of the classic glue_data layout: official files, bad files, odd texts."""

from __future__ import annotations

import codecs
import errno
import gzip
import io
import os
import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import REAL_GLUE as REAL
from harness import tasks
from harness.data import tsv
from harness.data.layout import FILES, FOLDERS, File
from harness.errors import DataError, UsageError
from harness.spec import Split

SAMPLES = {  # rows and class counts where the data beside the project are a part of GLUE's
    ("qqp", "train"): (8999, (5747, 3252)),
    ("qqp", "validation"): (1000, (623, 377)),
    ("mnli", "train"): (9999, (3408, 3313, 3278)),
    ("qnli", "train"): (9999, (5027, 4972)),
}
EVERY = pytest.mark.parametrize("file", FILES.values(), ids=lambda file: file.path)
LABELLED = pytest.mark.parametrize(
    "file", [file for file in FILES.values() if file.label], ids=lambda file: file.path
)
STRICT = pytest.mark.parametrize(
    "file", [file for file in FILES.values() if not file.ragged], ids=lambda file: file.path
)
HEADED = pytest.mark.parametrize(
    "file", [file for file in FILES.values() if file.header], ids=lambda file: file.path
)


def valid_label(file: File) -> str:
    task = tasks.TASKS[file.task]
    return "2.5" if task.is_regression else task.labels[1] if file.words else "1"


def row(file: File, **cells: str) -> list[str]:
    """A valid row of the file, but for the cells given: `label` or a column's name."""
    made = dict.fromkeys(file.columns, "x")
    if file.label:
        made[file.label] = cells.pop("label", valid_label(file))
    return list((made | cells).values())


def encode(file: File, rows: Sequence[Sequence[str]], end: str = "\n") -> bytes:
    lines = [list(file.columns), *rows] if file.header else rows
    return "".join("\t".join(line) + end for line in lines).encode()


def put(directory: Path, file: File, content: bytes) -> Path:
    path = directory / file.path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def read(directory: Path, file: File) -> tuple[Split, tsv.FileReport]:
    return tsv.read_split(directory, file.task, file.split)


def labels(split: Split) -> list[float]:
    assert split.labels is not None
    return list(split.labels)


def refused(directory: Path, file: File, *parts: str, line: int | None = None) -> str:
    """The message of the one error that reading the file raises, checked for its form."""
    with pytest.raises(DataError) as caught:
        read(directory, file)
    message = str(caught.value)
    where = str(directory / file.path) + (f":{line}: " if line else ": ")
    assert message.startswith(where)
    found, expected, mend = message.removeprefix(where).partition("; expected ")
    assert found
    assert expected
    assert mend.rpartition("; ")[2]
    assert message.isprintable()
    assert len(message) < len(where) + 900
    for part in parts:
        assert part in message
    return message


# ---- The real files ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real() -> Callable[[str, str], tuple[Split, tsv.FileReport]]:
    if not REAL.is_dir():
        pytest.skip(f"no GLUE data at {REAL}: set GLUE_BENCH_REAL_DATA to a glue_data directory")
    kept: dict[tuple[str, str], tuple[Split, tsv.FileReport]] = {}

    def get(task: str, split: str) -> tuple[Split, tsv.FileReport]:
        file = FILES[task, split]
        if not tsv.has(REAL, task, split):
            pytest.skip(f"{file.path} is not among the GLUE data at {REAL}")
        if (task, split) not in kept:
            kept[task, split] = tsv.read_split(REAL, task, split)
        return kept[task, split]

    return get


@EVERY
def test_real_counts(real, file):
    split, report = real(file.task, file.split)
    task = tasks.TASKS[file.task]
    assert report.name == file.path
    assert report.rows == len(split) == len(split.ids)
    assert all(len(texts) == len(task.text_columns) for texts in split.texts[:100])
    assert tsv.fingerprint(REAL, file.task, [file.split]) == {file.split: report.sha256}
    if file.sha256:
        assert report.sha256 == file.sha256
    found: list[float] = list(split.labels or ())
    in_order = tuple(found.count(index) for index in range(len(task.labels)))
    whole = tsv.official(file.task, file.split, split, report)
    if (file.task, file.split) in SAMPLES and not whole:
        assert (len(split), in_order) == SAMPLES[file.task, file.split]
    else:
        assert whole
        assert len(split) == task.rows[file.split]
        assert in_order == task.class_counts.get(file.split, in_order)
    assert (split.labels is None) == file.split.startswith("test")


def test_real_texts_are_kept_as_they_are(real):
    sst2, _ = real("sst2", "train")
    assert all(text.endswith(" ") and not text.endswith("  ") for (text,) in sst2.texts)
    qnli, _ = real("qnli", "validation")
    assert sum(text.count("\ufeff") for pair in qnli.texts for text in pair) == 3
    mnli, _ = real("mnli", "train")
    assert sum(hypothesis == "n/a" for _, hypothesis in mnli.texts) >= 2
    mrpc, _ = real("mrpc", "train")
    assert sum('"' in text for pair in mrpc.texts for text in pair) > 0


def test_real_scores(real):
    train, _ = real("stsb", "train")
    dev, _ = real("stsb", "validation")
    assert statistics.fmean(train.labels) == pytest.approx(2.700999, abs=1e-6)
    assert statistics.fmean(dev.labels) == pytest.approx(2.363908, abs=1e-6)
    assert len(set(train.labels)) == 140


def tokens(text: str) -> set[str]:
    return set(text.lower().split())


def jaccard(split: Split) -> list[float]:
    pairs = [(tokens(a), tokens(b)) for a, b in split.texts]
    return [len(a & b) / len(a | b) for a, b in pairs]


def ranks(values: Sequence[float]) -> list[float]:
    places = defaultdict(list)
    for place, value in enumerate(sorted(values)):
        places[value].append(place)
    return [statistics.fmean(places[value]) for value in values]


def accuracy(predicted: Sequence[int], labels: Sequence[float]) -> float:
    return statistics.fmean(a == b for a, b in zip(predicted, labels, strict=True))


def test_golden_stsb(real):
    dev, _ = real("stsb", "validation")
    similarity = jaccard(dev)
    assert statistics.correlation(similarity, dev.labels) == pytest.approx(0.595979, abs=1e-6)
    spearman = statistics.correlation(ranks(similarity), ranks(dev.labels))
    assert spearman == pytest.approx(0.601698, abs=1e-6)


def test_golden_mrpc(real):
    dev, _ = real("mrpc", "validation")
    predicted = [int(value >= 0.4) for value in jaccard(dev)]
    hits = sum(a and b for a, b in zip(predicted, dev.labels, strict=True))
    assert accuracy(predicted, dev.labels) == pytest.approx(0.735294, abs=1e-6)
    f1 = 2 * hits / (sum(predicted) + sum(dev.labels))
    assert f1 == pytest.approx(0.824104, abs=1e-6)


def test_golden_qnli(real):
    dev, _ = real("qnli", "validation")
    predicted = [int(value < 0.15) for value in jaccard(dev)]
    assert accuracy(predicted, dev.labels) == pytest.approx(0.644152, abs=1e-6)


def test_golden_cola(real):
    dev, _ = real("cola", "validation")
    predicted = [int(len(text.split()) <= 7) for (text,) in dev.texts]
    # The Matthews correlation of two classes is the Pearson correlation of their ids.
    assert statistics.correlation(predicted, dev.labels) == pytest.approx(-0.00486, abs=1e-6)


def test_golden_rte(real):
    dev, _ = real("rte", "validation")
    predicted = [int(len(tokens(b) - tokens(a)) > 1) for a, b in dev.texts]
    assert accuracy(predicted, dev.labels) == pytest.approx(0.483755, abs=1e-6)


def test_golden_wnli(real):
    """The most frequent label of the premise in train, 0 where that is undecided."""
    train, _ = real("wnli", "train")
    dev, _ = real("wnli", "validation")
    votes: Counter[str] = Counter()
    for (premise, _), label in zip(train.texts, train.labels, strict=True):
        votes[premise] += 1 if label else -1
    predicted = [int(votes[premise] > 0) for premise, _ in dev.texts]
    assert accuracy(predicted, dev.labels) == 8 / 71


# ---- Well-formed files ------------------------------------------------------------------------


def test_table_covers_every_split_of_every_task():
    wanted = {(task.name, split) for task in tasks.TASKS.values() for split in task.rows}
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
    assert not tsv.official(file.task, file.split, split, report)


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
    try:
        split, report = read(directory, file)
    except DataError as error:
        assert str(error).startswith(str(path))
        assert str(error).isprintable()
    else:
        lines = content.count(b"\n") + (not content.endswith(b"\n"))
        assert len(split) + report.dropped == lines - file.header


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

    def whole(classes: Sequence[int], sha256: str | None) -> bool:
        split = Split([("x", "y")] * len(classes), classes, range(len(classes)))
        report = tsv.FileReport(file.path, len(classes), 0, str(sha256))
        return tsv.official("wnli", "validation", split, report)

    classes = [0] * 40 + [1] * 31
    assert whole(classes, file.sha256)
    assert not whole(classes, "0" * 64)
    assert not whole([*classes[1:], 1], file.sha256)
    assert not whole(classes[1:], file.sha256)


def test_fingerprint_reads_bytes_only(tmp_path):
    file = FILES["rte", "train"]
    put(tmp_path, file, b"\xff\0 anything")
    first = tsv.fingerprint(tmp_path, "rte", ["train"])
    put(tmp_path, file, b"\xff\0 anything else")
    assert tsv.fingerprint(tmp_path, "rte", ["train"])["train"] != first["train"]
    with pytest.raises(DataError, match=r"dev\.tsv: no such file"):
        tsv.fingerprint(tmp_path, "rte", ["train", "validation"])


def test_unknown_names():
    with pytest.raises(UsageError, match="Did you mean 'cola'"):
        tsv.read_split(Path(), "colla", "train")
    with pytest.raises(UsageError, match="Did you mean 'validation'"):
        tsv.read_split(Path(), "cola", "validatoin")
    with pytest.raises(UsageError, match="Known: test"):
        tsv.read_split(Path(), "ax", "train")


# ---- Malformed files --------------------------------------------------------------------------


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
    for content, name, mend in (
        (gzip.compress(valid), "gzip-compressed data", "gunzip"),
        (b"PK\x03\x04" + valid, "a zip archive", "unzip"),
        (codecs.BOM_UTF16_LE + little, "UTF-16 text (little-endian)", "iconv"),
        (codecs.BOM_UTF16_BE + big, "UTF-16 text (big-endian)", "iconv"),
        (big, "", "UTF-8"),
    ):
        put(tmp_path, file, content)
        if name:
            refused(tmp_path, file, f"the file is {name}", mend)
        else:
            refused(tmp_path, file, "a NUL byte", mend, line=1)


@pytest.mark.parametrize("end", [b"\n", b""])
def test_line_too_long(tmp_path, end):
    file = FILES["sst2", "train"]
    head = encode(file, [row(file)])
    full = head + b"y" * (tsv.MAX_LINE - 3) + b"\t1\n"
    put(tmp_path, file, full)
    assert len(read(tmp_path, file)[0].texts[1][0]) == tsv.MAX_LINE - 3
    put(tmp_path, file, head + b"y" * tsv.MAX_LINE + b"\t1" + end)
    refused(tmp_path, file, f"more than {tsv.MAX_LINE} bytes", "'yyy", line=3)


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
    assert not tsv.has(tmp_path, "rte", "train")


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
    assert tsv.has(tmp_path, file.task, file.split)


@EVERY
def test_symlink_loop(tmp_path, file):
    path = tmp_path / file.path
    path.parent.mkdir()
    path.symlink_to(path.name)
    refused(tmp_path, file, "cannot be read", "replace the symbolic link")
    assert tsv.has(tmp_path, file.task, file.split)


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
    refused(tmp_path, file, "neither a file nor a directory")


@EVERY
def test_no_permission(tmp_path, monkeypatch, file):
    put(tmp_path, file, encode(file, [row(file)]))

    def denied(*_args: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "open", denied)
    refused(tmp_path, file, "Permission denied", "read permission")


def test_error_while_reading(tmp_path, monkeypatch):
    class Broken(io.BytesIO):
        def readline(self, size: int | None = -1, /) -> bytes:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    file = FILES["rte", "train"]
    put(tmp_path, file, encode(file, [row(file)]))
    monkeypatch.setattr(Path, "open", lambda *_args: Broken())
    refused(tmp_path, file, os.strerror(errno.EIO), "disk")
