"""Does a row get the same logits alone as beside longer rows? Measured for every loaded network.

Beside a longer row, a row is padded further. Where a network lets padding reach the words (by a
convolution, a Fourier transform, a mean over all places), what it says of a row depends on the rows
in its batch. Scores then change with the batch size and with the order of the rows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from harness.errors import ModelError, is_out_of_memory
from harness.modeling import families, tokenization
from harness.spec import NOTHING
from harness.text.values import shown

TOLERANCE = 1e-3
"""How much a row may differ, relative to the size of what is compared.

In a batch of another shape fp32 is rounded differently. Tiny networks of 106 families were tried:
the 100 that keep rows apart differ by at most 2e-6, the others by 2e-3 to 1.3.
"""

WORDS = ("a", "small", "film", "that", "few", "will", "see", "and", "nobody", "who", "forgets")
FAILURES = (RuntimeError, ValueError, IndexError, TypeError, AttributeError)
"""What networks of transformers raise for rows of a length that they cannot compute, as tried."""

LONG, SHORT, MIDDLE = 40, 1, 6  # words of a made-up text


@dataclass(frozen=True)
class Outputs:
    """What a network gives for one row."""

    logits: torch.Tensor  # (outputs,)
    states: torch.Tensor | None  # (tokens, hidden), without padding; None: not one for each token


def needs_fixed_length(
    model: str,
    network: Any,
    tokenizer: Any,
    max_length: int,
    *,
    extra_padding: int = 0,
    pairs: bool = False,
    known_ids: Mapping[str, int] = NOTHING,
) -> bool:
    """Whether all rows must be padded to the length limit so that none depends on the others.

    Three made-up rows go through the network in evaluation mode, in the dtype of its parameters:
    together, and the two shorter ones alone. Compared are the logits, and the last layer's states
    of the tokens, where padding shows first. If padding to the longest row of a batch (and
    `extra_padding` tokens more) makes a difference, or the family is known for it, padding to the
    limit is measured. `known_ids` says how many ids of a column the network has embeddings for: the
    made-up rows have no others. Raises `ModelError`, with `model` as the name, where padding to the
    limit makes a difference too.
    """
    config = getattr(network, "config", None)
    known = config is not None and families.has_fixed_length(config)
    texts, tried = _texts(pairs, _words(tokenizer, known_ids)), []
    for fixed in (True,) if known else (False, True):
        encoded = tokenization.encode(tokenizer, texts, max_length, extra_padding, fixed=fixed)
        try:
            found = difference(network, encoded)
        except FAILURES as error:
            if is_out_of_memory(error):
                raise
            result = f"fails: {shown(str(error)[:160])}"
        else:
            if found <= TOLERANCE:
                return fixed
            result = f"gives a difference of {found:.2g} of their size"
        how = f"to {encoded.width} tokens" if fixed else "to the longest row"
        tried.append(f"padding {how} {result}")
    raise ModelError(
        f"{model}: what this {getattr(config, 'model_type', 'network')} says of a row depends on "
        f"the rows beside it: {'; '.join(tried)}; expected at most {TOLERANCE:g}"
        f"{_randomness(network, encoded)}. Mend: name another model, or a recipe with another "
        "max_length if the network asks for rows of one length"
    )


def difference(network: Any, encoded: tokenization.Encoded) -> float:
    """By how much the rows differ alone and together, relative to the size of what is compared.

    The first row, which must be the longest, is not run alone. 0 for a network whose logits are not
    finite even alone: training says that it has diverged.
    """
    together = outputs(network, encoded, range(len(encoded)))
    rows = range(1, len(encoded))
    alone = {row: outputs(network, encoded, [row])[0] for row in rows}
    if not all(row.logits.isfinite().all() for row in alone.values()):
        return 0.0
    size = max(float(row.logits.abs().max()) for row in together)
    found = max(_between(alone[row], together[row], size) for row in rows)
    return math.inf if math.isnan(found) else found


def _between(alone: Outputs, together: Outputs, size: float) -> float:
    """The largest relative difference of the logits, or of one token's state. NaN where one is."""
    found = float((alone.logits - together.logits).abs().max()) / (size or 1.0)
    if alone.states is None or together.states is None:
        return found
    apart = (alone.states - together.states).norm(dim=1)
    of_states = float((apart / alone.states.norm(dim=1).clamp_min(1e-30)).max())
    return of_states if math.isnan(of_states) else max(found, of_states)


@torch.no_grad()
def outputs(network: Any, encoded: tokenization.Encoded, rows: Any) -> list[Outputs]:
    """What a network gives for each of these rows, in one batch and in evaluation mode."""
    seen: list[Any] = []
    encoder = getattr(network, network.base_model_prefix)
    hook = encoder.register_forward_hook(lambda module, inputs, output: seen.append(output))
    was_training = network.training
    network.eval()
    try:
        batch = tokenization.collate(encoded, None, np.array(rows))
        logits = network(**batch.inputs).logits.float()
    finally:
        hook.remove()
        network.train(was_training)
    width = next(iter(batch.inputs.values())).shape[1]
    states = seen[-1] if isinstance(seen[-1], torch.Tensor) else seen[-1][0]
    one_each = states.ndim == 3 and states.shape[:2] == (len(batch), width)
    found = []
    for place, length in enumerate(encoded.lengths[batch.rows]):
        words = slice(width - length, None) if encoded.pad_left else slice(0, length)
        found.append(Outputs(logits[place], states[place, words].float() if one_each else None))
    return found


def _randomness(network: Any, encoded: tokenization.Encoded) -> str:
    """What to say of a network that gives other logits for the same batch the second time."""
    try:
        one, other = (outputs(network, encoded, range(len(encoded))) for _ in range(2))
    except FAILURES:
        return ""
    pairs = zip(one, other, strict=True)
    if all(torch.equal(first.logits, second.logits) for first, second in pairs):
        return ""
    return ". The same batch twice gives other logits too: it draws at random in evaluation"


def _words(tokenizer: Any, known_ids: Mapping[str, int]) -> Sequence[str]:
    """The words whose tokens a network has embeddings for; all of them where it has for none."""
    if "input_ids" not in known_ids:
        return WORDS
    ids = {word: tokenizer(word, add_special_tokens=False)["input_ids"] for word in WORDS}
    most = known_ids["input_ids"]
    return [word for word in WORDS if max(ids[word], default=0) < most] or WORDS


def _texts(pairs: bool, of: Sequence[str]) -> list[tuple[str, ...]]:
    """A long row, and two shorter ones."""

    def words(count: int, start: int) -> str:
        return " ".join(of[(start + place) % len(of)] for place in range(count))

    counts = (LONG, SHORT, MIDDLE)
    if pairs:
        return [(words(count, count), words(count // 2 + 1, count + 3)) for count in counts]
    return [(words(count, count),) for count in counts]
