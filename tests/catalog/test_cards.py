"""A saved model stands for a run that is kept only if it is that run's, and whole."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import harness
from harness.catalog import cards
from harness.catalog.model_files import CARD
from harness.planning.resume import Resume
from harness.records.schema import Record
from harness.records.store import Store
from harness.spec import Case, DataRequest, RunConfig
from tests.support.builders import TABLE, record
from tests.support.configs import resolved

CASE = Case("rte", "toy-bert", "cpu-fp32", 42)
WEIGHTS = "model.safetensors"


def saved(home: Path, name: str, content: bytes = b"x" * 1000, **said: Any) -> str:
    """A folder as `--glue-save-models` leaves it; returns its card's sha256."""
    folder = home / name
    folder.mkdir(parents=True)
    (folder / WEIGHTS).write_bytes(content)
    (folder / "config.json").write_text("{}")
    return cards.write(folder, {"case": CASE.id, "seed": CASE.seed, **said})


def config_of(home: Path) -> RunConfig:
    return resolved(CASE, DataRequest("toy"), save_models=str(home), threads=1)


def stored(config: RunConfig, results: Path, **changed: Any) -> Record:
    made = record(CASE, cell_key=config.cell_key, identity=dict(config.identity))
    return Store(results).save(made.model_copy(update=changed), TABLE)


def another_runs(model: Path) -> None:
    shutil.rmtree(model)
    saved(model.parent, model.name, b"y" * 1000, seed=43)


def another_runs_whole_again(model: Path) -> None:
    another_runs(model)
    (model / WEIGHTS).write_bytes(b"x" * 1000)


def cut_with_its_card(model: Path) -> None:
    (model / WEIGHTS).write_bytes(b"x" * 100)
    (model / CARD).unlink()
    cards.write(model, {"case": CASE.id, "seed": CASE.seed})


CHANGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "cut to 100 bytes": (
        lambda m: (m / WEIGHTS).write_bytes(b"x" * 100),
        "{0}/model.safetensors: has 100 bytes, and had 1,000",
    ),
    "other bytes": (
        lambda m: (m / WEIGHTS).write_bytes(b"y" * 1000),
        "{0}/model.safetensors: was changed",
    ),
    "no weights": (lambda m: (m / WEIGHTS).unlink(), "{0}/model.safetensors: is missing"),
    "no config": (lambda m: (m / "config.json").unlink(), "{0}/config.json: is missing"),
    "a folder for a file": (
        lambda m: ((m / WEIGHTS).unlink(), (m / WEIGHTS).mkdir()),
        "{0}/model.safetensors: is missing",
    ),
    "gone": (shutil.rmtree, "not in {1}"),
    "no card": (lambda m: (m / CARD).unlink(), "not in {1}"),
    "another run's": (
        another_runs,
        f"{{0}} holds the model of another run, or its {CARD} was changed",
    ),
    "another run's card": (another_runs_whole_again, "{0} holds the model of another run, or its"),
    "cut, and a card that says so": (
        cut_with_its_card,
        "{0} holds the model of another run, or its",
    ),
    "an empty card": (
        lambda m: (m / CARD).write_text(""),
        "{0} holds the model of another run, or its",
    ),
    "one file more": (
        lambda m: (m / "special_tokens_map.json").write_text("{}"),
        "{0}/special_tokens_map.json: was added later",
    ),
}


@pytest.mark.cases
@pytest.mark.parametrize("change", CHANGES)
def test_a_saved_model_that_is_not_the_runs_or_not_whole_is_made_again(
    change: str, tmp_path: Path
) -> None:
    home, name = tmp_path / "models", CASE.id
    config = config_of(home)
    sha256 = saved(home, name)
    run = stored(config, tmp_path / "r", saved_model=name, saved_model_sha256=sha256)
    assert Resume(Store(tmp_path / "r")).find(config).record == run
    act, why = CHANGES[change]
    act(home / name)
    found = Resume(Store(tmp_path / "r")).find(config)
    assert found.record is None
    said = f"the fine-tuned model: {why.format(home / name, home)}"
    assert found.reasons[0].startswith(said)


def test_what_a_user_adds_for_readers_is_no_harm(tmp_path: Path) -> None:
    config, sha256 = config_of(tmp_path), saved(tmp_path, "m")
    stored(config, tmp_path / "r", saved_model="m", saved_model_sha256=sha256)
    (tmp_path / "m" / "README.md").write_text("mine")
    assert Resume(Store(tmp_path / "r")).find(config).record


def test_a_model_of_before_hashes_were_stored_is_made_again(tmp_path: Path) -> None:
    config, _ = config_of(tmp_path), saved(tmp_path, "m")
    stored(config, tmp_path / "r", saved_model="m")
    (why,) = Resume(Store(tmp_path / "r")).find(config).reasons
    assert "an earlier glue-bench made this run, and stored no hash of its model" in why


@pytest.mark.cases
def test_a_session_makes_a_cut_model_again_and_keeps_a_whole_one(tmp_path: Path) -> None:
    models = tmp_path / "models"

    def run() -> Record:
        return harness.run(
            "rte", epochs=1, max_train=40, max_eval=20, results=tmp_path / "r", engine="inline",
            save_models=models, resume=True,
        )  # fmt: skip

    first = run()
    card = json.loads((models / str(first.saved_model) / CARD).read_text())
    assert (card["cell_key"], card["seed"]) == (first.cell_key, 42)
    assert {WEIGHTS, "config.json", "tokenizer.json"} <= set(card["files"])
    assert run() == first
    path = models / str(first.saved_model) / WEIGHTS
    path.write_bytes(path.read_bytes()[:100])
    second = run()
    assert (second.id, second.saved_model) != (first.id, first.saved_model)
    assert run() == second
