"""Fine-tuned models on disk, as `transformers` loads them, and what they say of a text."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import AutoModel

from harness.catalog import cards, weights
from harness.catalog.weights import CARD, WEIGHTS
from harness.errors import ModelError, StorageError, UsageError
from harness.hub import snapshots
from harness.modeling import (
    batch_invariance,
    families,
    heads,
    input_limits,
    network_size,
    stored_weights,
    tokenization,
)
from harness.modeling.adapters import FrozenEncoder
from harness.modeling.pretrained import LoadedModel, be_quiet, notes_on, read_config, read_tokenizer
from harness.modeling.scratch import Network
from harness.modeling.stored_weights import reading
from harness.spec import RunConfig
from harness.text import escape
from harness.text.values import shown

LONGEST_NAME = 200
"""Of a folder: file systems allow 255 bytes, and a number may follow."""
HEAD = "head.safetensors"
MOST_TOKENS = 1_000_000  # of a text
RENAMED = {"rightward.": "forward_lstm.", "leftward.": "backward_lstm."}
"""How files of earlier commits name a bilstm's LSTMs -> how they are named now."""


KEYS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "task": (lambda said: isinstance(said, str), "a text"),
    "texts": (lambda said: _is_texts(said) and 1 <= len(said) <= 2, "one column or two"),
    "labels": (lambda said: _is_texts(said), "a list of texts"),
    "max_length": (
        lambda said: type(said) is int and 1 <= said <= MOST_TOKENS, f"from 1 to {MOST_TOKENS:,}"
    ),
    "network": (lambda said: isinstance(said, dict), "an object"),
}  # fmt: skip
"""What a card says that is read here, and what it has to be."""


def _is_texts(said: Any) -> bool:
    return isinstance(said, list) and all(isinstance(one, str) for one in said)


class Saved(NamedTuple):
    """A fine-tuned model on disk: its own folder's name, and the sha256 of its card."""

    name: str
    sha256: str


def save(encoder: LoadedModel, config: RunConfig, score: float) -> Saved:
    """Put a fine-tuned model into the folder that `config` names.

    The name is the case's id, a long one cut; where that is taken, a number follows. Raises
    `StorageError`.
    """
    home, task = Path(str(config.save_to)), config.task
    card: dict[str, Any] = {
        "case": config.case.id,
        "task": config.case.task,
        "texts": list(task.text_columns),
        "labels": list(task.labels),
        "max_length": config.recipe.max_length,
        "recipe": config.recipe.name,
        "cell_key": config.cell_key,
        "seed": config.case.seed,
        "score": score,
    }
    try:
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=home, prefix=".saving-") as scratch:
            whole = Path(scratch) / "model"
            whole.mkdir()
            card |= _write(encoder, config, whole)
            encoder.tokenizer.save_pretrained(whole)
            sha256 = cards.write(whole, card)
            return Saved(_move(whole, home, escape.brief(config.case.id, LONGEST_NAME)), sha256)
    except (OSError, SafetensorError) as error:
        raise StorageError(
            f"{home}: the fine-tuned model could not be saved: {error}. Mend: "
            "make room, or choose another folder with --glue-save-models"
        ) from error


def _write(encoder: LoadedModel, config: RunConfig, folder: Path) -> dict[str, Any]:
    """Save a network; returns what its card must say so that it can be loaded again."""
    network: Any = encoder.network
    if isinstance(network, Network):
        save_file(network.state_dict(), folder / WEIGHTS)
        return {"network": network.shape}
    if isinstance(network, FrozenEncoder):
        network.encoder.save_pretrained(folder)
        save_file(network.classifier.state_dict(), folder / HEAD)
        return {"method": config.method}
    if encoder.tuner is not None:  # a network of the usual kind, which anyone can load
        network = encoder.tuner.merge_and_unload()
    network.save_pretrained(folder)
    return {}


def _move(whole: Path, home: Path, name: str) -> str:
    """Move a folder into `home` under a name that is free."""
    for number in range(1, 10_000):
        free = name if number == 1 else f"{name}.{number}"
        try:
            (home / free).mkdir()  # of several writers one makes it
        except FileExistsError:
            continue
        whole.replace(home / free)  # onto an empty folder: at once, or not at all
        return free
    raise StorageError(f"{home}: holds too many models called {name}")


@dataclass(frozen=True)
class Answer:
    """What a fine-tuned model says: a share for each label, or scores.

    The shares of a multi-label model stand for themselves; all others add up to 1.
    """

    shares: dict[str, float] = field(default_factory=dict)
    score: float | None = None
    scores: dict[str, float] = field(default_factory=dict)  # of a regression of several values


@dataclass(frozen=True)
class FineTuned:
    """A fine-tuned model, its tokenizer, and what they were trained on."""

    network: Any
    tokenizer: Any
    labels: Mapping[int, str]
    task: str  # what it was trained on
    texts: int | None  # that a row has; None: not known
    max_length: int
    extra_padding: int = 0  # tokens of padding that every row needs
    fixed: bool = False  # every row is padded to `max_length`
    notes: tuple[str, ...] = ()  # what a user should know of how it was loaded
    known_ids: Mapping[str, int] = field(default_factory=dict)  # column -> how many ids

    @torch.inference_mode()
    def answer(self, *texts: str) -> Answer:
        """What it says of a text, or of a pair. Raises `UsageError` for the wrong number."""
        if self.texts is not None and len(texts) != self.texts:
            found = f"{len(texts)} text{'s' * (len(texts) != 1)}"
            raise UsageError(f"{self.task}: found {found}; expected {self.texts}, each in quotes")
        for text in texts:
            try:
                text.encode()
            except UnicodeEncodeError:
                raise UsageError(f"the text {shown(text)} is not UTF-8") from None
        encoded = tokenization.encode(
            self.tokenizer, [texts], self.max_length, self.extra_padding, fixed=self.fixed
        )
        input_limits.check_ids(encoded, self.tokenizer, self.known_ids, "the text", [0])
        row = tokenization.collate(encoded, None, np.array([0]))
        logits = self.network(**row.inputs).logits[0].float()
        kind = getattr(getattr(self.network, "config", None), "problem_type", None)
        if kind == "multi_label_classification":
            return Answer(self._by_label(logits.sigmoid()))
        if len(logits) == 1:
            return Answer(score=float(logits))
        if kind == "regression":
            return Answer(scores=self._by_label(logits))
        return Answer(self._by_label(logits.softmax(dim=-1)))

    def _by_label(self, values: torch.Tensor) -> dict[str, float]:
        return {self.labels[place]: float(value) for place, value in enumerate(values)}


def load(directory: Path) -> FineTuned:
    """A fine-tuned model of a folder, in fp32 on the CPU. Raises `ModelError`."""
    be_quiet()
    weights.check_files(directory)
    card = _card(directory)
    with snapshots.offline(), reading(directory):
        return _loaded(directory, card)


def _loaded(directory: Path, card: Mapping[str, Any]) -> FineTuned:
    tokenizer = read_tokenizer(directory)
    network, labels = _read(directory, card, tokenizer)
    task = str(card.get("task", "the model"))
    texts = len(card["texts"]) if "texts" in card else None
    limit = int(card.get("max_length", 512))
    notes, known = notes_on(directory, tokenizer), {}
    if not isinstance(network, Network):
        pretrained = network.encoder if isinstance(network, FrozenEncoder) else network
        known = input_limits.known_ids(pretrained)
    config = getattr(network, "config", None)
    extra_padding = families.spare_padding(config) if config else 0
    fixed = batch_invariance.needs_fixed_length(
        str(directory),
        network,
        tokenizer,
        limit,
        extra_padding=extra_padding,
        pairs=texts == 2,
        known_ids=known,
    )
    return FineTuned(
        network.eval(), tokenizer, labels, task, texts, limit, extra_padding, fixed, notes, known
    )


def _read(
    directory: Path, card: Mapping[str, Any], tokenizer: Any
) -> tuple[nn.Module, Mapping[int, str]]:
    """A network as `_write` saved it, and what its outputs mean; the tokenizer is fitted to it."""
    labels = dict(enumerate(card.get("labels", ())))
    if "network" in card:
        with torch.device("meta"):  # the file's tensors say how much memory it takes, not the card
            network: Any = Network(**card["network"])
        tensors = {_renamed(name): one for name, one in load_file(directory / WEIGHTS).items()}
        network.load_state_dict(tensors, assign=True)
        return network, labels
    config = read_config(directory)
    network_size.refuse_oversized(directory, config)
    families.give_padding(directory, tokenizer)
    input_limits.set_padding(directory, config, tokenizer)
    if card.get("method") == "frozen":
        encoder = AutoModel.from_pretrained(
            directory, config=config, dtype=torch.float32, use_safetensors=True,
            trust_remote_code=False,
        )  # fmt: skip
        families.configure_tokenizer(tokenizer, encoder)
        head = load_file(directory / HEAD)
        network = FrozenEncoder(encoder, len(head["bias"]))
        network.classifier.load_state_dict(head)
        return network, labels
    network = _classifier(directory, config)
    families.configure_tokenizer(tokenizer, network)
    return network, network.config.id2label


def _renamed(tensor: str) -> str:
    """What a tensor of a stored file is called now."""
    for before, now in RENAMED.items():
        tensor = tensor.replace(before, now)
    return tensor


def _classifier(directory: Path, config: Any) -> Any:
    """A classifier of transformers' own. Raises `ModelError` where its head is not trained."""
    heads.check_labels(directory, config)
    loaded = stored_weights.load_classifier(directory, config)
    if loaded.new:
        raise ModelError(
            f"{directory}: not fine-tuned: it has no {shown(loaded.new[0])}. Mend: train it with "
            "`pytest benchmarks -k TASK --glue-models MODEL --glue-save-models DIR`, and name the "
            "folder below DIR"
        )
    return loaded.network


def _card(directory: Path) -> dict[str, Any]:
    """The card of a folder; empty where there is none. Raises `ModelError`."""
    path = directory / CARD
    if not os.path.lexists(path):
        return {}
    card = weights.read_object(path)
    for key, (fits, expected) in KEYS.items():
        if key in card and not fits(card[key]):
            raise ModelError(
                f"{path}: key {key}: found {shown(card[key])}; expected {expected}. Mend: delete "
                "the file, or save the model again with --glue-save-models"
            )
    return card
