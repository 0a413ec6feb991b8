"""Speed-ups in a whole run: it names them, and leaves the network as it was without them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.catalog import recipes
from harness.catalog.speedups import ALL
from harness.execution.engine import InlineEngine
from harness.modeling import checkpoints
from harness.modeling.speedups import products
from harness.records.schema import Outcome
from harness.spec import Case, DataRequest
from tests.support.configs import resolved

RECIPE = replace(recipes.get("toy"), epochs=1, epochs_of={}, fast_dropout=True)


def outcome_of(speedups: tuple[str, ...], folder: Path) -> Outcome:
    config = resolved(
        Case("rte", "toy-bert", "cpu-fp32", 42), DataRequest(max_train=64, max_eval=40),
        recipe=RECIPE, save_models=str(folder),
    )  # fmt: skip
    run = InlineEngine().submit(replace(config, speedups=speedups), lambda *step: None)
    return run.result().outcome


def test_a_run_names_them_and_saves_the_whole_network(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("harness.catalog.speedups.LEAST_WIDTH", 1)
    monkeypatch.setattr(products, "ratio", lambda: 2.0)
    fast, plain = outcome_of(ALL, tmp_path / "fast"), outcome_of((), tmp_path / "plain")
    assert fast.status == plain.status == "ok"
    assert fast.model is not None
    assert plain.model is not None
    assert fast.model.speedups == dict.fromkeys(ALL, "used")
    assert plain.model.speedups == {}
    assert fast.model.parameters == plain.model.parameters
    assert fast.observed is not None
    assert plain.observed is not None
    assert fast.observed.weights_sha256 == plain.observed.weights_sha256
    assert fast.observed.order_sha256 == plain.observed.order_sha256
    loaded = checkpoints.load(tmp_path / "fast" / str(fast.saved_model))
    assert sum(loaded.answer("a film", "a good film").shares.values()) == pytest.approx(1)


def test_a_narrow_network_has_none_and_says_why(tmp_path: Path) -> None:
    outcome = outcome_of(ALL, tmp_path)
    assert outcome.model is not None
    why = "a network 80 wide is not faster with it, below 256"
    assert outcome.model.speedups == dict.fromkeys(ALL, why)
