"""Profiles as rows: what is selected when nothing is said. An option replaces its own column."""

from __future__ import annotations

from dataclasses import dataclass

from harness.catalog.tasks import GLUE_9
from harness.errors import UsageError
from harness.text.names import unknown


@dataclass(frozen=True)
class Profile:
    """What a session runs unless an option says otherwise."""

    name: str
    data: str
    tasks: tuple[str, ...]
    models: tuple[str, ...]
    seeds: tuple[int, ...]
    best_target: bool = False  # the fastest of this machine alone, not every one that is present
    recipe: str | None = None  # None: each model's own
    max_train: int | None = None
    max_eval: int | None = None
    predict_test: bool = False  # also the unlabelled test splits
    timeout: float = 3600.0  # seconds
    above_floor: bool = False  # a run that ends at its task's floor fails
    note: str = ""


PROFILES: dict[str, Profile] = {
    profile.name: profile
    for profile in (
        Profile(
            "toy",
            data="toy",
            tasks=GLUE_9,
            models=("toy-bert",),
            seeds=(42,),
            above_floor=True,
            note="generated data, a shipped model",
        ),
        Profile(
            "quick",
            data="hub",
            tasks=("cola", "sst2", "mrpc", "stsb", "rte", "wnli"),
            models=("minilm",),
            seeds=(42, 43, 44),
            max_train=2000,
            note="small tasks, 2,000 training rows",
        ),
        Profile(
            "paper",
            data="hub",
            tasks=(*GLUE_9, "ax"),
            models=("bert-base-uncased",),
            seeds=(42, 43, 44, 45, 46),
            best_target=True,
            recipe="run-glue",
            predict_test=True,
            timeout=7 * 86400.0,  # the largest sets, on whatever machine this is
            note="all of GLUE, tests predicted",
        ),
    )
}

DEFAULT = "toy"


def get(name: str) -> Profile:
    """The row of a profile. Raises `UsageError` with the nearest known name."""
    if name not in PROFILES:
        raise UsageError(unknown("profile", name, PROFILES))
    return PROFILES[name]
