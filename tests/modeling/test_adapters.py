"""Training a part of a pretrained network: what changes is what was declared, to the last bit."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from harness.catalog import models, recipes, targets, tasks
from harness.catalog.adaptations import ADAPTATIONS
from harness.errors import ModelError, ModelUnavailable, UsageError
from harness.modeling import adapters, checkpoints, pretrained, tokenization
from harness.spec import Case, DataRequest, Recipe, RunConfig, Split
from harness.training import batches, loop, runner
from harness.training import inputs as prepared
from harness.training.device import Device
from harness.training.inputs import Features
from tests.support import pytest_project, tiny_families
from tests.support.configs import resolved

TOY = models.directory(models.MODELS["toy-bert"])
RTE, STSB = tasks.TASKS["rte"], tasks.TASKS["stsb"]
CPU = Device(targets.get("cpu-fp32"))
METHODS = [name for name, row in ADAPTATIONS.items() if row.trains_part]
FEW = DataRequest("toy", 64, 32)


def configuration(model: str, task: str = "rte", **changed: Any) -> RunConfig:
    made = resolved(Case(task, model, "cpu-fp32", 7), FEW, epochs=1, threads=1)
    return dataclasses.replace(made, **changed)


def of_ids(*ids: int) -> dict[str, torch.Tensor]:
    return {"input_ids": torch.tensor([ids]), "attention_mask": torch.ones(1, len(ids)).long()}


def trained(model: str, task: str = "rte") -> tuple[prepared.RunInputs, Mapping[str, torch.Tensor]]:
    """A model after one epoch on a few rows, and its tensors before."""
    config = configuration(model, task)
    ready = prepared.prepare(config)
    before = {name: tensor.clone() for name, tensor in ready.network.state_dict().items()}
    recipe = dataclasses.replace(config.recipe, warmup=0.0)
    rows = ready.train_batches(recipe)
    loop.fine_tune(ready.network, ready.task, recipe, rows, ready.device, 7)
    return ready, before


def changed(ready: prepared.RunInputs, before: Mapping[str, torch.Tensor]) -> set[str]:
    after = ready.network.state_dict()
    assert after.keys() == before.keys()
    return {name for name, tensor in after.items() if not torch.equal(tensor, before[name])}


@pytest.mark.parametrize("task", ["rte", "stsb"])
def test_a_frozen_encoder_is_bit_identical_after_training(task: str) -> None:
    ready, before = trained("toy-bert+frozen", task)
    assert changed(ready, before) == {"classifier.weight", "classifier.bias"}
    assert ready.model.new_parameters == ("classifier.bias", "classifier.weight")


def test_bitfit_changes_every_bias_it_can_and_nothing_else_but_the_head() -> None:
    ready, before = trained("toy-bert+bitfit")
    found = changed(ready, before)
    inside = {name for name in before if name.startswith("bert.")}
    assert {name for name in found if name in inside} <= {n for n in inside if n.endswith("bias")}
    # Of the keys' biases no attention depends: softmax takes no notice of them.
    still = {n for n in inside if n.endswith("bias") and ".key." not in n} - found
    assert still == set()
    assert {n for n in before if n not in inside} <= found


def test_lora_changes_its_additions_and_the_head_alone() -> None:
    ready, before = trained("toy-bert+lora")
    found = changed(ready, before)
    head = {name for name in before if not name.startswith("bert.")}
    added = {name for name in before if ".lora_" in name}
    assert found <= head | added
    assert head <= found
    assert {name for name in added if ".lora_B." in name} <= found  # A's gradient is 0 at first
    assert {name.split(".lora_")[0].rsplit(".", 1)[1] for name in added} == {"query", "value"}
    assert {*ready.model.new_parameters} >= added
    rank = ADAPTATIONS["lora"].settings["rank"]
    assert all(before[n].shape[0] == rank for n in added if ".lora_A." in n)


@pytest.mark.parametrize("method", METHODS)
def test_before_training_the_encoder_says_what_it_said(method: str) -> None:
    """LoRA's additions begin at zero, and the head has the weights that it has without them."""
    plain = pretrained.load(TOY, RTE, 3)
    loaded = adapters.adapt(pretrained.load(TOY, RTE, 3), method, RTE, 3)
    inputs = {
        "input_ids": torch.tensor([[2, 5, 6, 7, 3]]),
        "attention_mask": torch.ones(1, 5).long(),
    }
    with torch.no_grad():
        logits = loaded.network.eval()(**inputs).logits
        if method == "frozen":
            states = plain.network.eval().bert(**inputs).last_hidden_state.mean(dim=1)
            expected = loaded.network.classifier(states)
        else:
            expected = plain.network.eval()(**inputs).logits
    assert torch.allclose(logits, expected, atol=1e-6)


def test_features_are_means_over_real_tokens_and_are_computed_once() -> None:
    loaded = adapters.adapt(pretrained.load(TOY, RTE, 1), "frozen", RTE, 1)
    texts = [("the film is good", "bad"), ("a", "b"), ("the actor praised the film " * 6, "a")]
    encoded = tokenization.encode(loaded.tokenizer, texts, 32)
    calls: list[int] = []
    loaded.network.encoder.register_forward_hook(lambda *_: calls.append(1))
    features = Features(encoded, loaded.network, CPU)
    loaded.network.train()  # dropout must stay off all the same
    found = features.batch(None, np.array([2, 0, 1])).inputs["features"]
    again = features.batch(torch.tensor([0, 1, 0]), np.array([1, 2, 0])).inputs["features"]
    assert len(calls) == 1
    assert torch.equal(found[[2, 0, 1]], again)
    with torch.no_grad():
        for row in range(3):
            alone = encoded.batch(None, np.array([row])).inputs
            states = loaded.network.encoder.eval()(**alone).last_hidden_state[0]
            assert torch.allclose(found[[2, 0, 1].index(row)], states.mean(dim=0), atol=1e-5)
    assert (features.truncated, len(features)) == (encoded.truncated, 3)


@pytest.mark.parametrize("target", ["cpu-fp32", "cpu-bf16"])
@pytest.mark.parametrize("method", METHODS)
def test_a_run_says_what_it_trained_and_how_much_there_is_to_keep(
    method: str, target: str, tmp_path: Path
) -> None:
    config = resolved(
        Case("rte", f"toy-bert+{method}", target, 7), FEW, epochs=2, threads=1,
        save_models=str(tmp_path),
    )  # fmt: skip
    outcome, _ = runner.run(config)
    assert (outcome.status, outcome.reason) == ("ok", None)
    whole = runner.run(configuration("toy-bert"))[0].model
    assert outcome.model is not None
    assert whole is not None
    assert whole.trained_parameters == whole.parameters
    assert outcome.model.trained_parameters < whole.parameters / 10
    assert outcome.model.saved_bytes == 4 * outcome.model.trained_parameters
    answer = checkpoints.load(tmp_path / str(outcome.saved_model)).answer("the film", "a film")
    assert sum(answer.shares.values()) == pytest.approx(1)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("task", ["rte", "stsb"])
def test_what_is_saved_answers_as_it_did(method: str, task: str, tmp_path: Path) -> None:
    ready, _ = trained(f"toy-bert+{method}", task)
    config = configuration(f"toy-bert+{method}", task, save_to=str(tmp_path))
    ready.sped_up.undo()
    row = ready.data.splits["validation"].texts[:1]
    encoded = tokenization.encode(ready.model.tokenizer, row, config.recipe.max_length)
    expected = loop.predict(ready.network, batches.eval_batches(encoded, 1), CPU)[0]
    found = checkpoints.load(tmp_path / checkpoints.save(ready.model, config, 0.5).name).answer(
        *row[0]
    )
    if task == "stsb":
        assert found.score == pytest.approx(float(expected), abs=1e-5)
    else:
        assert list(found.shares) == list(RTE.labels)
        assert list(found.shares.values()) == pytest.approx(expected.softmax(0).tolist(), abs=1e-5)


RECIPE = Recipe("test", "", learning_rate=1e-2, epochs=2, batch_size=4, max_length=32)
ROWS = Split(
    [("the film is good", "bad"), ("a b c d", "e"), ("a", "b " * 40), ("bad", "")] * 2,
    [0, 1] * 4,
    range(8),
)
REFUSED = {
    ("modernbert", "bitfit"): r"\+bitfit: this modernbert has no bias .* use \+lora",
    ("llama", "bitfit"): r"\+bitfit: this llama has no bias",
    ("funnel", "frozen"): r"\+frozen: this funnel has \d+ states for \d+ tokens",
    ("squeezebert", "lora"): r"\+lora: the attention of this squeezebert .* grouped .* \+bitfit",
}


ONE_OF_EACH = {row.model_type: name for name, row in tiny_families.FAMILIES.items()}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", [*ONE_OF_EACH.values(), "bert"])  # bert's has a new pooler
def test_every_family_trains_what_was_declared_and_is_saved(
    name: str, method: str, tmp_path: Path
) -> None:
    folder = tiny_families.pretrained(tmp_path / "model", name)
    loaded = pretrained.load(folder, RTE, 1)
    if said := REFUSED.get((tiny_families.FAMILIES[name].model_type, method)):
        with pytest.raises(ModelError, match=said):
            one_epoch(adapters.adapt(loaded, method, RTE, 1))
        return
    loaded = adapters.adapt(loaded, method, RTE, 1)
    before = {n: tensor.clone() for n, tensor in loaded.network.state_dict().items()}
    one_epoch(loaded)
    after = loaded.network.state_dict()
    found = {n for n, tensor in after.items() if not torch.equal(tensor, before[n])}
    declared = {n for n, p in loaded.network.named_parameters() if p.requires_grad}
    assert found <= declared
    assert declared >= {*loaded.new_parameters}
    inside = f"{loaded.network.base_model_prefix}."
    assert any(not n.startswith(inside) for n in found)
    assert method == "frozen" or any(n.startswith(inside) for n in found)

    encoded = tokenization.encode(loaded.tokenizer, ROWS.texts, 32, loaded.extra_padding)
    expected = loop.predict(loaded.network, batches.eval_batches(encoded, 1), CPU)
    config = configuration(f"toy-bert+{method}", save_to=str(tmp_path))
    tuned = checkpoints.load(tmp_path / checkpoints.save(loaded, config, 0.5).name)
    for texts, row in zip(ROWS.texts[:4], expected[:4].softmax(dim=1).tolist(), strict=True):
        answer = dataclasses.replace(tuned, max_length=32).answer(*texts)
        assert [*answer.shares.values()] == pytest.approx(row, abs=1e-5)


def one_epoch(loaded: pretrained.LoadedModel) -> None:
    inputs: Any = tokenization.encode(loaded.tokenizer, ROWS.texts, 32, loaded.extra_padding)
    if isinstance(loaded.network, adapters.FrozenEncoder):
        inputs = Features(inputs, loaded.network, CPU)
    rows = batches.TrainBatches(inputs, ROWS, RECIPE, seed=0)
    loop.fine_tune(loaded.network, RTE, RECIPE, rows, CPU, seed=0)


def test_a_frozen_encoders_scores_are_not_rounded_to_ties() -> None:
    case = Case("stsb", "toy-bert+frozen", "cpu-bf16", 7)
    _, predictions = runner.run(resolved(case, FEW, epochs=1, threads=1))
    assert predictions is not None
    scores = predictions["prediction"]
    assert len({*scores}) == len(scores)


def test_each_method_has_its_recipe_unless_one_is_named() -> None:
    for method, recipe in (("frozen", "linear-probe"), ("lora", "lora"), ("bitfit", "bitfit")):
        assert (
            resolved(Case("rte", f"toy-bert+{method}", "cpu-fp32", 1), FEW, threads=1).recipe.name
            == recipe
        )
        named = resolved(
            Case("rte", f"toy-bert+{method}", "cpu-fp32", 1), FEW, threads=1, recipe="toy"
        )
        assert named.recipe.name == "toy"
        assert recipe in recipes.RECIPES


def test_the_numbers_of_a_method_are_part_of_the_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {
        configuration(f"toy-bert{plus}").cell_key
        for plus in ("", "+scratch", *(f"+{m}" for m in METHODS))
    }
    assert len(keys) == 2 + len(METHODS)
    before = configuration("toy-bert+lora").cell_key
    row = dataclasses.replace(ADAPTATIONS["lora"], settings={"rank": 4, "alpha": 8, "dropout": 0.0})
    monkeypatch.setitem(ADAPTATIONS, "lora", row)
    assert configuration("toy-bert+lora").cell_key != before


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("toy-bert+lora+bitfit", "found lora and bitfit; expected one of them"),
        ("toy-bert+lora+lora", "unknown adaptation of toy-bert 'lora'"),
        ("toy-bert+bitift", "Did you mean 'bitfit'"),
        ("toy-bert+vectors", "unknown adaptation of toy-bert 'vectors'"),
        ("cbow+lora", "unknown adaptation of cbow 'lora'.*Known: vectors"),
    ],
)
def test_what_does_not_go_together_is_said(name: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        models.get(name)


def test_random_features_are_a_control() -> None:
    found = models.get("toy-bert+scratch+frozen")
    assert (found.scratch, found.method, found.recipe) == (
        True,
        ADAPTATIONS["frozen"],
        "linear-probe",
    )
    assert runner.run(configuration("toy-bert+scratch+frozen"))[0].status == "ok"


def test_a_package_that_is_missing_names_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.catalog.adaptations.find_spec", lambda name: None)
    with pytest.raises(ModelUnavailable, match=r"needs the Python package peft.*\.\[peft\]"):
        configuration("toy-bert+lora")


SIDE_BY_SIDE = ("toy-bert", "cbow", *(f"toy-bert+{name}" for name in ("scratch", *METHODS)))


def test_a_session_holds_them_side_by_side(
    project: pytest.Pytester, fork_server: None, capsys: pytest.CaptureFixture[str]
) -> None:
    models_named = ",".join(SIDE_BY_SIDE)
    ran = pytest_project.run(
        project, "-k", "rte", "--glue-models", models_named, "--glue-targets", "cpu-fp32",
        "--glue-epochs", "2", "--glue-max-train", "400", "--glue-max-eval", "100",
    )  # fmt: skip
    ran.assert_outcomes(passed=len(SIDE_BY_SIDE), deselected=8 * len(SIDE_BY_SIDE))
