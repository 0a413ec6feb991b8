"""From rows to batches: tokens, then tensors that are padded no further than they must be.

A batch is as wide as its own longest row ("dynamic padding"): most GLUE sentences are far shorter
than the recipe's limit, and padding costs as much as text. A network whose answers depend on how
far a row is padded has all batches of one width: `harness.modeling.batch_invariance` decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch

from harness.errors import ModelError

Rows = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class Encoded:
    """A tokenized split. Row i of a column is `flat[starts[i]:starts[i + 1]]`."""

    columns: Mapping[str, Rows]  # input_ids and whatever else the model reads; flat, int64
    starts: Rows  # (rows + 1,)
    padding: Mapping[str, int]  # the value that fills each column
    pad_left: bool
    truncated: int  # rows that lost tokens to the length limit
    extra_padding: int = 0  # columns of padding beyond the longest row
    width: int | None = None  # of every batch; None: of its longest row, and `extra_padding`

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def lengths(self) -> Rows:
        return np.diff(self.starts)

    def batch(self, labels: torch.Tensor | None, rows: Rows) -> Batch:
        """The batch of these rows, on the CPU."""
        return collate(self, labels, rows)


class Inputs(Protocol):
    """A split that batches can be made of."""

    @property
    def lengths(self) -> Rows:
        """Tokens of each row."""
        ...

    @property
    def truncated(self) -> int:
        """Rows that lost tokens to the length limit."""
        ...

    def __len__(self) -> int: ...

    def batch(self, labels: torch.Tensor | None, rows: Rows) -> Batch:
        """The batch of these rows, on the CPU."""
        ...


@dataclass(frozen=True)
class Batch:
    """Tensors of shape (examples, width); `labels` is int64, or float32 for regression."""

    inputs: Mapping[str, torch.Tensor]
    labels: torch.Tensor | None
    rows: Rows  # which rows of the split these are
    tokens: int  # real ones: padding is not counted

    def __len__(self) -> int:
        return len(self.rows)


def encode(
    tokenizer: Any,
    texts: Sequence[tuple[str, ...]],
    max_length: int,
    extra_padding: int = 0,
    *,
    fixed: bool = False,
) -> Encoded:
    """Tokenize rows of one or two texts; of a pair that is too long the longer side is cut.

    A batch is `extra_padding` tokens wider than its longest row; if `fixed`, as wide as a row may
    be.
    A tokenizer that puts nothing between two texts has its end-of-text token put there, as Radford
    et al. 2018 (GPT), section 3.3, put a delimiter; a row without any token becomes that token.
    Raises `ModelError` where special tokens alone fill a row.
    """
    end = tokenizer.eos_token or tokenizer.sep_token or tokenizer.pad_token
    sides = [list(side) for side in zip(*texts, strict=True)]
    if len(sides) == 2 and _runs_together(tokenizer):
        sides[1] = [f"{end}{text}" for text in sides[1]]
    # A tokenizer whose model_max_length is unset reports a huge number.
    limit = min(max_length, tokenizer.model_max_length - extra_padding)
    _check_room(tokenizer, limit, len(sides))
    out = tokenizer(*sides, truncation="longest_first", max_length=limit)
    names = [name for name in tokenizer.model_input_names if name in out]
    starts = np.concatenate([[0], np.cumsum([len(row) or 1 for row in out["input_ids"]])])
    lone = {"input_ids": [tokenizer.convert_tokens_to_ids(end)], "attention_mask": [1]}
    fill = {"input_ids": tokenizer.pad_token_id, "token_type_ids": tokenizer.pad_token_type_id}
    return Encoded(
        columns={
            name: np.concatenate([np.asarray(row or lone.get(name, [0])) for row in out[name]])
            for name in names
        },
        starts=starts.astype(np.int64),
        padding={name: fill.get(name, 0) for name in names},
        pad_left=tokenizer.padding_side == "left",
        truncated=_truncated(tokenizer, out, sides, limit),
        extra_padding=extra_padding,
        width=limit + extra_padding if fixed else None,
    )


def _check_room(tokenizer: Any, limit: int, texts: int) -> None:
    """Raise `ModelError` where rows of `limit` tokens have no room for a token of each text."""
    special = tokenizer.num_special_tokens_to_add(pair=texts == 2)
    if limit < special + texts:
        raise ModelError(
            f"a row may have at most {limit} tokens, and {special} are special ones; expected room "
            f"for a token of each text, so {special + texts} or more. Mend: a larger "
            "model_max_length in tokenizer_config.json, or another model"
        )


def _runs_together(tokenizer: Any) -> bool:
    """Whether a tokenizer puts nothing between the two texts of a pair, and gives them one type."""
    first, second = (tokenizer(text, add_special_tokens=False)["input_ids"] for text in "ab")
    made = tokenizer("a", "b")
    if len({*made.get("token_type_ids", ())}) > 1:
        return False
    pair, beside = made["input_ids"], first + second
    places = range(len(pair) - len(beside) + 1)
    return any(pair[place : place + len(beside)] == beside for place in places)


def _truncated(tokenizer: Any, out: Any, sides: list[list[str]], limit: int) -> int:
    """How many rows lost tokens; only tokenizers written in Rust tell by themselves."""
    if out.encodings:
        return sum(bool(encoding.overflowing) for encoding in out.encodings)
    return sum(len(row) > limit for row in tokenizer(*sides, verbose=False)["input_ids"])


def collate(encoded: Encoded, labels: torch.Tensor | None, rows: Rows) -> Batch:
    """The batch of these rows, on the CPU."""
    lengths = encoded.lengths[rows]
    width = encoded.width or int(lengths.max()) + encoded.extra_padding
    inputs = {}
    for name, flat in encoded.columns.items():
        padded = np.full((len(rows), width), encoded.padding[name], dtype=np.int64)
        for target, row, length in zip(padded, rows, lengths, strict=True):
            start = encoded.starts[row]
            place = slice(width - length, None) if encoded.pad_left else slice(0, length)
            target[place] = flat[start : start + length]
        inputs[name] = torch.from_numpy(padded)
    chosen = None if labels is None else labels[torch.from_numpy(rows)]
    return Batch(inputs, chosen, rows, int(lengths.sum()))
