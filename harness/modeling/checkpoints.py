"""Fine-tuned models on disk: saved in the form that `transformers` loads, and loaded again."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple, TypeGuard

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import AutoModel

from harness.catalog import cards, model_files, weights
from harness.catalog.model_files import CARD, WEIGHTS
from harness.errors import ModelError, StorageError
from harness.hub import snapshots
from harness.modeling import (
    batch_invariance,
    families,
    heads,
    input_limits,
    network_size,
    stored_weights,
)
from harness.modeling.adapters import FrozenEncoder
from harness.modeling.fine_tuned import FineTuned
from harness.modeling.library_errors import reading
from harness.modeling.library_types import ModelConfig, PretrainedNetwork, Tokenizer
from harness.modeling.pretrained import (
    LoadedModel,
    notes_on,
    read_config,
    read_tokenizer,
    silence_transformers,
)
from harness.modeling.scratch import Network
from harness.spec import JsonObject, RunConfig
from harness.text import escape
from harness.text.values import shown

LONGEST_NAME = 200
"""Of a folder, in bytes: file systems allow 255, and a number may follow."""
HEAD = "head.safetensors"
MOST_TOKENS = 1_000_000  # in a row
RENAMED = {"rightward.": "forward_lstm.", "leftward.": "backward_lstm."}
"""The names of a bilstm's LSTMs in files of earlier commits -> their names now."""


def _is_strings(value: object) -> TypeGuard[list[str]]:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _is_length(value: object) -> bool:
    return type(value) is int and 1 <= value <= MOST_TOKENS


CARD_KEYS: Mapping[str, tuple[Callable[[object], bool], str]] = {
    "task": (lambda value: isinstance(value, str), "a text"),
    "texts": (lambda value: _is_strings(value) and 1 <= len(value) <= 2, "one column or two"),
    "labels": (_is_strings, "a list of texts"),
    "max_length": (_is_length, f"from 1 to {MOST_TOKENS:,}"),
    "network": (lambda value: isinstance(value, dict), "an object"),
}
"""The keys of a card that are read here -> a check of the value, and what is expected."""


class Saved(NamedTuple):
    """A fine-tuned model on disk: the name of its folder, and the sha256 of its card."""

    name: str
    sha256: str


def save(model: LoadedModel, config: RunConfig, score: float) -> Saved:
    """Save a fine-tuned model in a new folder inside `config.save_to`.

    The folder's name is the case's id, which is cut if it is long. If that name is taken, a number
    is added. Raises `StorageError`.
    """
    home, task = Path(str(config.save_to)), config.task
    card: dict[str, object] = {
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
            complete = Path(scratch) / "model"
            complete.mkdir()
            card |= _write(model, config, complete)
            model.tokenizer.save_pretrained(complete)
            sha256 = cards.write(complete, card)
            return Saved(_move(complete, home, escape.brief(config.case.id, LONGEST_NAME)), sha256)
    except (OSError, SafetensorError) as error:
        raise StorageError(
            f"{home}: the fine-tuned model could not be saved: {error}. Fix: "
            "make room, or choose another folder with --glue-save-models"
        ) from error


def _write(model: LoadedModel, config: RunConfig, folder: Path) -> dict[str, object]:
    """Save a network. Returns what its card must hold so that it can be loaded again."""
    network: PretrainedNetwork = model.network
    if isinstance(network, Network):
        save_file(network.state_dict(), folder / WEIGHTS)
        return {"network": network.shape}
    if isinstance(network, FrozenEncoder):
        network.encoder.save_pretrained(folder)
        save_file(network.classifier.state_dict(), folder / HEAD)
        return {"method": config.method}
    if model.tuner is not None:  # saved without peft's modules, so that anyone can load it
        network = model.tuner.merge_and_unload()
    network.save_pretrained(folder)
    return {}


def _move(complete: Path, home: Path, name: str) -> str:
    """Move a folder into `home` under a name that is free, and return that name."""
    for number in range(1, 10_000):
        free = name if number == 1 else f"{name}.{number}"
        try:
            (home / free).mkdir()  # succeeds for only one of several writers
        except FileExistsError:
            continue
        complete.replace(home / free)  # replaces the empty folder atomically
        return free
    raise StorageError(f"{home}: holds too many models called {name}")


def load(directory: Path) -> FineTuned:
    """The fine-tuned model in a folder, in fp32 on the CPU. Raises `ModelError`."""
    silence_transformers()
    weights.check_files(directory)
    card = _read_card(directory)
    with snapshots.offline(), reading(directory):
        return _loaded(directory, card)


def _loaded(directory: Path, card: JsonObject) -> FineTuned:
    tokenizer = read_tokenizer(directory)
    network, labels = _read_network(directory, card, tokenizer)
    texts = len(card["texts"]) if "texts" in card else None
    max_length = int(card.get("max_length", 512))
    notes, known_ids = notes_on(directory, tokenizer), {}
    if not isinstance(network, Network):
        pretrained = network.encoder if isinstance(network, FrozenEncoder) else network
        known_ids = input_limits.count_known_ids(pretrained)
    config = getattr(network, "config", None)
    extra_padding = families.extra_padding(config) if config else 0
    fixed = batch_invariance.needs_fixed_length(
        str(directory),
        network,
        tokenizer,
        max_length,
        extra_padding=extra_padding,
        pairs=texts == 2,
        known_ids=known_ids,
    )
    return FineTuned(
        network.eval(),
        tokenizer,
        labels,
        task=str(card.get("task", "the model")),
        texts=texts,
        max_length=max_length,
        extra_padding=extra_padding,
        fixed=fixed,
        notes=notes,
        known_ids=known_ids,
    )


def _read_network(
    directory: Path, card: JsonObject, tokenizer: Tokenizer
) -> tuple[nn.Module, Mapping[int, str]]:
    """A network that `_write` saved, and the label of each output; configures the tokenizer."""
    labels = dict(enumerate(card.get("labels", ())))
    if "network" in card:
        with torch.device("meta"):  # memory is allocated for the file's tensors, not by the card
            network: PretrainedNetwork = Network(**card["network"])
        tensors = load_file(directory / WEIGHTS)
        renamed = {_present_name(name): tensor for name, tensor in tensors.items()}
        network.load_state_dict(renamed, assign=True)
        return network, labels
    config = read_config(directory)
    network_size.refuse_oversized(directory, config)
    families.set_padding_token(directory, tokenizer)
    input_limits.set_padding_id(directory, config, tokenizer)
    if card.get("method") == "frozen":
        encoder = AutoModel.from_pretrained(
            directory,
            config=config,
            dtype=torch.float32,
            use_safetensors=True,
            trust_remote_code=False,
        )
        families.configure_tokenizer(tokenizer, encoder)
        head = load_file(directory / HEAD)
        network = FrozenEncoder(encoder, len(head["bias"]))
        network.classifier.load_state_dict(head)
        return network, labels
    network = _read_classifier(directory, config)
    families.configure_tokenizer(tokenizer, network)
    return network, network.config.id2label


def _present_name(tensor: str) -> str:
    """The name that a tensor of a stored file has now."""
    for before, now in RENAMED.items():
        tensor = tensor.replace(before, now)
    return tensor


def _read_classifier(directory: Path, config: ModelConfig) -> PretrainedNetwork:
    """A sequence classifier of transformers. Raises `ModelError` where its head is not trained."""
    heads.check_labels(directory, config)
    loaded = stored_weights.load_classifier(directory, config)
    if loaded.new:
        raise ModelError(
            f"{directory}: not fine-tuned: it has no {shown(loaded.new[0])}. Fix: train it with "
            "`pytest benchmarks -k TASK --glue-models MODEL --glue-save-models DIR`, and name the "
            "folder below DIR"
        )
    return loaded.network


def _read_card(directory: Path) -> JsonObject:
    """The card of a folder; empty where there is none. Raises `ModelError`."""
    path = directory / CARD
    if not os.path.lexists(path):
        return {}
    card = model_files.read_object(path)
    for key, (is_valid, expected) in CARD_KEYS.items():
        if key in card and not is_valid(card[key]):
            raise ModelError(
                f"{path}: key {key}: found {shown(card[key])}; expected {expected}. Fix: delete "
                "the file, or save the model again with --glue-save-models"
            )
    return card
