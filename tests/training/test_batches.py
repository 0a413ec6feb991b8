from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer

from harness.catalog import models
from harness.modeling import tokenization
from harness.spec import Recipe, Split
from harness.training import batches

TOY = models.directory(models.MODELS["toy-bert"])
RECIPE = Recipe("test", "", learning_rate=1e-3, epochs=1, batch_size=4, max_length=16)


@pytest.fixture(scope="module")
def tokenizer() -> object:
    return AutoTokenizer.from_pretrained(TOY)


def test_rows_come_back_as_the_tokenizer_made_them(tokenizer) -> None:
    texts = [
        ("the baker trusted", "a baker"),
        ("a nurse", "the nurse trusted the baker and the nurse"),
        ("a", "nurse"),
    ]
    encoded = tokenization.encode(tokenizer, texts, 16)
    batch = tokenization.collate(encoded, None, np.array([2, 0]))
    expected = tokenizer([texts[2][0], texts[0][0]], [texts[2][1], texts[0][1]], padding=True)
    for name, tensor in batch.inputs.items():
        assert tensor.tolist() == expected[name]
    assert batch.tokens == int(batch.inputs["attention_mask"].sum())


def test_padding_goes_no_further_than_the_longest_row(tokenizer) -> None:
    encoded = tokenization.encode(tokenizer, [("baker",), ("the baker trusted the nurse",)], 16)
    widths = [
        tokenization.collate(encoded, None, np.array(r)).inputs["input_ids"].shape[1]
        for r in ([0], [0, 1])
    ]
    assert widths == [3, 7]


def test_left_padding(tokenizer) -> None:
    encoded = tokenization.encode(tokenizer, [("baker",), ("the baker trusted the nurse",)], 16)
    left = tokenization.Encoded(encoded.columns, encoded.starts, encoded.padding, True, 0)
    mask = tokenization.collate(left, None, np.array([0, 1])).inputs["attention_mask"]
    assert mask[0].tolist() == [0, 0, 0, 0, 1, 1, 1]


def test_long_pairs_lose_the_longer_side_and_are_counted(tokenizer) -> None:
    long = " ".join(["baker"] * 30)
    encoded = tokenization.encode(
        tokenizer, [("the nurse trusted", long), ("the nurse", "a baker")], 16
    )
    assert encoded.truncated == 1
    assert encoded.lengths.max() == 16
    kept = tokenizer.decode(encoded.columns["input_ids"][:16])
    assert "the nurse trusted" in kept


def test_micro_batches_share_a_step(tokenizer) -> None:
    import dataclasses

    texts = [("baker",)] * 10
    split = Split(texts, [0, 1] * 5, range(10))
    recipe = dataclasses.replace(RECIPE, accumulation=3)
    steps = list(
        batches.TrainBatches(tokenization.encode(tokenizer, texts, 16), split, recipe, 0).epoch(0)
    )
    assert [[len(batch) for batch in step] for step in steps] == [[2, 2], [2, 2], [2]]


def test_rows_grouped_by_length_are_hardly_padded_and_come_once_an_epoch(tokenizer) -> None:
    import dataclasses

    texts = [(" ".join(["baker"] * (i * 7 % 13 + 1)),) for i in range(203)]
    split = Split(texts, [i % 2 for i in range(203)], range(203))
    encoded = tokenization.encode(tokenizer, texts, 16)
    recipe = dataclasses.replace(RECIPE, group_by_length=True)
    plain = batches.TrainBatches(encoded, split, RECIPE, 0)
    grouped = batches.TrainBatches(encoded, split, recipe, 0)

    def rows_and_width(steps) -> tuple[list[list[int]], int]:
        found = [step for (step,) in steps]
        tensors = [batch.inputs["input_ids"] for batch in found]
        return [batch.rows.tolist() for batch in found], sum(t.numel() for t in tensors)

    rows, width = rows_and_width(grouped.epoch(0))
    assert sorted(row for step in rows for row in step) == list(range(203))
    assert sorted(map(len, rows)) == [3, *[4] * 50]
    assert len(rows) == grouped.steps_per_epoch
    tokens = int(encoded.lengths.sum())
    assert width < 1.1 * tokens < rows_and_width(plain.epoch(0))[1]
    assert rows_and_width(grouped.epoch(0))[0] == rows
    again = rows_and_width(grouped.epoch(1))[0]
    assert {frozenset(step) for step in again}.isdisjoint(map(frozenset, rows))
    # Short and long batches are mixed, so the learning rate's course knows no length.
    means = [float(np.mean(encoded.lengths[step])) for step in rows]
    assert means not in (sorted(means), sorted(means, reverse=True))


def test_labels_are_classes_or_scores(tokenizer) -> None:
    encoded = tokenization.encode(tokenizer, [("baker",)] * 2, 16)
    for labels, dtype in (([0, 1], torch.int64), ([0.5, 5.0], torch.float32)):
        made = batches.TrainBatches(encoded, Split([("baker",)] * 2, labels, range(2)), RECIPE, 0)
        assert made.labels.dtype is dtype


def test_every_evaluation_row_comes_once(tokenizer) -> None:
    encoded = tokenization.encode(
        tokenizer, [(" ".join(["baker"] * (i % 7 + 1)),) for i in range(23)], 16
    )
    rows = np.concatenate([batch.rows for batch in batches.eval_batches(encoded, 5)])
    assert sorted(rows) == list(range(23))


def test_toy_bert_ships_with_the_package() -> None:
    assert Path(TOY, "model.safetensors").stat().st_size < 1 << 20


def order(seed: int = 0, steps: int = 5, **changed: object) -> str:
    recipe = dataclasses.replace(RECIPE, **changed)
    encoded = tokenization.Encoded({}, np.arange(11), {}, pad_left=False, truncated=0)
    split = Split([("unused",)] * 10, [0] * 10, range(10))
    made = batches.TrainBatches(encoded, split, recipe, seed)
    return batches.order_sha256(made, epochs=2, steps=steps)


def test_the_order_of_the_first_steps_is_hashed_across_epochs() -> None:
    seen = np.concatenate([np.random.default_rng([0, epoch]).permutation(10) for epoch in (0, 1)])
    # 3 steps an epoch, of 4, 4 and 2 rows.
    for steps, rows in {1: 4, 3: 10, 5: 18, 6: 20, 99: 20}.items():
        expected = hashlib.sha256(seen[:rows].astype("<i8").tobytes()).hexdigest()
        assert order(steps=steps) == expected
    assert order(accumulation=2) == order()
    assert len({order(), order(seed=1), order(batch_size=5), order(group_by_length=True)}) == 4


def test_first_steps_are_the_first_and_keep_the_epochs_length() -> None:
    encoded = tokenization.Encoded({}, np.arange(11), {}, pad_left=False, truncated=0)
    split = Split([("unused",)] * 10, [0] * 10, range(10))
    whole = batches.TrainBatches(encoded, split, RECIPE, 0)
    cut = batches.FirstSteps(encoded, split, RECIPE, 0, steps=4)
    assert cut.steps_per_epoch == whole.steps_per_epoch == 3
    for epoch, expected in {0: 3, 1: 1, 2: 0}.items():
        steps = list(cut.epoch(epoch))
        assert len(steps) == expected
        for step, other in zip(steps, whole.epoch(epoch), strict=False):
            assert [b.rows.tolist() for b in step] == [b.rows.tolist() for b in other]
