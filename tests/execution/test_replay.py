"""A stored run computed again: equal, or the first input that differs is named, and the step."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

import harness
from harness.catalog import models, numerics, recipes, tasks
from harness.catalog.glue_files import FILES
from harness.errors import Exit, StorageError, UsageError
from harness.execution import replay
from harness.execution import replay as verify
from harness.execution.engine import InlineEngine
from harness.execution.replay import Replay
from harness.planning import resolve, stored_run
from harness.records.schema import Batching, Record
from harness.records.store import file_name
from harness.spec import Case
from harness.training import loop
from tests.support import builders, glue_files, tiny_models

ROWS, BATCH, SEED = 72, 32, 42
WORDS = ["the", "film", "is", "good", "bad"]


def rows(count: int) -> list[list[str]]:
    """Rows of RTE in the tiny models' words, no two alike."""
    draw = np.random.default_rng(count)
    file = FILES["rte", "train"]
    return [
        glue_files.row(
            file,
            sentence1=" ".join(draw.choice(WORDS, 6)),
            sentence2=" ".join(draw.choice(WORDS, 3)),
            label=("entailment", "not_entailment")[place % 2],
        )
        for place in range(count)
    ]


def put_rows(folder: Path, train_rows: list[list[str]]) -> Path:
    for split, found in {"train": train_rows, "validation": rows(8)}.items():
        glue_files.put(folder, FILES["rte", split], glue_files.encode(FILES["rte", split], found))
    return folder


@dataclasses.dataclass(frozen=True)
class Stored:
    """A run of a folder's rows and a folder's model, over several epochs."""

    record: Record
    path: Path
    data: Path
    model: Path

    def again(self, record: Record | None = None, **other: Any) -> Replay:
        given = {"data": str(self.data), "model": str(self.model)} | other
        found = verify.verify(record or self.record, InlineEngine(), **given)
        assert found is not None
        return found


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Stored:
    home = tmp_path_factory.mktemp("stored")
    data, model = put_rows(home / "glue", rows(ROWS)), tiny_models.pretrained(home / "mine", "bert")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("harness.system.environment.usable_cpus", lambda: (0,))  # tiny: one is faster
        record = harness.run(
            "rte", str(model), data=data, recipe="toy", epochs=3, seed=SEED, engine="inline",
            results=home / "results",
        )  # fmt: skip
    assert record.status == "ok", record.reason
    assert len(record.first_losses) == 3 * 3
    path = home / "results" / "runs" / file_name(record)
    return Stored(record, path, data, model)


def first(found: Replay) -> str | None:
    return found.differences[0].input if found.differences else None


def test_a_run_is_had_again_to_the_last_bit(stored: Stored) -> None:
    found = stored.again(stored_run.find(str(stored.path)).record)
    assert found.is_equal
    assert (found.exit, found.step, found.apart, first(found)) == (Exit.FINE, None, 0.0, None)
    assert replay.text(found).splitlines() == [
        "rte-mine-cpu-fp32-s42, 1 thread(s)",
        "equal: 9 losses are bitwise the same",
    ]


def test_another_recipe(stored: Stored) -> None:
    faster = stored.record.recipe | {"learning_rate": 7e-3}
    found = stored.again(stored.record.model_copy(update={"recipe": faster}))
    assert first(found) == "recipe"
    assert found.differences[0].what == "recipe.learning_rate: was 0.0007, is 0.007"
    # The first step is taken at a rate of 0: the second's result is the first to differ.
    assert (found.exit, found.step) == (Exit.WORSE, 3)
    text = replay.text(found)
    assert "\ndifferent at step 3: loss was 0." in text
    assert "\nthe first input that differs: recipe\n" in text


def test_another_row(stored: Stored, tmp_path: Path) -> None:
    order = np.random.default_rng([SEED, 0]).permutation(ROWS)
    changed = rows(ROWS)
    last = int(order[-1])  # seen in the first epoch's last step
    changed[last] = [*changed[last][:1], "bad bad bad bad bad bad", *changed[last][2:]]
    found = stored.again(data=str(put_rows(tmp_path, changed)))
    assert first(found) == "rows"
    assert found.differences[0].what.startswith("train: was '")
    assert (found.exit, found.step) == (Exit.WORSE, 3)
    # Other rows are no matter of rounding, however close the losses.
    near = dataclasses.replace(found, now=tuple((1 + 1e-6) * loss for loss in found.then))
    assert near.exit is Exit.WORSE
    assert dataclasses.replace(near, now=near.then).exit is Exit.FINE


def test_rows_left_out(stored: Stored, tmp_path: Path) -> None:
    found = stored.again(data=str(put_rows(tmp_path, rows(ROWS)[:-1])))
    assert [d.input for d in found.differences] == ["rows", "rows", "order"]
    assert found.differences[0].what == "train.rows: was 72, is 71"
    assert (found.exit, found.step) == (Exit.WORSE, 1)


def test_another_weight(stored: Stored, tmp_path: Path) -> None:
    other = Path(shutil.copytree(stored.model, tmp_path / "other"))
    weights = load_file(other / "model.safetensors")
    name = next(name for name in weights if "query.weight" in name)
    weights[name][0, 0] += 1.0
    save_file(weights, other / "model.safetensors", metadata={"format": "pt"})
    found = stored.again(model=str(other))
    assert [d.input for d in found.differences] == ["weights", "weights"]
    assert found.differences[0].what.startswith("model_files.model.safetensors: was '")
    assert found.differences[1].what.startswith("weights_sha256: was '")
    assert found.step == 1


def test_another_order(stored: Stored, monkeypatch: pytest.MonkeyPatch) -> None:
    seeded = np.random.default_rng
    monkeypatch.setattr(
        "harness.modeling.tokenization.np.random.default_rng", lambda seed: seeded([*seed, 1])
    )
    found = stored.again()
    assert [d.input for d in found.differences] == ["order"]
    assert (found.exit, found.step) == (Exit.WORSE, 1)


def numerics_raised(monkeypatch: pytest.MonkeyPatch) -> str:
    later = numerics.Change(10**6, numerics.ALL, "another sum of losses")
    monkeypatch.setattr(numerics, "CHANGES", (*numerics.CHANGES, later))
    return "code"


def nothing_said(monkeypatch: pytest.MonkeyPatch) -> None:
    return None


@pytest.mark.parametrize("said", [numerics_raised, nothing_said])
def test_other_code(
    said: Callable[[pytest.MonkeyPatch], str | None], stored: Stored, monkeypatch
) -> None:
    share = loop.step_share
    monkeypatch.setattr(loop, "step_share", lambda *batches: 1.01 * share(*batches))
    expected = said(monkeypatch)
    found = stored.again()
    assert (found.exit, found.step, first(found)) == (Exit.WORSE, 1, expected)
    if expected is None:
        assert "no input that the record knows of differs" in replay.text(found)


def test_rounding_is_told_from_a_difference(stored: Stored, monkeypatch) -> None:
    share = loop.step_share
    monkeypatch.setattr(loop, "step_share", lambda *batches: (1 + 1e-6) * share(*batches))
    older = stored.record.environment | {"torch": "2.10.0", "cpu": "another"}
    found = stored.again(stored.record.model_copy(update={"environment": older}), threads=7)
    assert not found.is_equal
    assert found.exit is Exit.FINE
    assert "\nequal within 0.001: 9 losses differ by " in replay.text(found)
    named = [(d.input, d.what.partition(":")[0]) for d in found.differences]
    assert named == [("environment", name) for name in ("torch", "cpu", "threads")]
    bf16 = dataclasses.replace(found, tolerance=1e-2, now=tuple(1.005 * x for x in found.then))
    assert bf16.exit is Exit.FINE
    assert dataclasses.replace(bf16, tolerance=1e-3).exit is Exit.WORSE


def test_a_replay_that_diverges_is_different(stored: Stored) -> None:
    wild = stored.record.recipe | {"learning_rate": 1e30}
    found = stored.again(stored.record.model_copy(update={"recipe": wild}))
    assert (found.status, found.exit, first(found)) == ("diverged", Exit.WORSE, "recipe")
    assert "different: 9 losses were finite; the loss is nan at step 3 of 9" in replay.text(found)


def test_a_replay_that_breaks_tells_nothing(stored: Stored, monkeypatch) -> None:
    def broken(*args: object, **settings: object) -> None:
        raise MemoryError

    monkeypatch.setattr("harness.training.runner.replay", broken)
    found = stored.again()
    assert found.exit is Exit.UNDECIDED
    assert "cannot tell: MemoryError" in replay.text(found)


def test_a_record_of_schema_1_is_compared_by_its_losses(stored: Stored, tmp_path: Path) -> None:
    raw = json.loads(stored.path.read_text())
    raw = {k: v for k, v in raw.items() if k not in ("crc32", "batching", "observed", "session")}
    (tmp_path / "old.json").write_text(json.dumps(raw | {"schema": 1}))
    old = stored_run.find(str(tmp_path / "old.json")).record
    assert stored.again(old).is_equal
    other = old.model_copy(update={"first_losses": [loss + 1 for loss in old.first_losses]})
    text = replay.text(stored.again(other))
    assert "not known: the first weights and the order of rows" in text


def test_steps_cut_up_for_the_memory_are_cut_up_again(stored: Stored) -> None:
    cut = Batching(batch_requested=32, micro_batch=8, accumulation=4, eval_batch=64, oom_retries=2)
    record = stored.record.model_copy(update={"batching": cut})
    config = verify.configuration(record, data=str(stored.data), model=str(stored.model))
    assert config.recipe.accumulation == 4  # dropout draws by micro-batch: bits depend on it
    assert config.identity["recipe"] == record.identity["recipe"]


def test_what_a_record_leaves_open_has_an_option(stored: Stored, tmp_path: Path) -> None:
    for given, wanted in [
        (
            {"model": str(stored.model)},
            "rows came from a folder.*Fix: name the folder with --data DIR",
        ),
        ({"data": str(stored.data)}, "model 'mine' came from a folder.*Fix: say --model FOLDER"),
        (
            {"data": str(tmp_path / "none")},
            "--data: .*which is not a folder .*; expected `toy`",
        ),
        ({"data": str(stored.data), "model": "./none"}, "no such folder"),
    ]:
        with pytest.raises(UsageError, match=wanted):
            verify.configuration(stored.record, **given)


def test_names_are_resolved_without_options() -> None:
    case = Case("rte", "toy-bert+scratch", "cpu-fp32", 7)
    recipe = dataclasses.asdict(resolve.recipe_for(tasks.get("rte"), recipes.get("toy"), 2))
    record = builders.record(case, identity={"adaptation": {"scratch": True}})
    record = record.model_copy(update={"recipe": recipe, "threads": 1})
    config = verify.configuration(record)
    assert (config.case, config.scratch, config.replay_steps) == (case, True, 2)
    assert config.recipe.epochs == 2
    assert config.model_directory == str(models.directory(models.MODELS["toy-bert"]))


@pytest.mark.parametrize("recipe", [{"name": "toy"}, {"speed": 3}])
def test_a_recipe_of_another_version_is_named(recipe: dict[str, Any]) -> None:
    record = builders.record(Case("rte", "toy-bert", "cpu-fp32", 42))
    with pytest.raises(UsageError, match=r"key recipe\.s\w+: found .*Fix: .*that wrote it"):
        verify.configuration(record.model_copy(update={"recipe": recipe}))


def test_results_that_cannot_be_found(stored: Stored, tmp_path: Path) -> None:
    results = stored.path.parents[1]
    assert stored_run.find(stored.record.id[:6], results).record.id == stored.record.id
    for result, wanted in {
        str(tmp_path / "none.json"): "no such file",
        "zzz": "holds no run of that case, and no run whose id begins",
        "rte-toy-bert-cpu-fp32-s43": "Did you mean 'rte-mine-cpu-fp32-s42'",
        str(results): "is a folder; expected a record's file",
    }.items():
        with pytest.raises(UsageError, match=wanted):
            stored_run.find(result, results)
    (tmp_path / "x.json").write_bytes(stored.path.read_bytes().replace(b"rte", b"xxx", 1))
    with pytest.raises(StorageError, match=r"x\.json: key crc32: found"):
        stored_run.find(str(tmp_path / "x.json"))
