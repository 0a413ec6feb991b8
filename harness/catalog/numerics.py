"""What the harness itself changed in the scores of which runs: a row for each change.

A run's identity holds a number for each part that has touched it, `{"all": 2, "lstm": 3}`. Runs
are compared by the parts that both have: what changed for LSTMs alone leaves a BERT's runs as they
were.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.spec import NOTHING

ALL = "all"


@dataclass(frozen=True)
class Facts:
    """What of a run says which changes touch it."""

    network: str | None = None  # of `harness.modeling.scratch`: cbow, cnn, bilstm
    method: str | None = None  # of `harness.catalog.adaptations`: frozen, lora, bitfit
    device: str = "cpu"
    autocast: str | None = None  # "bfloat16", "float16"; None: the parameters' own dtype
    recipe: Mapping[str, Any] = field(default_factory=lambda: NOTHING)  # by the fields of `Recipe`
    # config.json; of a stored run no more than its "model_type" is known, and not always that.
    config: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    # Parameters that started random; None: not known, as before a run.
    new_parameters: tuple[str, ...] | None = None

    @property
    def family(self) -> str | None:
        """The `model_type` of config.json; None: not known, or a network of ours."""
        return self.config.get("model_type")


Predicate = Callable[[Facts], bool]


def _everything(run: Facts) -> bool:
    return True


@dataclass(frozen=True)
class Change:
    """A change of the harness that gives other scores for the same inputs."""

    number: int  # higher than that of every change before
    part: str  # as it stands in identities
    what: str
    touches: Predicate = _everything
    # Of stored runs that it touches, those that are known to be as they would be today.
    leaves: Predicate = lambda run: False


# Networks of transformers 5.23 with a sequence classifier that call einsum, which autocast did not
# reach in evaluation.
EINSUM = {
    "big_bird", "flaubert", "fnet", "funnel", "gptj", "longformer", "reformer", "tapas", "xlm",
    "xlnet", "zamba2",
}  # fmt: skip
CONVOLUTIONS = {
    "squeezebert", "convbert", "canine", "yoso", "nystromformer", "deberta-v2", "jamba", "zamba",
    "zamba2",
}  # fmt: skip
MATRIX_BIASES = {"xlnet", "funnel"}
PADDED_TO_ONE_LENGTH = {"fnet", "convbert", "canine", "yoso", "nystromformer"}

CHANGES = (
    Change(2, ALL, "padding changes no logits; pairs have a token between their texts"),
    Change(
        3, "lstm", "bilstm reads batches that are not packed, by LSTMs of one direction",
        lambda run: run.network == "bilstm",
    ),
    Change(
        3, "bf16_evaluation", "autocast reaches into einsum and LSTMs in evaluation too",
        lambda run: run.autocast is not None
        and (run.network == "bilstm" or run.family in EINSUM),
    ),
    Change(
        3, "bf16_convolutions", "CPUs without bf16 instructions upcast convolutions and LSTMs too",
        lambda run: run.autocast == "bfloat16" and run.device == "cpu"
        and (run.network in ("cnn", "bilstm") or run.family in CONVOLUTIONS),
    ),
    Change(
        3, "frozen_head", "the head on a frozen encoder computes outside autocast",
        lambda run: run.method == "frozen" and run.autocast is not None,
    ),
    Change(
        3, "decay", "no weight decay on biases that are matrices",
        lambda run: run.family in MATRIX_BIASES and bool(run.recipe.get("weight_decay")),
    ),
    Change(
        3, "new_pooler", "+lora and +bitfit train a pooler that is new",
        lambda run: run.method in ("lora", "bitfit"),
        leaves=lambda run: run.new_parameters is not None
        and not any(".pooler." in name for name in run.new_parameters),
    ),
    Change(
        4, "one_length", "all rows of a network that lets padding reach the words have one length",
        lambda run: run.family in PADDED_TO_ONE_LENGTH,
    ),
    Change(
        4, "bert_adam", "AdamW without bias correction rounds in the order of BERT's own",
        lambda run: run.recipe.get("bias_correction") is False,
    ),
)  # fmt: skip
"""Every change so far, in the order of their numbers. A new one is a row at the end."""


def parts(run: Facts) -> dict[str, int]:
    """The parts of what the harness computes now that touch a run, each with its last number."""
    return {change.part: change.number for change in CHANGES if change.touches(run)}


def parts_of(number: int, run: Facts) -> dict[str, int]:
    """The parts of a stored run, of which it is known that all changes up to `number` were made."""
    found: dict[str, int] = {}
    for change in CHANGES:
        if change.touches(run):
            made = change.number <= number or change.leaves(run)
            found[change.part] = change.number if made else found.get(change.part, number)
    return found
