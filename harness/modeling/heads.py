"""The head of a classifier: which labels its outputs stand for, and its weights."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForSequenceClassification

from harness.errors import ModelError
from harness.spec import Task
from harness.text.values import shown

SEPARATOR = re.compile(r"(?<=\w)[\s_-]+(?=\w)")


def describe(config: Any, task: Task) -> None:
    """Have a configuration say what the head for `task` is, whatever its weights were before.

    `transformers.pipeline` reads there what to do with the logits of a saved model.
    """
    config.num_labels = task.outputs
    names = task.labels or ("LABEL_0",)  # transformers' own name for the output of a regression
    config.id2label = dict(enumerate(names))
    config.label2id = {label: place for place, label in enumerate(names)}
    config.problem_type = "regression" if task.is_regression else "single_label_classification"
    if getattr(config, "finetuning_task", None):
        config.finetuning_task = task.name


def check_labels(directory: Path, config: Any) -> None:
    """Raise `ModelError` where config.json gives an output no label, or two outputs the same."""
    ids, names = list(config.id2label), list(config.id2label.values())
    if sorted(ids) != [*range(len(ids))]:
        raise ModelError(
            f"{directory}: config.json: id2label: found the ids {', '.join(map(str, ids))}; "
            f"expected 0 to {len(ids) - 1}, one for each output. Mend: number its labels from 0, "
            "in the order of the outputs"
        )
    if len({str(name) for name in names}) < len(names):
        raise ModelError(
            f"{directory}: config.json: id2label: found one label twice among "
            f"{', '.join(map(shown, names))}; expected another one for each output. Mend: name "
            "them there, in the order of the outputs"
        )


def order_of(config: Any, task: Task) -> list[int] | None:
    """Where a checkpoint's head has each of the task's labels; None where it has other ones.

    Heads trained on one task differ in their order: MNLI's come with contradiction first or last.
    Labels are the same if their names are, or if they differ only in capitals and in what stands
    between words (`not_duplicate`, `Not Duplicate`), as long as that leaves all of them different.
    """
    own = {place: str(name) for place, name in config.id2label.items()}
    if not task.labels or len(own) != len(task.labels):
        return None
    for written in (str, normalized):
        places = {written(name): int(place) for place, name in own.items()}
        wanted = [written(label) for label in task.labels]
        if len(places) == len(own) and set(wanted) == set(places):
            return [places[label] for label in wanted]
    return None


def normalized(label: str) -> str:
    """A label in lower case, with an underscore between words; signs and emoji are kept."""
    return SEPARATOR.sub("_", unicodedata.normalize("NFKC", label).casefold().strip())


@torch.no_grad()
def reorder(network: Any, head: Iterable[str], order: list[int]) -> None:
    """Put a head's outputs in this order: those of its last layer, whatever the others' widths."""
    parameters = dict(network.named_parameters())
    as_wide = [name for name in head if parameters[name].shape[0] == len(order)]
    last = {name.rpartition(".")[0] for name in as_wide[-1:]}
    for name in as_wide:
        if name.rpartition(".")[0] in last:
            parameters[name].copy_(parameters[name][order])


def renew(network: Any, config: Any, head: Iterable[str], seed: int) -> None:
    """Give the head random weights."""
    torch.manual_seed(seed)
    fresh = AutoModelForSequenceClassification.from_config(config, dtype=torch.float32)
    weights = fresh.state_dict()
    network.load_state_dict({name: weights[name] for name in head}, strict=False)


def keep_in_fp32(network: Any) -> None:
    """Compute a regression head outside autocast.

    Rounded to bf16, most of STS-B's predictions are ties, and ties move the rank correlation.
    """

    def in_fp32(forward: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
        def wrapped(hidden: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
            with torch.autocast(hidden.device.type, enabled=False):
                return forward(hidden.float(), *args, **kwargs)

        return wrapped

    for name, module in network.named_children():
        if name != network.base_model_prefix:
            module.forward = in_fp32(module.forward)
