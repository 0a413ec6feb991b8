"""Data sets of the Hub of every shape: what is read of them, and what is advised."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from harness.catalog import task_file
from harness.data import load, row_sources
from harness.errors import DataError
from harness.spec import DataRequest, Task
from tests.support import hub_server
from tests.support.custom_task import CLASSES, parquet

cases = pytest.mark.cases
pytestmark = pytest.mark.usefixtures("hub_cache")

TRAIN = "review,stars\na dull film,bad\na fine film,good\na sad film,bad\na good film,good\nx,bad\n"
DEV = "review,stars\na dull song,bad\na fine song,good\n"
UNLABELLED = "review,stars\na dull tale,-1\na fine tale,-1\n"
Files = Mapping[str, str | bytes]


def rows(content: Files, more: str = "", **request: Any) -> load.Data:
    """What a run reads of a data set with these files."""
    own = task(more)
    put(content)
    return load.load(row_sources.located(DataRequest("toy", **request), own), own)


def put(content: Files) -> Path:
    from huggingface_hub import constants

    made = {n: raw if isinstance(raw, bytes) else raw.encode() for n, raw in content.items()}
    return hub_server.put_in_cache(Path(constants.HF_HUB_CACHE), "dataset", "org/reviews", made)


def task(more: str = "") -> Task:
    from huggingface_hub import constants

    path = Path(constants.HF_HUB_CACHE).parent / "mine.toml"
    labels = "" if "range" in more or "labels" in more else CLASSES
    path.write_text(
        '[[task]]\nname = "reviews"\ndata = "hub:org/reviews"\ntext = ["review"]\n'
        f'label = "stars"\n{labels}{more}\n'
    )
    (found,) = task_file.read(path).values()
    return found


def texts(found: load.Data, split: str) -> list[str]:
    return [text for (text,) in found.splits[split].texts]


def advised(content: Files, more: str = "") -> str:
    """The splits that the error advises."""
    with pytest.raises(DataError) as caught:
        rows(content, more)
    found = re.search(r"Fix: (splits = \{.*\}) in the task", str(caught.value))
    assert found, str(caught.value)
    return found[1]


@cases
@pytest.mark.parametrize(
    ("content", "more", "advice"),
    [
        ({"train.csv": TRAIN}, "",
         'splits = { train = "train[:80%]", validation = "train[80%:]" }'),
        ({"train.csv": TRAIN, "test.csv": UNLABELLED}, "",
         'splits = { train = "train[:80%]", validation = "train[80%:]" }'),
        ({"train.csv": TRAIN, "test.csv": DEV, "unsupervised.csv": UNLABELLED}, "",
         'splits = { validation = "test" }'),
        ({"train.csv": TRAIN, "unsupervised.csv": UNLABELLED}, "",
         'splits = { train = "train[:80%]", validation = "train[80%:]" }'),
        ({"test.csv": TRAIN}, "", 'splits = { train = "test[:80%]", validation = "test[80%:]" }'),
        ({"training.csv": TRAIN, "other.csv": DEV}, "",
         'splits = { train = "training", validation = "other" }'),
        ({"train.csv": TRAIN, "other.csv": DEV, "test.csv": DEV}, "",
         'splits = { validation = "test" }'),
        ({"train.csv": TRAIN, "other.csv": DEV, "test.csv": UNLABELLED}, "",
         'splits = { validation = "other" }'),
        ({"train.jsonl": '{"review": "a", "stars": "bad"}\n{"review": "b", "stars": "good"}\n'
                         '{"review": "c", "stars": "bad"}\n',
          "test.jsonl": '{"review": "c", "stars": -1}\n{"review": "d", "stars": null}\n'}, "",
         'splits = { train = "train[:80%]", validation = "train[80%:]" }'),
        ({"train.csv": TRAIN, "test.csv": "review\na\n"}, "",
         'splits = { train = "train[:80%]", validation = "train[80%:]" }'),
        ({"train.csv": TRAIN}, 'splits = { validation = "vaildation" }',
         'splits = { train = "train[:80%]", validation = "train[80%:]" }'),
    ],
)  # fmt: skip
def test_no_split_without_labels_is_advised_and_the_advice_works(
    content: Files, more: str, advice: str
) -> None:
    content = content | {"README.md": "# org/reviews\n"}
    if {"other.csv", "unsupervised.csv", "training.csv"} & content.keys():  # `datasets` knows none
        splits = [{"split": name.split(".")[0], "path": name} for name in content if "csv" in name]
        card = json.dumps([{"config_name": "default", "data_files": splits}])
        content |= {"README.md": f"---\nconfigs: {card}\n---\n"}
    assert advised(content, more) == advice
    found = rows(content, advice)
    assert len(found.splits["validation"]) > 0
    assert not found.has_overlap


@cases
@pytest.mark.parametrize("half", [20, 200])
def test_rows_that_are_sorted_by_label_are_not_cut(half: int) -> None:
    lines = [f"text {row},{('bad', 'good')[row >= half]}\n" for row in range(2 * half)]
    with pytest.raises(DataError, match=r"two files that both hold every label.*sorted by label"):
        rows({"train.csv": "review,stars\n" + "".join(lines)})


@cases
@pytest.mark.parametrize("cell", ["None", "N/A", "NA", "null", "nan", "NULL", "n/a", "True", "007"])
def test_a_text_stays_a_text(cell: str) -> None:
    found = rows({"train.csv": TRAIN + f"{cell},good\n", "validation.csv": DEV})
    assert texts(found, "train")[-1] == cell


@cases
@pytest.mark.parametrize("name", ["None", "N/A", "null", "True"])
def test_a_label_stays_a_text(name: str) -> None:
    content = {"train.csv": TRAIN.replace("bad", name), "validation.csv": DEV.replace("bad", name)}
    found = rows(content, f'labels = ["{name}", "good"]\n')
    assert found.splits["train"].labels == [0, 1, 0, 1, 0]


def test_a_column_of_texts_that_are_numbers_is_one_of_texts() -> None:
    found = rows({"train.csv": "review,stars\n1,bad\n2.50,good\n", "validation.csv": DEV})
    assert texts(found, "train") == ["1", "2.50"]


MORE = "id,review,stars\n1,a dull song,bad\n2,a fine song,good\n"


@cases
@pytest.mark.parametrize(
    "content",
    [
        {"train.csv": TRAIN, "validation.csv": MORE},
        {"train.csv": MORE.replace("song", "film"), "validation.csv": DEV},
        {
            "train.jsonl": '{"review": "a", "stars": "bad"}\n{"review": "b", "stars": "good"}\n',
            "validation.jsonl": '{"stars": "bad", "review": "c", "more": [1]}\n',
        },
        {
            "train.json": '{"review": "a", "stars": "bad"}\n{"review": "b", "stars": "good"}\n',
            "validation.json": '{"stars": "bad", "review": "c", "more": 1}\n',
        },
        {
            "train.json": '[{"review": "a", "stars": "bad"}, {"review": "b", "stars": "good"}]',
            "validation.json": '[{"stars": "bad", "review": "c", "more": 1}]',
        },
    ],
)
def test_a_column_more_in_one_split_is_no_matter(content: Files) -> None:
    found = rows(content)
    assert set(found.splits) == {"train", "validation"}


@cases
def test_a_column_more_in_a_parquet_split_is_no_matter() -> None:
    found = rows({
        "train.parquet": parquet(review=["a", "b"], stars=["bad", "good"]),
        "validation.parquet": parquet(id=[1], review=["c"], stars=["bad"]),
    })  # fmt: skip
    assert texts(found, "validation") == ["c"]


@cases
@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"train.csv": TRAIN, "validation.csv": "text,stars\na,bad\n"}, "no column 'review'"),
        ({"train.json": '[{"review": "a", "stars": "bad", "stars": "good"}]',
          "validation.json": "[]"}, "train.json, row 0: the key 'stars' stands there twice"),
        ({"train.json": '{"review": "a", "stars": "bad", "stars": "good"}\n{}\n',
          "validation.json": "[]"}, "train.json:1: the key 'stars' stands there twice"),
        ({"train.csv": TRAIN, "validation.csv": "review;stars\na;bad\n"}, "separator is ';'"),
        ({"train.csv": TRAIN, "validation.csv": b"review,stars\ncaf\xe9,bad\n"}, "iconv -f LATIN1"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_one_clear_error(content: Files, said: str) -> None:
    with pytest.raises(DataError, match=said):
        rows(content)


@cases
@pytest.mark.parametrize(
    "card",
    ["configs: [a", 'x: "a', "configs:\n- config_name: a\n data_files: b", "\tx: 1", "a: b: c",
     "configs: 3", "configs: [3]", "configs:\n- data_files: 3", "- a",
     "configs:\n- config_name: a\n  data_files: none.csv"],
)  # fmt: skip
def test_a_card_that_is_wrong_is_one_clear_error(card: str) -> None:
    content = {"train.csv": TRAIN, "validation.csv": DEV, "README.md": f"---\n{card}\n---\n# x\n"}
    with pytest.raises(
        DataError, match=r"README\.md: (not valid YAML|cannot be read)|org/reviews: cannot be read"
    ):
        rows(content)


@cases
def test_broken_yaml_names_its_file() -> None:
    content = {"train.csv": TRAIN, "validation.csv": DEV, "README.md": "---\nx: [1\n---\n"}
    with pytest.raises(DataError, match=r"snapshots/\w+/README\.md: not valid YAML"):
        rows(content)


@cases
@pytest.mark.parametrize(
    ("train", "validation", "there"),
    [
        ("train[:80%]", "train[80%:]", (4, 1)),
        ("train[:3]", "train[3:]", (3, 2)),
        ("train[:2]+train[4:]", "train[2:4]", (3, 2)),
        ("train", "validation", (5, 2)),
        ("train[-4:]", "train[:-4]", (4, 1)),
    ],
)
def test_slices_are_cut_as_they_say(train: str, validation: str, there: tuple[int, int]) -> None:
    more = f'splits = {{ train = "{train}", validation = "{validation}" }}'
    found = rows({"train.csv": TRAIN, "validation.csv": DEV}, more)
    assert (len(found.splits["train"]), len(found.splits["validation"])) == there
    assert not found.has_overlap


@cases
@pytest.mark.parametrize(
    ("train", "validation"),
    [("train[:80%]", "train[3:]"), ("train[:4]", "train[-2:]"), ("train[:4]", "train[60%:]")],
)
def test_slices_that_overlap_in_this_many_rows_are_refused(train: str, validation: str) -> None:
    more = f'splits = {{ train = "{train}", validation = "{validation}" }}'
    with pytest.raises(DataError, match="both hold the same rows of 'train', which has 5"):
        rows({"train.csv": TRAIN}, more)


@pytest.mark.parametrize(
    "content",
    [
        {"train.tsv": TRAIN.replace(",", "\t"), "validation.tsv": DEV.replace(",", "\t")},
        {"train.json": json.dumps(
            [{"review": "a", "stars": "bad"}, {"review": "b", "stars": "good"}]),
         "validation.json": json.dumps([{"review": "c", "stars": "bad"}])},
        {"train.csv.gz": gzip.compress(TRAIN.encode()),
         "validation.csv.gz": gzip.compress(DEV.encode())},
        {"train.csv": TRAIN.replace(",", ";"), "validation.csv": DEV.replace(",", ";"),
         "README.md": '---\nconfigs:\n- config_name: default\n  sep: ";"\n  data_files:\n'
                      '  - {split: train, path: train.csv}\n'
                      '  - {split: validation, path: validation.csv}\n---\n'},
        {"data/train-00000-of-00002.csv": TRAIN, "data/train-00001-of-00002.csv": MORE,
         "data/validation-00000-of-00001.csv": DEV.replace("song", "tale")},
    ],
    ids=["tsv", "json", "gz", "separator of the card", "several files"],
)  # fmt: skip
def test_other_formats_are_read_too(content: Files) -> None:
    assert set(rows(content).splits) == {"train", "validation"}


@cases
@pytest.mark.parametrize("form", [json.dumps, lambda made: "\n".join(map(json.dumps, made))])
def test_a_text_in_json_is_no_date(form: Any) -> None:
    made = [{"review": f"2020-01-0{day}", "stars": "bad" if day % 2 else "good"} for day in (1, 2)]
    dev = [{"review": "2021-01-01", "stars": "bad"}]
    found = rows({"train.json": form(made), "validation.json": form(dev)})
    assert texts(found, "train") == ["2020-01-01", "2020-01-02"]


@cases
def test_names_of_classes_come_from_the_card() -> None:
    card = (
        "---\ndataset_info:\n  features:\n  - {name: review, dtype: string}\n  - name: stars\n"
        "    dtype:\n      class_label:\n        names:\n          '0': good\n          '1': bad\n"
        "---\n"
    )
    ids = {"train.csv": "review,stars\na,0\nb,1\n", "validation.csv": "review,stars\nc,1\n"}
    found = rows(ids | {"README.md": card})
    assert found.splits["train"].labels == [1, 0]
