"""Recipes as rows: the hyper-parameters of a run, each with its source."""

from __future__ import annotations

from harness.errors import UsageError
from harness.names import unknown
from harness.spec import Recipe

RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            "toy",
            source="chosen on the toy tasks for toy-bert",
            learning_rate=7e-4, epochs=5, batch_size=32, max_length=48,
            warmup=0.1, weight_decay=0.01, eval_batch_size=128,
            # CoLA's grammar is learned so soon that more epochs leave no seed to differ.
            epochs_of={"cola": 2, "sst2": 4},
        ),
        Recipe(
            "run-glue",
            source="Hugging Face transformers, examples/pytorch/text-classification/README.md; "
            "optimizer: the defaults of TrainingArguments",
            learning_rate=2e-5, epochs=3, batch_size=32, max_length=128,
            epochs_of={"mrpc": 5, "wnli": 5},
        ),
        Recipe(
            "miniature",
            source="google-research/bert README, the BERT miniatures' GLUE runs: 4 epochs, "
            "learning rate from {3e-4, 1e-4, 5e-5, 3e-5}, batch size from {8, ..., 128}; "
            "warm-up and weight decay from its optimization.py",
            learning_rate=1e-4, epochs=4, batch_size=32, max_length=128,
            warmup=0.1, weight_decay=0.01, eps=1e-6,
        ),
    )
}  # fmt: skip


def get(name: str) -> Recipe:
    """The row of a recipe. Raises `UsageError` with the nearest known name."""
    if name not in RECIPES:
        raise UsageError(unknown("recipe", name, RECIPES))
    return RECIPES[name]
