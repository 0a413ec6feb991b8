"""A user's own rows as a task: from a row of TOML to a board."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import harness
from harness.catalog import models, task_file
from harness.data import custom, row_sources
from harness.data import load as data
from harness.errors import DataError, UsageError
from harness.planning.resolve import from_json, to_json
from harness.spec import Case, DataRequest, Task
from harness.training import runner
from tests.support import pytest_project
from tests.support.configs import resolved

REVIEWS = """
[[task]]
name = "reviews"
data = "rows"
text = ["review"]
label = "stars"
labels = ["bad", "good"]
metrics = ["accuracy", "f1"]
"""
WORDS = ("bad dull film", "good fine film", "a bad actor", "a good song")


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    """A task file, and two CSVs beside it."""
    folder = tmp_path / "rows"
    folder.mkdir()
    for name, count in (("train", 64), ("validation", 24)):
        with (folder / f"{name}.csv").open("w", newline="") as file:
            table = csv.writer(file)
            table.writerow(["id", "review", "stars"])
            for row in range(count):
                text = f"{WORDS[row % 4]}, {row}"
                table.writerow([row, text, ("bad", "good")[row % 2]])
    path = tmp_path / "mine.toml"
    path.write_text(REVIEWS)
    return path


def only(path: Path) -> Task:
    (task,) = task_file.read(path).values()
    return task


def test_from_a_row_of_toml_to_a_board(
    reviews: Path, project: pytest.Pytester, fork_server: None, capsys: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    reviews.write_text(REVIEWS + REVIEWS.replace('"reviews"', '"again"'))
    ran = pytest_project.run(
        project, "--glue-task-file", str(reviews), "--glue-models", "toy-bert,cbow",
        "--glue-targets", "cpu-fp32", "--glue-results", "results", "--glue-epochs", "1",
    )  # fmt: skip
    ran.assert_outcomes(passed=4)
    ran.stdout.fnmatch_lines([
        "*Results on custom data (no GLUE task), cpu-fp32*", "reviews*cbow*", "again*cbow*",
        "*Scores x 100 on custom data*", "model *reviews* again*",
    ])  # fmt: skip
    code, said, _ = pytest_project.glue_bench(capsys, monkeypatch, "report", "results")
    assert code == 0
    assert "Scores on custom data (no GLUE task)" in said
    assert "reviews (acc+F1)" in said
    assert "again (acc+F1)" in said
    assert "Averages" not in said
    assert "accuracy+f1" in said
    assert "subset" not in said
    frame = harness.load_results("results")
    assert set(frame["task"]) == {"reviews", "again"}
    assert set(frame["data"]) == {"own"}
    assert frame["validation/f1"].notna().all()


def test_named_beside_glues_tasks(reviews: Path, project: pytest.Pytester) -> None:
    ran = pytest_project.run(
        project, "--collect-only", "-q", "--glue-task-file", str(reviews),
        "--glue-tasks", "rte,reviews", "--glue-targets", "cpu-fp32",
    )  # fmt: skip
    ran.stdout.fnmatch_lines(["*, data toy; custom for reviews, recipe *"])
    alone = pytest_project.run(project, "--collect-only", "--glue-task-file", str(reviews))
    alone.stdout.fnmatch_lines(["*, data custom for reviews, recipe *"])
    ran.stdout.fnmatch_lines(["*rte-toy-bert-cpu-fp32-s42*", "*reviews-toy-bert-cpu-fp32-s42*"])
    wrong = pytest_project.run(
        project, "--glue-task-file", str(reviews), "--glue-tasks", "reviws", "--collect-only"
    )
    wrong.stderr.fnmatch_lines(["*--glue-tasks: unknown task 'reviws'. Did you mean 'reviews'*"])


def test_the_task_travels_to_the_worker(reviews: Path) -> None:
    task = only(reviews)
    case = Case("reviews", "toy-bert", "cpu-fp32", 1)
    config = resolved(case, DataRequest("toy", 8), task=task, threads=1)
    assert from_json(to_json(config)).task == task
    assert (config.data.source, config.data.max_train, config.contaminated) == ("own", 8, False)


def test_what_decides_the_rows_decides_the_cell(reviews: Path) -> None:
    def key() -> str:
        case = Case("reviews", "toy-bert", "cpu-fp32", 1)
        return resolved(case, DataRequest(), task=only(reviews), threads=1).cell_key

    first = key()
    reviews.write_text(f"# ours\n{REVIEWS}")
    assert key() == first
    reviews.write_text(REVIEWS.replace('"accuracy", "f1"', '"accuracy"'))
    assert key() != first
    reviews.write_text(REVIEWS)
    path = reviews.parent / "rows" / "train.csv"
    path.write_text(path.read_text().replace("dull", "sad"))
    assert key() != first


@pytest.mark.parametrize(("capped", "subset"), [(None, False), (10, True)])
def test_the_whole_is_no_subset(reviews: Path, capped: int | None, subset: bool) -> None:
    task = only(reviews)
    found = data.load(row_sources.located(DataRequest("toy", capped), task), task)
    assert found.is_subset == subset
    assert len(found.splits["train"]) == (capped or 64)
    assert all(len(row) == 1 for row in found.splits["train"].texts)


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


@given(st.lists(st.tuples(TEXT, TEXT), min_size=1))
def test_every_text_is_read_back(tmp_path_factory: Any, rows: list[tuple[str, str]]) -> None:
    rows = [("a text", "another"), *rows]  # a column that is all empty is refused
    folder = tmp_path_factory.mktemp("own")
    out = io.StringIO(newline="")
    csv.writer(out).writerows([["a", "b", "label"], *([*row, "1.5"] for row in rows)])
    (folder / "t.csv").write_bytes(out.getvalue().encode())
    objects = [json.dumps({"a": a, "b": b, "label": 1.5}, ensure_ascii=False) for a, b in rows]
    (folder / "t.jsonl").write_bytes("\n".join(objects).encode())
    for name in ("t.csv", "t.jsonl"):
        (folder / f"v{name}").write_bytes((folder / name).read_bytes())
        toml = folder / "t.toml"
        toml.write_text(
            f'[[task]]\nname="t"\ndata="."\ntext=["a", "b"]\nlabel="label"\nrange=[0, 5]\n'
            f'splits={{train="{name}", validation="v{name}"}}\n'
        )
        split = custom.read_split(only(toml), "train", None)
        assert list(split.texts) == rows
        assert list(split.labels or ()) == [1.5] * len(rows)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("review,star\nx,good\n", "no column 'stars'; the columns are 'review', 'star'; expected"),
        (
            "review,stars\nx,fine\ny,good\n",
            r"train.csv:2: stars is 'fine'; .* holds 'fine' \(1\), ",
        ),
        ("review,stars\nx, good\n", "train.csv:2: stars is ' good'.*expected one of 'bad', 'good'"),
        (
            "review,stars\nx,good\n",
            r"stars is never 'bad'; found 'good' \(1\); expected a training",
        ),
        ("review,stars\nx,1\ny,2\n", "train.csv:2: stars is '1'.*expected one of.*ids, from 0"),
        ("review,stars\n,bad\n  ,good\n", "train.csv: review is empty in every row"),
        ("review;stars\nx;good\n", "one column, 'review;stars'.*separate them by commas, not ';'"),
        ("review,stars\nx\n", r"train.csv:2: 1 field\(s\); expected 2"),
        ("review,review\nx,y\n", "train.csv:1: two columns called 'review'"),
        ('review,stars\n"x,good\n', "unexpected end of data; expected well-formed CSV"),
        ("review,stars\n", "train.csv: no row"),
        ("", "train.csv: no row"),
        ("review,stars\ncaf\xe9,good\n".encode("latin-1"), "train.csv:2: byte 0xe9 is not UTF-8"),
        ("review,stars\nx,good\n".encode("utf-16"), "the file is UTF-16 text"),
        (b"PK\x03\x04 and so on", "the file is a zip archive"),
        ("review,stars\nx\0y,good\n", "train.csv:2: a NUL byte"),
        ("review,stars\n" + "x" * 2_000_000 + ",good\n", "a field of more than 1048576 characters"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(content: str | bytes, said: str, reviews: Path) -> None:
    path = reviews.parent / "rows" / "train.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError, match=said):
        custom.read_split(only(reviews), "train", None)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            '{"review": 3, "stars": "good"}',
            r"train.jsonl:1: review is '3' \(int\); expected a text",
        ),
        ('{"review": null, "stars": "good"}', r"review is nothing \(null\)"),
        ('{"review": "\\ud800 x", "stars": "good"}', "half of a surrogate pair"),
        ("[" * 100_000, "train.jsonl:1: no JSON"),
        ('{"review": "x", "stars": NaN}', r"stars is nothing \(NaN\)"),
        ("[1]", r"train.jsonl:1: '\[1\]'; expected a JSON object"),
        ("{", "train.jsonl:1: no JSON"),
    ],
)
def test_what_is_wrong_with_a_line_is_said(line: str, said: str, reviews: Path) -> None:
    folder = reviews.parent / "rows"
    (folder / "train.csv").unlink()
    (folder / "train.jsonl").write_text(line + "\n")
    with pytest.raises(DataError, match=said):
        custom.read_split(only(reviews), "train", None)


def test_quotes_line_breaks_bom_and_ids_are_read(reviews: Path) -> None:
    path = reviews.parent / "rows" / "train.csv"
    path.write_bytes('\ufeffreview,stars\r\n"two\nlines, ""quoted""",1\r\n\r\nx,0\r\n'.encode())
    split = custom.read_split(only(reviews), "train", None)
    assert list(split.texts) == [('two\nlines, "quoted"',), ("x",)]
    assert split.labels == [1, 0]


def test_a_tab_separated_file_has_no_quotes(reviews: Path) -> None:
    folder = reviews.parent / "rows"
    (folder / "train.csv").unlink()
    (folder / "Train.TSV").write_text(
        'review\tstars\t\t\r\n"He said\tbad\t\t\r\nso on"\tgood\t\t\r\n'
    )
    split = custom.read_split(only(reviews), "train", None)
    assert list(split.texts) == [('"He said',), ('so on"',)]
    (folder / "Train.TSV").write_text("review\tstars\nx\ty\tbad\n")
    with pytest.raises(DataError, match=r"Train.TSV:2: 3 field\(s\); expected 2.*take tabs"):
        custom.read_split(only(reviews), "train", None)


def test_labels_may_be_numbers_and_truths(reviews: Path) -> None:
    folder = reviews.parent / "rows"
    (folder / "train.csv").unlink()
    rows = [{"review": "x", "stars": True}, {"review": "y", "stars": False}]
    (folder / "train.jsonl").write_text("\n".join(map(json.dumps, rows)))
    reviews.write_text(REVIEWS.replace('["bad", "good"]', "[false, true]"))
    assert custom.read_split(only(reviews), "train", None).labels == [1, 0]
    (folder / "train.jsonl").write_text(json.dumps(rows).replace("true", "2").replace("false", "5"))
    with pytest.raises(DataError, match="a JSON object"):
        custom.read_split(only(reviews), "train", None)


def test_rows_that_change_after_the_plan_fail_the_run(reviews: Path) -> None:
    config = resolved(
        Case("reviews", "cbow", "cpu-fp32", 1), DataRequest(), task=only(reviews), epochs=1,
        threads=1,
    )  # fmt: skip
    assert runner.run(config)[0].status == "ok"
    path = reviews.parent / "rows" / "train.csv"
    path.write_text(path.read_text().replace("dull", "sad"))
    outcome, _ = runner.run(config)
    assert outcome.status == "failed"
    assert "the rows have changed since this run was planned" in str(outcome.reason)


def test_a_test_file_that_is_not_there_is_one_error(reviews: Path) -> None:
    request = row_sources.located(
        DataRequest("toy", predict_test=True, needed=("test",)), only(reviews)
    )
    with pytest.raises(DataError, match=r"no file for test in .*rows. Fix: put test.csv there"):
        data.load(request, only(reviews))
    profiles_own = row_sources.located(DataRequest("toy", predict_test=True), only(reviews))
    assert set(data.load(profiles_own, only(reviews)).splits) == {"train", "validation"}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('name = "reviews"', 'name = "rte"', "GLUE has a task of this name"),
        ('name = "reviews"', 'name = "My Task"', "expected lower-case letters"),
        ('name = "reviews"', "name = 3", "task 1: name: found '3'; expected a name in quotes"),
        ('name = "reviews"', 'name = "cbow"', "a model or a target has this name"),
        ('name = "reviews"', f'name = "{"x" * 41}"', "at most 40"),
        ('data = "rows"', 'data = "rows/train.csv"', "a file; expected its folder"),
        ('data = "rows"', 'data = "~nobody-here/x"', "cannot be a file's name"),
        ('data = "rows"', 'data = "hub:a/b/c"', "expected hub:ORG/NAME"),
        ('data = "rows"', 'data = "hub:../rows"', "expected hub:ORG/NAME"),
        ('data = "rows"', 'data = "hub:org/a..b"', "expected hub:ORG/NAME"),
        ('["accuracy", "f1"]', '["acc"]', "unknown metric 'acc'. Did you mean 'accuracy'"),
        ('["accuracy", "f1"]', '["mcc"]', "Did you mean 'matthews_correlation'"),
        ('data = "rows"', 'data = "rows"\nconfig = "en"', "config: only for a data set of the Hub"),
        ('data = "rows"', 'data = "rows"\nsplits = 3', "splits: found '3'; expected a table"),
        (
            'data = "rows"',
            'data = "rows"\nsplits = { validation = "train.csv" }',
            "one file for train and validation",
        ),
        ('data = "rows"', 'data = "rows"\nsplits = { train = "a\\u0000" }', "cannot be a file's"),
        ('label = "stars"\n', "", "has no key 'label'"),
        ("metrics", "metric", "unknown key 'metric'. Did you mean 'metrics'"),
        ('"accuracy", "f1"', '"acuracy"', "Did you mean 'accuracy'"),
        ('labels = ["bad", "good"]\n', "", "found neither of labels and range; expected labels"),
        (
            '["bad", "good"]',
            '["bad", "good", "fine"]',
            "f1 is that of the second of two labels, and there are 3",
        ),
        ('["bad", "good"]', '["bad", "bad"]', "found one twice"),
        ('"review"', '"stars"', "found one column twice"),
        ('data = "rows"', 'data = "row"', "found 'row', which is not a folder"),
        ("[[task]]", "[[tasks]]", "unknown key 'tasks'. Did you mean 'task'"),
        ("[[task]]", "[task]", r"found \[task\]; expected \[\[task\]\]"),
        (REVIEWS, "task = [1]", r"found no \[\[task\]\]"),
        ('["review"]', '["a", "b", "c"]', "text: found .*; expected one column or two"),
        ('labels = ["bad", "good"]', "range = [0]", "range: found .*; expected two numbers"),
        ('labels = ["bad", "good"]', "range = [0, inf]", "range: found .*; expected two numbers"),
        ('labels = ["bad", "good"]', "range = [5, 0]", "range: found .*; expected two numbers"),
        ("[[task]]", "[[task]", "not valid TOML"),
        ("[[task]]", REVIEWS + "[[task]]", "found two tasks called 'reviews'"),
    ],
)
def test_what_is_wrong_with_a_task_is_said(old: str, new: str, said: str, reviews: Path) -> None:
    assert old in REVIEWS
    reviews.write_text(REVIEWS.replace(old, new, 1))
    with pytest.raises(UsageError, match=said):
        task_file.read(reviews)


def test_rows_are_never_split_by_us(reviews: Path) -> None:
    (reviews.parent / "rows" / "validation.csv").rename(reviews.parent / "rows" / "other.csv")
    with pytest.raises(UsageError, match=r"no file for validation: .*'other.csv'.*does not choose"):
        task_file.read(reviews)
    with pytest.raises(UsageError, match="No such file"):
        task_file.read(reviews.with_name("none.toml"))


def test_the_test_split_is_predicted_without_labels(reviews: Path) -> None:
    (reviews.parent / "rows" / "test.jsonl").write_text('{"review": "a good film"}\n')
    record = harness.run(
        "reviews", task_file=reviews, predict_test=True, max_train=32, epochs=1,
        results=reviews.parent / "results", save_models=reviews.parent / "models",
        engine="inline",
    )  # fmt: skip
    assert (record.status, record.reason, record.source.kind) == ("ok", None, "own")
    assert record.data is not None
    assert record.data.splits["test"].rows == 1
    from harness.modeling import checkpoints

    found = checkpoints.load(reviews.parent / "models" / str(record.saved_model))
    assert set(found.answer("a good film").shares) == {"bad", "good"}
    assert models.is_here(models.MODELS["toy-bert"])
