"""Resolving a case, and what becomes of errors."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from harness.errors import DataError, TrainingDiverged
from harness.planning.resolve import from_json, to_json
from harness.spec import Case, DataRequest
from harness.training import runner
from tests.support.configs import resolved

CASE, TOY = Case("rte", "toy-bert", "cpu-fp32", 42), DataRequest("toy")


def test_a_configuration_travels_as_json() -> None:
    config = resolved(CASE, DataRequest("toy", 10, None), threads=2, cpus=(0, 1), jobs=2)
    assert from_json(to_json(config)) == config


def test_seeds_and_threads_share_a_cell_and_nothing_else_does() -> None:
    key = resolved(CASE, TOY, threads=1).cell_key
    assert resolved(dataclasses.replace(CASE, seed=7), TOY, threads=2).cell_key == key
    others = {
        resolved(CASE, DataRequest("toy", max_train=10), threads=1).cell_key,
        resolved(CASE, DataRequest("toy", max_eval=10), threads=1).cell_key,
        resolved(CASE, TOY, threads=1, recipe="run-glue").cell_key,
        resolved(CASE, TOY, threads=1, epochs=9).cell_key,
        *(
            resolved(dataclasses.replace(CASE, **change), TOY, threads=1).cell_key
            for change in (
                {"task": "wnli"},
                {"model": "toy-bert+scratch"},
                {"target": "cpu-bf16"},
                {"target": "cuda-tf32"},
            )
        ),
    }
    assert len(others | {key}) == 9


def test_a_tasks_own_epochs_and_the_users() -> None:
    mrpc = dataclasses.replace(CASE, task="mrpc")
    assert resolved(mrpc, TOY, threads=1, recipe="run-glue").recipe.epochs == 5
    assert resolved(CASE, TOY, threads=1, recipe="run-glue").recipe.epochs == 3
    changed = resolved(CASE, TOY, threads=1, recipe="run-glue", epochs=2).recipe
    assert (changed.epochs, changed.name) == (2, "run-glue-2ep")


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (TrainingDiverged("the loss is nan"), "diverged", "the loss is nan"),
        (torch.OutOfMemoryError("CUDA out of memory"), "oom", "OutOfMemoryError: CUDA out"),
        (MemoryError(), "oom", "MemoryError: no message"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: 9"), "oom", "RuntimeError: Def"),
        (RuntimeError("something\nelse"), "failed", "RuntimeError: something else"),
        (DataError("x.tsv:3: found"), "failed", "x.tsv:3: found"),
    ],
)
def test_an_error_becomes_a_status_and_one_line(
    error: Exception, status: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: object) -> None:
        raise error

    monkeypatch.setattr(runner, "prepare", broken)
    outcome, predictions = runner.run(resolved(CASE, TOY, threads=1))
    assert (outcome.status, predictions) == (status, None)
    assert outcome.reason is not None
    assert outcome.reason.startswith(reason)
    assert outcome.memory is not None


def test_a_model_whose_files_changed_is_another_cell(tmp_path: Path) -> None:
    import shutil

    from harness.catalog import models, weights

    folder = Path(shutil.copytree(models.directory(models.MODELS["toy-bert"]), tmp_path / "m"))
    before = weights.fingerprint(folder)
    (folder / "config.json").write_text("{}")
    assert weights.fingerprint(folder) != before
