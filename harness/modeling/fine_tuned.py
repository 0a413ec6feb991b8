"""A loaded fine-tuned model, and what it predicts for a text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch

from harness.errors import UsageError
from harness.modeling import input_limits, tokenization
from harness.modeling.library_types import PretrainedNetwork, Tokenizer
from harness.text.values import shown


@dataclass(frozen=True)
class Answer:
    """What a fine-tuned model predicts: a probability for each label, or one score or several.

    The probabilities of a multi-label model are independent; those of all others add up to 1.
    """

    shares: dict[str, float] = field(default_factory=dict)
    score: float | None = None
    scores: dict[str, float] = field(default_factory=dict)  # of a regression of several values


@dataclass(frozen=True)
class FineTuned:
    """A fine-tuned model, its tokenizer, and what they were trained on."""

    network: PretrainedNetwork
    tokenizer: Tokenizer
    labels: Mapping[int, str]  # by output
    task: str  # what it was trained on
    texts: int | None  # in a row; None: not known
    max_length: int
    extra_padding: int = 0  # tokens of padding that every row needs
    fixed: bool = False  # every row is padded to `max_length`
    notes: tuple[str, ...] = ()  # what a user should know about how texts are read
    known_ids: Mapping[str, int] = field(default_factory=dict)  # of `input_limits`

    @torch.inference_mode()
    def answer(self, *texts: str) -> Answer:
        """What it predicts for a text, or for a pair.

        Raises `UsageError` for the wrong number of texts, or for a text that is not UTF-8.
        """
        if self.texts is not None and len(texts) != self.texts:
            found = f"{len(texts)} text{'s' * (len(texts) != 1)}"
            raise UsageError(f"{self.task}: found {found}; expected {self.texts}, each in quotes")
        for text in texts:
            try:
                text.encode()
            except UnicodeEncodeError:
                raise UsageError(f"the text {shown(text)} is not UTF-8") from None
        encoded = tokenization.encode(
            self.tokenizer, [texts], self.max_length, self.extra_padding, fixed=self.fixed
        )
        input_limits.check_ids(encoded, self.tokenizer, self.known_ids, "the text", [0])
        row = tokenization.collate(encoded, None, np.array([0]))
        logits = self.network(**row.inputs).logits[0].float()
        problem = getattr(getattr(self.network, "config", None), "problem_type", None)
        if problem == "multi_label_classification":
            return Answer(self._by_label(logits.sigmoid()))
        if len(logits) == 1:
            return Answer(score=float(logits))
        if problem == "regression":
            return Answer(scores=self._by_label(logits))
        return Answer(self._by_label(logits.softmax(dim=-1)))

    def _by_label(self, values: torch.Tensor) -> dict[str, float]:
        return {self.labels[output]: float(value) for output, value in enumerate(values)}
