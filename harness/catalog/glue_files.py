"""The files of the classic `glue_data` directory as rows, one for each file.

Columns are those of the files that GLUE distributes. A sha256 was computed from the official
bytes. Only that of QNLI's training file is from a public manifest, whose sha256 for the dev file is
that of the official bytes. It is `None` for MNLI and QQP: no source was found.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class File:
    """The format of one split's file."""

    task: str
    split: str
    path: str  # below the glue_data directory
    columns: tuple[str, ...]
    texts: tuple[str, ...]  # the columns that the model reads
    label: str | None = None  # its column; None: an unlabelled split
    words: bool = False  # labels are written as the task's label names; otherwise as their ids
    no_label: str | None = None  # the label of rows on which annotators disagreed; they are skipped
    header: bool = True  # whether the first line names the columns
    ragged: bool = False  # the official file has rows with too few or too many columns: dropped
    sha256: str | None = None  # of the official bytes


SENTENCE = ("sentence",)
PAIR = ("sentence1", "sentence2")
QUESTION = ("question", "sentence")
QUESTIONS = ("question1", "question2")
STRINGS = ("#1 String", "#2 String")

COLA = ("source", "label", "mark", "sentence")
SST2 = ("sentence", "label")
INDEX_SENTENCE = ("index", "sentence")
MRPC = ("Quality", "#1 ID", "#2 ID", *STRINGS)
MRPC_TEST = ("index", "#1 ID", "#2 ID", *STRINGS)
STSB = ("index", "genre", "filename", "year", "old_index", "source1", "source2", *PAIR)
QQP = ("id", "qid1", "qid2", *QUESTIONS, "is_duplicate")
MNLI = (
    "index",
    "promptID",
    "pairID",
    "genre",
    "sentence1_binary_parse",
    "sentence2_binary_parse",
    "sentence1_parse",
    "sentence2_parse",
    *PAIR,
)
MNLI_TRAIN = (*MNLI, "label1", "gold_label")
MNLI_DEV = (*MNLI, "label1", "label2", "label3", "label4", "label5", "gold_label")

# Each row keeps its sha256 on a line of its own. The formatter would need 295 lines for this table.
FILES: dict[tuple[str, str], File] = {
    (file.task, file.split): file
    for file in (
        File("cola", "train", "CoLA/train.tsv", COLA, SENTENCE, "label", header=False,
            sha256="cb368ebeb9f27d7ad03720d27ddc95687a311bdb100781a2fe59a5f5b1bc0624"),
        File("cola", "validation", "CoLA/dev.tsv", COLA, SENTENCE, "label", header=False,
            sha256="8c013e21dc39957cac37378d87bebe225b694a0d5fe13eded66c2856628833fd"),
        File("cola", "test", "CoLA/test.tsv", INDEX_SENTENCE, SENTENCE,
            sha256="3b4df85f7a9a0633574b38d181e18090ac961a24b18fb6bcd74999ddea8ad0b8"),
        File("sst2", "train", "SST-2/train.tsv", SST2, SENTENCE, "label",
            sha256="48eac26399f8456935f81dd9e3a745c1430adb6c62e233ccfe22db4a0d15d1d1"),
        File("sst2", "validation", "SST-2/dev.tsv", SST2, SENTENCE, "label",
            sha256="54a9c12c77e402fc14d6a66a506f24d999f596b0176eb777c972cccc2f9cc4b0"),
        File("sst2", "test", "SST-2/test.tsv", INDEX_SENTENCE, SENTENCE,
            sha256="69a938605609b3e6663b4487918fe1565eb293734e6e520d0366d1d412fd2a13"),
        File("mrpc", "train", "MRPC/train.tsv", MRPC, STRINGS, "Quality",
            sha256="69abcedee3cf738c6ce58d772e43e1b7cdf5b4edee4aceda459c0d9f4e5599f3"),
        File("mrpc", "validation", "MRPC/dev.tsv", MRPC, STRINGS, "Quality",
            sha256="9e8f284788040f7c9ecde2e1b3c07237c756f926bd9ef8548ef5d34b56f69f17"),
        File("mrpc", "test", "MRPC/test.tsv", MRPC_TEST, STRINGS,
            sha256="aee460ceda833926b8ab2ad952d399f5cf8bc9335cff19afcac03dc449558622"),
        File("stsb", "train", "STS-B/train.tsv", (*STSB, "score"), PAIR, "score",
            sha256="41c4d978b6162abdcada7e49a982211954cca5459c228db478af333124b257a2"),
        File("stsb", "validation", "STS-B/dev.tsv", (*STSB, "score"), PAIR, "score",
            sha256="fe7dc0632a5033562f3cadff991f6e8d9b9b6311861660e78c3c82eb7db67f59"),
        File("stsb", "test", "STS-B/test.tsv", STSB, PAIR,
            sha256="16b4223d7d44a644fbc10f1b449472cfe81e1715fb07cf44023b0aa88ce856eb"),
        File("qqp", "train", "QQP/train.tsv", QQP, QUESTIONS, "is_duplicate", ragged=True),
        File("qqp", "validation", "QQP/dev.tsv", QQP, QUESTIONS, "is_duplicate", ragged=True),
        File("qqp", "test", "QQP/test.tsv", ("id", *QUESTIONS), QUESTIONS),
        File("mnli", "train", "MNLI/train.tsv", MNLI_TRAIN, PAIR, "gold_label", words=True,
            no_label="-"),
        File("mnli", "validation_matched", "MNLI/dev_matched.tsv", MNLI_DEV, PAIR, "gold_label",
            words=True, no_label="-"),
        File("mnli", "validation_mismatched", "MNLI/dev_mismatched.tsv", MNLI_DEV, PAIR,
            "gold_label", words=True, no_label="-"),
        File("mnli", "test_matched", "MNLI/test_matched.tsv", MNLI, PAIR),
        File("mnli", "test_mismatched", "MNLI/test_mismatched.tsv", MNLI, PAIR),
        File("qnli", "train", "QNLI/train.tsv", ("index", *QUESTION, "label"), QUESTION, "label",
            words=True, sha256="3bb7026735a0d4cd439dc1ca6ea162e0c1cc8f962f52df9cc50ee8f8278e0c0e"),
        File("qnli", "validation", "QNLI/dev.tsv", ("index", *QUESTION, "label"), QUESTION, "label",
            words=True, sha256="ac19409dcb04631eaaa094bdebdcf621086bc352503dfb6a1a648b614986f4fd"),
        File("qnli", "test", "QNLI/test.tsv", ("index", *QUESTION), QUESTION,
            sha256="6d856264e292fa7a7bc7b8e182efa1454ffd9532733c12ad813017dd5b377a5a"),
        File("rte", "train", "RTE/train.tsv", ("index", *PAIR, "label"), PAIR, "label", words=True,
            sha256="41e3a9b063433392343fad9e962cf2f58b681c78d8f71592f4186f0837246c5c"),
        File("rte", "validation", "RTE/dev.tsv", ("index", *PAIR, "label"), PAIR, "label",
            words=True, sha256="80230dfa1347282e7b532b06a1004a76a710087541189bf874223ddf0e3819fb"),
        File("rte", "test", "RTE/test.tsv", ("index", *PAIR), PAIR,
            sha256="6e33f09b5c2bfd5fd5fde217070f3dd49e484e33b9752b5864cf36fc421a213f"),
        File("wnli", "train", "WNLI/train.tsv", ("index", *PAIR, "label"), PAIR, "label",
            sha256="9a88e9d54b6861cc796a088e9acf4f5f65064a9ef65ae6fa7a688b28391e5c9a"),
        File("wnli", "validation", "WNLI/dev.tsv", ("index", *PAIR, "label"), PAIR, "label",
            sha256="cba00490596dd14be8cf53b4f53bb744abe3a7b89f81ab210528d80225338ed5"),
        File("wnli", "test", "WNLI/test.tsv", ("index", *PAIR), PAIR,
            sha256="ff0296817e235bf6f7a230c5f6781bd6ee228a45445f6510831fdef6f2a04766"),
        File("ax", "test", "diagnostic/diagnostic.tsv", ("index", *PAIR), PAIR,
            sha256="0e13510b1bb14436ff7e2ee82338f0efb0133ecf2e73507a697dc210db3f05fd"),
    )
}  # fmt: skip

FOLDERS = tuple(dict.fromkeys(file.path.split("/")[0] for file in FILES.values()))
"""The folders of a complete glue_data directory."""
