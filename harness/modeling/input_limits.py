"""What a network can read: how many tokens in a row, which ids, and which position is the first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from torch import nn
from transformers import AutoModelForSequenceClassification

from harness.errors import ModelError
from harness.modeling.library_types import ModelConfig, PretrainedNetwork, Tokenizer
from harness.modeling.tokenization import Encoded
from harness.text.values import shown

POSITION_TABLES = frozenset(
    {
        "position_embeddings",
        "embed_positions",
        "positions_embed",
        "wpe",
        "char_position_embeddings",
        "pos_encoding",
    }
)
"""The names in transformers of a table with one row for each position.

A network without such a table uses relative distances (XLNet, DeBERTa-v3) or rotary positions
(Llama), which have no limit.
"""


def longest_row(network: nn.Module) -> int | None:
    """How many tokens a network has positions for; None: any number. A longer row fails in torch.

    RoBERTa and similar families start at the position after the padding token's id: of 514
    positions they use 512. OPT's table has two rows more than positions.
    """
    rows = [
        len(tensor)
        for name, tensor in chain(network.named_parameters(), network.named_buffers())
        if POSITION_TABLES.intersection(name.split(".")[-2:]) and tensor.dim() == 2
    ]
    if not rows:
        return None
    config: ModelConfig = network.config
    configured = getattr(config, "max_position_embeddings", None)  # GPT-2's n_positions too
    if isinstance(configured, int) and configured > 0:
        rows.append(configured)
    return min(rows) - first_position(network)


def first_position(network: nn.Module) -> int:
    """The position of a row's first token: 0, or the one after the padding token's position."""
    padding = [
        module.padding_idx
        for name, module in network.named_modules()
        if name.rpartition(".")[2] in POSITION_TABLES
        and getattr(module, "padding_idx", None) is not None
    ]
    return padding[0] + 1 if padding else 0


def counts_from_padding(config: ModelConfig) -> bool:
    """Whether positions start after the padding token's id, as RoBERTa's do.

    This is read from the network that `config` describes, made without weights.
    """
    with torch.device("meta"):
        return first_position(AutoModelForSequenceClassification.from_config(config)) > 0


def fit_length(tokenizer: Tokenizer, network: nn.Module) -> None:
    """Have a tokenizer cut texts to the network's positions, unless its own limit is lower."""
    limits = (tokenizer.model_max_length, longest_row(network))
    positive = [int(limit) for limit in limits if limit and limit > 0]
    if positive:
        tokenizer.model_max_length = min(positive)


def count_known_ids(network: PretrainedNetwork) -> dict[str, int]:
    """How many ids a network has embeddings for, by the name of the column that holds them."""
    try:
        embeddings = getattr(network.get_input_embeddings(), "weight", None)
    except NotImplementedError:  # CANINE hashes characters and has no such table
        embeddings = None
    counts = {} if embeddings is None else {"input_ids": len(embeddings)}
    for name, parameter in network.named_parameters():
        if name.endswith("token_type_embeddings.weight"):
            counts["token_type_ids"] = len(parameter)
    return counts


def set_padding_id(directory: Path, config: ModelConfig, tokenizer: Tokenizer) -> None:
    """Set a configuration's padding token to the tokenizer's.

    Decoders find a row's last token by it. It stays where positions start after the padding token's
    id of pretraining: another id would shift every position. Raises `ModelError` for a padding
    token that the network has no embedding for.
    """
    text_config, padding = config.get_text_config(), tokenizer.pad_token_id
    known = getattr(text_config, "vocab_size", None) or padding + 1  # some hash characters
    if padding >= known:
        raise ModelError(
            f"{directory}: its padding token {shown(tokenizer.pad_token)} has the id {padding}; "
            f"expected one of the {known} that the network has embeddings for. Fix: leave "
            "`pad_token` out of tokenizer_config.json, or name a token there that the network knows"
        )
    before = text_config.pad_token_id
    if before == padding:
        return
    if before is None or before >= known or not counts_from_padding(config):
        text_config.pad_token_id = padding


def check_ids(
    encoded: Encoded,
    tokenizer: Tokenizer,
    known_ids: Mapping[str, int],
    split: str,
    rows: Sequence[int],
) -> None:
    """Raise `ModelError` for the first id of a row that a network has no embedding for.

    A tokenizer may have more tokens than the network has embeddings, as Gemma 3's does: only tokens
    that occur count. `known_ids` is from `count_known_ids`; `rows` are row numbers in the source.
    """
    for name, count in known_ids.items():
        ids = encoded.columns.get(name)
        if ids is None or not len(ids) or int(ids.max()) < count:
            continue
        place = int(np.argmax(ids >= count))
        row = int(np.searchsorted(encoded.starts, place, side="right")) - 1
        token = tokenizer.convert_ids_to_tokens(int(encoded.columns["input_ids"][place]))
        kind = "token" if name == "input_ids" else "type"
        raise ModelError(
            f"{split}, row {rows[row]}: the {kind} of {shown(str(token))} has the id {ids[place]}; "
            f"expected one of the {count} that the network has embeddings for. Fix: put the "
            "model's own tokenizer beside it, or make room for the token before training "
            "(`model.resize_token_embeddings(len(tokenizer))`) and save both"
        )
