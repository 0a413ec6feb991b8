"""Pretrain `toy-bert`: a small BERT, on the running text of the toy world.

As in BERT, some words are masked or replaced and the encoder learns to predict them. Two more heads
make it learn faster: one predicts which words were replaced (as in ELECTRA, Clark et al. 2020), and
one on the pooler predicts whether any was, in place of BERT's next-sentence objective. All three
heads are thrown away. No label of any task is used.
"""

from __future__ import annotations

import string
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from random import Random

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits
from transformers import BertConfig, BertForPreTraining, BertTokenizer

from harness.catalog.tasks import DATA_SETS
from harness.data.toy.generate import VERSION, generate
from harness.data.toy.makers import Texts
from harness.data.toy.stream import forms, rivals, running_text
from harness.files import outputs
from harness.terminal import say

SHIPPED = Path(__file__).with_name("toy-bert")
FILES = (
    "config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.txt",
)
OPTION = "--output"
MAX_LENGTH = 64
DROPOUT = 0.1
"""In fine-tuning. Pretraining has no dropout, since no text occurs twice."""

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
"""Tokens 0 to 4 of the vocabulary."""

IGNORED = -100
"""The target that cross-entropy ignores."""

MISFITS = ("word", "word", "word", "exchange", "exchange", "form", "order")
"""Ways to corrupt one sentence of a pair."""


@dataclass(frozen=True)
class Schedule:
    """Hyper-parameters of the pretraining."""

    steps: int = 9000
    batch: int = 32
    learning_rate: float = 2e-3
    warmup: int = 300
    hidden_share: float = 0.15
    seed: int = 0


def words() -> list[str]:
    """Every word of the running text and of the tasks, in alphabetical order."""
    found: set[str] = set()
    for text in islice(running_text(f"words/{VERSION}"), 30_000):
        found.update(word for sentence in text for word in sentence.split())
    for task in DATA_SETS:
        for split in generate(task).values():
            found.update(word for row in split.texts for text in row for word in text.split())
    return sorted(found)


def make_tokenizer(folder: Path) -> BertTokenizer:
    """A WordPiece tokenizer with every toy word as one token, and letters for all other words."""
    letters = string.ascii_lowercase + string.digits
    pieces = [*letters, *(f"##{letter}" for letter in letters), *string.punctuation]
    vocabulary = list(dict.fromkeys([*SPECIAL, *pieces, *words()]))
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    ids = {token: row for row, token in enumerate(vocabulary)}
    tokenizer = BertTokenizer(vocab=ids, model_max_length=MAX_LENGTH)
    tokenizer.save_pretrained(folder)
    return tokenizer


@dataclass
class Row:
    """One text as the encoder reads it, and its targets."""

    tokens: list[int]
    sides: list[int]  # 0 for the first sentence, 1 for the second
    targets: list[int]  # the original word where one was masked or replaced; IGNORED elsewhere
    replaced: bool


@dataclass(frozen=True)
class Batch:
    """Rows as tensors of one width."""

    inputs: dict[str, Tensor]
    targets: Tensor
    replaced: Tensor  # for each row, 1 if any word was
    visible: Tensor  # whether each token is a word that is not masked
    wrong: Tensor  # 1.0 for each visible word that was replaced


def spoilt(rng: Random, words: list[str], alone: bool) -> list[str]:
    """The words with one to three changes that a reader of the text can notice.

    In a text of one sentence they break the grammar; in a pair they mostly contradict the other
    sentence.
    """
    changed = list(words)
    for _ in range(rng.choice((1, 1, 2, 3))):
        way = rng.choice(("form", "order") if alone else MISFITS)
        others = forms() if way == "form" else rivals()
        places = [at for at, word in enumerate(words) if word in others]
        if way == "order" or not places:
            at = rng.randrange(len(words) - 1)
            changed[at], changed[at + 1] = changed[at + 1], changed[at]
            continue
        at = rng.choice(places)
        alike = [to for to in places if words[to] in others[words[at]]]
        if way == "exchange" and alike:
            to = rng.choice(alike)
            changed[at], changed[to] = words[to], words[at]
        else:
            changed[at] = rng.choice(others[words[at]])
    return changed


def exercise(rng: Random, sentences: Texts, ids: dict[str, int], hidden_share: float) -> Row:
    """A text with some words masked and, in half of all cases, some replaced."""
    row = Row([ids["[CLS]"]], [0], [IGNORED], replaced=rng.random() < 0.5)
    victim = rng.randrange(len(sentences)) if row.replaced else None
    for side, sentence in enumerate(sentences):
        words = sentence.split()
        shown = spoilt(rng, words, len(sentences) == 1) if side == victim else words
        for word, true in zip(shown, words, strict=True):
            hide = rng.random() < hidden_share
            row.tokens.append(ids["[MASK]"] if hide else ids.get(word, ids["[UNK]"]))
            row.targets.append(ids[true] if hide or word != true else IGNORED)
        row.tokens.append(ids["[SEP]"])
        row.targets.append(IGNORED)
        row.sides += [side] * (len(words) + 1)
    return row


def batches(tokenizer: BertTokenizer, plan: Schedule) -> Iterator[Batch]:
    """Endless batches of the running text."""
    rng = Random(f"exercise/{plan.seed}")
    stream = running_text(f"pretrain/{plan.seed}/{VERSION}")
    ids = tokenizer.get_vocab()
    while True:
        rows = [exercise(rng, text, ids, plan.hidden_share) for text in islice(stream, plan.batch)]
        tokens = padded([row.tokens for row in rows], ids["[PAD]"])
        inputs = {
            "input_ids": tokens,
            "token_type_ids": padded([row.sides for row in rows], 0),
            "attention_mask": (tokens != ids["[PAD]"]).long(),
        }
        targets = padded([row.targets for row in rows], IGNORED)
        visible = (tokens != ids["[PAD]"]) & (tokens != ids["[MASK]"])
        wrong = (visible & (targets != IGNORED)).float()
        replaced = torch.tensor([int(row.replaced) for row in rows])
        yield Batch(inputs, targets, replaced, visible, wrong)


def padded(rows: list[list[int]], fill: int) -> Tensor:
    """The rows as a matrix as wide as the longest one."""
    width = max(map(len, rows))
    return torch.tensor([row + [fill] * (width - len(row)) for row in rows])


def pretrain(folder: Path = SHIPPED, plan: Schedule = Schedule()) -> None:
    """Pretrain the encoder, and write it and its tokenizer to `folder` at the end.

    Raises `UsageError` or `StorageError` before it starts if the files cannot be written there.
    """
    outputs.check_files(folder, FILES, OPTION)
    with tempfile.TemporaryDirectory(prefix="glue-bench-") as scratch:
        _pretrain(Path(scratch), plan)
        made = {file.name: file.read_bytes() for file in sorted(Path(scratch).iterdir())}
    outputs.check_files(folder, made, OPTION)
    outputs.make_folder(folder, OPTION)
    for name, content in made.items():
        outputs.replace(folder / name, content, OPTION, f"{folder}-2")


def make_config(tokenizer: BertTokenizer) -> BertConfig:
    """The architecture of toy-bert, without dropout."""
    return BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=80,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=192,
        max_position_embeddings=MAX_LENGTH,
        initializer_range=0.05,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )


def _pretrain(folder: Path, plan: Schedule) -> None:
    # In one thread the order of sums, and so the weights, do not depend on the number of cores.
    torch.set_num_threads(1)
    tokenizer = make_tokenizer(folder)
    torch.manual_seed(plan.seed)
    config = make_config(tokenizer)
    model = BertForPreTraining(config).train()
    judge = nn.Linear(config.hidden_size, 1)
    parameters = [*model.parameters(), *judge.parameters()]
    optimizer = torch.optim.AdamW(parameters, plan.learning_rate, weight_decay=0.01, fused=True)
    rate = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda step: min(step / plan.warmup, (plan.steps - step) / (plan.steps - plan.warmup)),
    )
    loss_of = nn.CrossEntropyLoss()
    for step, batch in enumerate(islice(batches(tokenizer, plan), plan.steps)):
        output = model(**batch.inputs, output_hidden_states=True)
        named = loss_of(output.prediction_logits.flatten(0, 1), batch.targets.flatten())
        judged = judge(output.hidden_states[-1]).squeeze(-1)[batch.visible]
        told = binary_cross_entropy_with_logits(judged, batch.wrong[batch.visible])
        spotted = loss_of(output.seq_relationship_logits, batch.replaced)
        (named + 4 * told + spotted).backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        rate.step()
        if step % 250 == 0 or step + 1 == plan.steps:
            losses = f"named {named.item():.3f}  wrong {told.item():.3f}  text {spotted.item():.3f}"
            say(f"step {step:5d}  {losses}")
    encoder = model.bert
    encoder.config.hidden_dropout_prob = DROPOUT
    encoder.config.attention_probs_dropout_prob = DROPOUT
    encoder.save_pretrained(folder)
