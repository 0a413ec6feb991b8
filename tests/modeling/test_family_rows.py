"""What each family makes of rows: padding, types of tokens, two texts that would run together."""

from __future__ import annotations

import dataclasses
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer

from harness.catalog import tasks
from harness.modeling import pretrained, tokenization
from harness.training import batches, loop
from tests.support import tiny_families, tiny_models
from tests.support.tiny_families import CPU, FAMILIES, PAIRS, SINGLES, logits, loud

SST2, RTE = tasks.TASKS["sst2"], tasks.TASKS["rte"]

every_family = pytest.mark.parametrize("name", FAMILIES)


# ---- Padding -----------------------------------------------------------------------------------


@every_family
@pytest.mark.parametrize(
    ("side", "texts"),
    [("right", SINGLES), ("right", PAIRS), ("left", PAIRS)],
    ids=["singles", "pairs", "pairs of a tokenizer that pads on the left"],
)
def test_a_row_alone_and_in_a_batch_have_the_same_logits(
    tmp_path: Path, name: str, side: str, texts: list[tuple[str, ...]]
) -> None:
    folder = tiny_families.pretrained(tmp_path, name, side)
    loaded = loud(folder, RTE if len(texts[0]) == 2 else SST2)
    alone, together = (logits(loaded, texts, size) for size in (1, 8))
    assert torch.allclose(alone, together, atol=1e-5)
    # What a text says is seen: only the rows of unknown or no words may be alike.
    assert len({tuple(row) for row in alone.round(decimals=4).tolist()}) >= len(texts) - 1
    left = FAMILIES[name].model_type == "xlnet"
    assert loaded.tokenizer.padding_side == ("left" if left else "right")


@every_family
def test_more_padding_changes_nothing(folders: dict[str, Path], name: str) -> None:
    loaded = loud(folders[name], SST2)
    encoded = tokenization.encode(loaded.tokenizer, SINGLES, 32, loaded.extra_padding)
    wider = [
        dataclasses.replace(encoded, extra_padding=encoded.extra_padding + more)
        for more in range(10)
    ]
    found = [loop.predict(loaded.network, batches.eval_batches(e, 8), CPU) for e in wider]
    for other in found[1:]:
        assert torch.allclose(other, found[0], atol=1e-5)


@pytest.mark.parametrize("name", ["mobilebert", "funnel", "funnel-mlm"])
def test_without_extra_padding_neighbours_leak(folders: dict[str, Path], name: str) -> None:
    """The reason for `families.extra_padding`: were it not needed any more, this would say so."""
    loaded = dataclasses.replace(loud(folders[name], SST2), extra_padding=0)
    long = [texts for texts in SINGLES if len(texts[0].split()) > 3]
    alone, together = (logits(loaded, long, size) for size in (1, 8))
    assert not torch.allclose(alone, together, atol=1e-3)


def test_extra_padding_fits_into_the_networks_positions(tmp_path: Path) -> None:
    folder = tiny_families.pretrained(tmp_path, "mobilebert")
    tiny_models.edit(folder / "tokenizer_config.json", model_max_length=80)
    loaded = pretrained.load(folder, SST2, seed=1)
    encoded = tokenization.encode(loaded.tokenizer, [("a " * 500,)], 128, loaded.extra_padding)
    assert encoded.lengths.tolist() == [79]
    batch = tokenization.collate(encoded, None, np.array([0]))
    assert loaded.network(**batch.inputs).logits.isfinite().all()


# ---- Columns -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["roberta", "distilbert", "mpnet", "modernbert", "gpt2", "llama"])
def test_types_of_tokens_that_a_network_does_not_know_are_left_out(
    tmp_path: Path, name: str
) -> None:
    folder = tiny_families.pretrained(tmp_path, name)
    plain = logits(loud(folder, RTE), PAIRS, 4)
    columns = ["input_ids", "token_type_ids", "attention_mask"]
    tiny_models.edit(folder / "tokenizer_config.json", model_input_names=columns)
    assert "token_type_ids" in AutoTokenizer.from_pretrained(folder)("a", "b")
    assert torch.equal(logits(loud(folder, RTE), PAIRS, 4), plain)


def test_a_tokenizer_that_makes_no_mask_is_made_to(tmp_path: Path) -> None:
    folder = tiny_families.pretrained(tmp_path, "bert")
    tiny_models.edit(
        folder / "tokenizer_config.json", model_input_names=["input_ids", "token_type_ids"]
    )
    loaded = loud(folder, RTE)
    assert torch.allclose(logits(loaded, PAIRS, 1), logits(loaded, PAIRS, 8), atol=1e-5)


@pytest.mark.parametrize("name", ["bert", "albert", "squeezebert", "mobilebert", "xlnet", "funnel"])
def test_types_of_tokens_that_a_network_knows_reach_it(folders: dict[str, Path], name: str) -> None:
    loaded = loud(folders[name], RTE)
    encoded = tokenization.encode(loaded.tokenizer, PAIRS, 32, loaded.extra_padding)
    columns = dict(encoded.columns)
    columns["token_type_ids"] = np.zeros_like(columns["token_type_ids"])
    flat = dataclasses.replace(encoded, columns=columns)
    one, other = (
        loop.predict(loaded.network, batches.eval_batches(e, 8), CPU) for e in (encoded, flat)
    )
    assert not torch.allclose(one, other, atol=1e-3)


# ---- Pairs that would run together -------------------------------------------------------------

A, B, UNKNOWN, END = (tiny_models.WORDS.index(word) for word in ("a", "b", "[UNK]", "[SEP]"))


@pytest.mark.parametrize(("name", "between"), [("gpt", UNKNOWN), ("gpt2", END), ("llama", END)])
def test_two_texts_have_a_token_between_that_is_never_cut(
    folders: dict[str, Path], name: str, between: int
) -> None:
    tokenizer = pretrained.load(folders[name], RTE, seed=1).tokenizer
    texts = [("a b", "b a"), ("a", ""), ("", "b"), ("", ""), ("a " * 99, "b"), ("a", "b " * 99)]
    texts += [("a " * 99, "b " * 99), ("a " * 99, "")]
    encoded = tokenization.encode(tokenizer, texts, 16)
    rows = np.split(encoded.columns["input_ids"], encoded.starts[1:-1])
    assert [row.tolist() for row in rows] == [
        [A, B, between, B, A],
        [A, between],
        [between, B],
        [between],
        [*[A] * 14, between, B],
        [A, between, *[B] * 14],
        [*[A] * 8, between, *[B] * 7],
        [*[A] * 15, between],
    ]
    assert encoded.truncated == 4
    singles = tokenization.encode(tokenizer, [("a b",), ("",)], 16)
    assert singles.columns["input_ids"].tolist() == [A, B, between]
    assert singles.columns["attention_mask"].tolist() == [1, 1, 1]


@pytest.mark.parametrize("name", [n for n, f in FAMILIES.items() if f.tokens != "bare"])
def test_a_tokenizer_that_tells_two_texts_apart_is_left_alone(
    folders: dict[str, Path], name: str
) -> None:
    tokenizer = pretrained.load(folders[name], RTE, seed=1).tokenizer
    encoded = tokenization.encode(tokenizer, [("a", "b"), ("", "")], 16)
    expected = [*chain(*tokenizer(["a", ""], ["b", ""])["input_ids"])]
    assert encoded.columns["input_ids"].tolist() == expected


def test_a_begin_token_before_each_text_is_a_token_between(tmp_path: Path) -> None:
    made = tiny_models.bare_tokenizer()
    made.backend_tokenizer.post_processor = tiny_models.processors.TemplateProcessing(
        single="[CLS] $A", pair="[CLS] $A [CLS] $B", special_tokens=[("[CLS]", 2)]
    )
    made.pad_token = "[PAD]"
    assert tokenization.encode(made, [("a", "b")], 16).columns["input_ids"].tolist() == [2, A, 2, B]
