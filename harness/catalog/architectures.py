"""Architectures as rows, by the name of the model: configuration and published size.

A test builds each network without weights and compares its number of parameters.
"""

from __future__ import annotations

from harness.spec import Architecture

CARD = "its card on the Hub"
BERT_README = "README of google-research/bert"
FILE = "size of its fp32 weights on the Hub"
BASE = {"hidden_size": 768, "num_attention_heads": 12, "intermediate_size": 3072}
LARGE = {
    "hidden_size": 1024,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "intermediate_size": 4096,
}
ROBERTA = {"max_position_embeddings": 514, "type_vocab_size": 1, "layer_norm_eps": 1e-5}
DEBERTA_V3 = {
    "relative_attention": True,
    "position_buckets": 256,
    "norm_rel_ebd": "layer_norm",
    "share_att_key": True,
    "pos_att_type": ["p2c", "c2p"],
    "position_biased_input": False,
}


def _bert(layers: int, hidden: int, parameters: float) -> Architecture:
    """One of google-research/bert's miniatures."""
    config = {
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": hidden // 64,
        "intermediate_size": 4 * hidden,
    }
    return Architecture("bert", parameters, "pretraining", FILE, config)


ARCHITECTURES: dict[str, Architecture] = {
    "bert-base-uncased": Architecture("bert", 110e6, "pretraining", BERT_README),
    "bert-base-cased": Architecture(
        "bert", 110e6, "pretraining", BERT_README, {"vocab_size": 28996}
    ),
    "bert-large-uncased": Architecture("bert", 336e6, "pretraining", CARD, LARGE),
    "bert-large-cased": Architecture(
        "bert", 336e6, "pretraining", CARD, LARGE | {"vocab_size": 28996}
    ),
    "bert-tiny": _bert(2, 128, 17.7e6 / 4),
    "bert-mini": _bert(4, 256, 45.1e6 / 4),
    "bert-small": _bert(4, 512, 116e6 / 4),
    "bert-medium": _bert(8, 512, 167e6 / 4),
    "distilbert-base-uncased": Architecture(
        "distilbert", 66e6, source="transformers' list of models"
    ),
    "roberta-base": Architecture(
        "roberta",
        125e6,
        source="README of fairseq's RoBERTa",
        config=ROBERTA,
    ),
    "roberta-large": Architecture(
        "roberta",
        355e6,
        source="README of fairseq's RoBERTa",
        config=LARGE | ROBERTA,
    ),
    "albert-base-v2": Architecture(
        "albert", 11.8e6, "pretraining", "the Hub's own count, as listed elsewhere", BASE
    ),
    "electra-small": Architecture("electra", 54.2e6 / 4, "pretraining", FILE),
    "electra-base": Architecture(
        "electra",
        110e6,
        "pretraining",
        "README of google-research/electra",
        BASE | {"embedding_size": 768},
    ),
    "deberta-v3-small": Architecture(
        "deberta-v2",
        142e6,
        source=f"44M (README of microsoft/DeBERTa) + 98M ({CARD})",
        config=BASE | DEBERTA_V3 | {"num_hidden_layers": 6, "pooler_hidden_size": 768},
    ),
    "deberta-v3-base": Architecture(
        "deberta-v2",
        184e6,
        source=f"86M + 98M ({CARD})",
        config=BASE | DEBERTA_V3 | {"num_hidden_layers": 12, "pooler_hidden_size": 768},
    ),
    "deberta-v3-large": Architecture(
        "deberta-v2",
        435e6,
        source="304M (README of microsoft/DeBERTa) + 131M of 128,100 words",
        config=LARGE | DEBERTA_V3 | {"pooler_hidden_size": 1024},
    ),
    "mpnet-base": Architecture(
        "mpnet",
        438e6 / 4,
        source="size of the fp32 weights of all-mpnet-base-v2, which is tuned from it",
        config={"max_position_embeddings": 514, "layer_norm_eps": 1e-5},
    ),
    "minilm-l6-h384": Architecture(
        "bert",
        90.9e6 / 4,
        source=FILE,
        config={"hidden_size": 384, "num_hidden_layers": 6, "intermediate_size": 1536},
    ),
    "minilm-l12-h384": Architecture(
        "bert",
        133e6 / 4,
        source=FILE,
        config={"hidden_size": 384, "intermediate_size": 1536},
    ),
    "mobilebert": Architecture(
        "mobilebert", 147e6 / 4, "pretraining", FILE, {"classifier_activation": False}
    ),
    "squeezebert": Architecture(
        "squeezebert",
        51e6,
        source="transformers' list of models",
        config={"vocab_size": 30528},
    ),
    "modernbert-base": Architecture(
        "modernbert", 149e6, source=CARD, config={"classifier_pooling": "mean"}
    ),
    "modernbert-large": Architecture(
        "modernbert",
        395e6,
        source=CARD,
        config={
            "hidden_size": 1024,
            "intermediate_size": 2624,
            "num_hidden_layers": 28,
            "num_attention_heads": 16,
            "classifier_pooling": "mean",
        },
    ),
    "gpt2": Architecture("gpt2", 124e6, source="model card of openai/gpt-2"),
    "openai-gpt": Architecture("openai-gpt", 117e6, source="listings of others"),
}
