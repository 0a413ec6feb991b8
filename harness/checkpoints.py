"""Fine-tuned models on disk, as `transformers` loads them, and what they say of a text."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import AutoModel, AutoModelForSequenceClassification

from harness import escape, families, tasks
from harness.adapters import FrozenEncoder
from harness.data import batches
from harness.encoders import UNREADABLE, Encoder, be_quiet, read_tokenizer, unreadable
from harness.errors import ModelError, StorageError, UsageError, shown
from harness.networks import Network
from harness.spec import RunConfig

CARD = "glue-bench.json"
"""Says what the model beside it was trained on."""

LONGEST_NAME = 200
"""Of a folder: file systems allow 255 bytes, and a number may follow."""
WEIGHTS, HEAD = "model.safetensors", "head.safetensors"
AS_SAVED: dict[str, Any] = {
    "dtype": torch.float32, "use_safetensors": True, "trust_remote_code": False,
}  # fmt: skip


def save(encoder: Encoder, config: RunConfig, score: float) -> str:
    """Put a fine-tuned model into the folder that `config` names; returns its own folder's name.

    The name is the case's id, a long one cut; where that is taken, a number follows. Raises
    `StorageError`.
    """
    home, task = Path(str(config.save_to)), tasks.of(config)
    card: dict[str, Any] = {
        "case": config.case.id,
        "task": config.case.task,
        "texts": list(task.text_columns),
        "labels": list(task.labels),
        "max_length": config.recipe.max_length,
        "recipe": config.recipe.name,
        "cell_key": config.cell_key,
        "score": score,
    }
    try:
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=home, prefix=".saving-") as scratch:
            whole = Path(scratch) / "model"
            whole.mkdir()
            card |= _write(encoder, config, whole)
            encoder.tokenizer.save_pretrained(whole)
            (whole / CARD).write_text(json.dumps(card, indent=1) + "\n", "utf-8")
            return _move(whole, home, escape.brief(config.case.id, LONGEST_NAME))
    except (OSError, SafetensorError) as error:
        raise StorageError(
            f"{home}: the fine-tuned model could not be saved: {error}. Mend: "
            "make room, or choose another folder with --glue-save-models"
        ) from error


def _write(encoder: Encoder, config: RunConfig, folder: Path) -> dict[str, Any]:
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
    """What a fine-tuned model says: a share for each label, or one score."""

    shares: dict[str, float]
    score: float | None = None


@dataclass(frozen=True)
class FineTuned:
    """A fine-tuned model, its tokenizer, and what they were trained on."""

    network: Any
    tokenizer: Any
    labels: Mapping[int, str]
    task: str  # what it was trained on
    texts: int | None  # that a row has; None: not known
    max_length: int

    @torch.inference_mode()
    def answer(self, *texts: str) -> Answer:
        """What it says of a text, or of a pair. Raises `UsageError` for the wrong number."""
        if self.texts is not None and len(texts) != self.texts:
            raise UsageError(f"{self.task}: found {len(texts)} text(s); expected {self.texts}")
        for text in texts:
            try:
                text.encode()
            except UnicodeEncodeError:
                raise UsageError(f"the text {shown(text)} is not UTF-8") from None
        config = getattr(self.network, "config", None)
        spare = families.spare_padding(config) if config else 0
        encoded = batches.encode(self.tokenizer, [texts], self.max_length, spare)
        row = batches.collate(encoded, None, np.array([0]))
        logits = self.network(**row.inputs).logits[0].float()
        if len(logits) == 1:
            return Answer({}, score=float(logits))
        return Answer({self.labels[i]: float(p) for i, p in enumerate(logits.softmax(dim=-1))})


def load(directory: Path) -> FineTuned:
    """A fine-tuned model of a folder, in fp32 on the CPU. Raises `ModelError`."""
    be_quiet()
    tokenizer, card = read_tokenizer(directory), _card(directory)
    try:
        network, labels = _read(directory, card, tokenizer)
    except (*UNREADABLE, RuntimeError) as error:
        raise unreadable(directory, error) from error
    task = str(card.get("task", "the model"))
    texts = len(card["texts"]) if "texts" in card else None
    limit = int(card.get("max_length", 512))
    return FineTuned(network.eval(), tokenizer, labels, task, texts, limit)


def _read(
    directory: Path, card: Mapping[str, Any], tokenizer: Any
) -> tuple[nn.Module, Mapping[int, str]]:
    """A network as `_write` saved it, and what its outputs mean; the tokenizer is made to suit."""
    labels = dict(enumerate(card.get("labels", ())))
    if "network" in card:
        network: Any = Network(**card["network"])
        network.load_state_dict(load_file(directory / WEIGHTS))
        return network, labels
    if card.get("method") == "frozen":
        encoder = AutoModel.from_pretrained(directory, **AS_SAVED)
        families.give_padding(directory, tokenizer)
        families.suit(tokenizer, encoder)
        head = load_file(directory / HEAD)
        network = FrozenEncoder(encoder, len(head["bias"]))
        network.classifier.load_state_dict(head)
        return network, labels
    network = _classifier(directory)
    families.give_padding(directory, tokenizer)
    families.suit(tokenizer, network)
    return network, network.config.id2label


def _classifier(directory: Path) -> Any:
    """A classifier of transformers' own. Raises `ModelError` where its head is not trained."""
    network, report = AutoModelForSequenceClassification.from_pretrained(
        directory, **AS_SAVED, output_loading_info=True
    )
    if report["missing_keys"]:
        missing = sorted(report["missing_keys"])
        inside = [name for name in missing if name.startswith(f"{network.base_model_prefix}.")]
        if inside:
            raise ModelError(
                f"{directory}: weights are missing, first {shown(inside[0])}. Mend: save it again"
            )
        raise ModelError(
            f"{directory}: not fine-tuned: it has no {shown(missing[0])}. Mend: train it with "
            "`pytest benchmarks -k TASK --glue-models MODEL --glue-save-models DIR`, and name the "
            "folder below DIR"
        )
    return network


def _card(directory: Path) -> dict[str, Any]:
    path = directory / CARD
    if not path.is_file():
        return {}
    try:
        return dict(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise ModelError(f"{path}: cannot be read: {error}. Mend: delete it") from error
