"""Changes of the harness that changed scores: a row for each change, with the runs it affects.

A run's identity holds a number for each part that affects it, `{"all": 2, "lstm": 3}`. Two runs are
compared by the parts that both have, so a change of LSTMs does not affect the runs of a BERT.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from harness.catalog import speedups
from harness.catalog.speedups import width_of
from harness.spec import NOTHING, JsonObject

ALL = "all"


@dataclass(frozen=True)
class Facts:
    """The facts about a run that decide which changes affect it."""

    network: str | None = None  # of `harness.modeling.scratch`: cbow, cnn, bilstm
    method: str | None = None  # of `harness.catalog.adaptations`: frozen, lora, bitfit
    device: str = "cpu"
    autocast: str | None = None  # "bfloat16", "float16"; None: the dtype of the parameters
    recipe: JsonObject = field(default_factory=lambda: NOTHING)  # by the fields of `Recipe`
    # config.json; of a stored run at most its "model_type" is known.
    config: JsonObject = field(default_factory=lambda: NOTHING)
    # Parameters that started from random values; None: not known, as before a run.
    new_parameters: tuple[str, ...] | None = None

    @property
    def family(self) -> str | None:
        """The `model_type` of config.json; None: not known, or not a model of transformers."""
        return self.config.get("model_type")


Predicate = Callable[[Facts], bool]


def _everything(run: Facts) -> bool:
    return True


@dataclass(frozen=True)
class Change:
    """A change of the harness that gives other scores for the same inputs."""

    number: int  # not lower than that of any earlier change
    part: str  # its name in identities
    what: str
    affects: Predicate = _everything
    # Stored runs that it affects, and that are still known to give the same scores today.
    keeps: Predicate = lambda run: False


# Networks of transformers 5.23 with a sequence classifier that call einsum, to which autocast did
# not apply in evaluation.
EINSUM = {
    "big_bird",
    "flaubert",
    "fnet",
    "funnel",
    "gptj",
    "longformer",
    "reformer",
    "tapas",
    "xlm",
    "xlnet",
    "zamba2",
}
CONVOLUTIONS = {
    "squeezebert",
    "convbert",
    "canine",
    "yoso",
    "nystromformer",
    "deberta-v2",
    "jamba",
    "zamba",
    "zamba2",
}
MATRIX_BIASES = {"xlnet", "funnel"}
PADDED_TO_ONE_LENGTH = {"fnet", "convbert", "canine", "yoso", "nystromformer"}

CHANGES = (
    Change(2, ALL, "padding changes no logits; pairs have a token between their texts"),
    Change(
        3,
        "lstm",
        "bilstm reads batches that are not packed, by LSTMs of one direction",
        lambda run: run.network == "bilstm",
    ),
    Change(
        3,
        "bf16_evaluation",
        "autocast reaches into einsum and LSTMs in evaluation too",
        lambda run: run.autocast is not None and (run.network == "bilstm" or run.family in EINSUM),
    ),
    Change(
        3,
        "bf16_convolutions",
        "CPUs without bf16 instructions upcast convolutions and LSTMs too",
        lambda run: (
            run.autocast == "bfloat16"
            and run.device == "cpu"
            and (run.network in ("cnn", "bilstm") or run.family in CONVOLUTIONS)
        ),
    ),
    Change(
        3,
        "frozen_head",
        "the head on a frozen encoder computes outside autocast",
        lambda run: run.method == "frozen" and run.autocast is not None,
    ),
    Change(
        3,
        "decay",
        "no weight decay on biases that are matrices",
        lambda run: run.family in MATRIX_BIASES and bool(run.recipe.get("weight_decay")),
    ),
    Change(
        3,
        "new_pooler",
        "+lora and +bitfit train a pooler that is new",
        lambda run: run.method in ("lora", "bitfit"),
        keeps=lambda run: (
            run.new_parameters is not None
            and not any(".pooler." in name for name in run.new_parameters)
        ),
    ),
    Change(
        4,
        "one_length",
        "all rows of a network that lets padding reach the words have one length",
        lambda run: run.family in PADDED_TO_ONE_LENGTH,
    ),
    Change(
        4,
        "bert_adam",
        "AdamW without bias correction rounds in the order of BERT's own",
        lambda run: run.recipe.get("bias_correction") is False,
    ),
    Change(
        5,
        "speedups",
        "networks of transformers read rows without padding, which draws other masks of dropout; "
        "gradients are clipped while the optimizer reads them, which rounds otherwise",
        lambda run: (
            run.network is None
            and run.method != "frozen"
            and width_of(run.config) >= speedups.LEAST_WIDTH
        ),
    ),
)
"""All changes, in the order of their numbers. A new one is a row at the end."""


def parts(run: Facts) -> dict[str, int]:
    """The parts that affect a run of today's harness, each with the number of its last change."""
    return {change.part: change.number for change in CHANGES if change.affects(run)}


LAST_OF_ALL_PARTS = 4
"""The last change when one number stood for all parts. Records since then name their parts."""


def parts_of(number: int, run: Facts) -> dict[str, int]:
    """The parts that affect a stored run, which has all changes up to `number` only.

    Runs of before a part's first change name it only if that change is one of the first four.
    """
    numbers: dict[str, int] = {}
    for change in CHANGES:
        if change.affects(run) and change.number <= max(number, LAST_OF_ALL_PARTS):
            is_current = change.number <= number or change.keeps(run)
            numbers[change.part] = change.number if is_current else numbers.get(change.part, number)
    return numbers
