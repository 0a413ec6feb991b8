"""What is checked of rows before they are called GLUE's own: a folder's, and the Hub's."""

from __future__ import annotations

import dataclasses
import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from harness.catalog import glue_files, tasks
from harness.catalog.glue_files import FILES
from harness.data import hub_files, load, row_sources, toy
from harness.records.schema import SplitRecord
from harness.spec import DataRequest, Provenance, Split
from tests.support import hub_server
from tests.support.glue_files import encode, put, row

ROWS = 6
OTHER_COMMIT = "0123456789abcdef0123456789abcdef01234567"


def a_size_of_glues(monkeypatch: pytest.MonkeyPatch, name: str, made: Mapping[str, Split]) -> None:
    """GLUE's own counts of a task are, for this test, those of these rows."""
    task = tasks.TASKS[name]
    counts = {
        split: tuple(Counter(made[split].labels)[i] for i in range(len(task.labels)))
        for split in ("train", *task.evaluated)
        if task.labels
    }
    small = dataclasses.replace(
        task, rows={n: len(made[n]) for n in task.rows}, class_counts=counts
    )
    monkeypatch.setitem(tasks.TASKS, name, small)


def labelled(name: str, text: str = "x") -> dict[str, Split]:
    task = tasks.TASKS[name]
    labels = [at % len(task.labels) for at in range(ROWS)]
    return {
        n: Split([(text, text)] * ROWS, None if n in task.predicted else labels, range(ROWS))
        for n in task.rows
    }


def folder(root: Path, name: str, text: str = "x") -> Path:
    """A glue_data folder with `ROWS` rows in each split, whose texts all are `text`."""
    task = tasks.TASKS[name]
    for split in task.rows:
        file = FILES[name, split]
        made = []
        for at in range(ROWS):
            cells = dict.fromkeys(file.texts, text)
            index = at % len(task.labels)
            if file.label:
                cells["label"] = task.labels[index] if file.words else str(index)
            made.append(row(file, **cells))
        put(root, file, encode(file, made))
    return root


def known(monkeypatch: pytest.MonkeyPatch, root: Path, name: str) -> None:
    """The files of a folder are, for this test, those that GLUE distributes."""
    for split in tasks.TASKS[name].rows:
        file = FILES[name, split]
        found = hashlib.sha256((root / file.path).read_bytes()).hexdigest()
        monkeypatch.setitem(
            glue_files.FILES, (name, split), dataclasses.replace(file, sha256=found)
        )


def checked(source: str, name: str) -> dict[str, str | None]:
    """What is recorded of each split."""
    request = row_sources.located(DataRequest(source, predict_test=True), tasks.TASKS[name])
    info = load.load(request, tasks.TASKS[name]).info
    for found in info.values():
        assert found.official == (found.checked in ("sha256", "commit"))
    return {split: found.checked for split, found in info.items()}


def is_subset(source: str, name: str) -> bool:
    return load.load(
        row_sources.located(DataRequest(source), tasks.TASKS[name]), tasks.TASKS[name]
    ).is_subset


@pytest.mark.cases
@pytest.mark.parametrize("name", ["mnli", "qqp"])
def test_rows_with_glues_counts_alone_are_not_glues_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    assert not any(FILES[name, split].sha256 for split in tasks.TASKS[name].rows)
    folder(tmp_path, name, text="replaced")
    a_size_of_glues(monkeypatch, name, labelled(name))
    assert set(checked(str(tmp_path), name).values()) == {"counts"}
    assert not is_subset(str(tmp_path), name)


def test_a_file_of_glues_bytes_is_glues_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder(tmp_path, "wnli")
    a_size_of_glues(monkeypatch, "wnli", labelled("wnli"))
    known(monkeypatch, tmp_path, "wnli")
    assert set(checked(str(tmp_path), "wnli").values()) == {"sha256"}
    assert not is_subset(str(tmp_path), "wnli")


@pytest.mark.parametrize(
    ("change", "split"),
    [
        (lambda raw: raw.replace(b"x\tx\t0", b"x\ty\t0", 1), "train"),
        (lambda raw: raw.replace(b"x\tx\t0", b"x\ty\t0", 1), "validation"),
        (lambda raw: raw[:-1], "validation"),  # the same rows, other bytes
        (lambda raw: raw[: raw.rindex(b"x\tx\tx")], "train"),
        (lambda raw: raw.replace(b"\t0\n", b"\t1\n", 1), "validation"),
    ],
    ids=["a text of train", "a text of dev", "the last line feed", "a row less", "a label"],
)  # fmt: skip
def test_where_the_sha256_is_known_other_bytes_are_not_glues(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[bytes], bytes], split: str
) -> None:
    folder(tmp_path, "wnli")
    a_size_of_glues(monkeypatch, "wnli", labelled("wnli"))
    known(monkeypatch, tmp_path, "wnli")
    file = tmp_path / FILES["wnli", split].path
    file.write_bytes(change(file.read_bytes()))
    found = checked(str(tmp_path), "wnli")
    assert found.pop(split) is None
    assert set(found.values()) == {"sha256"}
    assert is_subset(str(tmp_path), "wnli")


def test_other_test_rows_leave_training_and_dev_rows_official(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder(tmp_path, "wnli")
    a_size_of_glues(monkeypatch, "wnli", labelled("wnli"))
    known(monkeypatch, tmp_path, "wnli")
    (tmp_path / FILES["wnli", "test"].path).unlink()
    assert checked(str(tmp_path), "wnli") == {"train": "sha256", "validation": "sha256"}


def test_toy_rows_are_checked_against_nothing() -> None:
    assert set(checked("toy", "rte").values()) == {None}


# ---- The Hub ------------------------------------------------------------------------------------


def linked(snapshot: Path, commit: str) -> Path:
    """The snapshot of another commit, its files links to blobs, as the Hub's client leaves them."""
    home = snapshot.parents[1]
    snapshot = snapshot.rename(snapshot.with_name(commit))
    (home / "refs" / "main").write_text(commit)
    (home / "blobs").mkdir()
    for file in [path for path in snapshot.rglob("*") if path.is_file()]:
        blob = home / "blobs" / hashlib.sha256(file.read_bytes()).hexdigest()
        file.rename(blob)
        file.symlink_to(blob)
    return snapshot


def put_rte(hub_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    a_size_of_glues(monkeypatch, "rte", toy.generate("rte"))
    return hub_server.put_in_cache(hub_cache, "dataset", hub_server.GLUE, hub_server.glue("rte"))


def files_of(snapshot: Path) -> dict[str, str]:
    return {
        str(path.relative_to(snapshot)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in snapshot.rglob("*.parquet")
    }


def test_the_known_commits_files_are_told_by_their_sha256(
    hub_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = put_rte(hub_cache, monkeypatch)
    assert hub_files.COMMIT == hub_server.COMMIT
    # Rows of the right number and classes, in place of those that the commit has.
    assert checked("hub", "rte") == {"train": None, "validation": None, "test": "counts"}
    assert is_subset("hub", "rte")
    monkeypatch.setattr(hub_files, "SHA256", files_of(snapshot))
    assert set(checked("hub", "rte").values()) == {"sha256"}
    assert not is_subset("hub", "rte")


def test_another_commits_files_are_held_against_the_hashes_that_name_them(
    hub_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = linked(put_rte(hub_cache, monkeypatch), OTHER_COMMIT)
    assert set(checked("hub", "rte").values()) == {"commit"}
    assert not is_subset("hub", "rte")
    # A file that the commit left as it was is known by its sha256.
    name = "rte/train-00000-of-00001.parquet"
    monkeypatch.setitem(hub_files.SHA256, name, files_of(snapshot)[name])
    assert checked("hub", "rte") == {"train": "sha256", "validation": "commit", "test": "commit"}


def test_a_cache_that_was_changed_is_not_its_commit(
    hub_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = linked(put_rte(hub_cache, monkeypatch), OTHER_COMMIT)
    assert set(checked("hub", "rte").values()) == {"commit"}
    task, rows = tasks.TASKS["rte"], toy.generate("rte")["validation"]
    other = dataclasses.replace(rows, texts=[("a", "b")] * len(rows))
    blob = (snapshot / "rte" / "validation-00000-of-00001.parquet").resolve()
    blob.write_bytes(hub_server.parquet(task, "validation", other))
    assert checked("hub", "rte") == {"train": "commit", "validation": None, "test": "commit"}


def test_a_cache_without_its_links_is_counted_alone(
    hub_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = put_rte(hub_cache, monkeypatch)
    snapshot.rename(snapshot.with_name(OTHER_COMMIT))
    (hub_cache / "datasets--nyu-mll--glue" / "refs" / "main").write_text(OTHER_COMMIT)
    assert set(checked("hub", "rte").values()) == {"counts"}


def test_every_known_file_is_a_split_of_a_task() -> None:
    for path, sha256 in hub_files.SHA256.items():
        config, _, rest = path.partition("/")
        assert rest.removesuffix("-00000-of-00001.parquet") in tasks.TASKS[config].rows
        assert len(sha256) == 64
    scored = {f"{t}/{s}" for t in tasks.GLUE_9 for s in ("train", *tasks.TASKS[t].evaluated)}
    assert scored <= {path.partition("-00000")[0] for path in hub_files.SHA256}
    assert len({*hub_files.SHA256.values()}) == len(hub_files.SHA256)


# ---- Records ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("official", "agrees", "said", "provenance"),
    [
        (True, ("rows", "class counts", "sha256"), "sha256", Provenance.official),
        (True, ("rows", "class counts", "commit"), "commit", Provenance.official),
        (False, ("rows", "class counts"), "counts", Provenance.counted),
        (False, ("rows",), None, Provenance.other),
        # Records of before `checked`.
        (True, ("rows", "class counts", "sha256"), None, Provenance.official),
        (True, ("rows", "class counts"), None, Provenance.counted),
        (True, ("rows",), None, Provenance.counted),
        (True, (), None, Provenance.counted),
        (False, ("rows", "class counts"), None, Provenance.other),
    ],
)
def test_old_and_new_records_say_how_far_rows_were_checked(
    official: bool, agrees: tuple[str, ...], said: str | None, provenance: Provenance
) -> None:
    raw = {"rows": 5, "rows_in_source": 5, "dropped": 0, "sha256": "0" * 64}
    stored = raw | {"official": official, "agrees": agrees} | ({"checked": said} if said else {})
    assert SplitRecord.model_validate(stored).provenance is provenance
