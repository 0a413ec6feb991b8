"""A data set of the Hub as a user's own task: from the cache, and through the stand-in server."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.catalog import task_file
from harness.data import load, row_sources
from harness.data.custom import rows_of
from harness.errors import DataError, DataUnavailable
from harness.hub import snapshots
from harness.records.store import Store
from harness.spec import Case, DataRequest, Task
from tests.support import hub_server, pytest_project
from tests.support.configs import resolved

TEXTS = [f"{('bad dull film', 'good fine film')[row % 2]} {row}" for row in range(24)]
NAMES = ("bad", "good")
CARD = """---
configs:
- config_name: en
  data_files: [{split: train, path: en/train.csv}, {split: dev, path: en/dev.csv}]
- config_name: de
  data_files: [{split: train, path: de/train.csv}, {split: dev, path: de/dev.csv}]
---
"""


Made = Callable[[Sequence[str]], bytes]  # from texts to a file


def texts_of(split: str) -> list[str]:
    """No split shares a text with another."""
    return [f"{text} of {split}" for text in TEXTS]


def parquet(labels: Sequence[Any], kind: Any) -> Made:
    import datasets

    features = datasets.Features({"review": datasets.Value("string"), "stars": kind})

    def made(texts: Sequence[str]) -> bytes:
        out = io.BytesIO()
        rows = {"review": texts, "stars": labels}
        datasets.Dataset.from_dict(rows, features=features).to_parquet(out)
        return out.getvalue()

    return made


def table(labels: Sequence[Any], *more: str) -> Made:
    """CSV; with `more` columns, all empty."""

    def made(texts: Sequence[str]) -> bytes:
        out = io.StringIO(newline="")
        rows = zip(texts, labels, *[[""] * len(labels)] * len(more), strict=True)
        csv.writer(out).writerows([("review", "stars", *more), *rows])
        return out.getvalue().encode()

    return made


def files(made: Made, ending: str, *splits: str) -> hub_server.Repository:
    named = {
        f"{split}.{ending}": made(texts_of(split)) for split in splits or ("train", "validation")
    }
    return named | {"README.md": b"# reviews\n"}


def task(folder: Path, more: str = "") -> Task:
    path = folder / "mine.toml"
    labels = "" if "range" in more else 'labels = ["bad", "good"]\n'
    path.write_text(
        '[[task]]\nname = "reviews"\ndata = "hub:org/reviews"\ntext = ["review"]\n'
        f'label = "stars"\n{labels}{more}\n'
    )
    (found,) = task_file.read(path).values()
    return found


def classes(*names: str) -> Any:
    import datasets

    return datasets.ClassLabel(names=list(names))


def value(dtype: str) -> Any:
    import datasets

    return datasets.Value(dtype)


IDS = [row % 2 for row in range(24)]
WORDS = [NAMES[row] for row in IDS]


def two_configs() -> hub_server.Repository:
    """The rows of the config `de` are those of `en` in reverse."""
    rows = {"en": table(WORDS), "de": table(WORDS[::-1])}
    named = {
        f"{name}/{split}.csv": rows[name](texts_of(split))
        for name in rows
        for split in ("train", "dev")
    }
    return named | {"README.md": CARD.encode()}


@pytest.mark.parametrize(
    ("content", "more", "labels"),
    [
        (lambda: files(parquet(IDS, classes("bad", "good")), "parquet"), "", IDS),
        # Names decide: id 0 says good there.
        (lambda: files(parquet(IDS, classes("good", "bad")), "parquet"), "", [1 - i for i in IDS]),
        (lambda: files(parquet(WORDS, value("string")), "parquet"), "", IDS),
        (lambda: files(parquet(IDS, value("int64")), "parquet"), "", IDS),
        (lambda: files(parquet([i + 0.5 for i in IDS], value("float32")), "parquet"),
         "range = [0, 5]", [i + 0.5 for i in IDS]),
        (lambda: files(table(WORDS), "csv"), "", IDS),
        (lambda: files(table(IDS), "csv"), "", IDS),
        (lambda: files(table(WORDS), "csv", "train", "test"), 'splits = { validation = "test" }',
         IDS),
        (
            lambda: files(table(WORDS), "csv", "train"),
            'splits = { train = "train[:50%]", validation = "train[12:]" }', IDS,
        ),
        (two_configs, 'config = "de"\nsplits = { validation = "dev" }', IDS[::-1]),
    ],
    ids=["names", "names reversed", "words", "ids", "scores", "csv", "csv ids", "split", "slice",
         "config"],
)  # fmt: skip
def test_a_cached_data_set_is_read(
    hub_cache: Path, tmp_path: Path, content: Any, more: str, labels: list[Any]
) -> None:
    hub_server.put_in_cache(hub_cache, "dataset", "org/reviews", content())
    own = task(tmp_path, more)
    request = row_sources.located(DataRequest("toy"), own)
    assert (request.source, request.revision) == ("own", hub_server.COMMIT)
    found = load.load(request, own)
    assert set(found.splits) == {"train", "validation"}
    for name, split in found.splits.items():
        home = rows_of(own).splits[name].split("[")[0]
        texts = texts_of(home)[:12] if "train[" in more and name == "train" else texts_of(home)
        assert list(split.texts) == [(text,) for text in texts[-len(split) :]]
        assert split.labels == labels[: len(split)]
    assert not found.is_subset
    assert not found.has_overlap


@pytest.mark.parametrize(
    ("content", "more", "said"),
    [
        (
            lambda: files(table(WORDS), "csv", "train", "test"), "",
            r"org/reviews: no split 'validation'; it has 'train', 'test'\. Fix: splits",
        ),
        (two_configs, "", r"org/reviews: no config; it has 'en', 'de'\. Fix: config"),
        (two_configs, 'config = "fr"', r"config 'fr'; it has 'en', 'de'\. Fix: config"),
        (
            lambda: files(table(["bad"] * 23 + ["fine"]), "csv"), "",
            r"train, row 23: stars is 'fine'; org/reviews holds 'bad' \(23\), 'fine' \(1\)",
        ),
        (
            lambda: files(table([*WORDS[:-1], ""]), "csv"), "",
            r"train, row 23: stars is ''; org",
        ),
        (
            lambda: files(lambda texts: b"no parquet", "parquet"), "",
            "org/reviews: cannot be read: .*Parquet magic bytes not found",
        ),
    ],
    ids=["split", "no config", "config", "label", "null", "damaged"],
)  # fmt: skip
def test_what_is_wrong_with_a_data_set_is_said(
    hub_cache: Path, tmp_path: Path, content: Any, more: str, said: str
) -> None:
    hub_server.put_in_cache(hub_cache, "dataset", "org/reviews", content())
    own = task(tmp_path, more)
    with pytest.raises(DataError, match=said):
        load.load(row_sources.located(DataRequest("toy"), own), own)


def test_one_that_is_not_there_is_one_quick_error(hub_cache: Path, tmp_path: Path) -> None:
    with pytest.raises(DataUnavailable, match=r"reviews: org/reviews: .*HF_HUB_OFFLINE is set"):
        row_sources.located(DataRequest("toy"), task(tmp_path))


def test_what_others_left_in_the_cache_is_completed(
    hub_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = two_configs()
    part = {name: content for name, content in whole.items() if not name.startswith("de/")}
    hub_server.put_in_cache(hub_cache, "dataset", "org/reviews", part)
    own = task(tmp_path, 'config = "de"\nsplits = { validation = "dev" }')
    fetched = []

    def fetch(kind: Any, name: str, wanted: Any, revision: str | None = None) -> snapshots.Snapshot:
        fetched.append((name, revision))
        snapshot = hub_server.put_in_cache(hub_cache, "dataset", name, whole)
        return snapshots.Snapshot(snapshot, snapshot.name)

    monkeypatch.setattr(snapshots, "fetch_once", fetch)
    found = load.load(row_sources.located(DataRequest("toy"), own), own)
    assert found.splits["train"].labels == IDS[::-1]
    assert fetched == [("org/reviews", hub_server.COMMIT)]


def test_a_data_set_without_a_card_is_read_offline(hub_cache: Path, tmp_path: Path) -> None:
    content = {name: raw for name, raw in files(table(WORDS), "csv").items() if name[-3:] == "csv"}
    hub_server.put_in_cache(hub_cache, "dataset", "org/reviews", content)
    own = task(tmp_path)
    assert (
        load.load(row_sources.located(DataRequest("toy"), own), own).splits["train"].labels == IDS
    )


def test_the_test_split_of_a_data_set_is_predicted(hub_cache: Path, tmp_path: Path) -> None:
    content = files(parquet(IDS, classes(*NAMES)), "parquet", "train", "validation", "test")
    hub_server.put_in_cache(hub_cache, "dataset", "org/reviews", content)
    own = task(tmp_path)
    found = load.load(row_sources.located(DataRequest("toy", predict_test=True), own), own)
    assert found.splits["test"].labels is None


def test_predicting_a_test_split_that_is_not_named_is_one_error(
    hub_cache: Path, tmp_path: Path
) -> None:
    content = files(parquet(IDS, classes(*NAMES)), "parquet")
    hub_server.put_in_cache(hub_cache, "dataset", "org/reviews", content)
    own = task(tmp_path)
    request = row_sources.located(DataRequest("toy", predict_test=True, needed=("test",)), own)
    with pytest.raises(DataError, match="no split 'test'"):
        load.load(request, own)


def test_run_through_the_hub_then_read_offline(
    tmp_path: Path,
    project: pytest.Pytester,
    ask: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    repositories = {("dataset", "org/reviews"): two_configs()}
    own = task(tmp_path, 'config = "de"\nsplits = { validation = "dev" }')
    with hub_server.serving(repositories) as (address, asked):
        ask(address)
        ran = pytest_project.run(
            project, "--glue-task-file", str(tmp_path / "mine.toml"), "--glue-models", "cbow",
            "--glue-targets", "cpu-fp32", "--glue-epochs", "1", "--glue-engine", "inline",
            "--glue-results", str(tmp_path / "r"),
        )  # fmt: skip
        ran.assert_outcomes(passed=1)
        assert any("de/dev.csv" in line for line in asked)
    (record,) = Store(tmp_path / "r").load()
    assert (record.source.kind, record.source.revision) == ("own", hub_server.COMMIT)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    snapshots.find.cache_clear()
    snapshots.fetch_once.cache_clear()
    config = resolved(Case("reviews", "cbow", "cpu-fp32", 42), DataRequest(), task=own, epochs=1,
                     threads=1)  # fmt: skip
    assert config.cell_key == record.cell_key


def test_what_the_task_file_names_and_is_not_there_fails(
    hub_cache: Path, tmp_path: Path, project: pytest.Pytester, fork_server: None
) -> None:
    task(tmp_path)
    ran = pytest_project.run(
        project, "--glue-task-file", str(tmp_path / "mine.toml"), "--glue-models", "cbow",
        "--glue-targets", "cpu-fp32",
    )  # fmt: skip
    ran.assert_outcomes(failed=1)
    ran.stdout.fnmatch_lines(["failed: reviews: org/reviews: not in the cache*"])
