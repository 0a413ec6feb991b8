"""From settings to cases: what a session will run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.catalog import models, profiles, recipes, targets, tasks
from harness.catalog.glue_files import FOLDERS
from harness.catalog.models import Adapted
from harness.catalog.profiles import Profile
from harness.errors import UsageError
from harness.files import paths
from harness.planning.options import Settings
from harness.spec import HUB, NOTHING, TEST, TOY, Case, DataRequest, Task
from harness.text.names import unknown
from harness.text.values import shown, shown_path

MOST_CASES = 100_000
"""Of a session: pytest holds each as an item, about 10 s and 300 MB of them."""


@dataclass(frozen=True)
class Plan:
    """The cases of a session and what is common to them."""

    profile: Profile
    data: DataRequest
    tasks: tuple[str, ...]
    models: Mapping[str, Adapted]  # by their names in cases
    targets: tuple[str, ...]
    seeds: tuple[int, ...]
    recipe: str | None
    epochs: int | None
    above_floor: bool  # the profile expects that of its own models on its own data
    named_models: bool  # by the user: one that is not here fails; the profile's is skipped
    named_targets: bool  # likewise
    named_data: bool  # likewise
    timeout: float  # seconds after which a run is stopped
    own_tasks: Mapping[str, Task] = field(default_factory=lambda: NOTHING)  # of the user's
    vectors: str | None = None  # the file of word vectors that networks may start from
    save_models: str | None = None  # the folder that fine-tuned models are put in
    resume: bool = False  # a stored run with the same inputs stands for a case

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

    def expects_above_floor(self, case: Case) -> bool:
        """Whether a run of this case that ends at its floor fails: the profile's own would."""
        return self.above_floor and case.model in self.profile.models and not self.own_tasks


def _task(name: str, own: Mapping[str, Task]) -> Task:
    key = name.strip().lower()
    if own and key not in {*own, *tasks.TASKS, *tasks.ALIASES}:
        raise UsageError(unknown("task", name, [*own, *tasks.TASKS]))
    return own.get(key) or tasks.get(name)


def checked_source(source: str, option: str) -> str:
    """A source of rows, which `option` named. Raises `UsageError` where there is none."""
    if source in (TOY, HUB):
        return source
    folder = Path(source)
    expected = "expected `toy`, `hub` or a folder that holds CoLA/, SST-2/ and so on"
    if why := paths.why_no_folder(folder):
        raise UsageError(
            f"{option}: found {shown(source)}, which is no folder ({why}); {expected} in the "
            "glue_data layout"
        )
    if _holds_glue(folder):
        return source
    try:
        others = [folder.absolute().parent, *sorted(folder.iterdir())]
    except OSError as error:
        raise UsageError(f"{option}: {shown(source)}: {paths.reason(error)}; {expected}") from None
    near = next(filter(_holds_glue, others), None)
    hint = f". Did you mean {shown_path(near)}?" if near else ""
    raise UsageError(f"{option}: {shown(source)} holds no folder of a task; {expected}{hint}")


def _holds_glue(folder: Path) -> bool:
    """Whether a folder has a task's folder where the glue_data layout has it."""
    return any(paths.is_folder(folder / name) for name in FOLDERS)


def make(settings: Settings) -> Plan:
    """The plan that `settings` mean. Names are checked here; nothing is loaded.

    Raises `UsageError`.
    """
    with settings.naming("profile"):
        profile = profiles.get(settings.profile or profiles.DEFAULT)
    source = checked_source(settings.data or profile.data, settings.said.get("data", "data"))
    with settings.naming("targets"):
        for name in settings.targets or ():
            targets.get(name)
    with settings.naming("models"):
        chosen_models = models.choose(settings.models or profile.models)
    if settings.recipe:
        with settings.naming("recipe"):
            recipes.get(settings.recipe)
    own: Mapping[str, Task] = {}
    if settings.task_file:
        from harness.catalog import (
            task_file,  # checks with pydantic, which the plugin can do without
        )

        own = task_file.read(Path(settings.task_file))
    with settings.naming("tasks"):
        chosen = [_task(name, own) for name in settings.tasks or own or profile.tasks]
    needed = [TEST] if settings.predict_test else []
    needed += [task.name for task in chosen if task.part_of and settings.tasks]
    plan = Plan(
        profile=profile,
        data=DataRequest(
            source,
            settings.max_train or profile.max_train,
            settings.max_eval or profile.max_eval,
            bool(profile.predict_test if settings.predict_test is None else settings.predict_test),
            needed=tuple(needed),
        ),
        tasks=tuple(dict.fromkeys(task.part_of or task.name for task in chosen)),
        models=chosen_models,
        targets=settings.targets or (targets.best() if profile.best_target else targets.present()),
        seeds=settings.seeds or profile.seeds,
        recipe=settings.recipe or profile.recipe,
        epochs=settings.epochs,
        # The profile's expectation is about its own data; a user's task has none.
        above_floor=profile.above_floor and source == profile.data,
        named_models=settings.models is not None,
        named_targets=settings.targets is not None,
        named_data=settings.data is not None,
        own_tasks=own,
        timeout=settings.timeout or profile.timeout,
        vectors=settings.vectors,
        save_models=settings.save_models,
        resume=bool(settings.resume),
    )
    _check_count(plan)
    return plan


def _check_count(plan: Plan) -> None:
    """Raise `UsageError` for more cases than a session can hold."""
    sides = (plan.tasks, plan.models, plan.targets, plan.seeds)
    if (count := math.prod(map(len, sides))) > MOST_CASES:
        tasks, models, targets, seeds = map(len, sides)
        raise UsageError(
            f"found {count:,} cases: {tasks:,} task(s) x {models:,} model(s) x {targets:,} "
            f"target(s) x {seeds:,} seed(s); expected at most {MOST_CASES:,} in a session. Mend: "
            "several sessions with the same --glue-results, each with a part of --glue-tasks, "
            "--glue-models or --glue-seeds"
        )
