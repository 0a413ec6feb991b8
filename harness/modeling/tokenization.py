"""From rows to batches: texts become tokens, and tokens become padded tensors.

A batch is as wide as its longest row ("dynamic padding"): most GLUE sentences are far shorter than
the recipe's limit, and padding costs as much time as text. For a network whose logits depend on
the padding, all batches have one width; `harness.modeling.batch_invariance` decides which do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from harness.errors import ModelError
from harness.modeling.layout import Layout
from harness.modeling.library_types import Tokenizer

if TYPE_CHECKING:
    from transformers import BatchEncoding

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Encoded:
    """A tokenized split. Row i of a column is `flat[starts[i]:starts[i + 1]]`."""

    columns: Mapping[str, Rows]  # input_ids and whatever else the model reads; flat, int64
    starts: Rows  # (rows + 1,)
    padding: Mapping[str, int]  # the value that fills each column
    pad_left: bool
    truncated: int  # rows that lost tokens to the length limit
    extra_padding: int = 0  # tokens of padding beyond the longest row
    width: int | None = None  # of every batch; None: the longest row's plus `extra_padding`

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def lengths(self) -> Rows:
        return np.diff(self.starts)

    def batch(self, labels: torch.Tensor | None, rows: Rows) -> Batch:
        """The batch of these rows, on the CPU."""
        return collate(self, labels, rows)


class OfEncoded:
    """What a split that is made of a tokenized one has in common with it."""

    encoded: Encoded

    def __len__(self) -> int:
        return len(self.encoded)

    @property
    def lengths(self) -> Rows:
        """Tokens of each row."""
        return self.encoded.lengths

    @property
    def truncated(self) -> int:
        """Rows that lost tokens to the length limit."""
        return self.encoded.truncated


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
    """Tensors of shape (examples, width), or (1, tokens) if the batch has a layout.

    `labels` is int64, or float32 for regression.
    """

    inputs: Mapping[str, torch.Tensor]
    labels: torch.Tensor | None
    rows: Rows  # which rows of the split these are
    tokens: int  # without padding
    layout: Layout | None = None  # where its rows stand in one line; None: they are padded

    def __len__(self) -> int:
        return len(self.rows)


def encode(
    tokenizer: Tokenizer,
    texts: Sequence[tuple[str, ...]],
    max_length: int,
    extra_padding: int = 0,
    *,
    fixed: bool = False,
) -> Encoded:
    """Tokenize rows of one or two texts; in a pair that is too long the longer text is cut.

    A batch will be `extra_padding` tokens wider than its longest row, or, if `fixed`, as wide as
    the longest row that is allowed.

    Some tokenizers put nothing between the two texts of a pair. There the end-of-text token is
    added as a delimiter, after Radford et al. 2018 (GPT), section 3.3. A row without any token
    becomes that one token. Raises `ModelError` where special tokens alone fill a row.
    """
    delimiter = tokenizer.eos_token or tokenizer.sep_token or tokenizer.pad_token
    sides = [list(side) for side in zip(*texts, strict=True)]
    if len(sides) == 2 and _lacks_delimiter(tokenizer):
        sides[1] = [f"{delimiter}{text}" for text in sides[1]]
    # A tokenizer whose model_max_length is unset reports a huge number.
    limit = min(max_length, tokenizer.model_max_length - extra_padding)
    _check_limit(tokenizer, limit, len(sides))
    encoding = tokenizer(*sides, truncation="longest_first", max_length=limit)
    names = [name for name in tokenizer.model_input_names if name in encoding]
    starts = np.concatenate([[0], np.cumsum([len(row) or 1 for row in encoding["input_ids"]])])
    empty_row = {"input_ids": [tokenizer.convert_tokens_to_ids(delimiter)], "attention_mask": [1]}
    padding = {"input_ids": tokenizer.pad_token_id, "token_type_ids": tokenizer.pad_token_type_id}
    return Encoded(
        columns={
            name: np.concatenate(
                [np.asarray(row or empty_row.get(name, [0])) for row in encoding[name]]
            )
            for name in names
        },
        starts=starts.astype(np.int64),
        padding={name: padding.get(name, 0) for name in names},
        pad_left=tokenizer.padding_side == "left",
        truncated=_count_truncated(tokenizer, encoding, sides, limit),
        extra_padding=extra_padding,
        width=limit + extra_padding if fixed else None,
    )


def _check_limit(tokenizer: Tokenizer, limit: int, texts: int) -> None:
    """Raise `ModelError` where rows of `limit` tokens have no room for a token of each text."""
    special = tokenizer.num_special_tokens_to_add(pair=texts == 2)
    if limit < special + texts:
        raise ModelError(
            f"a row may have at most {limit} tokens, and {special} are special ones; expected room "
            f"for a token of each text, so {special + texts} or more. Fix: set a larger "
            "model_max_length in tokenizer_config.json, or name another model"
        )


def _lacks_delimiter(tokenizer: Tokenizer) -> bool:
    """Whether a tokenizer puts nothing between the two texts of a pair, and gives them one type."""
    first, second = (tokenizer(text, add_special_tokens=False)["input_ids"] for text in "ab")
    encoding = tokenizer("a", "b")
    if len({*encoding.get("token_type_ids", ())}) > 1:
        return False
    pair, joined = encoding["input_ids"], first + second
    places = range(len(pair) - len(joined) + 1)
    return any(pair[place : place + len(joined)] == joined for place in places)


def _count_truncated(
    tokenizer: Tokenizer, encoding: BatchEncoding, sides: list[list[str]], limit: int
) -> int:
    """How many rows lost tokens. Only tokenizers written in Rust report it themselves."""
    if encoding.encodings:
        return sum(bool(row.overflowing) for row in encoding.encodings)
    return sum(len(row) > limit for row in tokenizer(*sides, verbose=False)["input_ids"])


def collate(encoded: Encoded, labels: torch.Tensor | None, rows: Rows) -> Batch:
    """The batch of these rows, on the CPU, padded to one width."""
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
    batch_labels = None if labels is None else labels[torch.from_numpy(rows)]
    return Batch(inputs, batch_labels, rows, int(lengths.sum()))
