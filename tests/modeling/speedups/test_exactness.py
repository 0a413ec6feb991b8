"""With dropout off, a run has the same losses with and without each speed-up."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn
from transformers import AutoConfig, AutoModelForSequenceClassification

from harness.catalog import tasks
from harness.catalog.speedups import ALL
from harness.modeling.speedups import attention, packing, products, vocabulary
from harness.modeling.speedups.apply import SpedUp, speed_up
from harness.spec import Recipe, Task
from harness.training import loop
from harness.training.batches import TrainBatches, eval_batches
from tests.support.training_rows import CPU, PAD, RECIPE, VOCABULARY, rows_of

SIZES: dict[str, Any] = {
    "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48,
}  # fmt: skip
OFF = dict.fromkeys(
    ("hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout_prob"), 0.0
)
DISTILBERT: dict[str, Any] = {
    "dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 48,
    "dropout": 0.0, "attention_dropout": 0.0, "seq_classif_dropout": 0.0,
}  # fmt: skip
ROBERTA = SIZES | OFF | {"type_vocab_size": 2}
KINDS: dict[str, dict[str, Any]] = {
    "bert": SIZES | OFF,
    "roberta": ROBERTA,
    "camembert": ROBERTA,
    "xlm-roberta": ROBERTA,
    "electra": SIZES | OFF | {"embedding_size": 16},
    "albert": SIZES | OFF | {"embedding_size": 16},
    "distilbert": DISTILBERT,
}
KEY_BIASES = ("key.bias", "k_lin.bias")
"""They move all scores of a row alike, so that their gradient is nothing but rounding."""
GENTLE = replace(RECIPE, learning_rate=1e-3)  # at higher rates, rounding grows from step to step
SPARSE = 400  # a vocabulary of which the rows use an eighth
RTE, STSB = tasks.TASKS["rte"], tasks.TASKS["stsb"]


@pytest.fixture(autouse=True)
def _tiny_networks_are_sped_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that they are, and by oneDNN on every machine."""
    monkeypatch.setattr("harness.catalog.speedups.LEAST_WIDTH", 1)
    monkeypatch.setattr(products, "ratio", lambda: 2.0)


def network_of(kind: str, task: Task) -> Any:
    """A tiny network without dropout, whose weights are the same in every call."""
    names = {"vocab_size": SPARSE, "max_position_embeddings": 32, "pad_token_id": PAD}
    config = AutoConfig.for_model(kind, **names | KINDS[kind], num_labels=task.outputs)
    torch.manual_seed(3)
    return AutoModelForSequenceClassification.from_config(config)


def trained(
    names: tuple[str, ...] | list[str],
    kind: str = "bert",
    task: Task = RTE,
    recipe: Recipe = GENTLE,
) -> tuple[list[float], torch.Tensor, Any, SpedUp]:
    """Losses and logits of a run with these speed-ups, its network and what was applied."""
    encoded, split = rows_of(task, pairs=kind != "distilbert")
    network = network_of(kind, task)
    sped_up = speed_up(network, {"train": encoded}, names)
    rows = TrainBatches(sped_up.splits["train"], split, recipe, 1)
    clip = "clip-in-update" in sped_up.applied
    losses = loop.fine_tune(network, task, recipe, rows, CPU, 1, clip_in_update=clip).losses
    logits = loop.predict(network, eval_batches(sped_up.splits["train"], 16), CPU)
    sped_up.undo()
    return losses, logits, network, sped_up


def assert_same(one: Any, other: Any) -> None:
    assert one[0] == pytest.approx(other[0], rel=1e-6, abs=2e-7)
    torch.testing.assert_close(one[1], other[1], rtol=1e-4, atol=1e-5)
    for (name, mine), theirs in zip(one[2].named_parameters(), other[2].parameters(), strict=True):
        if not name.endswith(KEY_BIASES):
            torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-5, msg=name)


@pytest.mark.parametrize("kind", KINDS)
def test_all_together_change_no_loss(kind: str) -> None:
    found = trained(ALL, kind)
    applied, reasons = found[3].applied, found[3].reasons
    narrowed = kind not in ("albert", "distilbert")
    assert applied == [n for n in ALL if narrowed or n != "first-token"]
    why = {} if narrowed else {"first-token": f"the layers of a {kind} cannot be narrowed"}
    assert reasons == why
    assert_same(found, trained([], kind))


@pytest.mark.parametrize("name", ALL)
def test_each_alone_changes_no_loss(name: str) -> None:
    names = ["packed", name] if name == "first-token" else [name]
    found = trained(names)
    assert found[3].applied == names
    assert_same(found, trained([]))


RECIPES = {
    "in parts": replace(GENTLE, accumulation=3),
    "grouped by length": replace(GENTLE, group_by_length=True),
    "not clipped": replace(GENTLE, grad_clip=None),
    "always clipped": replace(GENTLE, grad_clip=1e-2),
    "BERT's own AdamW": replace(GENTLE, bias_correction=False),
    "one row a step": replace(GENTLE, batch_size=1, epochs=1),
}


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
@pytest.mark.parametrize("task", [RTE, STSB], ids=["rte", "stsb"])
def test_whatever_the_recipe(recipe: Recipe, task: Task) -> None:
    assert_same(trained(ALL, task=task, recipe=recipe), trained([], task=task, recipe=recipe))


def test_unused_embeddings_decay_as_if_they_were_there() -> None:
    recipe = replace(RECIPE, weight_decay=0.5, learning_rate=2e-2)
    _, _, network, _ = trained(["used-vocabulary"], recipe=recipe)
    _, _, plain, _ = trained([], recipe=recipe)
    found, expected = (n.bert.embeddings.word_embeddings.weight for n in (network, plain))
    initial = network_of("bert", RTE).bert.embeddings.word_embeddings.weight
    assert found.shape == (SPARSE, 32)
    unused = slice(VOCABULARY, None)
    assert float((expected[unused] / initial[unused]).detach().max()) < 0.91
    torch.testing.assert_close(found[unused], expected[unused], rtol=1e-6, atol=0)


def test_unused_embeddings_keep_their_bits_without_decay() -> None:
    _, _, network, _ = trained(["used-vocabulary"], recipe=replace(RECIPE, weight_decay=0.0))
    found = network.bert.embeddings.word_embeddings
    assert type(found) is nn.Embedding
    initial = network_of("bert", RTE).bert.embeddings.word_embeddings.weight
    assert torch.equal(found.weight[VOCABULARY:], initial[VOCABULARY:])


def a_row_sees_another(patch: pytest.MonkeyPatch) -> None:
    whole = attention.attend
    patch.setattr(
        attention, "attend", lambda q, k, v, padding, *rest: whole(q, k, v.roll(1, 0), None, *rest)
    )


def positions_are_shifted(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(packing, "first_position", lambda network: 1)


def the_last_layer_reads_another_row(patch: pytest.MonkeyPatch) -> None:
    def of_another(states: torch.Tensor) -> torch.Tensor:
        if states.shape[1] == 1:
            return states
        return states[0].index_select(0, packing.current().first.flip(0))[:, None]

    patch.setattr(packing, "first_tokens", of_another)


def weights_are_larger(patch: pytest.MonkeyPatch) -> None:
    product = products.onednn_linear
    patch.setattr(products, "onednn_linear", lambda x, w, b: product(x, 1.01 * w, b))


def embeddings_are_in_another_order(patch: pytest.MonkeyPatch) -> None:
    used = vocabulary._used
    patch.setattr(vocabulary, "_used", lambda *args: used(*args).flip(0))
    forward = vocabulary.UsedEmbedding.forward
    patch.setattr(vocabulary.UsedEmbedding, "forward", lambda self, ids: forward(self, ids.flip(1)))


BROKEN = {
    "packed": a_row_sees_another,
    "packed positions": positions_are_shifted,
    "first-token": the_last_layer_reads_another_row,
    "onednn": weights_are_larger,
    "used-vocabulary": embeddings_are_in_another_order,
}


@pytest.mark.parametrize("plant", BROKEN.values(), ids=BROKEN)
def test_a_speed_up_that_computes_something_else_is_undone(
    plant: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    encoded, _ = rows_of(RTE, pairs=True)
    network = network_of("bert", RTE)
    sped_up = speed_up(network, {"train": encoded}, ALL)
    assert sped_up.applied == ["clip-in-update"]
    assert all("logits differ by" in why for why in sped_up.reasons.values())
    assert sped_up.splits == {"train": encoded}
    plain = loop.predict(network, eval_batches(encoded, 8), CPU)
    torch.testing.assert_close(
        plain, loop.predict(network_of("bert", RTE), eval_batches(encoded, 8), CPU)
    )


def test_clipping_to_another_norm_changes_the_losses(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = replace(GENTLE, grad_clip=1e-2)
    plain = trained([], recipe=recipe)
    monkeypatch.setattr("harness.training.optimizers.CLIP_EPS", 1.0)
    with pytest.raises(AssertionError):
        assert_same(trained(["clip-in-update"], recipe=recipe), plain)


def test_what_cannot_be_had_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    encoded, _ = rows_of(RTE, pairs=False)
    config = AutoConfig.for_model(
        "deberta-v2", vocab_size=VOCABULARY, pad_token_id=PAD, num_labels=2, **SIZES
    )
    network = AutoModelForSequenceClassification.from_config(config)
    sped_up = speed_up(network, {"train": encoded}, ALL)
    assert sped_up.reasons["packed"] == "networks of type deberta-v2 need padded rows"
    assert sped_up.reasons["used-vocabulary"] == "100% of its vocabulary occur"
    monkeypatch.setattr("harness.catalog.speedups.LEAST_WIDTH", 33)
    narrow = speed_up(network, {"train": encoded}, ALL)
    assert narrow.applied == []
    assert narrow.reasons["packed"] == "a network 32 wide is not faster with it, below 33"
    scratch = speed_up(nn.Linear(2, 2), {"train": encoded}, ALL)
    assert scratch.applied == []
    assert set(scratch.reasons.values()) == {"the network is not one of transformers"}
