"""Profiles as rows: what a session runs by default. An option replaces only its own column."""

from __future__ import annotations

from dataclasses import dataclass

from harness.catalog.tasks import GLUE_9
from harness.errors import UsageError
from harness.text.names import unknown


@dataclass(frozen=True)
class Profile:
    """What a session runs unless options say otherwise."""

    name: str
    data: str
    tasks: tuple[str, ...]
    models: tuple[str, ...]
    seeds: tuple[int, ...]
    best_target: bool = False  # only the fastest target of this machine; False: all it has
    recipe: str | None = None  # None: the default of each model
    max_train: int | None = None
    max_eval: int | None = None
    predict_test: bool = False  # also the unlabelled test splits
    timeout: float = 3600.0  # seconds
    above_floor: bool = False  # a run whose score is not above its task's floor fails
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
            timeout=7 * 86400.0,  # for the largest data sets on a slow machine
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
