"""Measure whether a network gives a row the same logits alone as in a batch with longer rows.

In a batch with a longer row, a row has more padding. In some networks padding changes the states of
real tokens: by a convolution, a Fourier transform, or a mean over all positions. There a row's
logits depend on the other rows of its batch, so scores change with the batch size and the order of
rows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from harness.errors import ModelError, is_out_of_memory
from harness.modeling import families, tokenization
from harness.modeling.library_types import PretrainedNetwork, Tokenizer
from harness.spec import NOTHING
from harness.text.values import shown

TOLERANCE = 1e-3
"""The largest relative difference between a row alone and in a batch that counts as none.

fp32 is rounded differently in a batch of another shape. In tiny networks of 106 families, the 100
whose rows are independent differ by at most 2e-6, and the others by 2e-3 to 1.3.
"""

WORDS = ("a", "small", "film", "that", "few", "will", "see", "and", "nobody", "who", "forgets")
FAILURES = (RuntimeError, ValueError, IndexError, TypeError, AttributeError)
"""The exceptions that networks of transformers raised in trials, for rows of a wrong length."""

LONG, SHORT, MIDDLE = 40, 1, 6  # words in a generated text


@dataclass(frozen=True)
class Outputs:
    """What a network returns for one row."""

    logits: torch.Tensor  # (outputs,)
    states: torch.Tensor | None  # (tokens, hidden), without padding; None: not one for each token


def needs_fixed_length(
    model: str,
    network: PretrainedNetwork,
    tokenizer: Tokenizer,
    max_length: int,
    *,
    extra_padding: int = 0,
    pairs: bool = False,
    known_ids: Mapping[str, int] = NOTHING,
) -> bool:
    """Whether all rows must be padded to the length limit so that none depends on the others.

    Three generated rows go through the network in evaluation mode, in the dtype of its parameters:
    first together, then the two shorter ones alone. Both results are compared: the logits, and the
    last layer's states of the real tokens, which padding changes most. Where padding to the longest
    row of a batch (plus `extra_padding` tokens) makes a difference, or the family is known for it,
    padding to the limit is measured too.

    `known_ids` says how many ids of a column the network has embeddings for; the generated rows use
    only those. Raises `ModelError`, which begins with `model`, where padding to the limit makes a
    difference too.
    """
    config = getattr(network, "config", None)
    is_known = config is not None and families.has_fixed_length(config)
    texts, problems = _make_texts(pairs, _known_words(tokenizer, known_ids)), []
    for fixed in (True,) if is_known else (False, True):
        encoded = tokenization.encode(tokenizer, texts, max_length, extra_padding, fixed=fixed)
        problem = _problem(network, encoded)
        if problem is None:
            return fixed
        width = f"to {encoded.width} tokens" if fixed else "to the longest row"
        problems.append(f"padding {width} {problem}")
    raise ModelError(
        f"{model}: the logits of this {getattr(config, 'model_type', 'network')} for a row depend "
        f"on the other rows of its batch: {'; '.join(problems)}; expected at most {TOLERANCE:g}"
        f"{_note_randomness(network, encoded)}. Fix: name another model, or a recipe with another "
        "max_length if the network needs rows of one length"
    )


def _problem(network: PretrainedNetwork, encoded: tokenization.Encoded) -> str | None:
    """What is wrong if rows are padded this way; None: nothing."""
    try:
        difference = largest_difference(network, encoded)
    except FAILURES as error:
        if is_out_of_memory(error):
            raise
        return f"fails: {shown(str(error)[:160])}"
    return None if difference <= TOLERANCE else f"gives a relative difference of {difference:.2g}"


def largest_difference(network: PretrainedNetwork, encoded: tokenization.Encoded) -> float:
    """The largest relative difference between a row alone and the same row in one batch of all.

    The first row, which must be the longest, is not run alone. The result is 0 for a network whose
    logits are not finite even alone: training will report that it diverged.
    """
    together = run(network, encoded, range(len(encoded)))
    rows = range(1, len(encoded))
    alone = {row: run(network, encoded, [row])[0] for row in rows}
    if not all(row.logits.isfinite().all() for row in alone.values()):
        return 0.0
    size = max(float(row.logits.abs().max()) for row in together)
    difference = max(_difference(alone[row], together[row], size) for row in rows)
    return math.inf if math.isnan(difference) else difference


def _difference(alone: Outputs, together: Outputs, size: float) -> float:
    """The largest relative difference of the logits, or of one token's state; NaN if one is NaN.

    The logits' is relative to `size`, a state's to its own norm.
    """
    of_logits = float((alone.logits - together.logits).abs().max()) / (size or 1.0)
    if alone.states is None or together.states is None:
        return of_logits
    distances = (alone.states - together.states).norm(dim=1)
    of_states = float((distances / alone.states.norm(dim=1).clamp_min(1e-30)).max())
    return of_states if math.isnan(of_states) else max(of_logits, of_states)


@torch.no_grad()
def run(
    network: PretrainedNetwork, encoded: tokenization.Encoded, rows: Sequence[int]
) -> list[Outputs]:
    """The outputs of a network for each of these rows, in one batch and in evaluation mode."""
    seen: list[Sequence[torch.Tensor] | torch.Tensor] = []  # what the encoder returns
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
    last = seen[-1]
    states = last if isinstance(last, torch.Tensor) else last[0]
    has_one_each = states.ndim == 3 and states.shape[:2] == (len(batch), width)
    results = []
    for place, length in enumerate(encoded.lengths[batch.rows]):
        tokens = slice(width - length, None) if encoded.pad_left else slice(0, length)
        token_states = states[place, tokens].float() if has_one_each else None
        results.append(Outputs(logits[place], token_states))
    return results


def _note_randomness(network: PretrainedNetwork, encoded: tokenization.Encoded) -> str:
    """What to add to the message where a second run of the same batch gives other logits."""
    try:
        runs = [run(network, encoded, range(len(encoded))) for _ in range(2)]
    except FAILURES:
        return ""
    pairs = zip(*runs, strict=True)
    if all(torch.equal(first.logits, second.logits) for first, second in pairs):
        return ""
    return ". The same batch gives other logits the second time too: evaluation is random"


def _known_words(tokenizer: Tokenizer, known_ids: Mapping[str, int]) -> Sequence[str]:
    """The words whose tokens the network has embeddings for; all words if there is none."""
    if "input_ids" not in known_ids:
        return WORDS
    ids = {word: tokenizer(word, add_special_tokens=False)["input_ids"] for word in WORDS}
    count = known_ids["input_ids"]
    return [word for word in WORDS if max(ids[word], default=0) < count] or WORDS


def _make_texts(pairs: bool, words: Sequence[str]) -> list[tuple[str, ...]]:
    """A long row, and two shorter ones."""

    def text(count: int, start: int) -> str:
        return " ".join(words[(start + place) % len(words)] for place in range(count))

    counts = (LONG, SHORT, MIDDLE)
    if pairs:
        return [(text(count, count), text(count // 2 + 1, count + 3)) for count in counts]
    return [(text(count, count),) for count in counts]
