"""Tiny models with random weights, saved as in a user's folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

WORDS = [
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghij", "the", "film", "is", "good", "bad",
]  # fmt: skip


def word_tokenizer(*, pairs_have_types: bool = True, pad: bool = True) -> PreTrainedTokenizerFast:
    """One token a word, [CLS] and [SEP] around, as BERT's; without `pad`, no padding token."""
    vocabulary = {word: place for place, word in enumerate(WORDS)}
    raw = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    raw.normalizer = normalizers.Lowercase()
    raw.pre_tokenizer = pre_tokenizers.Whitespace()
    raw.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    names = ["input_ids", "token_type_ids", "attention_mask"]
    special: dict[str, Any] = {"pad_token": "[PAD]"} if pad else {}
    return PreTrainedTokenizerFast(
        tokenizer_object=raw, unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
        eos_token="[SEP]", model_max_length=64,
        model_input_names=names if pairs_have_types else [names[0], names[2]], **special,
    )  # fmt: skip


def bare_tokenizer(*, end: bool = True) -> PreTrainedTokenizerFast:
    """One token a word and nothing around a text, no padding: as GPT-2's; without `end` GPT's."""
    made = word_tokenizer(pairs_have_types=False, pad=False)
    raw = made.backend_tokenizer
    raw.post_processor = processors.TemplateProcessing(single="$A", pair="$A $B:1")
    return PreTrainedTokenizerFast(
        tokenizer_object=raw, unk_token="[UNK]", model_max_length=64,
        model_input_names=["input_ids", "attention_mask"],
        **({"bos_token": "[SEP]", "eos_token": "[SEP]"} if end else {}),
    )  # fmt: skip


def save(folder: Path, network: Any, tokenizer: Any) -> Path:
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


SIZES: dict[str, dict[str, Any]] = {
    "bert": {
        "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
        "intermediate_size": 32, "max_position_embeddings": 64,
    },
    "roberta": {
        "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
        "intermediate_size": 32, "max_position_embeddings": 80, "type_vocab_size": 1,
    },
    "distilbert": {
        "dim": 16, "n_layers": 1, "n_heads": 2, "hidden_dim": 32, "max_position_embeddings": 64,
    },
    "modernbert": {
        "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
        "intermediate_size": 32, "max_position_embeddings": 64, "pad_token_id": 0,
        "bos_token_id": 2, "eos_token_id": 3, "cls_token_id": 2, "sep_token_id": 3,
    },
    "gpt2": {"n_embd": 16, "n_layer": 1, "n_head": 2, "n_positions": 64},
}  # fmt: skip


def classifier(folder: Path, family: str, labels: list[str], **changed: Any) -> Path:
    """A folder with a network of `family` and a trained-looking head of these labels."""
    from transformers import AutoConfig, AutoModelForSequenceClassification

    tokenizer = word_tokenizer(pairs_have_types=family == "bert", pad=family != "gpt2")
    config = AutoConfig.for_model(family, vocab_size=len(WORDS), **SIZES[family] | changed)
    config.id2label = dict(enumerate(labels))
    config.label2id = {label: place for place, label in enumerate(labels)}
    if family == "gpt2":
        config.pad_token_id, config.eos_token_id, config.bos_token_id = None, 3, 2
    elif tokenizer.pad_token_id is not None:
        config.pad_token_id = tokenizer.pad_token_id
    torch.manual_seed(0)
    return save(folder, AutoModelForSequenceClassification.from_config(config), tokenizer)


def pretrained(folder: Path, family: str) -> Path:
    """A folder with a network of `family` as masked-language modelling leaves it."""
    from transformers import AutoConfig, AutoModelForMaskedLM

    config = AutoConfig.for_model(family, vocab_size=len(WORDS), **SIZES[family])
    torch.manual_seed(0)
    return save(folder, AutoModelForMaskedLM.from_config(config), word_tokenizer())


def edit(path: Path, **changed: Any) -> None:
    """Change keys of a JSON file."""
    path.write_text(json.dumps(json.loads(path.read_text()) | changed))
