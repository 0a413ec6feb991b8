"""A fault planted in the harness itself is found in the first run, or by the flag it deserves."""

from __future__ import annotations

import contextlib
import dataclasses
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.catalog import models, targets
from harness.catalog.glue_files import FILES
from harness.modeling import pretrained, tokenization
from harness.records.cells import cells
from harness.records.schema import Outcome
from harness.spec import Case, DataRequest, Recipe, RunConfig
from harness.training import batches, device, loop, outcome, runner
from tests.support import tiny_models
from tests.support.builders import record
from tests.support.configs import resolved

RECIPE = Recipe(
    "test", source="", learning_rate=0.01, epochs=6, batch_size=8, max_length=20, warmup=0.1,
    eval_batch_size=16,
)  # fmt: skip
NOUNS = "abcdefghij"


def text(label: int, draw: random.Random) -> str:
    return f"the {draw.choice(NOUNS)} {draw.choice(NOUNS)} is {('bad', 'good')[label]}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SST-2 as a folder: 70 rows of which one word tells the label, and a tiny model."""
    made, draw = tmp_path_factory.mktemp("glue"), random.Random(0)
    for file in FILES.values():
        if file.task != "sst2":
            continue
        if file.split == "test":
            (made / file.path).write_text("index\tsentence\n" + "0\tgood\n" * 20)
            continue
        # No dev row is a training row.
        rows = [f"{file.split} : {text(row % 2, draw)}\t{row % 2}\n" for row in range(70)]
        (made / file.path).parent.mkdir(exist_ok=True)
        (made / file.path).write_text("sentence\tlabel\n" + "".join(rows))
    tiny_models.pretrained(made / "model", "bert")
    return made


def config_of(folder: Path, seed: int = 42, target: str = "cpu-fp32") -> RunConfig:
    name = str(folder / "model")
    config = resolved(
        Case("sst2", "model", target, seed), DataRequest(str(folder)),
        adapted=models.get(name), threads=1,
    )  # fmt: skip
    return dataclasses.replace(config, recipe=RECIPE)


def ran(folder: Path, **how: Any) -> Outcome:
    return runner.run(config_of(folder, **how))[0]


@pytest.mark.parametrize("target", ["cpu-fp32", "cpu-bf16"])
def test_a_healthy_run_is_ok(folder: Path, target: str) -> None:
    found = ran(folder, target=target)
    assert (found.status, found.reason, found.flags) == ("ok", None, ["subset"])
    assert found.score == 1.0
    assert found.observed is not None
    assert found.observed.arithmetic == {"cpu-fp32": "float32", "cpu-bf16": "bfloat16"}[target]
    assert found.observed.updates == found.observed.steps_planned == 54


def freeze_the_head(patch: pytest.MonkeyPatch) -> None:
    load = pretrained.load

    def frozen(*args: Any, **how: Any) -> pretrained.LoadedModel:
        made = load(*args, **how)
        made.network.classifier.requires_grad_(False)
        return made

    patch.setattr("harness.modeling.pretrained.load", frozen)


def skip_one_update_in_four(patch: pytest.MonkeyPatch) -> None:
    step, calls = device.CountingScaler.step, []

    def skipping(self: Any, optimizer: Any) -> Any:
        calls.append(1)
        return step(self, optimizer) if len(calls) % 4 else None

    patch.setattr(device.CountingScaler, "step", skipping)


def drop_the_last_batch(patch: pytest.MonkeyPatch) -> None:
    epoch = batches.TrainBatches.epoch

    def shorter(self: Any, number: int) -> Iterator[Any]:
        return iter(list(epoch(self, number))[:-1])

    patch.setattr(batches.TrainBatches, "epoch", shorter)


def drop_a_row_of_each_batch(patch: pytest.MonkeyPatch) -> None:
    collate = tokenization.collate
    patch.setattr(
        tokenization,
        "collate",
        lambda encoded, labels, rows: collate(
            encoded, labels, rows if labels is None else rows[1:]
        ),
    )


def drop_the_last_evaluation_batch(patch: pytest.MonkeyPatch) -> None:
    every = batches.eval_batches
    patch.setattr(batches, "eval_batches", lambda *args: list(every(*args))[:-1])


def evaluate_a_batch_twice(patch: pytest.MonkeyPatch) -> None:
    every = batches.eval_batches

    def doubled(*args: Any) -> list[tokenization.Batch]:
        found = list(every(*args))
        return [*found[:-1], found[0]]

    patch.setattr(batches, "eval_batches", doubled)


def permute_the_training_labels(patch: pytest.MonkeyPatch) -> None:
    made = batches.TrainBatches.__init__

    def turned(self: Any, encoded: Any, split: Any, *rest: Any) -> None:
        labels = [1 - label for label in split.labels]
        made(self, encoded, dataclasses.replace(split, labels=labels), *rest)

    patch.setattr(batches.TrainBatches, "__init__", turned)


def forget_autocast(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(device.Device, "autocast", lambda self: contextlib.nullcontext())


def train_in_half_precision(patch: pytest.MonkeyPatch) -> None:
    fine_tune = loop.fine_tune

    def halved(network: Any, *args: Any, **how: Any) -> Any:
        return fine_tune(network.bfloat16(), *args, **how)

    patch.setattr(loop, "fine_tune", halved)


def count_speed_by_the_mean_step(patch: pytest.MonkeyPatch) -> None:
    timing = outcome._timing

    def wrong(work: Any) -> Any:
        found = timing(work)
        return found.model_copy(update={"examples_per_s": found.examples_per_s * found.steps})

    patch.setattr(outcome, "_timing", wrong)


PLANTED = {
    freeze_the_head: "training did not change classifier.weight, classifier.bias",
    skip_one_update_in_four: "the optimizer made 41 updates",
    drop_the_last_batch: "54 steps were planned, 48 computed",
    drop_a_row_of_each_batch: "420 examples were planned, and 366 were trained on",
    drop_the_last_evaluation_batch: "64 predictions",
    evaluate_a_batch_twice: "a row was predicted twice",
    permute_the_training_labels: "accuracy is 0.0, and would be 100.0 if",
    train_in_half_precision: "parameters are bfloat16",
    count_speed_by_the_mean_step: "examples, but there were 420",
}


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_a_planted_fault_makes_the_run_a_failed_one(
    plant: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    found = ran(folder)
    assert found.status == "failed"
    assert PLANTED[plant] in (found.reason or "")


def test_a_row_that_no_label_tells_of_needs_its_prediction_too(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = config_of(folder)
    asked = dataclasses.replace(config, data=dataclasses.replace(config.data, predict_test=True))
    every = batches.eval_batches

    def shorter(encoded: tokenization.Encoded, size: int) -> list[tokenization.Batch]:
        found = list(every(encoded, size))
        return found[:-1] if len(encoded) == 20 else found

    monkeypatch.setattr(batches, "eval_batches", shorter)
    found, table = runner.run(asked)
    assert found.status == "failed"
    assert "test: 16 predictions for 20 rows; 4 rows have none" in (found.reason or "")
    assert table is not None
    assert {len(column) for column in table.values()} == {86}


def test_a_precision_that_was_not_used_is_found(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forget_autocast(monkeypatch)
    found = ran(folder, target="cpu-bf16")
    assert found.status == "failed"
    assert "products were float32; the target expects bfloat16" in (found.reason or "")


def test_fp16_that_leaves_updates_out_is_unstable(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its gradients overflow in every second step after the scale has settled."""
    half = dataclasses.replace(targets.get("cpu-bf16"), name="cpu-fp16", autocast="float16")
    monkeypatch.setitem(targets.TARGETS, "cpu-fp16", half)
    healthy = ran(folder, target="cpu-fp16")
    assert (healthy.status, healthy.reason, healthy.flags) == ("ok", None, ["subset"])
    unscale, calls = device.CountingScaler.unscale_, []

    def overflowing(self: Any, optimizer: Any) -> None:
        calls.append(1)
        if len(calls) > 16 and len(calls) % 2:
            optimizer.param_groups[0]["params"][0].grad.fill_(torch.inf)
        unscale(self, optimizer)

    monkeypatch.setattr(device.CountingScaler, "unscale_", overflowing)
    found = ran(folder, target="cpu-fp16")
    assert (found.status, found.reason) == ("ok", None)
    assert "unstable" in found.flags
    assert found.observed is not None
    assert found.observed.skipped_late == 19


def test_a_learning_rate_of_nothing_is_flat(folder: Path) -> None:
    config = config_of(folder)
    slow = dataclasses.replace(config, recipe=dataclasses.replace(RECIPE, learning_rate=1e-12))
    found = runner.run(slow)[0]
    assert "flat_loss" in found.flags


@pytest.mark.parametrize("what", ["everything", "the order"])
def test_a_seed_without_effect_shows_in_the_cell(
    what: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if what == "everything":
        ignored = [ran(folder, seed=1)] * 2
    else:
        made = batches.TrainBatches.__init__

        def unseeded(self: Any, *args: Any) -> None:
            made(self, *args[:-1], 0)

        with monkeypatch.context() as patch:
            patch.setattr(batches.TrainBatches, "__init__", unseeded)
            ignored = [ran(folder, seed=1), ran(folder, seed=2)]
    runs = [
        record(Case("sst2", "model", "cpu-fp32", seed), cell_key="k", **dict(found))
        for seed, found in enumerate(ignored)
    ]
    assert cells(runs)[0].states["same_seed"] == 2


def test_a_seed_with_an_effect_shows_nothing(folder: Path) -> None:
    seeded = [
        record(
            Case("sst2", "model", "cpu-fp32", seed), cell_key="k", **dict(ran(folder, seed=seed))
        )
        for seed in (1, 2)
    ]
    assert "same_seed" not in cells(seeded)[0].states
