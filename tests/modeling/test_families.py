"""Each family of networks through the one loading function and the unchanged loop."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file
from transformers import AutoModelForSequenceClassification

from harness.catalog import targets, tasks
from harness.errors import ModelError
from harness.modeling import checkpoints, pretrained, tokenization
from harness.spec import Case, DataRequest, Recipe, Split, Task
from harness.training import batches, loop, runner
from harness.training.device import Device, UpcastProducts
from harness.training.probe import RunProbe
from tests.support import tiny_families, tiny_models
from tests.support.configs import resolved
from tests.support.tiny_families import CPU, FAMILIES, PAIRS, SINGLES, logits, loud

SST2, RTE, STSB = (tasks.TASKS[name] for name in ("sst2", "rte", "stsb"))
BF16 = Device(targets.get("cpu-bf16"))
RECIPE = Recipe("test", "", learning_rate=1e-2, epochs=2, batch_size=4, max_length=32)

every_family = pytest.mark.parametrize("name", FAMILIES)


# ---- Loading -----------------------------------------------------------------------------------


@every_family
def test_only_the_head_is_new(folders: dict[str, Path], name: str) -> None:
    family = FAMILIES[name]
    loaded = pretrained.load(folders[name], RTE, seed=1)
    assert set(loaded.new_parameters) == family.head
    stored = load_file(folders[name] / "model.safetensors")
    kept = set()
    for parameter_name, parameter in loaded.network.named_parameters():
        assert parameter.dtype is torch.float32
        if parameter_name not in family.head:
            key = parameter_name
            if key not in stored:  # a bare encoder's name, without its place in a classifier
                key = key.removeprefix(f"{loaded.network.base_model_prefix}.")
            first = 0
            if FAMILIES[name].model_type == "funnel" and "word_embeddings" in key:
                first = 1  # transformers zeroes the padding token's row, which nothing depends on
            assert torch.equal(parameter[first:], stored[key][first:]), parameter_name
            kept.add(parameter_name)
    inside = {n for n in kept if n.startswith(f"{loaded.network.base_model_prefix}.")}
    assert len(inside) > 10
    assert kept - inside == family.keeps


@every_family
def test_scratch_keeps_the_shape_alone(folders: dict[str, Path], name: str) -> None:
    scratch = pretrained.load(folders[name], RTE, seed=1, scratch=True)
    trained = pretrained.load(folders[name], RTE, seed=1)
    assert scratch.parameters == trained.parameters
    assert set(scratch.new_parameters) == {n for n, _ in trained.network.named_parameters()}
    assert logits(scratch, PAIRS, 4).shape == (len(PAIRS), 2)


@every_family
def test_a_lost_weight_of_the_encoder_is_an_error(
    folders: dict[str, Path], name: str, tmp_path: Path
) -> None:
    family = FAMILIES[name]
    network = tiny_families.network(family)
    loaded = pretrained.load(folders[name], RTE, seed=1).network
    own = [
        n for n, _ in loaded.named_parameters()
        if n.startswith(f"{loaded.base_model_prefix}.") and n in network.state_dict()
    ]  # fmt: skip
    lost = next(n for n in own if "layer" in n or "blocks" in n or ".h." in n)
    weights = {n: w for n, w in network.state_dict().items() if n != lost}
    network.save_pretrained(tmp_path, state_dict=weights)
    tiny_families.tokenizer(family).save_pretrained(tmp_path)
    with pytest.raises(ModelError, match=f"1 weights are missing .* first '{lost[:30]}"):
        pretrained.load(tmp_path, RTE, seed=1)


# ---- Training ----------------------------------------------------------------------------------


def split_of(task: Task) -> Split:
    texts = [tuple(pair[: len(task.text_columns)]) for pair in PAIRS]
    labels: Any = [i / 2 if task.is_regression else i % 2 for i in range(len(texts))]
    return Split(texts, labels, range(len(texts)))


@every_family
@pytest.mark.parametrize(
    ("task", "device"),
    [(RTE, CPU), (STSB, BF16)],
    ids=["rte-fp32", "stsb-bf16"],
)
def test_training_changes_encoder_and_head(
    folders: dict[str, Path], name: str, task: Task, device: Device
) -> None:
    loaded = pretrained.load(folders[name], task, seed=1)
    before = {n: p.detach().clone() for n, p in loaded.network.named_parameters()}
    split = split_of(task)
    encoded = tokenization.encode(loaded.tokenizer, split.texts, 32, loaded.extra_padding)
    witness = RunProbe(loaded.network)
    rows = batches.TrainBatches(encoded, split, RECIPE, seed=0)
    with device.active():
        done = loop.fine_tune(loaded.network, task, RECIPE, rows, device, seed=0)
        found = loop.predict(loaded.network, batches.eval_batches(encoded, 4), device)
    assert done.updates == 6
    assert np.isfinite(done.losses).all()
    assert witness.unchanged == []
    assert witness.arithmetic == device.arithmetic
    changed = {n for n, p in loaded.network.named_parameters() if not torch.equal(p, before[n])}
    inside = {n for n in changed if n.startswith(f"{loaded.network.base_model_prefix}.")}
    assert len(inside) > 0.7 * len(before) - len(FAMILIES[name].head)
    assert found.shape == (len(PAIRS), task.outputs)


@every_family
def test_a_regression_head_stays_fp32_under_autocast(folders: dict[str, Path], name: str) -> None:
    for task, dtype in ((STSB, torch.float32), (RTE, torch.bfloat16)):
        loaded = pretrained.load(folders[name], task, seed=1)
        encoded = tokenization.encode(loaded.tokenizer, PAIRS, 32, loaded.extra_padding)
        batch = tokenization.collate(encoded, None, np.arange(4))
        with BF16.autocast():
            assert loaded.network(**batch.inputs).logits.dtype is dtype


@every_family
def test_evaluation_has_the_arithmetic_of_training(folders: dict[str, Path], name: str) -> None:
    """bf16 logits under `predict` are those of a forward pass, however products are computed."""
    loaded = loud(folders[name], SST2)
    encoded = tokenization.encode(loaded.tokenizer, SINGLES, 32, loaded.extra_padding)
    batch = tokenization.collate(encoded, None, np.arange(len(SINGLES)))
    with UpcastProducts():
        found = loop.predict(loaded.network, [batch], BF16)
        with BF16.autocast():
            own = loaded.network.eval()(**batch.inputs).logits.detach().float()
    assert torch.equal(found, own)
    assert not torch.equal(found, loop.predict(loaded.network, [batch], CPU))


# ---- On disk -----------------------------------------------------------------------------------


@every_family
@pytest.mark.parametrize("task", [RTE, STSB], ids=lambda task: task.name)
def test_a_saved_model_says_the_same(
    folders: dict[str, Path], name: str, task: Task, tmp_path: Path
) -> None:
    loaded = loud(folders[name], task)
    config = resolved(Case(task.name, "toy-bert", "cpu-fp32", 42), DataRequest(), threads=1)
    config = dataclasses.replace(config, save_to=str(tmp_path))
    folder = tmp_path / checkpoints.save(loaded, config, score=0.5).name
    encoded = tokenization.encode(loaded.tokenizer, PAIRS, 32, loaded.extra_padding)
    inputs = tokenization.collate(encoded, None, np.arange(len(PAIRS))).inputs
    plain = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tuned = checkpoints.load(folder)
    with torch.no_grad():
        own = loaded.network.eval()(**inputs).logits
        for network in (plain, tuned.network):
            assert torch.allclose(network(**inputs).logits, own, atol=1e-6)
    for texts, row in zip(PAIRS[3:6], own[3:6], strict=True):  # one side empty, both, a long one
        answer = dataclasses.replace(tuned, max_length=32).answer(*texts)
        if task.is_regression:
            assert answer.score == pytest.approx(float(row), abs=1e-5)
        else:
            assert [*answer.shares.values()] == pytest.approx(row.softmax(-1).tolist(), abs=1e-5)


# ---- What is no family of ours -----------------------------------------------------------------

SMALL = {"d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 1, "num_heads": 2}


@pytest.mark.parametrize(
    ("network", "said"),
    [
        (
            lambda: transformers.T5ForConditionalGeneration(
                transformers.T5Config(vocab_size=len(tiny_models.WORDS), **SMALL)
            ),
            r"type 't5' has an encoder and a decoder; expected only one",
        ),
        (
            lambda: transformers.ViTModel(
                transformers.ViTConfig(
                    hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
                    intermediate_size=32, image_size=8, patch_size=4,
                )
            ),
            r"type 'vit'; expected one that transformers has a sequence classifier for",
        ),
    ],
    ids=["t5", "vit"],
)  # fmt: skip
@pytest.mark.parametrize("scratch", [False, True])
def test_a_model_of_a_foreign_kind_is_one_error(
    tmp_path: Path, network: Any, said: str, scratch: bool
) -> None:
    folder = tiny_models.save(tmp_path, network(), tiny_models.word_tokenizer())
    with pytest.raises(ModelError, match=said) as caught:
        pretrained.load(folder, RTE, seed=1, scratch=scratch)
    assert "Fix: name an encoder" in str(caught.value)
    assert "\n" not in str(caught.value)


# ---- Whole runs --------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["cpu-fp32", "cpu-bf16"])
@pytest.mark.parametrize(
    "name",
    ["gpt", "gpt2", "llama", "xlnet", "funnel", "deberta-v2", "albert", "modernbert",
     "mobilebert", "squeezebert"],
)  # fmt: skip
def test_a_run_of_a_family_is_sound(folders: dict[str, Path], name: str, target: str) -> None:
    case = Case("rte", str(folders[name]), target, 42)
    config = resolved(case, DataRequest(max_train=48, max_eval=32), epochs=1, threads=1)
    outcome, predictions = runner.run(config)
    assert outcome.status == "ok", outcome.reason
    assert outcome.observed is not None
    assert outcome.observed.arithmetic == Device(targets.get(target)).arithmetic
    assert predictions is not None
