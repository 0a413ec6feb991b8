"""Recipes as rows: the hyper-parameters of a run, each with its source.

docs/recipes.md says why each is here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from harness.errors import UsageError
from harness.spec import JsonObject, Recipe
from harness.text.names import unknown

RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            "toy",
            source="chosen on the toy tasks for toy-bert",
            learning_rate=7e-4,
            epochs=5,
            batch_size=32,
            max_length=48,
            warmup=0.1,
            weight_decay=0.01,
            eval_batch_size=128,
            # Toy CoLA is learned so fast that after more epochs all seeds give the same score.
            epochs_of={"cola": 2, "sst2": 4},
        ),
        Recipe(
            "run-glue",
            source="Hugging Face transformers, examples/pytorch/text-classification/README.md; "
            "optimizer: the defaults of TrainingArguments",
            learning_rate=2e-5,
            epochs=3,
            batch_size=32,
            max_length=128,
            epochs_of={"mrpc": 5, "wnli": 5},
        ),
        Recipe(
            "bert-paper",
            source="Devlin et al. 2019 (arXiv:1810.04805), section 4.1: batch 32, 3 epochs, "
            "learning rate from {5e-5, 4e-5, 3e-5, 2e-5}, here that of google-research/bert's "
            "README for MRPC; optimizer, without bias correction, and schedule: its "
            "optimization.py. Differs: its batches go on over the end of an epoch, so that MRPC "
            "has 343 full steps; here an epoch's last step has the rows that are left, of 345",
            learning_rate=2e-5,
            epochs=3,
            batch_size=32,
            max_length=128,
            warmup=0.1,
            warmup_rounds_up=False,
            decays_from_start=True,
            weight_decay=0.01,
            eps=1e-6,
            bias_correction=False,
        ),
        Recipe(
            "notebook",
            source="McCormick and Ryan 2020, BERT Fine-Tuning Tutorial with PyTorch: a random "
            "tenth of the training rows set aside",
            learning_rate=2e-5,
            epochs=4,
            batch_size=32,
            max_length=64,
            held_out=0.1,
        ),
        Recipe(
            "stable",
            source="Mosbach et al. 2021 (arXiv:2006.04884), the recommended baseline, and its "
            "settings in github.com/uds-lsv/bert-stable-fine-tuning. Differs: they scored dev "
            "three times an epoch and kept the best weights; here the last ones are scored",
            learning_rate=2e-5,
            epochs=20,
            batch_size=16,
            max_length=128,
            warmup=0.1,
            warmup_rounds_up=False,
            weight_decay=0.01,
            eps=1e-6,
        ),
        Recipe(
            "roberta",
            source="Liu et al. 2019 (arXiv:1907.11692) and fairseq's README.glue.md: 10 epochs, "
            "learning rate from {1e-5, 2e-5, 3e-5}, batch size from {16, 32}, here the middle and "
            "the larger; betas 0.9 and 0.98, decay 0.1, warm-up 6%, no clipping, 512 tokens. "
            "Differs: fairseq has 1e-5 but for RTE and STS-B, batches of 16 for CoLA, RTE, MRPC "
            "and STS-B, a warm-up of 25% for QQP, decay of biases and layer norms too, and keeps "
            "the best weights on dev; here the last ones are scored",
            learning_rate=2e-5,
            epochs=10,
            batch_size=32,
            max_length=512,
            warmup=0.06,
            warmup_rounds_up=False,
            weight_decay=0.1,
            betas=(0.9, 0.98),
            eps=1e-6,
            grad_clip=None,
        ),
        Recipe(
            "miniature",
            source="google-research/bert README, the BERT miniatures' GLUE runs: 4 epochs, "
            "learning rate from {3e-4, 1e-4, 5e-5, 3e-5}, batch size from {8, ..., 128}; share of "
            "warm-up, weight decay and eps from its optimization.py. Differs: bias correction, a "
            "fall from the peak and grouping by length are our own",
            learning_rate=1e-4,
            epochs=4,
            batch_size=32,
            max_length=128,
            warmup=0.1,
            weight_decay=0.01,
            eps=1e-6,
            group_by_length=True,
            fast_dropout=True,
        ),
        Recipe(
            "scratch",
            source="chosen for cbow, cnn and bilstm: docs/recipes.md",
            learning_rate=3e-3,
            epochs=10,
            batch_size=32,
            max_length=128,
            group_by_length=True,
        ),
        Recipe(
            "linear-probe",
            source="chosen for +frozen: docs/recipes.md",
            learning_rate=1e-2,
            epochs=10,
            batch_size=32,
            max_length=128,
            group_by_length=True,
        ),
        Recipe(
            "lora",
            source="chosen for +lora: docs/recipes.md",
            learning_rate=3e-3,
            epochs=5,
            batch_size=32,
            max_length=128,
            warmup=0.06,
            weight_decay=0.01,
            group_by_length=True,
            fast_dropout=True,
        ),
        Recipe(
            "bitfit",
            source="chosen for +bitfit: docs/recipes.md",
            learning_rate=3e-3,
            epochs=10,
            batch_size=32,
            max_length=128,
            warmup=0.06,
            weight_decay=0.01,
            group_by_length=True,
            fast_dropout=True,
        ),
    )
}


@dataclass(frozen=True)
class Family:
    """The default recipe for models that are not rows of `MODELS`, by their config.json."""

    recipe: str
    model_type: str | None = None  # of config.json; None: any
    widest: int | None = None  # the largest hidden size; None: any

    def matches(self, config: JsonObject) -> bool:
        width = config.get("hidden_size", 0)
        is_narrow = self.widest is None or (isinstance(width, int) and 0 < width <= self.widest)
        return is_narrow and self.model_type in (None, config.get("model_type"))


FAMILIES = (
    # The BERT miniatures are at most 512 wide; none of their learning rates is as low as 2e-5.
    Family("miniature", "bert", widest=512),
    Family("run-glue"),
)
"""The first row that matches decides."""


def default(config: JsonObject) -> str:
    """The default recipe for a model that is not a row of `MODELS`, by its config.json."""
    return next(family.recipe for family in FAMILIES if family.matches(config))


def get(name: str) -> Recipe:
    """The row of a recipe. Raises `UsageError` with the nearest known name."""
    if name not in RECIPES:
        raise UsageError(unknown("recipe", name, RECIPES))
    return RECIPES[name]


def with_epochs(recipe: Recipe, epochs: int) -> Recipe:
    """The recipe with another number of epochs, which its name then says: `run-glue-3ep`."""
    return replace(recipe, name=f"{recipe.name}-{epochs}ep", epochs=epochs, epochs_of={})


def row_of(settings: Mapping[str, object]) -> tuple[str | None, int | None]:
    """The name of a stored run's recipe, and the epochs that were asked for beside it.

    `settings` is a record's `recipe`. The name is None where the record has no recipe, the epochs
    where they are the recipe's own.
    """
    name, epochs = settings.get("name"), settings.get("epochs")
    if isinstance(epochs, int):
        for row in RECIPES.values():
            if name == with_epochs(row, epochs).name:
                return row.name, epochs
    return str(name) if name else None, None
