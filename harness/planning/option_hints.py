"""What to say of an option that does not exist."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from harness.spec import Recipe
from harness.text.names import guesses, one_of

HYPER_PARAMETERS = {field.name.replace("_", "-") for field in dataclasses.fields(Recipe)} | {
    "lr", "learning", "rate", "batch", "bs", "train-batch-size", "per-device-train-batch-size",
    "gradient-accumulation-steps", "max-seq-length", "max-len", "seq-length", "sequence-length",
    "warmup-ratio", "warmup-steps", "scheduler", "lr-scheduler", "optimizer", "optim", "adam-eps",
    "adam-epsilon", "clip", "max-grad-norm", "dropout", "decay",
} - {"name", "source", "epochs"}  # fmt: skip
"""What a recipe holds, in the harness's words and in those of other programs."""
SYNONYMS = {
    "device": "targets", "devices": "targets", "precision": "targets", "dtype": "targets",
    "fp16": "targets", "bf16": "targets", "gpu": "targets", "cpu": "targets", "dataset": "data",
    "num-train-epochs": "epochs", "output": "results", "output-dir": "results", "workers": "jobs",
    "parallel": "jobs", "checkpoint": "models", "model-name-or-path": "models",
    "task-name": "tasks",
    "max-train-samples": "max-train", "max-eval-samples": "max-eval", "limit": "max-train",
}  # fmt: skip
"""What other programs call an option -> its name here."""
MEND = (
    "hyper-parameters stand together in a recipe. Mend: --glue-recipe NAME (`glue-bench list "
    "recipes` shows them), --glue-epochs N, or a recipe of your own (docs/adding.md)"
)


def of_hyper_parameter(name: str) -> str | None:
    """Where to say a hyper-parameter, if `name` is one."""
    return MEND if _spelt(name) in HYPER_PARAMETERS else None


def of_flag(flag: str, known: Iterable[str]) -> str:
    """What to say of `--glue-NAME`, which is none of the options `known` by their names."""
    name = _spelt(flag.removeprefix("--glue"))
    if where := of_hyper_parameter(name):
        return f"{flag}: there is no such option: {where}"
    guess = SYNONYMS.get(name)
    found = [f"--glue-{near}" for near in ([guess] if guess else guesses(name, known))]
    hint = f"Did you mean {one_of(found)}?" if found else "`pytest --help` lists the options."
    return f"{flag}: there is no such option. {hint}"


def _spelt(name: str) -> str:
    return name.replace("_", "-").strip("-").lower()
