"""The logits of a row do not depend on the other rows of its batch, or the network is refused."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from harness.catalog import models, recipes, tasks
from harness.errors import ModelError
from harness.modeling import adapters, batch_invariance, checkpoints, pretrained
from harness.modeling import families as rows_for
from harness.modeling import scratch as networks
from harness.planning.resolve import recipe_for
from harness.spec import Case, DataRequest, Split
from harness.training import runner
from tests.support import tiny_families, tiny_models
from tests.support.configs import resolved
from tests.support.tiny_families import APART, FAMILIES, FIXED_LENGTH, PAIRS, SINGLES, logits, loud

SST2, RTE, STSB = (tasks.TASKS[name] for name in ("sst2", "rte", "stsb"))
ONE_LENGTH = pytest.mark.parametrize("name", FIXED_LENGTH)


def measured(loaded: pretrained.LoadedModel, length: int = 32, **changed: Any) -> bool:
    asked = {"extra_padding": loaded.extra_padding, "pairs": True} | changed
    return batch_invariance.needs_fixed_length(
        "a model", loaded.network, loaded.tokenizer, length, **asked
    )


# ---- By family ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*FAMILIES, *APART])
def test_rows_of_most_families_need_no_more_than_their_batch(tmp_path: Path, name: str) -> None:
    folder = tiny_families.pretrained(tmp_path, name)
    for scratch in (False, True):
        loaded = pretrained.load(folder, RTE, seed=1, scratch=scratch)
        assert measured(loaded) is False
        assert measured(loaded, pairs=False) is False
    loaded = loud(folder, RTE)
    assert torch.allclose(logits(loaded, PAIRS, 1), logits(loaded, PAIRS, 8), atol=1e-5)


@pytest.mark.cases
@ONE_LENGTH
@pytest.mark.parametrize("texts", [SINGLES, PAIRS], ids=["singles", "pairs"])
def test_rows_of_one_length_have_the_same_logits_alone_and_in_a_batch(
    tmp_path: Path, name: str, texts: list[tuple[str, ...]]
) -> None:
    loaded = loud(tiny_families.pretrained(tmp_path, name), RTE if len(texts[0]) == 2 else SST2)
    fixed = measured(loaded)
    assert fixed
    alone, some, together = (logits(loaded, texts, size, fixed=fixed) for size in (1, 3, 8))
    assert torch.allclose(alone, together, atol=1e-5)
    assert torch.allclose(alone, some, atol=1e-5)
    assert len({tuple(row) for row in alone.round(decimals=4).tolist()}) >= len(texts) - 1


@ONE_LENGTH
def test_without_one_length_their_neighbours_leak(tmp_path: Path, name: str) -> None:
    """The reason for `FIXED_LENGTH`: were it not needed any more, this would say so."""
    loaded = loud(tiny_families.pretrained(tmp_path, name), SST2)
    long = [texts for texts in SINGLES if len(texts[0].split()) > 3]
    alone, together = (logits(loaded, long, size) for size in (1, 8))
    assert not torch.allclose(alone, together, atol=1e-3)


@pytest.mark.cases
@ONE_LENGTH
@pytest.mark.parametrize("scratch", [False, True])
def test_a_family_that_nobody_knows_is_found_out_by_measuring(
    tmp_path: Path, name: str, scratch: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows_for, "FIXED_LENGTH", frozenset())
    loaded = pretrained.load(tiny_families.pretrained(tmp_path, name), RTE, seed=1, scratch=scratch)
    assert measured(loaded)
    assert measured(loaded, pairs=False)


@pytest.mark.parametrize("name", ["mobilebert", "funnel"])
def test_missing_extra_padding_is_noticed(tmp_path: Path, name: str) -> None:
    loaded = pretrained.load(tiny_families.pretrained(tmp_path, name), RTE, seed=1)
    assert measured(loaded, extra_padding=0)


# ---- What no padding helps ---------------------------------------------------------------------


@pytest.mark.cases
def test_hashing_at_random_is_refused_with_the_reason(tmp_path: Path) -> None:
    loaded = pretrained.load(tiny_families.pretrained(tmp_path, "reformer"), RTE, seed=1)
    with pytest.raises(
        ModelError,
        match=r"^a model: the logits of this reformer for a row depend on the other rows of its "
        r"batch: padding to the longest row gives a relative difference of 0\.\d+; padding to 32 "
        r"tokens gives .*; expected at most 0\.001\. .* evaluation is random\. Fix: ",
    ) as caught:
        measured(loaded)
    assert "\n" not in str(caught.value)


def test_rows_of_another_length_than_the_network_asks_for_are_refused(tmp_path: Path) -> None:
    """Nystromformer with fewer landmarks than tokens cuts rows of one length into segments."""
    folder = tiny_families.pretrained(
        tmp_path, "nystromformer", num_landmarks=8, segment_means_seq_len=48
    )
    loaded = pretrained.load(folder, RTE, seed=1)
    with pytest.raises(ModelError, match=r"padding to 32 tokens fails: .*another max_length"):
        measured(loaded)


def test_what_fails_on_every_row_is_refused_with_its_words(tmp_path: Path) -> None:
    folder = tiny_families.pretrained(tmp_path, "yoso", use_expectation=False)
    with pytest.raises(ModelError, match=r"logits of this yoso .* padding to 32 tokens fails: "):
        measured(pretrained.load(folder, RTE, seed=1))


class Odd(nn.Module):
    """A network of one layer that mixes rows, or has no numbers to say."""

    base_model_prefix = "encoder"

    def __init__(self, change: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.encoder = nn.Embedding(len(tiny_models.WORDS), 8)
        self.classifier = nn.Linear(8, 2)
        self.change = change

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> Any:
        real = attention_mask[..., None]
        means = (self.encoder(input_ids) * real).sum(dim=1) / real.sum(dim=1)
        return SimpleNamespace(logits=self.classifier(self.change(means)))


def odd(change: Callable[[torch.Tensor], torch.Tensor]) -> pretrained.LoadedModel:
    tokenizer = tiny_models.word_tokenizer(pairs_have_types=False)
    return pretrained.LoadedModel(Odd(change), tokenizer, ())


def test_a_network_that_mixes_the_rows_of_a_batch_is_refused() -> None:
    assert measured(odd(lambda means: means)) is False
    with pytest.raises(ModelError, match="to 32 tokens gives a relative difference of") as caught:
        measured(odd(lambda means: means - means.mean(dim=0)))
    assert "is random" not in str(caught.value)


def test_padding_that_makes_no_numbers_of_rows_is_refused() -> None:
    def spoil(means: torch.Tensor) -> torch.Tensor:
        return means if len(means) == 1 else means * math.nan

    with pytest.raises(ModelError, match="difference of inf"):
        measured(odd(spoil))


def test_a_network_without_numbers_is_left_to_training() -> None:
    assert measured(odd(lambda means: means * math.nan)) is False


def test_memory_that_runs_out_is_said_to_be_memory() -> None:
    def fail(means: torch.Tensor) -> torch.Tensor:
        raise torch.OutOfMemoryError("tried to allocate 20 MiB")

    with pytest.raises(torch.OutOfMemoryError):
        measured(odd(fail))


# ---- Networks of other kinds -------------------------------------------------------------------


@pytest.mark.parametrize("name", networks.NETWORKS)
@pytest.mark.parametrize("task", [SST2, RTE], ids=lambda task: task.name)
def test_networks_from_scratch_keep_rows_apart(name: str, task: Any) -> None:
    split = Split([("the film", "is good")[: len(task.text_columns)]], [0], [0])
    loaded = networks.load(name, task, split, 1, None)
    assert measured(loaded, pairs=task is RTE) is False


@pytest.mark.parametrize("method", ["frozen", "lora", "bitfit"])
def test_adapted_networks_are_measured_as_they_are(tmp_path: Path, method: str) -> None:
    plain = pretrained.load(tiny_families.pretrained(tmp_path, "bert"), RTE, seed=1)
    assert measured(adapters.adapt(plain, method, RTE, seed=1)) is False


def test_measuring_leaves_no_trace(tmp_path: Path) -> None:
    loaded = pretrained.load(tiny_families.pretrained(tmp_path, "bert"), RTE, seed=1)
    before = pretrained.weights_sha256(loaded.network)
    for training in (True, False):
        loaded.network.train(training)
        state = torch.get_rng_state()
        measured(loaded)
        assert loaded.network.training is training
        assert torch.equal(torch.get_rng_state(), state)
    assert pretrained.weights_sha256(loaded.network) == before
    assert not loaded.network.base_model._forward_hooks


# ---- Whole runs --------------------------------------------------------------------------------


@pytest.mark.cases
@pytest.mark.parametrize("name", ["fnet", "convbert"])
def test_a_run_scores_the_same_whatever_its_evaluation_batch(tmp_path: Path, name: str) -> None:
    folder, found = tiny_families.pretrained(tmp_path / "model", name), []
    for size in (1, 64):
        recipe = dataclasses.replace(
            recipe_for(RTE, recipes.get("toy")), max_length=24, epochs=1, eval_batch_size=size
        )
        config = resolved(
            Case("rte", str(folder), "cpu-fp32", 42), DataRequest(max_train=64, max_eval=32),
            recipe=recipe, save_models=str(tmp_path / f"saved-{size}"), threads=1,
        )  # fmt: skip
        outcome, predictions = runner.run(config)
        assert outcome.status == "ok", outcome.reason
        assert predictions is not None
        found.append(torch.tensor(predictions["logits"]))
    assert torch.allclose(*found, atol=1e-5)
    # A text asked of the saved model alone has the answer that it had among others.
    (saved,) = (tmp_path / "saved-1").iterdir()
    tuned = checkpoints.load(saved)
    assert tuned.fixed
    one, other = (tuned.answer("the film", "is good").shares for _ in range(2))
    assert one == other


def test_a_run_of_a_network_that_is_refused_says_so(tmp_path: Path) -> None:
    folder = tiny_families.pretrained(tmp_path, "reformer")
    case = Case("rte", str(folder), "cpu-fp32", 42)
    config = resolved(case, DataRequest(max_train=8, max_eval=8), epochs=1, threads=1)
    outcome, _ = runner.run(config)
    assert outcome.status == "failed"
    assert f"{folder}: the logits of this reformer for a row depend on" in str(outcome.reason)


def test_shipped_models_keep_rows_apart() -> None:
    folder = models.directory(models.MODELS["toy-bert"])
    assert measured(pretrained.load(folder, RTE, seed=1), length=48) is False
