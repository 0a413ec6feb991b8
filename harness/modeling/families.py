"""What a family of networks asks of its inputs, read from the network and its configuration.

docs/models.md lists the families that the tests hold.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers.models.auto.modeling_auto import MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES

from harness.errors import ModelError
from harness.modeling import input_limits
from harness.text.values import shown


def refuse_foreign(directory: Path, config: Any) -> None:
    """Raise `ModelError` for a kind of model that is no encoder or decoder with a classifier."""
    kind = f"{directory}: a model of type {shown(config.model_type)}"
    mend = "Mend: name an encoder such as BERT, or a decoder such as GPT-2"
    if config.is_encoder_decoder:
        raise ModelError(f"{kind} has an encoder and a decoder; expected only one of them. {mend}")
    if config.model_type not in MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES:
        raise ModelError(
            f"{kind}; expected one that transformers has a sequence classifier for. {mend}"
        )


def give_padding(directory: Path, tokenizer: Any) -> None:
    """Have a tokenizer pad with the end-of-text token where it has no padding token.

    GPT-2 and its like have none. GPT has no end-of-text token either: its only special token is
    the unknown word's, which hardly ever stands in a text.
    """
    if tokenizer.pad_token_id is None:
        if tokenizer.eos_token_id is None and tokenizer.unk_token_id is None:
            raise ModelError(
                f"{directory}: its tokenizer has no padding token, and no end-of-text or unknown "
                "token to pad with. Mend: add `pad_token` to tokenizer_config.json"
            )
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token


def configure_tokenizer(tokenizer: Any, network: Any) -> None:
    """Have a tokenizer make the columns that a network takes, no longer than it reads.

    Rows are padded on the side that the network needs.
    """
    takes = inspect.signature(network.forward).parameters
    names = [name for name in tokenizer.model_input_names if name in takes]
    if not _tells_texts_apart(network):
        # RoBERTa knows one type; GPT-2 would look the types up among its words.
        names = [name for name in names if name != "token_type_ids"]
    elif "token_type_ids" not in names and "token_type_ids" in takes and _gives_types(tokenizer):
        # PreTrainedTokenizerFast makes them only when asked, whatever its tokenizer.json says.
        names.append("token_type_ids")
    if "attention_mask" in takes and "attention_mask" not in names:
        names.append("attention_mask")
    tokenizer.model_input_names = names
    # Positions count from the left, padding or not, in all families that learn them: only padding
    # behind a text leaves its positions alone. XLNet's are relative, and it reads the last token.
    reads_last = hasattr(network, "sequence_summary") and network.config.summary_type == "last"
    tokenizer.padding_side = "left" if reads_last else "right"
    input_limits.fit_length(tokenizer, network)


def _tells_texts_apart(network: Any) -> bool:
    """Whether a network has an embedding for each of two types of tokens."""
    return any(
        len(parameter) > 1
        for name, parameter in network.named_parameters()
        if "token_type" in name or "seg_embed" in name
    )


def _gives_types(tokenizer: Any) -> bool:
    """Whether a tokenizer gives the two texts of a pair different types when it is asked to."""
    made = tokenizer("a", "b", return_token_type_ids=True)
    return len({*made.get("token_type_ids", ())}) > 1


def patch_deberta_autocast(network: Any) -> None:
    """Have DeBERTa's first version add biases of the queries' own dtype under autocast.

    Its fp32 biases make the queries fp32 again, and it masks bf16 scores with the least number of
    the queries' dtype, which bf16 does not have.
    """

    def in_its_dtype(heads_of: Callable[[torch.Tensor], torch.Tensor]) -> Any:
        def wrapped(hidden: torch.Tensor) -> torch.Tensor:
            kind = hidden.device.type
            if torch.is_autocast_enabled(kind):
                hidden = hidden.to(torch.get_autocast_dtype(kind))
            return heads_of(hidden)

        return wrapped

    for module in network.modules():
        if hasattr(module, "q_bias") and hasattr(module, "transpose_for_scores"):
            module.transpose_for_scores = in_its_dtype(module.transpose_for_scores)


def spare_padding(config: Any) -> int:
    """How many tokens of padding each row needs so that more of it would change nothing.

    MobileBERT adds each token's right neighbour to it. Funnel pools the last tokens with what is
    beside them, two at a time before each block but the first, and cuts off the end. Both were
    pretrained on rows with padding behind them.
    """
    if getattr(config, "trigram_input", False):
        return 1
    return 2 ** len(getattr(config, "block_sizes", ())) if config.model_type == "funnel" else 0


FIXED_LENGTH = frozenset({"fnet", "convbert", "canine", "yoso", "nystromformer"})
"""Types of models whose rows are all padded to one length, as their authors' were.

FNet transforms whole rows, padding and all. ConvBERT, CANINE, YOSO and Nystromformer take
convolutions over tokens, or means, into which padding enters. What comes out for a row then depends
on how far it is padded, so that has to be the same whatever rows are beside it.
"""


def has_fixed_length(config: Any) -> bool:
    """Whether a network is known to ask for rows of one length."""
    return config.model_type in FIXED_LENGTH
