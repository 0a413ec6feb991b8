"""Networks that start from nothing: cbow, cnn, bilstm, and the words they know."""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from harness.catalog import models, targets, tasks
from harness.data import word_vectors
from harness.errors import DataError, UsageError
from harness.modeling import checkpoints, scratch, tokenization
from harness.spec import Case, DataRequest, RunConfig, Split
from harness.training import batches, inputs, loop, runner
from harness.training.device import Device
from tests.support.configs import resolved

CPU = Device(targets.get("cpu-fp32"))
FEW = DataRequest("toy", 200, 60)
ROWS = [("the film is good", "a bad film"), ("good", "film"), ("", "a b c d e f g h"), ("a", "")]
NAMES = list(scratch.NETWORKS)


def load(name: str, task: str = "rte", seed: int = 1) -> Any:
    width = len(tasks.TASKS[task].text_columns)
    rows = Split([row[:width] for row in ROWS], [0, 1, 0, 1], range(4))
    return scratch.load(name, tasks.TASKS[task], rows, seed)


def configuration(
    name: str, task: str = "rte", target: str = "cpu-fp32", epochs: int = 1, **changed: Any
) -> RunConfig:
    return resolved(Case(task, name, target, 7), FEW, epochs=epochs, threads=1, **changed)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("task", ["rte", "sst2", "stsb", "mnli"])
def test_a_row_alone_and_in_a_batch_have_the_same_logits(name: str, task: str) -> None:
    loaded = load(name, task)
    texts = [row[: len(tasks.TASKS[task].text_columns)] for row in ROWS]
    encoded = tokenization.encode(loaded.tokenizer, texts, 6)
    alone, together = (
        loop.predict(loaded.network, batches.eval_batches(encoded, size), CPU) for size in (1, 4)
    )
    assert alone.shape == (4, tasks.TASKS[task].outputs)
    assert torch.allclose(alone, together, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_the_sides_of_a_pair_are_told_apart(name: str) -> None:
    loaded = load(name)
    encoded = tokenization.encode(
        loaded.tokenizer, [("good film", "bad"), ("good", "film bad")], 10
    )
    logits = loop.predict(loaded.network, batches.eval_batches(encoded, 2), CPU)
    assert not torch.allclose(logits[0], logits[1], atol=1e-4)


@given(
    st.lists(st.lists(st.booleans(), min_size=5, max_size=5), min_size=1, max_size=4),
    st.lists(st.integers(1, 9), min_size=5, max_size=5),
)
def test_left_alignment_keeps_the_words_and_their_order(
    masks: list[list[bool]], words: list[int]
) -> None:
    mask = torch.tensor(masks)
    aligned, lengths = scratch.align_left(torch.tensor([words] * len(masks)), mask)
    for row, kept, length in zip(aligned.tolist(), masks, lengths.tolist(), strict=True):
        expected = [word for word, keep in zip(words, kept, strict=True) if keep]
        assert length == max(1, len(expected))
        assert row == (expected + [0] * 5)[: len(row)]


def test_the_bilstm_computes_what_torchs_own_does_of_packed_rows() -> None:
    torch.manual_seed(0)
    network = scratch.BiLstm(50, 8).eval()
    packed = torch.nn.LSTM(8, network.STATES, 2, batch_first=True, bidirectional=True)
    for layer in range(2):
        for own, end in (
            (network.forward_lstm[layer], ""),
            (network.backward_lstm[layer], "_reverse"),
        ):
            for name, value in own.named_parameters():
                getattr(packed, f"{name.removesuffix('0')}{layer}{end}").data = value.data
    ids = torch.tensor([[3, 4, 5, 6, 7], [8, 9, 0, 0, 0], [3, 0, 0, 0, 0], [9, 8, 7, 6, 0]])
    lengths = (ids > 0).sum(dim=1)

    def of_packed() -> torch.Tensor:
        words = pack_padded_sequence(
            network.embedding(ids), lengths, batch_first=True, enforce_sorted=False
        )
        states, _ = pad_packed_sequence(
            packed(words)[0], batch_first=True, padding_value=-torch.inf
        )
        return states.amax(dim=1)

    own, expected = network(ids, lengths), of_packed()
    assert torch.allclose(own, expected, atol=1e-6)
    weights = torch.randn_like(own)
    gradients = [
        torch.autograd.grad((found * weights).sum(), network.embedding.weight)[0]
        for found in (own, expected)
    ]
    assert torch.allclose(*gradients, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_the_seed_decides_every_weight(name: str) -> None:
    one, same, other = (load(name, seed=seed).network.state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(one[key], same[key]) for key in one)
    assert any(not torch.equal(one[key], other[key]) for key in one)


def test_the_vocabulary_is_the_training_rows_own() -> None:
    tokenizer = scratch.train_tokenizer([("The film isn't good.", "Good FILM"), ("naïve", "x")])
    words = tokenizer.get_vocab()
    assert (words["[PAD]"], words["[UNK]"]) == (0, 1)
    assert {*words} == {
        "[PAD]",
        "[UNK]",
        *["the", "film", "isn", "'", "t", "good", ".", "naïve", "x"],
    }
    out = tokenizer(["the unseen film"], ["good"])
    assert out["token_type_ids"] == [[0, 0, 0, 1]]
    assert out["input_ids"][0][1] == 1


@pytest.mark.parametrize(
    ("name", "target"), [*((name, "cpu-fp32") for name in NAMES), ("bilstm", "cpu-bf16")]
)
def test_a_network_learns_and_is_recorded_as_one_that_began_at_random(
    name: str, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scratch.BiLstm, "STATES", 32)
    config = configuration(name, target=target, epochs=6)
    outcome, _ = runner.run(config)
    assert (outcome.status, outcome.reason) == ("ok", None)
    assert outcome.model is not None
    assert outcome.model.trained_parameters == outcome.model.parameters
    assert "encoder.embedding.weight" in outcome.model.new_parameters
    assert outcome.history[-1].train_loss < 0.98 * outcome.history[0].train_loss
    assert outcome.observed is not None
    arithmetic = None if name == "cbow" else Device(targets.get(target)).arithmetic
    assert outcome.observed.arithmetic == arithmetic
    assert "contaminated" not in outcome.flags


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("task", ["sst2", "stsb"])
def test_what_is_saved_answers_as_it_did(name: str, task: str, tmp_path: Path) -> None:
    config = dataclasses.replace(configuration(name, task), save_to=str(tmp_path))
    ready = inputs.prepare(config)
    row = ready.data.splits["validation"].texts[:1]
    expected = loop.predict(
        ready.network,
        batches.eval_batches(tokenization.encode(ready.model.tokenizer, row, 128), 1),
        CPU,
    )[0]
    folder = tmp_path / checkpoints.save(ready.model, config, 0.5).name
    found = checkpoints.load(folder).answer(*row[0])
    if task == "stsb":
        assert found.score == pytest.approx(float(expected), abs=1e-6)
    else:
        assert list(found.shares.values()) == pytest.approx(expected.softmax(0).tolist(), abs=1e-6)
        assert list(found.shares) == ["negative", "positive"]


# ---- Word vectors ------------------------------------------------------------------------------


@pytest.fixture
def glove(tmp_path: Path) -> Path:
    path = tmp_path / "vectors.txt"
    path.write_text("film 1 2 3\n. . . 7 8 9\ngood 0.5 -1e-2 0\nnowhere 4 4 4\n")
    return path


def test_words_of_the_file_start_from_its_vectors(glove: Path) -> None:
    rows = Split(ROWS, [0, 1, 0, 1], range(4))
    loaded = scratch.load("cbow", tasks.TASKS["rte"], rows, 1, str(glove))
    weights, words = loaded.network.encoder.embedding.weight, loaded.tokenizer.get_vocab()
    assert weights.shape[1] == 3
    assert weights[words["film"]].tolist() == [1, 2, 3]
    assert weights[words["good"]].tolist() == pytest.approx([0.5, -0.01, 0])
    assert weights[0].tolist() == [0, 0, 0]
    assert weights[words["bad"]].abs().max() <= scratch.SPREAD


def test_a_file_cannot_give_padding_a_vector(glove: Path) -> None:
    glove.write_text(glove.read_text() + "[PAD] 5 5 5\n[UNK] 6 6 6\n")
    rows = Split(ROWS, [0, 1, 0, 1], range(4))
    loaded = scratch.load("cbow", tasks.TASKS["rte"], rows, 1, str(glove))
    assert loaded.network.encoder.embedding.weight[0].tolist() == [0, 0, 0]
    assert loaded.network.encoder.embedding.weight[1].tolist() != [6, 6, 6]


def test_a_header_of_counts_is_left_out(glove: Path) -> None:
    glove.write_text("2 3\n" + glove.read_text())
    assert word_vectors.read(glove, ["film", ". . ."])[". . ."].tolist() == [7, 8, 9]


WORD = st.text(st.characters(exclude_categories=["Z", "C"]), min_size=1)


@given(st.dictionaries(WORD, st.integers(0, 9), min_size=1))
def test_every_word_is_read_back(words: dict[str, int]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vectors.txt"
        path.write_text("".join(f"{word} {n} {n + 1}.5\n" for word, n in words.items()), "utf-8")
        found = word_vectors.read(path, [*words, "no word at all"])
    assert {word: vector.tolist() for word, vector in found.items()} == {
        word: [n, n + 1.5] for word, n in words.items()
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("film 1 2\ngood 1\n", r"vectors.txt:2: 1 number\(s\) in 'good 1'; expected a word and 2"),
        ("film 1 x\n", r"vectors.txt:1: '1 x' for numbers"),
        ("film 1 nan\n", "vectors.txt:1: a number that is not finite"),
        ("film\n", r"vectors.txt:1: 0 number\(s\)"),
        ("elsewhere 1 2\n", "none of the 1 words of the training rows"),
        ("", "none of the 1 words"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(text: str, said: str, glove: Path) -> None:
    glove.write_text(text)
    with pytest.raises(DataError, match=said):
        word_vectors.read(glove, ["film"])


def test_the_file_is_part_of_the_cell_and_has_to_be_named(glove: Path) -> None:
    with pytest.raises(UsageError, match=r"cbow\+vectors: no word vectors. Fix:.*--glue-vectors"):
        configuration("cbow+vectors")
    one = configuration("cbow+vectors", vectors=str(glove))
    assert one.cell_key != configuration("cbow", vectors=str(glove)).cell_key
    glove.write_text("film 1 2 4\n")
    assert configuration("cbow+vectors", vectors=str(glove)).cell_key != one.cell_key
    with pytest.raises(DataError, match=r"no such file.*name one with --glue-vectors FILE"):
        configuration("cbow+vectors", vectors=str(glove.parent / "none.txt"))


def test_networks_are_always_here() -> None:
    for name in NAMES:
        assert models.is_here(models.MODELS[name])
        assert models.get(name).recipe == "scratch"
