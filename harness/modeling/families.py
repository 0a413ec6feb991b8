"""What a family of networks needs of its inputs, read from the network and its configuration.

docs/models.md lists the families that are tested.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path

import torch
from transformers.models.auto.modeling_auto import MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES

from harness.errors import ModelError
from harness.modeling import input_limits
from harness.modeling.library_types import ModelConfig, PretrainedNetwork, Tokenizer
from harness.text.values import shown


def refuse_unsupported(directory: Path, config: ModelConfig) -> None:
    """Raise `ModelError` for a model that is not an encoder or a decoder with a classifier."""
    kind = f"{directory}: a model of type {shown(config.model_type)}"
    fix = "Fix: name an encoder such as BERT, or a decoder such as GPT-2"
    if config.is_encoder_decoder:
        raise ModelError(f"{kind} has an encoder and a decoder; expected only one of them. {fix}")
    if config.model_type not in MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES:
        raise ModelError(
            f"{kind}; expected one that transformers has a sequence classifier for. {fix}"
        )


def set_padding_token(directory: Path, tokenizer: Tokenizer) -> None:
    """Have a tokenizer pad with its end-of-text token where it has no padding token, as GPT-2.

    GPT has no end-of-text token either. Its only special token is the one for unknown words, which
    rarely occurs in a text, so that one is used. Raises `ModelError` where there is none of these.
    """
    if tokenizer.pad_token_id is None:
        if tokenizer.eos_token_id is None and tokenizer.unk_token_id is None:
            raise ModelError(
                f"{directory}: its tokenizer has no padding token, and no end-of-text or unknown "
                "token to pad with. Fix: add `pad_token` to tokenizer_config.json"
            )
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token


def configure_tokenizer(tokenizer: Tokenizer, network: PretrainedNetwork) -> None:
    """Set the columns, the padding side and the length limit that a network needs."""
    accepted = inspect.signature(network.forward).parameters
    names = [name for name in tokenizer.model_input_names if name in accepted]
    if not _has_two_types(network):
        # RoBERTa has one type; GPT-2 would look the types up in its word embeddings.
        names = [name for name in names if name != "token_type_ids"]
    elif "token_type_ids" not in names and "token_type_ids" in accepted and _gives_types(tokenizer):
        # PreTrainedTokenizerFast makes them only when asked, whatever its tokenizer.json says.
        names.append("token_type_ids")
    if "attention_mask" in accepted and "attention_mask" not in names:
        names.append("attention_mask")
    tokenizer.model_input_names = names
    # Families with learned positions count them from the left, padding included, so padding must
    # come after the text. XLNet's positions are relative, and it classifies by the last token.
    reads_last = hasattr(network, "sequence_summary") and network.config.summary_type == "last"
    tokenizer.padding_side = "left" if reads_last else "right"
    input_limits.fit_length(tokenizer, network)


def _has_two_types(network: PretrainedNetwork) -> bool:
    """Whether a network has different embeddings for the tokens of a pair's two texts."""
    return any(
        len(parameter) > 1
        for name, parameter in network.named_parameters()
        if "token_type" in name or "seg_embed" in name
    )


def _gives_types(tokenizer: Tokenizer) -> bool:
    """Whether a tokenizer gives the two texts of a pair different types when it is asked to."""
    encoding = tokenizer("a", "b", return_token_type_ids=True)
    return len({*encoding.get("token_type_ids", ())}) > 1


def patch_deberta_autocast(network: PretrainedNetwork) -> None:
    """Have the attention of DeBERTa's first version compute in autocast's dtype.

    It adds fp32 biases to the queries, which makes them fp32 again. Then it masks the bf16 scores
    with the least number of the queries' dtype, which is out of bf16's range.
    """

    def in_autocast_dtype(
        split_heads: Callable[[torch.Tensor], torch.Tensor],
    ) -> Callable[[torch.Tensor], torch.Tensor]:
        def cast_and_split(hidden: torch.Tensor) -> torch.Tensor:
            device = hidden.device.type
            if torch.is_autocast_enabled(device):
                hidden = hidden.to(torch.get_autocast_dtype(device))
            return split_heads(hidden)

        return cast_and_split

    for module in network.modules():
        if hasattr(module, "q_bias") and hasattr(module, "transpose_for_scores"):
            module.transpose_for_scores = in_autocast_dtype(module.transpose_for_scores)


def extra_padding(config: ModelConfig) -> int:
    """How many tokens of padding each row needs so that further padding changes nothing.

    MobileBERT joins each token's embedding with that of the token to its right. Funnel pools
    neighbouring tokens in twos before each block but the first, the last tokens with padding, and
    cuts off the end. Both were pretrained on rows with padding behind them.
    """
    if getattr(config, "trigram_input", False):
        return 1
    return 2 ** len(getattr(config, "block_sizes", ())) if config.model_type == "funnel" else 0


FIXED_LENGTH = frozenset({"fnet", "convbert", "canine", "yoso", "nystromformer"})
"""Types of models for which all rows are padded to one length, as their authors did.

FNet applies a Fourier transform to whole rows, padding included. ConvBERT, CANINE, YOSO and
Nystromformer compute convolutions or means of tokens, and padding is among them. So a row's logits
depend on how far it is padded, and that must not depend on the other rows of its batch.
"""


def has_fixed_length(config: ModelConfig) -> bool:
    """Whether a network belongs to a family that needs all rows padded to one length."""
    return config.model_type in FIXED_LENGTH
