"""How long a row, which ids and which positions a network knows: rows fit, or are refused."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer

import harness
from harness.catalog import tasks
from harness.errors import ModelError
from harness.modeling import checkpoints, input_limits, pretrained, tokenization
from harness.spec import Split, Task
from tests.support import tiny_families, tiny_models
from tests.support.tiny_families import FAMILIES

SST2, RTE = tasks.TASKS["sst2"], tasks.TASKS["rte"]
LONG = [("a " * 500,), ("the film is good",)]


def split(texts: list[tuple[str, ...]]) -> Split:
    return Split(texts, None, range(len(texts)))


def without_length(folder: Path) -> Path:
    """The folder with a tokenizer that does not say how long a text may be."""
    path = folder / "tokenizer_config.json"
    said = json.loads(path.read_text())
    said.pop("model_max_length", None)
    path.write_text(json.dumps(said))
    assert AutoTokenizer.from_pretrained(folder).model_max_length > 10**6
    return folder


# ---- Length --------------------------------------------------------------------------------------

LONGEST = dict.fromkeys(FAMILIES, 80) | {
    "roberta": 78, "mpnet": 78,  # their first position is 2
    "mobilebert": 79,  # a token of padding follows every row
    "deberta-v3": None, "xlnet": None, "funnel": None, "funnel-mlm": None,  # relative
    "llama": None, "modernbert": None, "modernbert-mean": None,  # rotary
}  # fmt: skip


@pytest.mark.cases
@pytest.mark.parametrize("name", FAMILIES)
def test_a_text_longer_than_the_positions_is_cut_to_them(tmp_path: Path, name: str) -> None:
    folder = without_length(tiny_families.pretrained(tmp_path, name))
    loaded = pretrained.load(folder, SST2, seed=1)
    encoded = loaded.encode("train", split(LONG), 128)
    most = LONGEST[name] or 128
    assert int(encoded.lengths.max()) == most
    assert encoded.truncated == 1
    batch = tokenization.collate(encoded, None, np.array([0, 1]))
    assert loaded.network.eval()(**batch.inputs).logits.isfinite().all()


def test_what_the_tokenizer_says_counts_where_it_is_less(tmp_path: Path) -> None:
    for said, most in ((40, 40), (80, 78), (512, 78), (-1, 78)):
        folder = tiny_families.pretrained(tmp_path / str(said), "roberta")
        tiny_models.edit(folder / "tokenizer_config.json", model_max_length=said)
        loaded = pretrained.load(folder, SST2, seed=1)
        assert int(loaded.encode("train", split(LONG), 128).lengths.max()) == most
        assert int(loaded.encode("train", split(LONG), 32).lengths.max()) == 32


@pytest.mark.cases
@pytest.mark.parametrize(("task", "least"), [(SST2, 3), (RTE, 5)])
def test_a_row_needs_room_for_its_texts(tmp_path: Path, task: Task, least: int) -> None:
    texts = split([("the film is good",) * len(task.text_columns)])
    for said in (least - 1, least):
        folder = tiny_families.pretrained(tmp_path / str(said), "bert")
        tiny_models.edit(folder / "tokenizer_config.json", model_max_length=said)
        loaded = pretrained.load(folder, task, seed=1)
        if said < least:
            with pytest.raises(
                ModelError, match=rf"may have at most {said} tokens.* so {least} or more"
            ):
                loaded.encode("train", texts, 128)
        else:
            assert int(loaded.encode("train", texts, 128).lengths.max()) == least


SMALL = {
    "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32,
    "max_position_embeddings": 24, "vocab_size": 60, "n_embd": 16, "n_layer": 1, "n_head": 2,
    "n_positions": 24, "embedding_size": 16, "dim": 16, "n_layers": 1, "n_heads": 2, "ffn_dim": 32,
    "hidden_dim": 32, "emb_dim": 16, "dff": 32, "word_embed_proj_dim": 16, "num_layers": 1,
    "num_heads": 2, "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2, "sep_token_id": 2,
    "attention_types": [[["global"], 1]], "attention_window": [8], "num_key_value_heads": 1,
}  # fmt: skip
KINDS = {
    "albert": 24, "bert": 24, "big_bird": 24, "biogpt": 24, "camembert": 22, "canine": 24,
    "convbert": 24, "ctrl": 24, "data2vec-text": 22, "deberta": 24, "electra": 24, "ernie": 24,
    "esm": 22, "flaubert": 24, "fnet": 24, "gpt2": 24, "gpt_bigcode": 24, "gpt_neo": 24,
    "ibert": 22, "layoutlm": 24, "longformer": 22, "markuplm": 22, "megatron-bert": 24,
    "mobilebert": 24, "mpnet": 22, "mra": 24, "nystromformer": 24, "openai-gpt": 24, "opt": 24,
    "rembert": 24, "roberta": 22, "roberta-prelayernorm": 22, "roc_bert": 24, "roformer": 24,
    "squeezebert": 24, "xlm": 24, "xlm-roberta": 22, "xlm-roberta-xl": 22, "yoso": 24,
    "bloom": None, "gpt_neox": None, "llama": None, "mistral": None, "modernbert": None,
    "nomic_bert": None, "phi": None, "qwen2": None, "stablelm": None,
}  # fmt: skip
"""The longest row of a network with 24 positions, for kinds of transformers' own."""


def network_of(kind: str) -> Any:
    known = AutoConfig.for_model(kind)
    sizes = {key: value for key, value in SMALL.items() if hasattr(known, key)}
    if not isinstance(getattr(known, "num_layers", None), int):
        sizes.pop("num_layers", None)
    config = AutoConfig.for_model(kind, **sizes)
    torch.manual_seed(0)
    return AutoModelForSequenceClassification.from_config(config).eval()


@pytest.mark.parametrize("kind", KINDS)
def test_the_longest_row_is_where_the_network_itself_ends(kind: str) -> None:
    network, most = network_of(kind), KINDS[kind]
    assert input_limits.longest_row(network) == most

    def run(length: int) -> None:
        ids = torch.randint(5, 50, (1, length))
        takes_mask = kind != "fnet"
        mask = {"attention_mask": torch.ones_like(ids)} if takes_mask else {}
        with torch.no_grad():
            network(input_ids=ids, **mask)

    if most is None:
        run(40)
        return
    if kind not in ("mra", "yoso"):  # they need lengths of whole blocks
        run(most)
    with pytest.raises((IndexError, RuntimeError)):
        run(most + 1)


@pytest.mark.cases
def test_a_whole_run_of_long_texts_ends_and_says_what_was_cut(tmp_path: Path) -> None:
    folder = tiny_families.pretrained(tmp_path / "short", "bert")
    network = tiny_families.network(dataclasses.replace(
        FAMILIES["bert"], sizes=FAMILIES["bert"].sizes | {"max_position_embeddings": 6}
    ))  # fmt: skip
    network.save_pretrained(folder)
    record = harness.run(
        "rte", model=str(without_length(folder)), max_train=32, max_eval=16, epochs=1, seed=1,
        results=tmp_path / "r", engine="inline",
    )  # fmt: skip
    assert record.status == "ok", record.reason
    assert record.model is not None
    assert record.data is not None
    assert record.data.truncated_rows["train"] > 0
    assert any("at most 6 tokens" in note for note in record.model.notes)


# ---- Positions that are counted from padding -----------------------------------------------------


@pytest.mark.cases
@pytest.mark.parametrize("name", ["roberta", "mpnet"])
@pytest.mark.parametrize("said", [1, 0, 3])
def test_positions_are_counted_from_the_networks_own_padding_id(
    tmp_path: Path, name: str, said: int
) -> None:
    """The tokenizer pads with 0; config.json says `said`, and from there positions are counted."""
    family = dataclasses.replace(
        FAMILIES[name], sizes=FAMILIES[name].sizes | {"pad_token_id": said}
    )
    folder = tiny_models.save(
        tmp_path, tiny_families.network(family), tiny_families.tokenizer(family)
    )
    plain = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval()
    loaded = pretrained.load(folder, SST2, seed=1)
    assert loaded.network.config.pad_token_id == said
    assert loaded.tokenizer.pad_token_id == 0
    encoded = loaded.encode("train", split([("a b c",), ("the film is good j i h",)]), 32)
    batch = tokenization.collate(encoded, None, np.array([0, 1]))
    states = loaded.network.eval().base_model(**batch.inputs).last_hidden_state
    for row, length in enumerate(encoded.lengths):
        ids = batch.inputs["input_ids"][row : row + 1, :length]
        alone = plain.base_model(ids).last_hidden_state
        assert torch.allclose(states[row : row + 1, :length], alone, atol=1e-5)


def test_a_decoder_knows_the_tokenizers_padding(tmp_path: Path) -> None:
    for name, said in (("gpt2", None), ("llama", 7), ("xlnet", 5)):
        folder = tiny_families.pretrained(tmp_path / name, name)
        tiny_models.edit(folder / "config.json", pad_token_id=said)
        loaded = pretrained.load(folder, SST2, seed=1)
        assert loaded.network.config.pad_token_id == loaded.tokenizer.pad_token_id


# ---- Ids -----------------------------------------------------------------------------------------


def with_more_tokens(folder: Path, *tokens: str, **special: str) -> Path:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens(list(tokens))
    tokenizer.add_special_tokens(special)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.cases
def test_a_tokenizer_with_a_token_more_is_judged_by_the_ids_that_occur(tmp_path: Path) -> None:
    folder = with_more_tokens(tiny_families.pretrained(tmp_path, "bert"), "<image>")
    loaded = pretrained.load(folder, SST2, seed=1)
    assert len(loaded.tokenizer) == len(tiny_models.WORDS) + 1
    loaded.encode("train", split([("a b",), ("the film",)]), 32)
    with pytest.raises(ModelError) as caught:
        loaded.encode("validation", split([("a b",), ("c",), ("the <image> film",)]), 32)
    message = str(caught.value)
    assert "validation, row 2" in message
    assert "'<image>'" in message
    assert f"has the id {len(tiny_models.WORDS)}" in message
    assert "resize_token_embeddings" in message


def test_an_id_beyond_the_table_is_told_by_predict_and_by_a_whole_run(tmp_path: Path) -> None:
    folder = tiny_models.classifier(tmp_path / "m", "bert", ["negative", "positive"])
    tuned = checkpoints.load(with_more_tokens(folder, "<image>"))
    assert tuned.answer("a film").shares
    with pytest.raises(ModelError, match=r"'<image>' has the id 20"):
        tuned.answer("<image> film")
    record = harness.run(
        "sst2", model=str(with_more_tokens(folder, "was", "and")), max_train=64, max_eval=32,
        epochs=1, results=tmp_path / "r", engine="inline",
    )  # fmt: skip
    assert record.status == "failed"
    assert "train, row" in str(record.reason)


def test_a_padding_token_that_the_network_lacks_is_one_error(tmp_path: Path) -> None:
    folder = with_more_tokens(tiny_families.pretrained(tmp_path, "llama"), pad_token="<pad>")
    with pytest.raises(ModelError, match=r"padding token '<pad>' has the id 20.*leave `pad_token`"):
        pretrained.load(folder, SST2, seed=1)


def test_a_type_that_the_network_lacks_is_one_error(tmp_path: Path) -> None:
    folder = tiny_families.pretrained(tmp_path, "bert")
    tokenizer = tiny_families.tokenizer(FAMILIES["bert"])
    tokenizer.backend_tokenizer.post_processor = tiny_models.processors.TemplateProcessing(
        single="[CLS]:2 $A [SEP]", pair="[CLS]:2 $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )  # fmt: skip
    tokenizer.save_pretrained(folder)
    loaded = pretrained.load(folder, RTE, seed=1)
    with pytest.raises(ModelError, match=r"train, row 0: the type of '\[CLS\]' has the id 2"):
        loaded.encode("train", split([("a", "b")]), 32)


# ---- Types of texts ------------------------------------------------------------------------------


@pytest.mark.cases
@pytest.mark.parametrize("name", ["bert", "albert", "electra", "xlnet", "funnel", "squeezebert"])
def test_a_tokenizer_class_that_hides_the_types_does_not_lose_them(
    tmp_path: Path, name: str
) -> None:
    folder = tiny_families.pretrained(tmp_path, name)
    plain = tiny_families.logits(tiny_families.loud(folder, RTE), tiny_families.PAIRS, 4)
    path = folder / "tokenizer_config.json"
    said = json.loads(path.read_text()) | {"tokenizer_class": "PreTrainedTokenizerFast"}
    said.pop("model_input_names", None)
    path.write_text(json.dumps(said))
    assert "token_type_ids" not in AutoTokenizer.from_pretrained(folder)("a", "b")
    loaded = tiny_families.loud(folder, RTE)
    assert "token_type_ids" in loaded.tokenizer.model_input_names
    assert torch.equal(tiny_families.logits(loaded, tiny_families.PAIRS, 4), plain)


def test_types_that_tokenizer_json_does_not_have_are_not_made_up(tmp_path: Path) -> None:
    folder = tiny_families.pretrained(tmp_path, "bert")
    tokenizer = tiny_models.word_tokenizer(pairs_have_types=False)
    tokenizer.backend_tokenizer.post_processor = tiny_models.processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )  # fmt: skip
    tokenizer.save_pretrained(folder)
    assert pretrained.load(folder, RTE, 1).tokenizer.model_input_names == [
        "input_ids", "attention_mask",
    ]  # fmt: skip


# ---- Case ----------------------------------------------------------------------------------------


@pytest.mark.cases
def test_a_cased_vocabulary_that_is_lower_cased_is_told(tmp_path: Path) -> None:
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "The", "the", "Film", "is", "Good"]
    config = transformers.BertConfig(vocab_size=len(words), **tiny_models.SIZES["bert"])
    folder = tmp_path / "m"
    transformers.BertModel(config).save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    loaded = pretrained.load(folder, SST2, seed=1)
    (note,) = loaded.notes
    assert "lower-cased" in note
    assert '"do_lower_case": false' in note
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": false}')
    loaded = pretrained.load(folder, SST2, seed=1)
    assert loaded.notes == ()
    assert loaded.tokenizer.tokenize("The Film") == ["The", "Film"]
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": true}')
    pretrained.load(folder, SST2, seed=1).tokenizer.save_pretrained(folder)
    assert (folder / "tokenizer.json").is_file()  # in which `lowercase` decides nothing
    assert '"do_lower_case": false' in pretrained.load(folder, SST2, seed=1).notes[0]


@pytest.mark.parametrize("name", ["bert", "gpt2", "xlnet"])
def test_an_uncased_vocabulary_is_no_matter(folders: dict[str, Path], name: str) -> None:
    assert pretrained.load(folders[name], SST2, seed=1).notes == ()


def test_toy_bert_and_cased_tokenizers_have_no_note(tmp_path: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers

    from harness.catalog import models as rows

    assert pretrained.load(rows.directory(rows.MODELS["toy-bert"]), SST2, 1).notes == ()
    raw = Tokenizer(models.WordLevel({"Ab": 0, "cd": 1, "\u0120Ef": 2, "?": 3}, unk_token="?"))
    raw.pre_tokenizer = pre_tokenizers.Whitespace()
    cased = transformers.PreTrainedTokenizerFast(tokenizer_object=raw, unk_token="?")
    assert pretrained.notes_on(tmp_path, cased) == ()
