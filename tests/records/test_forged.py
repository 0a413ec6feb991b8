"""Records, journal lines and predictions whose checksum holds and whose content does not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.errors import Exit, StorageError
from harness.records import codec, journal, metric_check
from harness.records.predictions import from_parquet, to_parquet
from harness.records.store import Store
from tests.support import cell_runs, forged_journals, forged_predictions, forger
from tests.support.folder_readers import Readers, command, filled, good, raw_of
from tests.support.locations import GOLDEN, ROOT
from tests.support.prediction_runs import run as flip_run

RAW = raw_of(cell_runs.run(50))


def put(raw: dict[str, Any], place: str, value: Any) -> dict[str, Any]:
    return forger.changed(raw, tuple(place.split(".")), value)


@pytest.fixture
def sound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("harness.system.git.why_not_on", lambda *where: None)
    good(tmp_path / "sound")
    return tmp_path / "sound"


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        ("score", 0.99, "key score: found '0.99'; expected 0.9, the mean of its metrics"),
        ("score", 5, "key 'score': Input should be less than or equal to"),
        ("score", None, "key score: found 'None'; expected that of a run that ended ok"),
        ("metrics", {}, "key metrics: found '{}'; expected that of a run that ended ok"),
        ("metrics", {"validation": {"f1": 0.9}}, "expected accuracy of ('validation',)"),
        ("metrics.validation.accuracy", -0.9, "accuracy: found '-0.9'; expected at least 0"),
        ("timing.examples_per_s", 1e6, "key timing.examples_per_s: found '1000000.0'; expected"),
        ("timing.epoch_s", [1.0], "key timing.epoch_s"),
        ("timing.train_s", 1e300, "timing.train_s"),
        ("model.parameters", 10**30, "model.parameters"),
        ("id", "../../x", "key 'id'"),
        ("case.id", "sst2-minilm-cpu-fp32-s50", "expected 'sst2-toy-bert-cpu-fp32-s50', as the"),
        ("case.seed", -1, "case.seed"),
        ("created", "0001-01-01T00:00:00+14:00", "created"),
        ("created", "2026-01-01T00:00:00", "created"),
        ("source.kind", "nosuch", "source.kind"),
        ("recipe", {"name": 3}, "key recipe.name: found '3'; expected the recipe's name"),
        ("recipe", {"lr": 3}, "key recipe.name: found 'None'"),
        ("identity", {"task": {"labels": 3}}, "key identity.task.labels"),
        ("environment.dirty", 0, "key environment.dirty: found '0'; expected a value of type bool"),
        ("data.splits.train.rows", 101, "data.splits.train.rows: found '101'; expected at most"),
        ("saved_model", "../x", "saved_model"),
        (
            "history",
            [RAW["history"][0] | {"score": 0.1}],
            "key score: found '0.9'; expected that of history.0.score",
        ),
        ("profile", "\ud800", "surrogate"),
        ("predictions", {"name": "../x.parquet", "sha256": "0" * 64, "rows": 1}, "predictions"),
        ("predictions", {"name": "\0.parquet", "sha256": "0" * 64, "rows": 1}, "predictions"),
    ],
)
def test_a_record_that_contradicts_itself_is_one_error(place: str, value: Any, said: str) -> None:
    with pytest.raises(StorageError) as told:
        codec.from_bytes(forger.sealed(put(RAW, place, value)))
    assert said in str(told.value)
    assert str(told.value).isprintable()
    assert "Fix: " in str(told.value)


def test_scores_of_a_run_that_did_not_end_ok_may_contradict_each_other() -> None:
    raw = RAW | {"status": "failed", "reason": "the score is 0.5, its metrics make 0.9"}
    assert codec.from_bytes(forger.sealed(raw | {"score": 0.5})).score == 0.5


def test_real_records_are_still_read() -> None:
    assert len(Store(ROOT / "results" / "published").load()) == 42
    for path in GOLDEN.glob("schema*.json"):
        assert codec.from_bytes(path.read_bytes()).status == "ok"


def test_a_forged_record_is_named_once_and_the_others_are_shown(
    tmp_path: Path, sound: Path
) -> None:
    forged = [forger.Forged("", forger.sealed(RAW | {"score": 0.99}))]
    folder = filled(tmp_path / "x", sound, forged)
    ended, before = command("report", folder), command("report", sound)
    assert (ended.code, before.code) == (Exit.STORAGE, Exit.FINE)
    assert ended.out == before.out.replace(str(sound), str(folder))
    assert ended.err.count("forged-00000000.json") == 1
    assert not list(Readers(folder, sound, tmp_path).crashes())


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"case": 3}, "key case: found '3'; expected the id of a case"),
        ({"case": "\ud800"}, "key case"),
        ({"event": "begun"}, "key event: found 'begun'; expected one of planned, started"),
        ({"event": ["started"]}, "key event"),
        ({"time": "now"}, "key time: found 'now'; expected a time with its zone"),
        ({"time": "2026-01-01T00:00:00"}, "key time"),
        ({"event": "planned", "cases": "x", "settings": {}}, "key cases"),
        ({"event": "planned", "cases": ["x"], "settings": []}, "key settings"),
        ({"event": "planned", "cases": ["x"]}, "key settings: missing; expected an object"),
        ({"event": "finished", "status": "fine"}, "key status: found 'fine'; expected one of ok"),
        ({"event": "finished", "status": []}, "key status"),
        ({"event": "tested", "outcome": {}}, "key outcome"),
        ({"event": "ended", "exit_status": 10**30}, "key exit_status"),
        ({"event": "skipped", "reason": 3}, "key reason"),
    ],
)
def test_a_forged_event_is_named_by_its_line_and_left_out(
    changed: dict[str, Any], said: str, tmp_path: Path, sound: Path
) -> None:
    event = {"event": "started", "time": forged_journals.TIME, "case": forged_journals.CASE}
    path = Store(sound).journal / "a.jsonl"
    path.write_bytes(forger.sealed_event(event) + forger.sealed_event(event | changed))
    ended = command("status", sound)
    assert ended.code == Exit.STORAGE
    assert f"{path}: line 4: {said}" in ended.err
    assert journal.read(path).started == [forged_journals.CASE]


def test_a_file_of_no_events_is_one_error(tmp_path: Path, sound: Path) -> None:
    path = Store(sound).journal / "a.jsonl"
    path.write_bytes(b"x\n" * 5000)
    ended = command("status", sound)
    assert ended.code == Exit.STORAGE
    assert ended.err.count("more than 1,000 lines are no events") == ended.err.count("\n") == 1


def test_empty_lines_and_a_missing_line_end_cost_nothing(tmp_path: Path) -> None:
    event = {"event": "started", "time": forged_journals.TIME, "case": "a"}
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\n" * 1_000_000 + forger.sealed_event(event).strip())
    assert journal.read(path).started == ["a"]
    assert not journal.read(path).damaged


TABLE = forged_predictions.TABLE
ONE_NAN = [[0.5, 0.25]] * 19 + [[float("nan"), 0.0]]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"row": None}, "no column row among 'split', 'label'"),
        ({"row": [0, *range(19)]}, "row 0 of 'validation' twice"),
        ({"row": [None, *range(19)]}, "column row: found 1 empty values"),
        ({"row": [-1, *range(19)]}, "column row: found -1"),
        ({"row": [[1]] * 20}, "column row: found values of type 'list"),
        ({"split": [1] * 20}, "column split: found values of type 'int64'; expected texts"),
        ({"label": ["x"] * 20}, "column label"),
        ({"prediction": [float("inf")] * 20}, "column prediction: found NaN, or a number over"),
        ({"logits": ONE_NAN}, "column logits: found NaN"),
        ({"logits": [1.0] * 20}, "column logits: found values of type 'double'"),
        ({"logits": [[None, 0.5]] * 20}, "column logits: found an empty value in a list"),
    ],
)
def test_predictions_that_are_none_are_one_error(changed: dict[str, Any], said: str) -> None:
    table = {name: values for name, values in (TABLE | changed).items() if values is not None}
    with pytest.raises(StorageError) as told:
        from_parquet(to_parquet(table))
    assert said in str(told.value)


def test_predictions_that_unpack_to_more_than_they_may_are_not_unpacked() -> None:
    with pytest.raises(StorageError, match="found 20 rows; expected 21, as the record has it"):
        from_parquet(to_parquet(TABLE), rows=21)
    for bomb in ({"logits": [[0.0] * 2000] * 20}, {"logits": [[0.0] * 2000] * 20, "split": ["x"]}):
        table = TABLE | bomb | {"split": TABLE["split"]}
        with pytest.raises(StorageError, match="at most 5,000,000 rows, and 1,000 logits in each"):
            from_parquet(to_parquet(table))
    with pytest.raises(StorageError, match="cannot be read as parquet"):
        from_parquet(to_parquet(TABLE)[:-9])


def test_check_names_runs_whose_predictions_do_not_give_their_metrics(
    tmp_path: Path, sound: Path
) -> None:
    ended = command("report", sound, "--check")
    assert ended.code == Exit.FINE
    assert ended.err == ("checked: 2 runs, 0 of them wrong; 3 not checked: without predictions\n")
    content = to_parquet(TABLE | {"prediction": TABLE["label"]})
    (sound / "predictions").mkdir(exist_ok=True)
    path = forged_predictions.put(sound, content, 20)
    assert command("report", sound).code == Exit.FINE
    ended = command("report", sound, "--check")
    assert ended.code == Exit.STORAGE
    assert "checked: 3 runs, 1 of them wrong" in ended.err
    assert "key metrics.validation.accuracy: found 0.75; expected 1.0, which its" in ended.err
    raw = json.loads(path.read_text())
    assert command("report", sound, "--check", "--format", "json").out.count(raw["id"]) == 0


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"label": [7] * 20}, "found the label '7'; expected whole numbers from 0 to 1"),
        ({"label": [None, *TABLE["label"][1:]]}, "found a row without a label"),
        ({"split": ["test"] * 20}, "found no predictions for this split"),
        ({"floor": 0.7}, "key floor: found 0.7; expected 0.5"),
        ({"history": 0.1}, "key history.0.score: found '0.1'; expected 0.75, the mean"),
        ({"rows": 30}, "found predictions for 20 rows; expected 30"),
    ],
)
def test_check_tells_what_else_is_wrong(changed: dict[str, Any], said: str, tmp_path: Path) -> None:
    made = flip_run("rte", {"validation": (TABLE["label"], TABLE["prediction"])}).record
    made = made.model_copy(update={"floor": changed.pop("floor", 0.5)})
    if (score := changed.pop("history", None)) is not None:
        early = made.history[0].model_copy(update={"score": score})
        made = made.model_copy(update={"history": [early, *made.history]})
    if rows := changed.pop("rows", None):
        assert made.data is not None
        split = made.data.splits["validation"]
        split = split.model_copy(update={"rows": rows, "rows_in_source": rows})
        data = made.data.model_copy(update={"splits": {"validation": split}})
        made = made.model_copy(update={"data": data})
    store = Store(tmp_path)
    checked = metric_check.check([store.save(made, TABLE | changed)], store)
    assert (checked.records, checked.right) == ([], 0)
    assert said in str(checked.wrong[0])


def test_check_says_what_it_could_not_check(tmp_path: Path) -> None:
    store = Store(tmp_path)
    made = flip_run("rte", {"validation": (TABLE["label"], TABLE["prediction"])}).record
    for changed in ({"label": [None] * 20}, {}):
        run = made.model_copy(update={"id": f"{len(changed)}{0:031x}", "floor": 0.5})
        kept = store.save(run, TABLE | changed)
    assert kept.predictions is not None
    (store.predictions / kept.predictions.name).unlink()
    checked = metric_check.check(store.load(), store)
    assert checked.text == (
        "checked: 0 runs, 0 of them wrong; 1 not checked: their predictions are not in the folder; "
        "1 not checked: without labels"
    )
    assert len(checked.records) == 2


def test_check_cannot_tell_where_predictions_are_gone(tmp_path: Path) -> None:
    store = Store(tmp_path)
    made = flip_run("rte", {"validation": (TABLE["label"], TABLE["prediction"])}).record
    kept = store.save(made.model_copy(update={"floor": 0.5}), TABLE)
    assert command("report", tmp_path, "--check").code == 0
    assert kept.predictions is not None
    gone = store.predictions / kept.predictions.name
    gone.unlink()
    ended = command("report", tmp_path, "--check")
    assert ended.code == 3
    assert f"{kept.case.id}: not checked: {gone} is not there" in ended.err
