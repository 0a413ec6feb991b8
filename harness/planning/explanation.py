"""Whether a session with --glue-resume would run a case or keep a stored run, and why."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path

from harness.catalog.models import MODELS
from harness.catalog.targets import TARGETS
from harness.catalog.tasks import TASKS
from harness.errors import StorageError, UsageError
from harness.planning.options import Settings
from harness.planning.plan import Plan, make
from harness.planning.project import RESULTS
from harness.planning.resolve import resolve
from harness.planning.resume import Resume, Reuse
from harness.records.store import Store
from harness.spec import Combination
from harness.text.names import MOST_GUESSES, case_of, guesses, one_of
from harness.text.values import shown


@dataclass(frozen=True)
class Explanation:
    """A case, and the stored run that is kept for it or the reasons why none is."""

    case: str
    cell_key: str
    reuse: Reuse
    damaged: list[StorageError]  # records that could not be read


def explain(name: str, settings: Settings) -> Explanation:
    """What `--glue-resume` would do with the case of this id. Raises `GlueBenchError`."""
    name = case_of(name)
    plan = make(settings)
    cases = {case.id: case for case in plan.cases}
    if name not in cases:
        raise UsageError(_unknown(name, plan))
    config = resolve(cases[name], plan)
    resume = Resume(Store(Path(settings.results or RESULTS)))
    return Explanation(name, config.cell_key, resume.find(config), resume.damaged)


def _unknown(name: str, plan: Plan) -> str:
    """The message for a case that is not in the plan."""
    if options := _options_of(name, plan):
        return f"no case {shown(name)} with these options. Fix: say {' '.join(options)}"
    found = [f"'{guess}'" for guess in guesses(name, [case.id for case in plan.cases])]
    hint = f" Did you mean {one_of(found[:MOST_GUESSES])}?" if found else ""
    return (
        f"unknown case {shown(name)}.{hint} Fix: name it as `pytest benchmarks --collect-only -q` "
        "does, with the same options"
    )


def _options_of(name: str, plan: Plan) -> list[str]:
    """The options that add the case of this name to `plan`; none if no known names form it."""
    known = (
        dict.fromkeys([*plan.custom_tasks, *TASKS]),
        dict.fromkeys([*plan.models, *MODELS]),
        TARGETS,
    )
    for task, model, target in itertools.product(*known):
        before = f"{Combination(task, model, target).name}-s"
        seed = name.removeprefix(before)
        if name.startswith(before) and seed.isdecimal():
            planned = {
                f"--glue-tasks {task}": task in plan.tasks,
                f"--glue-models {model}": model in plan.models,
                f"--glue-targets {target}": target in plan.targets,
                f"--glue-seeds {seed},": int(seed) in plan.seeds,
            }
            return [option for option, is_there in planned.items() if not is_there]
    return []
