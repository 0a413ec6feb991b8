"""Ways to adapt a model, as rows: the suffixes of its name, as in `minilm+lora`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec

from harness.errors import ModelUnavailable
from harness.spec import NOTHING, JsonObject
from harness.system import environment


@dataclass(frozen=True)
class Adaptation:
    """What a suffix stands for.

    `settings` are the numbers that decide a score beside those of the recipe.
    """

    name: str
    note: str
    source: str = ""
    recipe: str | None = None  # used where the user names none; None: that of the model
    settings: Mapping[str, float] = field(default_factory=lambda: NOTHING, hash=False)
    package: str | None = None  # the Python package it needs; glue-bench has an extra of that name
    trains_part: bool = False  # of a pretrained network; a model can have only one such adaptation
    of_networks: bool = False  # it adapts a network without pretraining; False: a pretrained one


ADAPTATIONS: dict[str, Adaptation] = {
    row.name: row
    for row in (
        Adaptation("scratch", "the same architecture, from random weights"),
        Adaptation(
            "frozen",
            "a linear layer on the mean of the last layer's states; the encoder is not trained",
            source="BERT as a feature extractor: Devlin et al. 2019 (arXiv:1810.04805), "
            "section 5.3; the mean of the states: Reimers and Gurevych 2019 (arXiv:1908.10084)",
            recipe="linear-probe",
            trains_part=True,
        ),
        Adaptation(
            "lora",
            "low-rank changes to the attention's query and value matrices, and the head",
            source="Hu et al. 2021 (arXiv:2106.09685), section 4.1; rank and alpha: their Table 9, "
            "RoBERTa base",
            recipe="lora",
            settings={"rank": 8, "alpha": 8, "dropout": 0.0},
            package="peft",
            trains_part=True,
        ),
        Adaptation(
            "bitfit",
            "the biases and the head",
            source="Ben Zaken et al. 2022 (arXiv:2106.10199), section 3",
            recipe="bitfit",
            trains_part=True,
        ),
        Adaptation(
            "vectors",
            "starts from the word vectors of --glue-vectors",
            of_networks=True,
        ),
    )
}


def of_identity(identity: JsonObject) -> tuple[Adaptation, ...]:
    """The adaptations of a stored run, as its identity says; () if it says nothing of any."""
    adaptation = identity.get("adaptation")
    if not isinstance(adaptation, Mapping):
        return ()
    return tuple(
        row
        for row in ADAPTATIONS.values()
        if row.name == adaptation.get("method") or adaptation.get(row.name)
    )


def suffixes(rows: Iterable[Adaptation]) -> str:
    """The end of an adapted model's name: `+lora`."""
    return "".join(f"+{row.name}" for row in rows)


def base_name(model: str, identity: JsonObject) -> str:
    """The name of the model that a stored run adapted: `minilm` of `minilm+lora`."""
    return model.removesuffix(suffixes(of_identity(identity)))


def check_installed(adaptation: Adaptation) -> None:
    """Raise `ModelUnavailable`, with the command that installs it, where its package is missing."""
    package = adaptation.package
    if package and find_spec(package) is None:
        raise ModelUnavailable(
            f"adaptation +{adaptation.name}: needs the Python package {package}, which is not "
            f"installed. Fix: {environment.install_command(package)}"
        )
