"""Small networks without pretraining, which fine-tuned models are compared with.

They make one vector of a sentence in three ways: by the mean of its words' vectors, by convolutions
over them, or by a bidirectional LSTM. The vectors u and v of a pair are joined as in the GLUE paper
(Wang et al. 2019, section 5): [u; v; |u - v|; u * v].
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import torch
from tokenizers import Tokenizer, normalizers, pre_tokenizers, processors
from tokenizers.models import WordLevel
from tokenizers.trainers import WordLevelTrainer
from torch import nn
from torch.nn.functional import pad
from transformers import PreTrainedTokenizerFast

from harness.data import word_vectors
from harness.errors import UsageError
from harness.modeling import heads
from harness.modeling.pretrained import LoadedModel
from harness.spec import Split, Task
from harness.text.names import unknown

WIDTH = 300  # numbers in a word's vector, as in the GloVe vectors of most papers
DROPOUT = 0.5  # Kim 2014, section 3.1
SPREAD = 0.25  # a new word's vector is uniform in [-0.25, 0.25], as in Kim's CNN_sentence


class WordEncoder(nn.Module):
    """An embedding of the words; a subclass makes one vector of a sentence from it."""

    sentence_width: int

    def __init__(self, words: int, width: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, width, padding_idx=0)
        with torch.no_grad():
            self.embedding.weight[1:].uniform_(-SPREAD, SPREAD)


class Cbow(WordEncoder):
    """The mean of the words' vectors."""

    def __init__(self, words: int, width: int) -> None:
        super().__init__(words, width)
        self.sentence_width = width

    def forward(self, ids: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        return self.embedding(ids).sum(dim=1) / lengths[:, None]  # padding's vector is zero


class Cnn(WordEncoder):
    """Convolutions over the words with max-over-time pooling: Kim 2014 (arXiv:1408.5882)."""

    WINDOWS, FILTERS = (3, 4, 5), 100  # section 3.1

    def __init__(self, words: int, width: int) -> None:
        super().__init__(words, width)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(width, self.FILTERS, window, padding=window - 1) for window in self.WINDOWS
        )
        self.sentence_width = self.FILTERS * len(self.WINDOWS)

    def forward(self, ids: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        words, pooled = self.embedding(ids).transpose(1, 2), []
        for window, convolution in zip(self.WINDOWS, self.convolutions, strict=True):
            activations = convolution(words).relu()
            places = torch.arange(activations.shape[2], device=ids.device)
            only_padding = places >= lengths[:, None] + window - 1
            pooled.append(activations.masked_fill(only_padding[:, None], 0).amax(dim=2))
        return torch.cat(pooled, dim=1)


class BiLstm(WordEncoder):
    """A two-layer bidirectional LSTM with max pooling over its states, as GLUE's baseline has.

    Each layer is two LSTMs, of which one reads the words from the last to the first. Both read
    padding only after all words, so batches need not be packed. On a CPU a step on packed batches
    takes twice as long (32 rows of 47 to 50 words, one core: 1.6 s, and 0.8 s without packing).
    """

    STATES, LAYERS = 300, 2  # states of each direction; the GLUE paper has 1,500

    def __init__(self, words: int, width: int) -> None:
        super().__init__(words, width)
        widths = [width, *[2 * self.STATES] * (self.LAYERS - 1)]
        self.forward_lstm, self.backward_lstm = (
            nn.ModuleList(nn.LSTM(width, self.STATES, batch_first=True) for width in widths)
            for _ in range(2)
        )
        self.dropout = nn.Dropout(DROPOUT)
        self.sentence_width = 2 * self.STATES

    def forward(self, ids: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        states = self.dropout(self.embedding(ids))
        for forward_lstm, backward_lstm in zip(self.forward_lstm, self.backward_lstm, strict=True):
            read_back = reverse_padded(backward_lstm(reverse_padded(states, lengths))[0], lengths)
            states = torch.cat([forward_lstm(states)[0], read_back], dim=2)
        padding = torch.arange(ids.shape[1], device=ids.device) >= lengths[:, None]
        return states.masked_fill(padding[..., None], -torch.inf).amax(dim=1)


def reverse_padded(states: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """The first `lengths` states of each row in reverse order; padding behind them does not move.

    Shape (examples, words, width), as `states`.
    """
    places = torch.arange(states.shape[1], device=states.device).expand(states.shape[:2])
    last = lengths[:, None] - 1
    sources = torch.where(places <= last, last - places, places)
    return states.gather(1, sources[..., None].expand_as(states))


class Network(nn.Module):
    """A classifier of a sentence or a pair. `encoder` is a key of `NETWORKS`.

    A sentence encoder maps ids, padded on the right with zeros, and the number of words in each
    row to vectors of shape (examples, sentence_width). How far a row is padded changes nothing.
    """

    base_model_prefix = "encoder"

    def __init__(
        self, encoder: str, words: int, outputs: int, *, pairs: bool, width: int = WIDTH
    ) -> None:
        super().__init__()
        self.shape = {
            "encoder": encoder,
            "words": words,
            "outputs": outputs,
            "pairs": pairs,
            "width": width,
        }
        if encoder not in NETWORKS:
            raise UsageError(unknown("network of harness/modeling/scratch.py", encoder, NETWORKS))
        self.encoder = NETWORKS[encoder](words, width)
        self.pairs = pairs
        self.dropout = nn.Dropout(DROPOUT)
        self.classifier = nn.Linear(self.encoder.sentence_width * (4 if pairs else 1), outputs)

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor
    ) -> SimpleNamespace:
        """An object whose `logits` have shape (examples, outputs), float32.

        Inputs are int64 of shape (examples, words).
        """
        real = attention_mask.bool()
        joined = self.encoder(*align_left(input_ids, real & (token_type_ids == 0)))
        if self.pairs:
            u, v = joined, self.encoder(*align_left(input_ids, real & (token_type_ids == 1)))
            joined = torch.cat([u, v, (u - v).abs(), u * v], dim=1)
        return SimpleNamespace(logits=heads.in_fp32(self.classifier)(self.dropout(joined)))


def align_left(ids: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The ids where `mask` is true, padded with zeros on the right, and how many each row has.

    Shapes (examples, most words of a row) and (examples,). A row without words counts as one
    padding token.
    """
    ids, mask = pad(ids, (0, 1)), pad(mask, (0, 1))
    lengths = mask.sum(dim=1)
    order = mask.int().argsort(dim=1, descending=True, stable=True)
    width = max(1, int(lengths.max()))
    aligned = (ids * mask).gather(1, order)[:, :width]
    return aligned, lengths.clamp(min=1)


NETWORKS: dict[str, Callable[[int, int], WordEncoder]] = {
    "cbow": Cbow,
    "cnn": Cnn,
    "bilstm": BiLstm,
}


def load(name: str, task: Task, train: Split, seed: int, vectors: str | None = None) -> LoadedModel:
    """A new network for the words of the training rows, and its tokenizer.

    `seed` decides its weights. Words that the file `vectors` has start from the vectors there.
    Raises `DataError` where that file cannot be read.
    """
    tokenizer = train_tokenizer(train.texts)
    ids = tokenizer.get_vocab()
    words = ids.keys() - {*tokenizer.all_special_tokens}
    initial = word_vectors.read(Path(vectors), words) if vectors else {}
    width = len(next(iter(initial.values()))) if initial else WIDTH
    torch.manual_seed(seed)
    pairs = len(task.text_columns) == 2
    network = Network(name, len(ids), task.outputs, pairs=pairs, width=width)
    with torch.no_grad():
        for word, vector in initial.items():
            network.encoder.embedding.weight[ids[word]] = torch.from_numpy(vector)
    return LoadedModel(network, tokenizer, tuple(n for n, _ in network.named_parameters()))


PAD, UNKNOWN = "[PAD]", "[UNK]"
MOST_WORDS = 50_000


def train_tokenizer(texts: Sequence[tuple[str, ...]]) -> PreTrainedTokenizerFast:
    """A tokenizer whose vocabulary are the `MOST_WORDS` most frequent words of these rows.

    A word is a run of letters and digits in lower case, or a punctuation mark. Padding has id 0,
    an unknown word id 1. The two texts of a pair differ in `token_type_ids`.
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
        tokenizer_object=tokenizer,
        pad_token=PAD,
        unk_token=UNKNOWN,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )
