"""A tiny network of each family as pretraining leaves it, with a tokenizer like its own."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import torch
import transformers
from tokenizers import processors
from transformers import PreTrainedTokenizerFast

from harness.catalog import targets
from harness.modeling import tokenization
from harness.modeling.pretrained import LoadedModel, load
from harness.spec import Task
from harness.training import batches, loop
from harness.training.device import Device
from tests.support import tiny_models

CPU = Device(targets.get("cpu-fp32"))

BERT_LIKE = {
    "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
    "intermediate_size": 32, "max_position_embeddings": 80,
}  # fmt: skip
SIDES = ("right", "left")


@dataclass(frozen=True)
class Family:
    """What a family was pretrained as, and what a classifier of it adds."""

    model_type: str
    pretrained_as: str  # a class of transformers
    sizes: dict[str, Any]
    head: frozenset[str]  # new parameters; a pooler's and a summary's too
    tokens: Literal["bert", "xlnet", "bare"] = "bert"  # bare: nothing around a text, no padding
    types: bool = False  # its tokenizer tells the second text by its type
    keeps: frozenset[str] = field(default=frozenset())  # of its head, from pretraining


def _dense(*layers: str, bias: bool = True) -> frozenset[str]:
    kinds = ("weight", "bias") if bias else ("weight",)
    return frozenset(f"{layer}.{kind}" for layer in layers for kind in kinds)


LINEAR = _dense("classifier")
TWO_LAYERS = _dense("classifier.dense", "classifier.out_proj")
SPECIAL = {"bos_token_id": 2, "eos_token_id": 3, "pad_token_id": 0}
DEBERTA = BERT_LIKE | {
    "relative_attention": True, "pos_att_type": ["p2c", "c2p"], "max_relative_positions": 16,
    "pooler_hidden_size": 16, "type_vocab_size": 0,
}  # fmt: skip

FAMILIES: dict[str, Family] = {
    "bert": Family(
        "bert", "BertForMaskedLM", BERT_LIKE, LINEAR | _dense("bert.pooler.dense"), types=True
    ),
    "bert-nsp": Family("bert", "BertForPreTraining", BERT_LIKE, LINEAR, types=True),
    "roberta": Family(
        "roberta", "RobertaForMaskedLM", BERT_LIKE | {"type_vocab_size": 1}, TWO_LAYERS
    ),
    "distilbert": Family(
        "distilbert", "DistilBertForMaskedLM",
        {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 32, "max_position_embeddings": 80},
        LINEAR | _dense("pre_classifier"),
    ),
    "albert": Family(
        "albert", "AlbertForPreTraining", BERT_LIKE | {"embedding_size": 8} | SPECIAL, LINEAR,
        types=True,
    ),
    "albert-mlm": Family(
        "albert", "AlbertForMaskedLM", BERT_LIKE | {"embedding_size": 8} | SPECIAL,
        LINEAR | _dense("albert.pooler"), types=True,
    ),
    "electra": Family(
        "electra", "ElectraForPreTraining", BERT_LIKE | {"embedding_size": 8}, TWO_LAYERS,
        types=True,
    ),
    "electra-generator": Family(
        "electra", "ElectraForMaskedLM", BERT_LIKE | {"embedding_size": 8}, TWO_LAYERS, types=True
    ),
    "deberta": Family(
        "deberta", "DebertaForMaskedLM", DEBERTA, LINEAR | _dense("pooler.dense"), types=True
    ),
    "deberta-v2": Family(
        "deberta-v2", "DebertaV2ForMaskedLM", DEBERTA | {"conv_kernel_size": 3},
        LINEAR | _dense("pooler.dense"), types=True,
    ),
    "deberta-v3": Family(
        "deberta-v2", "DebertaV2ForMaskedLM",
        DEBERTA | {"position_buckets": 8, "share_att_key": True, "norm_rel_ebd": "layer_norm",
                   "position_biased_input": False},
        LINEAR | _dense("pooler.dense"), types=True,
    ),
    "mpnet": Family("mpnet", "MPNetForMaskedLM", BERT_LIKE, TWO_LAYERS),
    "mobilebert": Family(
        "mobilebert", "MobileBertForPreTraining",
        BERT_LIKE | {"embedding_size": 8, "intra_bottleneck_size": 8}, LINEAR, types=True,
    ),
    "squeezebert": Family(
        "squeezebert", "SqueezeBertForMaskedLM",
        BERT_LIKE | {"embedding_size": 16, "q_groups": 2, "k_groups": 2, "v_groups": 2,
                     "post_attention_groups": 1, "intermediate_groups": 2, "output_groups": 2},
        LINEAR, types=True,
    ),
    "xlnet": Family(
        "xlnet", "XLNetLMHeadModel",
        {"d_model": 16, "n_layer": 2, "n_head": 2, "d_inner": 32} | SPECIAL,
        _dense("sequence_summary.summary", "logits_proj"), tokens="xlnet", types=True,
    ),
    "modernbert": Family(
        "modernbert", "ModernBertForMaskedLM",
        BERT_LIKE | SPECIAL | {"cls_token_id": 2, "sep_token_id": 3, "local_attention": 4,
                               "global_attn_every_n_layers": 2},
        LINEAR, keeps=frozenset({"head.dense.weight", "head.norm.weight"}),
    ),
    "modernbert-mean": Family(
        "modernbert", "ModernBertForMaskedLM",
        BERT_LIKE | SPECIAL | {"cls_token_id": 2, "sep_token_id": 3, "classifier_pooling": "mean"},
        LINEAR, keeps=frozenset({"head.dense.weight", "head.norm.weight"}),
    ),
    "funnel": Family(
        "funnel", "FunnelForPreTraining",
        {"d_model": 16, "n_head": 2, "d_head": 8, "d_inner": 32, "block_sizes": [1, 1, 1],
         "num_decoder_layers": 1},
        _dense("classifier.linear_hidden", "classifier.linear_out"), types=True,
    ),
    "funnel-mlm": Family(
        "funnel", "FunnelForMaskedLM",
        {"d_model": 16, "n_head": 2, "d_head": 8, "d_inner": 32, "block_sizes": [1, 2, 1, 1],
         "num_decoder_layers": 1, "attention_type": "factorized", "truncate_seq": False,
         "pool_q_only": False},
        _dense("classifier.linear_hidden", "classifier.linear_out"), types=True,
    ),
    "gpt": Family(
        "openai-gpt", "OpenAIGPTLMHeadModel",
        {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 80}, _dense("score", bias=False),
        tokens="bare",
    ),
    "gpt2": Family(
        "gpt2", "GPT2LMHeadModel",
        {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 80, "bos_token_id": 3,
         "eos_token_id": 3},
        _dense("score", bias=False), tokens="bare",
    ),
    "llama": Family(
        "llama", "LlamaForCausalLM",
        BERT_LIKE | {"num_key_value_heads": 1, "bos_token_id": 2, "eos_token_id": 3},
        _dense("score", bias=False), tokens="bare",
    ),
}  # fmt: skip

FIXED_LENGTH: dict[str, Family] = {
    "fnet": Family(
        "fnet", "FNetForPreTraining", BERT_LIKE | SPECIAL, LINEAR, types=True,
    ),
    "convbert": Family(
        "convbert", "ConvBertForMaskedLM", BERT_LIKE | {"embedding_size": 16}, TWO_LAYERS,
        types=True,
    ),
    "canine": Family(
        "canine", "CanineModel",
        BERT_LIKE | {"downsampling_rate": 4, "upsampling_kernel_size": 4, "num_hash_buckets": 64,
                     "local_transformer_stride": 16, "bos_token_id": 2, "eos_token_id": 3},
        LINEAR, types=True,
    ),
    "yoso": Family("yoso", "YosoForMaskedLM", BERT_LIKE, TWO_LAYERS, types=True),
    "nystromformer": Family("nystromformer", "NystromformerForMaskedLM", BERT_LIKE, TWO_LAYERS,
                            types=True),
}  # fmt: skip
"""Those whose rows are all padded to one length."""

APART: dict[str, Family] = {
    "big_bird": Family(
        "big_bird", "BigBirdForMaskedLM", BERT_LIKE | SPECIAL | {"block_size": 4}, TWO_LAYERS,
        types=True,
    ),
    "longformer": Family(
        "longformer", "LongformerForMaskedLM", BERT_LIKE | {"attention_window": 4}, TWO_LAYERS
    ),
    "mra": Family("mra", "MraForMaskedLM", BERT_LIKE, TWO_LAYERS, types=True),
    "roformer": Family("roformer", "RoFormerForMaskedLM", BERT_LIKE, TWO_LAYERS, types=True),
}  # fmt: skip
"""Further ones that keep rows apart, though their attention is no plain one."""

REFORMER = Family(
    "reformer", "ReformerForMaskedLM",
    {"hidden_size": 16, "num_attention_heads": 2, "attention_head_size": 8,
     "axial_pos_shape": [8, 10], "axial_pos_embds_dim": [8, 8], "attn_layers": ["local", "lsh"],
     "is_decoder": False, "local_attn_chunk_length": 4, "lsh_attn_chunk_length": 4,
     "feed_forward_size": 32, "max_position_embeddings": 80},
    TWO_LAYERS,
)  # fmt: skip


def tokenizer(family: Family) -> PreTrainedTokenizerFast:
    """A word-level tokenizer with the template, padding and columns that the family's own has."""
    if family.tokens == "bert":
        made = tiny_models.word_tokenizer(pairs_have_types=family.types)
    elif family.tokens == "xlnet":
        made = tiny_models.word_tokenizer()
        made.backend_tokenizer.post_processor = processors.TemplateProcessing(
            single="$A [SEP] [CLS]:2",
            pair="$A [SEP] $B:1 [SEP]:1 [CLS]:2",
            special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
        )
    else:
        made = tiny_models.bare_tokenizer(end=family.model_type != "openai-gpt")
    return made


def network(family: Family, kind: str | None = None) -> Any:
    """A network with weights that are all random: no zeros hide a neighbour or a padding token."""
    config = transformers.AutoConfig.for_model(
        family.model_type, vocab_size=len(tiny_models.WORDS), **family.sizes
    )
    torch.manual_seed(0)
    made = getattr(transformers, kind or family.pretrained_as)(config)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return made


def pretrained(folder: Path, name: str, side: str = "right", **changed: Any) -> Path:
    """A folder with a network of a family as its pretraining leaves it."""
    made = _made(name, side, tuple(changed.items()))
    return shutil.copytree(made.name, folder, dirs_exist_ok=True)


@cache
def _made(name: str, side: str, changed: tuple[tuple[str, Any], ...]) -> TemporaryDirectory[str]:
    """What `pretrained` copies: made once in a process."""
    home = TemporaryDirectory()
    folder = Path(home.name)
    family = (FAMILIES | FIXED_LENGTH | APART | {"reformer": REFORMER})[name]
    family = dataclasses.replace(family, sizes=family.sizes | dict(changed))
    tiny_models.save(folder, network(family), tokenizer(family))
    tiny_models.edit(folder / "tokenizer_config.json", padding_side=side)
    return home


# What tests classify: texts of all lengths, empty ones, some too long.
SINGLES = [(" ".join("abcdefghij"[i % 10] for i in range(n)),) for n in (5, 1, 0, 2, 3, 4, 40, 9)]
PAIRS = [
    ("a b c d e f", "the film is good"), ("a", "bad"), ("", "g"), ("a", ""), ("", ""),
    ("j " * 200, "h " * 3), ("a b", "c"), ("a b c", "d e f g h"), ("a b c d", "e"),
]  # fmt: skip


def loud(folder: Path, task: Task) -> LoadedModel:
    """A loaded model whose new weights are so large that every leak would reach its logits."""
    loaded = load(folder, task, seed=1)
    random = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter_name, parameter in loaded.network.named_parameters():
            if parameter_name in loaded.new_parameters:
                parameter.add_(0.3 * torch.randn(parameter.shape, generator=random))
    return loaded


def logits(
    loaded: LoadedModel,
    texts: Sequence[tuple[str, ...]],
    size: int,
    *,
    fixed: bool = False,
) -> torch.Tensor:
    encoded = tokenization.encode(loaded.tokenizer, texts, 32, loaded.extra_padding, fixed=fixed)
    return loop.predict(loaded.network, batches.eval_batches(encoded, size), CPU)
