"""Fine-tuned models on disk, as `transformers` loads them, and what they say of a text."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from transformers import AutoModelForSequenceClassification

from harness import families, tasks
from harness.data import batches
from harness.encoders import UNREADABLE, Encoder, be_quiet, read_tokenizer, unreadable
from harness.errors import ModelError, StorageError, UsageError, shown
from harness.spec import RunConfig, Task

CARD = "glue-bench.json"
"""Says what the model beside it was trained on."""


def save(encoder: Encoder, config: RunConfig, score: float) -> str:
    """Put a fine-tuned model into the folder that `config` names; returns its own folder's name.

    The name is the case's id; where that is taken, a number follows. Raises `StorageError`.
    """
    home = Path(str(config.save_to))
    card = {
        "case": config.case.id,
        "task": config.case.task,
        "max_length": config.recipe.max_length,
        "recipe": config.recipe.name,
        "cell_key": config.cell_key,
        "score": score,
    }
    try:
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=home, prefix=".saving-") as scratch:
            whole = Path(scratch) / "model"
            network: Any = encoder.network
            network.save_pretrained(whole)
            encoder.tokenizer.save_pretrained(whole)
            (whole / CARD).write_text(json.dumps(card, indent=1) + "\n", "utf-8")
            return _move(whole, home, config.case.id)
    except (OSError, SafetensorError) as error:
        raise StorageError(
            f"{home}: the fine-tuned model could not be saved: {error}. Mend: "
            "make room, or choose another folder with --glue-save-models"
        ) from error


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
    """A fine-tuned model, its tokenizer, and the task it was trained on."""

    network: Any
    tokenizer: Any
    task: Task | None  # None: not saved by glue-bench
    max_length: int

    @torch.inference_mode()
    def answer(self, *texts: str) -> Answer:
        """What it says of a text, or of a pair. Raises `UsageError` for the wrong number."""
        wanted = len(self.task.text_columns) if self.task else len(texts)
        if len(texts) != wanted:
            raise UsageError(
                f"{self.task.title if self.task else 'the model'}: found {len(texts)} text(s); "
                f"expected {wanted}"
            )
        for text in texts:
            try:
                text.encode()
            except UnicodeEncodeError:
                raise UsageError(f"the text {shown(text)} is not UTF-8") from None
        spare = families.spare_padding(self.network.config)
        encoded = batches.encode(self.tokenizer, [texts], self.max_length, spare)
        row = batches.collate(encoded, None, np.array([0]))
        logits = self.network(**row.inputs).logits[0].float()
        if len(logits) == 1:
            return Answer({}, score=float(logits))
        names = self.network.config.id2label
        return Answer({names[i]: float(p) for i, p in enumerate(logits.softmax(dim=-1))})


def load(directory: Path) -> FineTuned:
    """A fine-tuned model of a folder, in fp32 on the CPU. Raises `ModelError`."""
    be_quiet()
    tokenizer = read_tokenizer(directory)
    try:
        network, report = AutoModelForSequenceClassification.from_pretrained(
            directory, dtype=torch.float32, use_safetensors=True, trust_remote_code=False,
            output_loading_info=True,
        )  # fmt: skip
    except (*UNREADABLE, RuntimeError) as error:
        raise unreadable(directory, error) from error
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
    families.give_padding(directory, tokenizer)
    families.suit(tokenizer, network)
    card = _card(directory)
    task = tasks.get(card["task"]) if "task" in card else None
    return FineTuned(network.eval(), tokenizer, task, int(card.get("max_length", 512)))


def _card(directory: Path) -> dict[str, Any]:
    path = directory / CARD
    if not path.is_file():
        return {}
    try:
        return dict(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise ModelError(f"{path}: cannot be read: {error}. Mend: delete it") from error
