"""Training rows as dev rows: refused where they are the same, counted where some are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import harness
from harness.catalog import split_slices, task_file, tasks
from harness.catalog.glue_files import FILES
from harness.data import load
from harness.errors import DataError, UsageError
from harness.records.row_notes import of as notes_of
from harness.records.schema import Record, SplitRecord
from harness.records.store import Store
from harness.spec import DataRequest
from tests.support import pytest_project
from tests.support.custom_task import CLASSES, TRAIN, VALIDATION, loaded, task
from tests.support.custom_task import put as put_rows
from tests.support.glue_files import encode, put, row
from tests.support.locations import REAL_GLUE, needs_real_glue

cases = pytest.mark.cases
HUB = (
    '[[task]]\nname = "reviews"\ndata = "hub:org/x"\ntext = ["review"]\nlabel = "stars"\n' + CLASSES
)


@cases
@pytest.mark.parametrize(
    ("train", "validation"),
    [
        ("train", "train"),
        ("train", "train[:10%]"),
        ("train[:80%]", "train[70%:]"),
        ("train[:10]", "train[9:]"),
        ("train[:-10]", "train[-11:]"),
        ("train[10:20]", "train[:]"),
        ("dev", "dev"),
    ],
)
def test_overlapping_slices_are_refused(train: str, validation: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(f'{HUB}splits = {{ train = "{train}", validation = "{validation}" }}\n')
    advice = r"as in splits = { train = \"(\w+)\[:80%\]\", validation = \"\1\[80%:\]\" }"
    with pytest.raises(UsageError, match=rf"both hold the same rows of .*{advice}"):
        task_file.read(path)


@cases
@pytest.mark.parametrize(
    ("train", "validation", "left"),
    [
        ("train+test", "test", "train"),
        ("train + dev[5:]", "dev[:6]", "train"),
        ("train[:90%]+test+extra[5:]", "test[:10]", "train[:90%]+extra[5:]"),
    ],
)
def test_validation_rows_are_to_be_left_out_of_a_sum(
    train: str, validation: str, left: str, tmp_path: Path
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(f'{HUB}splits = {{ train = "{train}", validation = "{validation}" }}\n')
    with pytest.raises(UsageError, match="both hold the same rows") as caught:
        task_file.read(path)
    fix = str(caught.value).partition("Fix: ")[2]
    assert fix == f'splits = {{ train = "{left}", validation = "{validation}" }}'
    path.write_text(HUB + fix)
    assert task_file.read(path)


@cases
@pytest.mark.parametrize(
    ("train", "validation"),
    [
        ("train", "validation"),
        ("train[:80%]", "train[80%:]"),
        ("train[:10]", "train[10:]"),
        ("train[:-10]", "train[-10:]"),
        ("train[20%:]", "train[:20%]"),
        ("train[:40%]+train[60%:]", "train[40%:60%]"),
        ("train[:50%]", "train[10:]"),  # that depends on how many rows there are
        (" train + dev ", "test"),
    ],
)
def test_other_slices_are_taken(train: str, validation: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(f'{HUB}splits = {{ train = "{train}", validation = "{validation}" }}\n')
    assert set(task_file.read(path)) == {"reviews"}


@pytest.mark.parametrize(
    "name",
    ["", "a b", "train[", "train[a:b]", "train[5:2]", "train[:0]", "train[:120%]", "train[1_0:]",
     "train[10:50%]", "train[:50%](pct1_dropremainder)", "train+train", "train[:6]+train[5:]"],
)  # fmt: skip
def test_a_slice_that_means_nothing_is_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(f'{HUB}splits = {{ validation = "{name}" }}\n')
    with pytest.raises(UsageError, match="splits: validation: found "):
        task_file.read(path)


BOUND = st.none() | st.integers(-120, 120).map(str) | st.integers(-100, 100).map("{}%".format)


@given(BOUND, BOUND, st.integers(1, 110))
@example(None, "-1%", 1)  # rounded to no row, it no longer counts from the end
def test_slices_mean_what_they_mean_to_datasets(
    first: str | None, last: str | None, count: int
) -> None:
    from datasets import ReadInstruction

    part = split_slices.Part("train", first, last)
    if len(part.units) > 1:
        return
    spec = f"train[{first or ''}:{last or ''}]"
    try:
        (meant,) = ReadInstruction.from_spec(spec).to_absolute({"train": count})
    except ValueError:
        return
    assert [*part.rows(count)] == [*range(meant.from_, meant.to)]


@cases
@pytest.mark.parametrize(
    "made",
    ["copy", "in another order", "twice", "without its last line end", "as JSON lines", "symlink",
     "hard link", "under another path", "with other labels", "with a column more", "with spaces"],
)  # fmt: skip
def test_the_training_rows_under_another_name_are_refused(made: str, tmp_path: Path) -> None:
    first, *rest = TRAIN.splitlines(keepends=True)
    content: str | None = {
        "copy": TRAIN,
        "in another order": "".join([first, *reversed(rest)]),
        "twice": TRAIN + "".join(rest),
        "without its last line end": TRAIN.rstrip(),
        "with other labels": TRAIN.replace("bad", "x").replace("good", "bad").replace("x", "good"),
        "with spaces": TRAIN.replace(",", " ,").replace(" ,stars", ",stars"),
        "with a column more": "review,stars,id\na dull film,bad,1\na fine film,good,2\n",
    }.get(made)
    files: dict[str, str | None] = {"validation.csv": content}
    more = CLASSES
    if made == "as JSON lines":
        rows = (line.strip().split(",") for line in rest)
        lines = (f'{{"review": "{text}", "stars": "{label}"}}' for text, label in rows)
        files["validation.jsonl"] = "\n".join(lines)
    if made == "under another path":
        more += 'splits = { validation = "../rows/train.csv" }\n'
    path = put_rows(tmp_path, files, more)
    if made == "symlink":
        (tmp_path / "rows" / "validation.csv").symlink_to("train.csv")
    if made == "hard link":
        os.link(tmp_path / "rows" / "train.csv", tmp_path / "rows" / "validation.csv")
    said = "found one file for train and validation|validation holds the same 2 texts as train"
    with pytest.raises((DataError, UsageError), match=said):
        loaded(path)


@cases
@pytest.mark.parametrize(
    ("more", "count"),
    [
        ("", 0),
        ("a dull film,bad\n", 1),
        ("a dull film,good\n", 1),  # whatever its label
        ("a dull film,bad\na fine film,good\na fine film,bad\n", 3),
        ("A dull film,bad\n", 0),
        ("a dull film ,bad\n", 1),  # but for white space and Unicode's form
        ("a\u00a0dull  film,bad\n", 1),
        ("a dullfilm,bad\n", 0),
    ],
)
def test_shared_rows_are_counted(more: str, count: int, tmp_path: Path) -> None:
    found = loaded(put_rows(tmp_path, {"validation.csv": VALIDATION + more}))
    assert found.info["validation"].shared_with_train == count
    assert found.info["train"].shared_with_train is None
    assert found.has_overlap == (count > 0)


def test_of_pairs_both_texts_must_be_the_same(tmp_path: Path) -> None:
    pairs = "review,reply,stars\na,b,bad\nb,a,good\n"
    files = {"train.csv": pairs, "validation.csv": "review,reply,stars\na,b,bad\na,c,good\n"}
    path = put_rows(tmp_path, files)
    path.write_text(path.read_text().replace('["review"]', '["review", "reply"]'))
    assert loaded(path).info["validation"].shared_with_train == 1


def test_counted_are_the_rows_that_were_used(tmp_path: Path) -> None:
    rows = [f"text {number},{('bad', 'good')[number % 2]}\n" for number in range(40)]
    files = {
        "train.csv": "review,stars\n" + "".join(rows),
        "validation.csv": "review,stars\n" + "".join(rows[:20]) + "another text,bad\n",
    }
    path = put_rows(tmp_path, files)
    assert loaded(path).info["validation"].shared_with_train == 20
    few = loaded(path, max_train=10)
    used = {*few.splits["train"].texts} & {*few.splits["validation"].texts}
    assert few.info["validation"].shared_with_train == len(used) < 10


@pytest.mark.parametrize("name", tasks.GLUE_9)
def test_toy_rows_share_none(name: str) -> None:
    found = load.load(DataRequest("toy"), tasks.TASKS[name])
    assert not found.has_overlap
    assert all(found.info[n].shared_with_train == 0 for n in tasks.TASKS[name].evaluated)


@needs_real_glue
@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("cola", 16),
        ("stsb", 6),
        ("mrpc", 0),
        ("rte", 0),
        ("wnli", 0),
        ("sst2", 0),
        ("cola-ood", 12),
    ],
)
def test_what_glues_own_splits_share_is_counted_and_not_flagged(name: str, count: int) -> None:
    task = tasks.TASKS[name]
    found = load.load(DataRequest(str(REAL_GLUE)), task)
    assert found.info["validation"].shared_with_train == count
    assert task.shared_with_train["validation"] == count
    assert not found.has_overlap


@pytest.mark.parametrize("name", ["sst2", "qnli"])
@pytest.mark.parametrize(("shared", "flagged"), [(0, False), (1, True), (4, True)])
def test_dev_rows_of_a_glue_data_folder_are_compared_too(
    shared: int, flagged: bool, name: str, tmp_path: Path
) -> None:
    for split, first in (("train", 0), ("validation", 200 - shared)):
        file = FILES[name, split]
        texts = [row(file, sentence=f"text {first + number}") for number in range(200)]
        put(tmp_path, file, encode(file, texts))
    found = load.load(DataRequest(str(tmp_path)), tasks.TASKS[name])
    assert (found.info["validation"].shared_with_train, found.has_overlap) == (shared, flagged)


def run(tmp_path: Path, files: dict[str, str | bytes | None], **more: Any) -> Record:
    return harness.run(
        "reviews", "cbow", task_file=put_rows(tmp_path, files), epochs=1, engine="inline",
        results=tmp_path / "results", **more,
    )  # fmt: skip


@cases
def test_a_run_that_is_scored_on_training_rows_says_so(tmp_path: Path) -> None:
    record = run(tmp_path, {"validation.csv": VALIDATION + "a dull film,bad\n"})
    assert (record.status, record.reason) == ("ok", None)
    assert "train_overlap" in record.flags
    (stored,) = Store(tmp_path / "results").load()
    assert stored.data is not None
    assert stored.data.splits["validation"].shared_with_train == 1
    assert notes_of([stored, stored]) == [
        "reviews: 1 of 3 rows of validation are training rows too (the same texts)"
    ]


@cases
def test_labels_without_a_training_row_are_named(tmp_path: Path) -> None:
    names = ("one", "two", "three")
    rows = "".join(f"text {n} {name},{name}\n" for n in range(20) for name in names)
    files = {"train.csv": f"review,stars\n{rows}"}
    path = put_rows(tmp_path, files, 'labels = ["one", "two", "three"]\n')
    path.with_name("rows").joinpath("validation.csv").write_text("review,stars\na song,one\n")
    record = harness.run(
        "reviews", "cbow", task_file=path, epochs=1, engine="inline", max_train=2,
        results=tmp_path / "results",
    )  # fmt: skip
    assert record.data is not None
    missing = record.data.splits["train"].missing_labels
    assert len(missing) == 1
    assert "missing_labels" in record.flags
    (note,) = notes_of([record])
    assert note == f"reviews: 1 label without one of the 2 training rows: '{missing[0]}'"


def test_records_of_before_have_no_counts() -> None:
    before = {"rows": 1, "rows_in_source": 1, "dropped": 0, "sha256": "0", "official": True}
    read = SplitRecord.model_validate(before)
    assert (read.shared_with_train, read.missing_labels) == (None, ())


WRONG: dict[str, tuple[dict[str, str | bytes | None], str]] = {
    "column": ({"train.csv": "text,stars\na,bad\nb,good\n"}, "*no column 'review'*"),
    "label": ({"train.csv": "review,stars\na,bad\nb,fine\n"}, "*train.csv:3: stars is 'fine'*"),
    "label of a dev row": (
        {"validation.csv": "review,stars\na,worst\n"}, "*validation.csv:2: stars is 'worst'*",
    ),
    "copy": ({"validation.csv": TRAIN}, "*validation holds the same 2 texts as train*"),
    "file": ({"train.csv": b"PK\x03\x04"}, "*a zip archive*"),
}  # fmt: skip


@cases
@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_with_rows_is_told_once_before_the_first_case(
    wrong: str, project: pytest.Pytester, tmp_path: Path
) -> None:
    files, said = WRONG[wrong]
    ran = pytest_project.run(
        project, "--glue-task-file", str(put_rows(tmp_path, files)), "--glue-models", "cbow,cnn",
        "--glue-targets", "cpu-fp32", "--glue-seeds", "3", "--glue-results", "results",
    )  # fmt: skip
    assert ran.ret == pytest.ExitCode.USAGE_ERROR
    ran.stderr.fnmatch_lines([f"ERROR: {said}"])
    assert str(ran.stderr).count("ERROR: ") == 1
    ran.assert_outcomes()
    assert not (project.path / "results").exists()


def test_rows_of_tasks_that_are_not_selected_are_not_read(
    project: pytest.Pytester, tmp_path: Path, engines: list[Any]
) -> None:
    path = put_rows(tmp_path, {})
    path.write_text(path.read_text() + path.read_text().replace("reviews", "broken"))
    text = path.read_text()
    at = text.rindex('label = "stars"')
    path.write_text(text[:at] + 'label = "none"' + text[at + len('label = "stars"') :])
    ran = pytest_project.run(
        project, "--glue-task-file", str(path), "--glue-models", "cbow", "--glue-targets",
        "cpu-fp32", "-k", "reviews",
    )  # fmt: skip
    ran.assert_outcomes(passed=1, deselected=1)
    assert task(put_rows(tmp_path / "alone", {})).name == "reviews"
