"""What fine-tuning is compared with: small networks that know no word before they are trained.

Three ways to make one vector of a sentence: the mean of its words' vectors, convolutions over them,
an LSTM that reads them in both directions. A pair is compared as in the GLUE paper (Wang et al.
2019, section 5): [u; v; |u - v|; u * v].
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from tokenizers import Tokenizer, normalizers, pre_tokenizers, processors
from tokenizers.models import WordLevel
from tokenizers.trainers import WordLevelTrainer
from torch import nn
from torch.nn.functional import pad
from transformers import PreTrainedTokenizerFast

from harness.data import word_vectors
from harness.errors import UsageError
from harness.modeling.pretrained import LoadedModel
from harness.spec import Split, Task
from harness.text.names import unknown

WIDTH = 300  # of a word's vector, as the GloVe vectors of most papers
DROPOUT = 0.5  # Kim 2014, section 3.1
SPREAD = 0.25  # a new word's vector is uniform in [-0.25, 0.25], as in Kim's CNN_sentence


class WordEncoder(nn.Module):
    """The vectors of the words; what makes one vector of a sentence is the subclass's."""

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
    """Kim 2014 (arXiv:1408.5882): the largest answer that each filter gives anywhere."""

    WINDOWS, FILTERS = (3, 4, 5), 100  # section 3.1

    def __init__(self, words: int, width: int) -> None:
        super().__init__(words, width)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(width, self.FILTERS, window, padding=window - 1) for window in self.WINDOWS
        )
        self.sentence_width = self.FILTERS * len(self.WINDOWS)

    def forward(self, ids: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        words, found = self.embedding(ids).transpose(1, 2), []
        for window, convolution in zip(self.WINDOWS, self.convolutions, strict=True):
            answers = convolution(words).relu()
            places = torch.arange(answers.shape[2], device=ids.device)
            beyond = places >= lengths[:, None] + window - 1  # windows that hold padding alone
            found.append(answers.masked_fill(beyond[:, None], 0).amax(dim=2))
        return torch.cat(found, dim=1)


class BiLstm(WordEncoder):
    """The largest state of each unit of a two-layer bidirectional LSTM, as GLUE's baseline has.

    Each layer is two LSTMs, of which one reads the words from the last to the first. Neither meets
    padding before it has read all words, so batches need not be packed: on a CPU a step of packed
    ones takes twice as long (32 rows of 47 to 50 words, one core: 1.6 s, and 0.8 s this way).
    """

    STATES, LAYERS = 300, 2  # of each direction; the paper has 1,500

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
    """The first `lengths` states of each row in reverse; what is behind them stays where it is.

    Shape (examples, words, width).
    """
    places = torch.arange(states.shape[1], device=states.device).expand(states.shape[:2])
    last = lengths[:, None] - 1
    sources = torch.where(places <= last, last - places, places)
    return states.gather(1, sources[..., None].expand_as(states))


class Network(nn.Module):
    """A sentence, or a pair, to logits. `encoder` is one of `NETWORKS`, by its name.

    A sentence encoder maps ids, padded on the right with zeros, and the number of words of each
    row to vectors of shape (examples, sentence_width), whatever a row is padded to.
    """

    base_model_prefix = "encoder"

    def __init__(
        self, encoder: str, words: int, outputs: int, *, pairs: bool, width: int = WIDTH
    ) -> None:
        super().__init__()
        self.shape = {
            "encoder": encoder, "words": words, "outputs": outputs, "pairs": pairs, "width": width,
        }  # fmt: skip
        if encoder not in NETWORKS:
            raise UsageError(unknown("network of harness/modeling/scratch.py", encoder, NETWORKS))
        self.encoder = NETWORKS[encoder](words, width)
        self.pairs = pairs
        self.dropout = nn.Dropout(DROPOUT)
        self.classifier = nn.Linear(self.encoder.sentence_width * (4 if pairs else 1), outputs)

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor
    ) -> SimpleNamespace:
        """Logits of shape (examples, outputs); inputs are int64 of shape (examples, words)."""
        real = attention_mask.bool()
        joined = self.encoder(*left_aligned(input_ids, real & (token_type_ids == 0)))
        if self.pairs:
            u, v = joined, self.encoder(*left_aligned(input_ids, real & (token_type_ids == 1)))
            joined = torch.cat([u, v, (u - v).abs(), u * v], dim=1)
        joined = self.dropout(joined)
        with torch.autocast(joined.device.type, enabled=False):  # rounded scores would be ties
            return SimpleNamespace(logits=self.classifier(joined.float()))


def left_aligned(ids: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The ids where `mask` holds, padded with zeros on the right, and how many of each row.

    A sentence without words is one of one padding token.
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
    """A network that knows the words of the training rows, and its tokenizer.

    `seed` decides its weights; words that a file of `vectors` has begin with those. Raises
    `DataError`.
    """
    tokenizer = of_rows(train.texts)
    places = tokenizer.get_vocab()
    own = places.keys() - {*tokenizer.all_special_tokens}
    known = word_vectors.read(Path(vectors), own) if vectors else {}
    width = len(next(iter(known.values()))) if known else WIDTH
    torch.manual_seed(seed)
    pairs = len(task.text_columns) == 2
    network = Network(name, len(places), task.outputs, pairs=pairs, width=width)
    with torch.no_grad():
        for word, vector in known.items():
            network.encoder.embedding.weight[places[word]] = torch.from_numpy(vector)
    return LoadedModel(network, tokenizer, tuple(n for n, _ in network.named_parameters()))


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
