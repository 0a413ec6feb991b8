"""What a network can read: how many tokens a row, which ids, and which position comes first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import AutoModelForSequenceClassification

from harness.errors import ModelError
from harness.modeling.tokenization import Encoded
from harness.text.values import shown

POSITION_TABLES = frozenset({
    "position_embeddings", "embed_positions", "positions_embed", "wpe", "char_position_embeddings",
    "pos_encoding",
})  # fmt: skip
"""What transformers calls a table with a row for each position.

A network without one counts relative distances (XLNet, DeBERTa-v3) or rotates by any (Llama).
"""


def longest_row(network: nn.Module) -> int | None:
    """How many tokens a network has positions for; None: any number. Beyond it torch fails.

    RoBERTa and its like count from the row behind the padding token's: of 514 rows they use 512.
    OPT's table has two rows more than positions.
    """
    rows = [
        len(tensor)
        for name, tensor in chain(network.named_parameters(), network.named_buffers())
        if POSITION_TABLES.intersection(name.split(".")[-2:]) and tensor.dim() == 2
    ]
    if not rows:
        return None
    config: Any = network.config
    said = getattr(config, "max_position_embeddings", None)  # GPT-2's n_positions too
    most = min([*rows, said] if isinstance(said, int) and said > 0 else rows)
    return most - first_position(network)


def first_position(network: nn.Module) -> int:
    """The position of a row's first token: 0, or the one behind that of padding."""
    padding = [
        module.padding_idx
        for name, module in network.named_modules()
        if name.rpartition(".")[2] in POSITION_TABLES
        and getattr(module, "padding_idx", None) is not None
    ]
    return padding[0] + 1 if padding else 0


def counts_from_padding(config: Any) -> bool:
    """Whether a token's position depends on which id config.json calls padding, as RoBERTa's does.

    Read from the network that `config` describes, made without weights.
    """
    with torch.device("meta"):
        return first_position(AutoModelForSequenceClassification.from_config(config)) > 0


def fit_length(tokenizer: Any, network: nn.Module) -> None:
    """Have a tokenizer cut texts to what a network has positions for, if it says no less itself."""
    said = (tokenizer.model_max_length, longest_row(network))
    known = [int(length) for length in said if length and length > 0]
    if known:
        tokenizer.model_max_length = min(known)


def known_ids(network: Any) -> dict[str, int]:
    """How many ids a network has embeddings for, by the name of the column that holds them."""
    try:
        words = getattr(network.get_input_embeddings(), "weight", None)
    except NotImplementedError:  # it hashes characters
        words = None
    found = {} if words is None else {"input_ids": len(words)}
    for name, parameter in network.named_parameters():
        if name.endswith("token_type_embeddings.weight"):
            found["token_type_ids"] = len(parameter)
    return found


def set_padding(directory: Path, config: Any, tokenizer: Any) -> None:
    """Have a configuration name the tokenizer's padding token, by which decoders find the last one.

    Not where positions are counted from the id that pretraining had: it would move every token.
    Raises `ModelError` for a padding token that the network has no embedding for.
    """
    text, padding = config.get_text_config(), tokenizer.pad_token_id
    words = getattr(text, "vocab_size", None) or padding + 1  # some hash characters
    if padding >= words:
        raise ModelError(
            f"{directory}: its padding token {shown(tokenizer.pad_token)} has the id {padding}; "
            f"expected one of the {words} that the network has embeddings for. Mend: leave "
            "`pad_token` out of tokenizer_config.json, or name a token there that the network knows"
        )
    said = text.pad_token_id
    if said != padding and (said is None or said >= words or not counts_from_padding(config)):
        text.pad_token_id = padding


def check_ids(
    encoded: Encoded, tokenizer: Any, known: Mapping[str, int], split: str, rows: Sequence[int]
) -> None:
    """Raise `ModelError` for the first id of a row that a network has no embedding for.

    A tokenizer may hold more tokens than the network, as Gemma 3's does: only those that occur
    count. `rows` are the numbers that the split's source has for them.
    """
    for name, count in known.items():
        ids = encoded.columns.get(name)
        if ids is None or not len(ids) or int(ids.max()) < count:
            continue
        place = int(np.argmax(ids >= count))
        row = int(np.searchsorted(encoded.starts, place, side="right")) - 1
        token = tokenizer.convert_ids_to_tokens(int(encoded.columns["input_ids"][place]))
        kind = "token" if name == "input_ids" else "type"
        raise ModelError(
            f"{split}, row {rows[row]}: the {kind} of {shown(str(token))} has the id {ids[place]}; "
            f"expected one of the {count} that the network has embeddings for. Mend: put the "
            "model's own tokenizer beside it, or make room for the token before training "
            "(`model.resize_token_embeddings(len(tokenizer))`) and save both"
        )
