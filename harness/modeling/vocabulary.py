"""The words of the training rows, as a tokenizer: what a network without a pretrained one reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tokenizers import Tokenizer, normalizers, pre_tokenizers, processors
from tokenizers.models import WordLevel
from tokenizers.trainers import WordLevelTrainer
from transformers import PreTrainedTokenizerFast

PAD, UNKNOWN = "[PAD]", "[UNK]"
MOST_WORDS = 50_000


def of_rows(texts: Sequence[tuple[str, ...]]) -> Any:
    """A tokenizer that knows the words of these rows, at most `MOST_WORDS`, the frequent ones.

    A word is a run of letters and digits in lower case, or a punctuation mark; padding has id 0,
    an unknown word id 1. The sides of a pair differ in `token_type_ids`.
    """
    tokenizer = Tokenizer(WordLevel(unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.BertNormalizer(strip_accents=False, lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = WordLevelTrainer(
        vocab_size=MOST_WORDS, special_tokens=[PAD, UNKNOWN], show_progress=False
    )
    tokenizer.train_from_iterator((text for row in texts for text in row), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single="$A", pair="$A $B:1")
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=PAD, unk_token=UNKNOWN,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )  # fmt: skip
