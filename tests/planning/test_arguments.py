"""What a script may hand to `harness.run` and `harness.load_results`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import harness
from harness.catalog import models, recipes
from harness.errors import GlueBenchError, UsageError
from tests.support.engines import FakeEngine

TOY = models.directory(models.MODELS["toy-bert"])


@pytest.fixture
def here(tmp_path: Path, engines: list[FakeEngine], monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "model").symlink_to(TOY)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.mark.cases
@pytest.mark.parametrize(
    "said",
    [
        {"model": TOY},
        {"model": str(TOY)},
        {"model": Path("model")},
        {"model": "~/model"},
        {"seed": np.int64(7)},
        {"seed": 2**32 - 1},
        {"epochs": np.int32(1), "max_train": np.int64(64), "max_eval": np.uint8(32)},
        {"predict_test": np.bool_(True), "timeout": np.float32(60)},
        {"data": "toy", "results": Path("r")},
        {"results": "~/r"},
        {"results": b"r"},
        {"results": os.fsdecode(b"caf\xe9")},
        {"save_models": Path("models")},
    ],
    ids=str,
)
def test_what_is_meant_is_taken(said: dict[str, Any], here: Path) -> None:
    record = harness.run(**{"task": "rte", "results": here / "r"} | said)
    assert record.status == "ok"
    assert type(record.case.seed) is int
    results = said.get("results", here / "r")
    assert len(harness.load_results(results)) == 1


@pytest.mark.cases
@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("task", [None, 1, ["rte"], Path("rte"), "", "rt\u0435"]),
        ("model", [None, 3, ["toy-bert"], b"toy-bert", Path("nowhere"), Path("loop")]),
        ("model", ["~nosuchuser", "~nosuchuser/x", ""]),
        ("target", [None, 0, ("cpu-fp32",), "cpu"]),
        ("seed", [None, "42", 42.0, True, np.bool_(True), -1, 2**32, 10**5000, [42]]),
        ("data", [None, 5, "~nosuchuser/x", "a\0b", Path("nowhere"), Path("loop"), "n" * 300, ""]),
        ("recipe", [5, Path("toy"), recipes.get("toy")]),
        ("epochs", ["1", 1.5, True, 0, [1], -1, 10**5000]),
        ("max_train", ["64", 64.0, 0]),
        ("max_eval", [{}, -5]),
        ("predict_test", ["yes", None, 1]),
        ("task_file", [5, "a\0b", "nowhere.toml", "n" * 300, Path()]),
        ("vectors", [5, "a\0b", "~nosuchuser/x"]),
        ("save_models", [5, "~nosuchuser/x", Path("loop"), "n" * 300, ""]),
        ("results", [None, 5, "~nosuchuser/x", Path("loop"), "a\0b", "n" * 300, ""]),
        ("results", [TOY / "config.json", Path("loop/x"), Path("dangling/\0")]),
        ("resume", ["no", None]),
        ("engine", [None, 1, "inlin"]),
        ("timeout", ["5", -1, float("nan"), float("inf"), True, [1]]),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_named(name: str, values: list[Any], here: Path) -> None:
    for value in values:
        with pytest.raises(GlueBenchError) as caught:
            harness.run(**{"task": "rte", "results": here / "r", name: value})
        said = str(caught.value).replace("--glue-", "").replace("-", "_")
        assert (
            name in said
            or "no such file" in said.lower()
            or "toml" in said.lower()
            or ("too long" in said or "longer than" in said or "could not write" in said)
        )
        assert "\0" not in said
    assert not (here / "r" / "runs").exists() or not list((here / "r" / "runs").iterdir())


@pytest.mark.cases
@pytest.mark.parametrize("value", [None, 5, "~nosuchuser/x", "a\0b", "", Path("loop"), "n" * 300])
def test_a_results_folder_that_cannot_be_is_named(value: Any, here: Path) -> None:
    with pytest.raises(GlueBenchError, match=r"path|longer than a file system allows"):
        harness.load_results(value)


def test_the_message_says_the_type_that_was_found() -> None:
    with pytest.raises(UsageError, match=r"seed: found '42', of type str; expected a whole number"):
        harness.run("rte", seed="42")  # ty: ignore[invalid-argument-type]
