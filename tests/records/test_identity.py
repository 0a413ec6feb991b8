"""Identities of before: the same cells as today's, wherever nothing changed for them."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import pytest

from harness.catalog import models, numerics
from harness.catalog.numerics import Facts, parts, parts_of
from harness.planning.resume import Resume
from harness.records import codec
from harness.records.cells import cells
from harness.records.codec import from_bytes
from harness.records.identity import as_of_schema_3, key_of
from harness.records.schema import Record
from harness.records.store import Store, file_name
from harness.reports import by_axis
from harness.reports.boards import boards
from harness.spec import Axis, Case, DataRequest
from tests.support.builders import TABLE, record
from tests.support.configs import resolved
from tests.support.locations import ROOT

PUBLISHED = ROOT / "results" / "published"
TOY = DataRequest("toy")
A_COPY = {"id": "rte-a_copy-cpu-fp32-s42", "model": "a_copy"}


def older(model: str, number: int, target: str = "cpu-fp32", **changed: Any) -> dict[str, Any]:
    """A record as schema 2 had it, as JSON, of what is planned today, by an earlier harness."""
    case = Case("rte", model, target, 42)
    config = resolved(case, TOY, threads=1, recipe=changed.pop("recipe", None))
    identity = json.loads(json.dumps(config.identity))
    identity["recipe"]["eval_batch_size"] = 64
    identity["numerics"] = number
    said = record(case, identity=identity, cell_key=key_of(identity))
    raw = said.model_dump(mode="json", by_alias=True) | {"schema": 2}
    del raw["saved_model_sha256"]
    return raw | changed


def sealed(raw: dict[str, Any]) -> bytes:
    body = json.dumps(raw)[:-1].encode()
    return body + b', "crc32": "%08x"}' % zlib.crc32(body)


def key_today(model: str, target: str = "cpu-fp32") -> str:
    return resolved(Case("rte", model, target, 42), TOY, threads=1).cell_key


@pytest.mark.cases
@pytest.mark.parametrize("number", [2, 3])
@pytest.mark.parametrize("model", ["toy-bert", "toy-bert+frozen", "cbow", "cnn"])
def test_a_stored_run_that_no_change_touched_is_of_todays_cell(model: str, number: int) -> None:
    found = from_bytes(sealed(older(model, number)))
    assert found.schema_number == 3
    assert found.cell_key == key_of(found.identity) == key_today(model)


@pytest.mark.parametrize(
    ("model", "target", "part"),
    [
        ("bilstm", "cpu-fp32", "lstm"),
        ("cnn", "cpu-bf16", "bf16_convolutions"),
        ("toy-bert+frozen", "cpu-bf16", "frozen_head"),
    ],
)
def test_a_stored_run_from_before_a_change_that_touches_it_is_another_cell(
    model: str, target: str, part: str
) -> None:
    before, after = (from_bytes(sealed(older(model, number, target))) for number in (2, 3))
    assert (before.identity["numerics"][part], after.identity["numerics"][part]) == (2, 3)
    assert before.cell_key != after.cell_key == key_today(model, target)


def test_a_new_pooler_makes_an_adapted_run_another_one() -> None:
    raw = older("toy-bert+bitfit", 2)
    for new, is_same in ((["classifier.bias"], True), (["bert.pooler.dense.bias"], False)):
        found = from_bytes(sealed(raw | {"model": raw["model"] | {"new_parameters": new}}))
        assert (found.cell_key == key_today("toy-bert+bitfit")) == is_same


def test_a_run_of_the_first_numerics_is_of_no_cell_of_today() -> None:
    found = from_bytes(sealed(older("toy-bert", 1)))
    assert found.identity["numerics"] == {"all": 1}
    assert found.cell_key != key_today("toy-bert")


@pytest.mark.parametrize(
    "changed",
    [
        {"cell_key": "0" * 64},
        {"identity": {}},
        {"identity": {"numerics": 3, "recipe": []}},
        {"cell_key": None, "identity": {}},
    ],
)
def test_what_is_no_whole_identity_is_left_as_it_is(changed: dict[str, Any]) -> None:
    raw = older("toy-bert", 3) | changed
    found = from_bytes(sealed(raw))
    assert (found.identity, found.cell_key) == (raw["identity"], raw["cell_key"])
    assert as_of_schema_3({"identity": 1, "case": 2}) == {}


@pytest.mark.cases
def test_a_stored_run_of_before_is_kept_and_a_forged_one_is_not(tmp_path: Path) -> None:
    config = resolved(Case("rte", "toy-bert", "cpu-fp32", 42), TOY, threads=1)
    store = Store(tmp_path)
    kept = store.save(from_bytes(sealed(older("toy-bert", 3))), TABLE)
    raw = json.loads(codec.to_bytes(kept)) | {"schema": 2}
    path = store.runs / file_name(kept)
    for key in ("crc32", "saved_model_sha256"):
        del raw[key]
    then = older("toy-bert", 3)
    path.write_bytes(sealed(raw | {name: then[name] for name in ("identity", "cell_key")}))
    assert Resume(store).find(config).record == kept
    forged = then["identity"] | {"numerics": 2}
    path.write_bytes(sealed(raw | {"identity": forged, "cell_key": then["cell_key"]}))
    assert "is not the hash of the stored run's identity" in str(Resume(store).find(config))


@pytest.mark.skipif(not models.is_here(models.MODELS["minilm"]), reason="needs the extra minilm")
def test_minilms_runs_of_before_its_special_tokens_were_listed_list_them_now() -> None:
    raw = older("minilm", 2)
    today = resolved(Case("rte", "minilm", "cpu-fp32", 42), TOY, threads=1)
    identity = raw["identity"]
    del identity["model_files"]["special_tokens_map.json"]
    found = from_bytes(sealed(raw | {"cell_key": key_of(identity)}))
    assert found.identity["model_files"] == today.identity["model_files"]
    mine = raw | {"cell_key": key_of(identity), "case": raw["case"] | A_COPY}
    assert "special_tokens_map.json" not in from_bytes(sealed(mine)).identity["model_files"]


def published() -> list[Record]:
    return Store(PUBLISHED).load()


@pytest.mark.cases
def test_the_published_runs_are_cells_of_three_seeds() -> None:
    found = cells(published())
    assert [len(cell.records) for cell in found] == [3] * 14
    assert all(record.cell_key == key_of(record.identity) for record in published())


@pytest.mark.cases
def test_the_published_models_are_compared_with_each_other() -> None:
    (table,) = by_axis.tables(boards(published()), Axis.model)
    assert len(table.rows) == 14
    assert not [note for note in table.notes if "scores are not comparable" in note]


def two_of(one: dict[str, int], other: dict[str, int]) -> str:
    """What a report says of two models whose runs have these parts."""
    runs = [
        record(
            Case("rte", model, "cpu-fp32", seed),
            identity={"numerics": part},
            cell_key=model,
            score=0.5 + seed / 1000,
        )
        for model, part in (("toy-bert", one), ("bilstm", other))
        for seed in (1, 2)
    ]
    (table,) = by_axis.tables(boards(runs), Axis.model)
    return "\n".join(table.notes)


def test_runs_are_compared_by_the_parts_that_both_have() -> None:
    assert "not comparable, numerics" not in two_of({"all": 2}, {"all": 2, "lstm": 3})
    assert "numerics.all differs: 2 and 3" in two_of({"all": 2}, {"all": 3, "lstm": 3})
    assert "numerics.lstm differs" in two_of({"lstm": 2}, {"lstm": 3})


EVERY_RUN = [
    Facts(network=network, method=method, autocast=dtype, config={"model_type": family})
    for network, method, family in (
        ("bilstm", None, None),
        ("cnn", None, None),
        (None, None, "bert"),
        (None, "lora", "xlnet"),
        (None, "frozen", "funnel"),
    )
    for dtype in (None, "bfloat16", "float16")
]


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_later_change_of_some_runs_leaves_the_others_as_they_were(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = [(run, parts(run)) for run in EVERY_RUN]
    for run, found in before:
        assert found[numerics.ALL] == 2
        then = {part: last for part, last in found.items() if part != "speedups"}
        if number > 2:
            assert parts_of(number, run) == then
        assert set(parts_of(number, run)) == set(then)
        assert parts_of(5, run) == found
    later = numerics.Change(4, "lstm", "something", lambda run: run.network == "bilstm")
    monkeypatch.setattr(numerics, "CHANGES", (*numerics.CHANGES, later))
    for run, found in before:
        assert (parts(run) != found) == (run.network == "bilstm")
        assert parts_of(5, run) == parts(run)


def test_changes_are_numbered_in_their_order() -> None:
    numbers = [change.number for change in numerics.CHANGES]
    assert numbers == sorted(numbers)
    assert all(change.what and change.part.isidentifier() for change in numerics.CHANGES)
