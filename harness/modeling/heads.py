"""The head of a classifier: the labels of its outputs, its weights, and how it computes."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from transformers import AutoModelForSequenceClassification

from harness.errors import ModelError
from harness.modeling.library_types import ModelConfig, PretrainedNetwork
from harness.spec import Task
from harness.text.values import shown

SEPARATOR = re.compile(r"(?<=\w)[\s_-]+(?=\w)")


def describe(config: ModelConfig, task: Task) -> None:
    """Set the fields of a configuration that describe the head for `task`.

    `transformers.pipeline` reads there what to do with the logits of a saved model.
    """
    config.num_labels = task.outputs
    names = task.labels or ("LABEL_0",)  # transformers' own name for the output of a regression
    config.id2label = dict(enumerate(names))
    config.label2id = {label: output for output, label in enumerate(names)}
    config.problem_type = "regression" if task.is_regression else "single_label_classification"
    if getattr(config, "finetuning_task", None):
        config.finetuning_task = task.name


def check_labels(directory: Path, config: ModelConfig) -> None:
    """Raise `ModelError` where config.json has no label for an output, or one label for two."""
    ids, names = list(config.id2label), list(config.id2label.values())
    if sorted(ids) != [*range(len(ids))]:
        raise ModelError(
            f"{directory}: config.json: id2label: found the ids {', '.join(map(str, ids))}; "
            f"expected 0 to {len(ids) - 1}, one for each output. Fix: number its labels from 0, "
            "in the order of the outputs"
        )
    if len({str(name) for name in names}) < len(names):
        raise ModelError(
            f"{directory}: config.json: id2label: found one label twice among "
            f"{', '.join(map(shown, names))}; expected a different one for each output. Fix: name "
            "them there, in the order of the outputs"
        )


def order_of(config: ModelConfig, task: Task) -> list[int] | None:
    """The output of a checkpoint's head for each of the task's labels; None: it has other labels.

    Heads trained on one task differ in their order: MNLI's come with contradiction first or last.
    Labels are equal if their names are, or if the names differ only in capitals and in the
    characters between words (`not_duplicate`, `Not Duplicate`). The second is tried only where all
    labels stay different without them.
    """
    stored = {output: str(name) for output, name in config.id2label.items()}
    if not task.labels or len(stored) != len(task.labels):
        return None
    for spell in (str, normalized):
        outputs = {spell(name): int(output) for output, name in stored.items()}
        labels = [spell(label) for label in task.labels]
        if len(outputs) == len(stored) and set(labels) == set(outputs):
            return [outputs[label] for label in labels]
    return None


def normalized(label: str) -> str:
    """A label in lower case, with an underscore between words; signs and emoji are kept."""
    return SEPARATOR.sub("_", unicodedata.normalize("NFKC", label).casefold().strip())


@torch.no_grad()
def reorder(network: PretrainedNetwork, head: Iterable[str], order: list[int]) -> None:
    """Put the outputs of a head's last layer in this order.

    The last layer is the last of those with as many rows as there are outputs.
    """
    parameters = dict(network.named_parameters())
    as_wide = [name for name in head if parameters[name].shape[0] == len(order)]
    last = {name.rpartition(".")[0] for name in as_wide[-1:]}
    for name in as_wide:
        if name.rpartition(".")[0] in last:
            parameters[name].copy_(parameters[name][order])


def renew(network: PretrainedNetwork, config: ModelConfig, head: Iterable[str], seed: int) -> None:
    """Give the parameters of a head the random values that a new network of `seed` has."""
    torch.manual_seed(seed)
    fresh = AutoModelForSequenceClassification.from_config(config, dtype=torch.float32)
    weights = fresh.state_dict()
    network.load_state_dict({name: weights[name] for name in head}, strict=False)


def in_fp32(layer: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    """A layer, or its `forward`, that computes in float32 also under autocast.

    Rounded to bf16, many scores of different rows are equal. Ties move a rank correlation, and they
    hide which of two labels has the larger logit.
    """

    def forward(hidden: torch.Tensor, *args: object, **kwargs: object) -> torch.Tensor:
        with torch.autocast(hidden.device.type, enabled=False):
            return layer(hidden.float(), *args, **kwargs)

    return forward


def keep_in_fp32(network: PretrainedNetwork) -> None:
    """Have a network compute its head in float32: every module outside the encoder."""
    for name, module in network.named_children():
        if name != network.base_model_prefix:
            module.forward = in_fp32(module.forward)
