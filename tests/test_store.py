from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import harness
from fakes import TABLE, outcome, record
from harness.errors import StorageError
from harness.records import Record
from harness.spec import Case
from harness.store import Store, file_name, read

CASE = Case("sst2", "toy-bert", "cpu-fp32", 42)


def saved(tmp_path: Path) -> tuple[Path, Record]:
    made = Store(tmp_path).save(record(CASE), TABLE)
    return tmp_path / "runs" / file_name(made), made


def test_a_record_reads_back_as_it_was(tmp_path: Path) -> None:
    path, made = saved(tmp_path)
    assert read(path) == made
    assert Store(tmp_path).load() == [made]
    assert path.name == f"sst2-toy-bert-cpu-fp32-s42-{made.id[:8]}.json"
    raw = json.loads(path.read_text())
    assert raw["schema"] == 1


def test_predictions_are_a_side_file_that_the_record_vouches_for(tmp_path: Path) -> None:
    _, made = saved(tmp_path)
    assert made.predictions is not None
    content = (tmp_path / "predictions" / made.predictions.name).read_bytes()
    assert hashlib.sha256(content).hexdigest() == made.predictions.sha256
    table = pd.read_parquet(tmp_path / "predictions" / made.predictions.name)
    assert list(table.columns) == ["split", "row", "label", "prediction", "logits"]
    assert table["prediction"].tolist() == TABLE["prediction"]


def test_nothing_else_is_left_behind(tmp_path: Path) -> None:
    saved(tmp_path)
    assert not list(tmp_path.rglob("*.tmp"))
    assert not list(tmp_path.rglob(".*"))


def test_a_record_is_never_replaced(tmp_path: Path) -> None:
    path, made = saved(tmp_path)
    before = path.read_bytes()
    with pytest.raises(StorageError, match="could not write"):
        Store(tmp_path).save(made)
    assert path.read_bytes() == before


def test_a_short_write_goes_on_where_it_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, bytes(data)[:7]))
    path, made = saved(tmp_path)
    monkeypatch.undo()
    assert read(path) == made


def test_a_file_system_without_hard_links_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(source: object, target: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    path, made = saved(tmp_path)
    assert read(path) == made
    with pytest.raises(StorageError, match="the file exists"):
        Store(tmp_path).save(made)


def test_a_full_disk_is_said_and_leaves_nothing_torn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int, data: Any) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(StorageError, match=r"No space left on device.*--glue-results"):
        Store(tmp_path).save(record(CASE))
    monkeypatch.undo()
    assert Store(tmp_path).load() == []
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_number_that_is_none_is_not_stored() -> None:
    with pytest.raises(ValueError, match="finite"):
        record(CASE, score=float("nan"))


BROKEN = {
    "torn": (lambda text: text[: len(text) // 2], "not a record"),
    "empty": (lambda text: "", "not a record"),
    "nan": (lambda text: text.replace('"score": 0.9', '"score": NaN', 1), "NaN is not JSON"),
    "twice": (lambda text: text.replace("{", '{"schema": 1,', 1), "a key occurs twice"),
    "newer": (lambda text: text.replace('"schema": 1', '"schema": 2'), "key schema: found '2'"),
    "no object": (lambda text: "[1]", "key schema: found 'None'"),
    "unknown key": (lambda text: text.replace('"profile"', '"profil"'), "profil"),
    "wrong type": (lambda text: text.replace('"seed": 42', '"seed": "x"'), "key case.seed"),
    "deep": (lambda text: "[" * 100_000, "not a record"),
}


@pytest.mark.parametrize("damage", BROKEN)
def test_a_damaged_record_is_one_clear_error(tmp_path: Path, damage: str) -> None:
    path, _ = saved(tmp_path)
    change, words = BROKEN[damage]
    path.write_text(change(path.read_text()))
    with pytest.raises(StorageError) as caught:
        Store(tmp_path).load()
    assert words in str(caught.value)
    assert str(path) in str(caught.value)
    assert "Mend" in str(caught.value)


@pytest.mark.parametrize("model", ["../../evil", "a/b", "x" * 400, "a\nb", "."])
def test_names_stay_in_the_folder(tmp_path: Path, model: str) -> None:
    made = Store(tmp_path).save(record(Case("sst2", model, "cpu-fp32", 1)))
    (path,) = (tmp_path / "runs").iterdir()
    assert path.name == file_name(made)
    assert read(path) == made


def test_records_hold_no_trace_of_user_or_machine(tmp_path: Path) -> None:
    from harness import environment

    text = json.dumps(environment.facts())
    for secret in (str(Path.home()), os.uname().nodename, str(Path.cwd())):
        assert secret not in text


def test_load_results_is_a_tidy_frame(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.save(record(CASE))
    store.save(record(Case("rte", "toy-bert", "cpu-fp32", 1), **outcome().model_dump()
                      | {"status": "oom", "reason": "full", "score": None}))  # fmt: skip
    frame = harness.load_results(tmp_path)
    assert frame["status"].tolist() == ["ok", "oom"]
    assert frame["seed"].tolist() == [42, 1]
    assert frame.loc[0, "validation/accuracy"] == 0.9
    assert frame.loc[0, "score"] == 0.9
    assert harness.load_results(tmp_path / "none").empty
