"""From settings to cases: what a session will run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness import models, profiles, recipes, targets, tasks
from harness.errors import UsageError, shown
from harness.options import Settings
from harness.profiles import Profile
from harness.spec import Case, DataRequest


@dataclass(frozen=True)
class Plan:
    """The cases of a session and what is common to them."""

    profile: Profile
    data: DataRequest
    tasks: tuple[str, ...]
    models: tuple[str, ...]
    targets: tuple[str, ...]
    seeds: tuple[int, ...]
    recipe: str | None
    epochs: int | None
    above_floor: bool  # a run that ends at its task's floor fails
    named_models: bool  # by the user: one that is not here fails; the profile's is skipped
    named_targets: bool  # likewise

    @property
    def cases(self) -> list[Case]:
        """Task by task, so that a table fills row by row."""
        return [
            Case(task, model, target, seed)
            for task in self.tasks
            for model in self.models
            for target in self.targets
            for seed in self.seeds
        ]


def make(settings: Settings) -> Plan:
    """The plan that `settings` mean. Names are checked here; nothing is loaded.

    Raises `UsageError`.
    """
    profile = profiles.get(settings.profile or profiles.DEFAULT)
    source = settings.data or profile.data
    if source != "toy" and not Path(source).is_dir():
        raise UsageError(
            f"--glue-data: found {shown(source)}, which is no folder; expected `toy` or a folder "
            "that holds CoLA/, SST-2/, ... in the glue_data layout"
        )
    for name in settings.models or ():
        models.get(name)
    for name in settings.targets or ():
        targets.get(name)
    if settings.recipe:
        recipes.get(settings.recipe)
    chosen = [tasks.get(name) for name in settings.tasks or profile.tasks]
    return Plan(
        profile=profile,
        data=DataRequest(
            source,
            settings.max_train or profile.max_train,
            settings.max_eval or profile.max_eval,
        ),
        tasks=tuple(dict.fromkeys(task.part_of or task.name for task in chosen)),
        models=settings.models or profile.models,
        targets=settings.targets or profile.targets or targets.present(),
        seeds=settings.seeds or profile.seeds,
        recipe=settings.recipe or profile.recipe,
        epochs=settings.epochs,
        # The profile's expectation is about its own data.
        above_floor=profile.above_floor and source == profile.data,
        named_models=settings.models is not None,
        named_targets=settings.targets is not None,
    )
