"""Make the plan of a session: which cases its settings ask for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from harness.catalog import models, profiles, recipes, targets, tasks
from harness.catalog.glue_files import FOLDERS
from harness.catalog.models import Adapted
from harness.catalog.profiles import Profile
from harness.catalog.sources import NAMED
from harness.errors import (
    DataUnavailable,
    ModelUnavailable,
    TargetUnavailable,
    UsageError,
)
from harness.files import paths
from harness.planning.options import Settings
from harness.spec import NOTHING, TEST, Case, DataRequest, Recipe, Target, Task
from harness.text.names import unknown
from harness.text.values import shown, shown_path

NAMED_BY = (
    (DataUnavailable, "data"),
    (ModelUnavailable, "models"),
    (TargetUnavailable, "targets"),
)
"""An error for something that is missing -> the setting with which a user can name it."""
MOST_CASES = 100_000
"""In a session. pytest keeps an item for each: so many take about 10 s and 300 MB."""


@dataclass(frozen=True)
class Plan:
    """The cases of a session, with their tasks, models and targets looked up once.

    `settings` have the profile's values where no option was given.
    """

    profile: Profile
    settings: Settings
    data: DataRequest
    # Each by its name in cases.
    tasks: Mapping[str, Task]
    models: Mapping[str, Adapted]
    targets: Mapping[str, Target]
    seeds: tuple[int, ...]
    recipe: Recipe | None  # None: the default of each model
    named: frozenset[str] = frozenset()  # the settings that the user gave; the profile has others
    custom_tasks: Mapping[str, Task] = field(default_factory=lambda: NOTHING)  # of the task file

    @property
    def cases(self) -> list[Case]:
        """All cases, sorted by task, so that a table of results fills row by row."""
        return [
            Case(task, model, target, seed)
            for task in self.tasks
            for model in self.models
            for target in self.targets
            for seed in self.seeds
        ]

    def expects_above_floor(self, case: Case) -> bool:
        """Whether a run of this case fails if its score is not above its task's floor.

        Only a profile's own models on its own data are expected to learn.
        """
        is_of_profile = self.data.source == self.profile.data and case.model in self.profile.models
        return self.profile.above_floor and is_of_profile and not self.custom_tasks

    def must_have(self, missing: type[Exception], case: Case) -> bool:
        """Whether a run fails if something is missing. It does if the user named that thing.

        Otherwise the run is skipped.
        """
        if issubclass(missing, DataUnavailable) and case.task in self.custom_tasks:
            return True
        return any(issubclass(missing, kind) and key in self.named for kind, key in NAMED_BY)


def _find_task(name: str, custom: Mapping[str, Task]) -> Task:
    key = name.strip().lower()
    if custom and key not in {*custom, *tasks.TASKS, *tasks.ALIASES}:
        raise UsageError(unknown("task", name, [*custom, *tasks.TASKS]))
    return custom.get(key) or tasks.get(name)


def checked_source(source: str, option: str) -> str:
    """`source`, which `option` named. Raises `UsageError` where it holds no rows."""
    if source in NAMED:
        return source
    folder = Path(source)
    expected = "expected `toy`, `hub` or a folder that holds CoLA/, SST-2/ and so on"
    if why := paths.why_no_folder(folder):
        raise UsageError(
            f"{option}: found {shown(source)}, which is not a folder ({why}); {expected} in the "
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
    """Whether a folder has the folder of at least one task of the glue_data layout."""
    return any(paths.is_folder(folder / name) for name in FOLDERS)


def make(settings: Settings) -> Plan:
    """The plan for `settings`. It checks all names and loads nothing. Raises `UsageError`."""
    with settings.naming("profile"):
        profile = profiles.get(settings.profile or profiles.DEFAULT)
    complete = _complete(settings, profile)
    source = checked_source(str(complete.data), settings.origins.get("data", "data"))
    with settings.naming("targets"):
        chosen_targets = {name: targets.get(name) for name in complete.targets or ()}
    with settings.naming("models"):
        chosen_models = models.choose(complete.models or ())
    with settings.naming("recipe"):
        recipe = recipes.get(complete.recipe) if complete.recipe else None
    custom: Mapping[str, Task] = {}
    if settings.task_file:
        # Imported here, since it needs pydantic, which the plugin itself does not import.
        from harness.catalog import task_file

        custom = task_file.read(Path(settings.task_file))
    with settings.naming("tasks"):
        chosen = [_find_task(name, custom) for name in settings.tasks or custom or profile.tasks]
    # What the user named must exist; what only the profile names may be missing.
    needed = [TEST] if settings.predict_test else []
    needed += [task.name for task in chosen if task.part_of and settings.tasks]
    predict_test = bool(complete.predict_test)
    plan = Plan(
        profile=profile,
        settings=complete,
        data=DataRequest(
            source, complete.max_train, complete.max_eval, predict_test, tuple(needed)
        ),
        tasks={task.name: task for task in map(_trained_task, chosen)},
        models=chosen_models,
        targets=chosen_targets,
        seeds=complete.seeds or (),
        recipe=recipe,
        named=frozenset(
            field.name for field in fields(settings) if getattr(settings, field.name) is not None
        ),
        custom_tasks=custom,
    )
    _check_count(plan)
    return plan


def _complete(settings: Settings, profile: Profile) -> Settings:
    """The settings, with the profile's values where no option was given."""
    predict_test = settings.predict_test
    return replace(
        settings,
        data=settings.data or profile.data,
        models=settings.models or profile.models,
        targets=settings.targets
        or (targets.fastest() if profile.best_target else targets.defaults()),
        seeds=settings.seeds or profile.seeds,
        recipe=settings.recipe or profile.recipe,
        max_train=settings.max_train or profile.max_train,
        max_eval=settings.max_eval or profile.max_eval,
        predict_test=profile.predict_test if predict_test is None else predict_test,
        timeout=settings.timeout or profile.timeout,
    )


def _trained_task(task: Task) -> Task:
    """The task whose models predict this one: MNLI for `ax`, the task itself for all others."""
    return tasks.get(task.part_of) if task.part_of else task


def _check_count(plan: Plan) -> None:
    """Raise `UsageError` for more cases than a session can hold."""
    axes = (plan.tasks, plan.models, plan.targets, plan.seeds)
    if (count := math.prod(map(len, axes))) > MOST_CASES:
        tasks, models, targets, seeds = map(len, axes)
        raise UsageError(
            f"found {count:,} cases: {tasks:,} task(s) x {models:,} model(s) x {targets:,} "
            f"target(s) x {seeds:,} seed(s); expected at most {MOST_CASES:,} in a session. Fix: "
            "start several sessions with the same --glue-results, each with a part of "
            "--glue-tasks, --glue-models or --glue-seeds"
        )
