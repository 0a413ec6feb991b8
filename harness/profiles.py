"""Profiles as rows: what is selected when nothing is said. An option replaces its own column."""

from __future__ import annotations

from dataclasses import dataclass

from harness.errors import UsageError
from harness.names import unknown
from harness.tasks import GLUE_9


@dataclass(frozen=True)
class Profile:
    """What a session runs unless an option says otherwise."""

    name: str
    data: str
    tasks: tuple[str, ...]
    models: tuple[str, ...]
    targets: tuple[str, ...] | None  # None: those present on this machine
    seeds: tuple[int, ...]
    recipe: str | None = None  # None: each model's own
    max_train: int | None = None
    max_eval: int | None = None
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
            targets=None,
            seeds=(42,),
            above_floor=True,
            note="generated data, a shipped model",
        ),
    )
}

DEFAULT = "toy"


def get(name: str) -> Profile:
    """The row of a profile. Raises `UsageError` with the nearest known name."""
    if name not in PROFILES:
        raise UsageError(unknown("profile", name, PROFILES))
    return PROFILES[name]
