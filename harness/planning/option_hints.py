"""Messages for options that do not exist."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from harness.spec import Recipe
from harness.text.names import guesses, one_of

HYPER_PARAMETERS = {field.name.replace("_", "-") for field in dataclasses.fields(Recipe)} | {
    "lr",
    "learning",
    "rate",
    "batch",
    "bs",
    "train-batch-size",
    "per-device-train-batch-size",
    "gradient-accumulation-steps",
    "max-seq-length",
    "max-len",
    "seq-length",
    "sequence-length",
    "warmup-ratio",
    "warmup-steps",
    "scheduler",
    "lr-scheduler",
    "optimizer",
    "optim",
    "adam-eps",
    "adam-epsilon",
    "clip",
    "max-grad-norm",
    "dropout",
    "decay",
} - {"name", "source", "epochs"}
"""Names of the hyper-parameters of a recipe, here and in other programs."""
SYNONYMS = {
    "device": "targets",
    "devices": "targets",
    "precision": "targets",
    "dtype": "targets",
    "fp16": "targets",
    "bf16": "targets",
    "gpu": "targets",
    "cpu": "targets",
    "dataset": "data",
    "num-train-epochs": "epochs",
    "output": "results",
    "output-dir": "results",
    "workers": "jobs",
    "parallel": "jobs",
    "checkpoint": "models",
    "model-name-or-path": "models",
    "task-name": "tasks",
    "max-train-samples": "max-train",
    "max-eval-samples": "max-eval",
    "limit": "max-train",
}
"""The name of an option in other programs -> its name here."""
FIX = (
    "hyper-parameters stand together in a recipe. Fix: --glue-recipe NAME (`glue-bench list "
    "recipes` shows them), --glue-epochs N, or a recipe of your own (docs/adding.md)"
)


def of_hyper_parameter(name: str) -> str | None:
    """How to set a hyper-parameter; None if `name` is not one."""
    return FIX if _normalized(name) in HYPER_PARAMETERS else None


def of_flag(flag: str, known: Iterable[str]) -> str:
    """The message for a `--glue-NAME` that is not an option. `known` are the options' names."""
    name = _normalized(flag.removeprefix("--glue"))
    if remedy := of_hyper_parameter(name):
        return f"{flag}: there is no such option: {remedy}"
    synonym = SYNONYMS.get(name)
    similar = [f"--glue-{near}" for near in ([synonym] if synonym else guesses(name, known))]
    hint = f"Did you mean {one_of(similar)}?" if similar else "`pytest --help` lists the options."
    return f"{flag}: there is no such option. {hint}"


def _normalized(name: str) -> str:
    return name.replace("_", "-").strip("-").lower()
