"""The names that a command gives to the model and the recipe of a stored run."""

from __future__ import annotations

import dataclasses

import pytest

from harness.catalog import adaptations, recipes, tasks
from harness.planning import command, plan
from harness.planning.options import Settings
from harness.planning.resolve import recipe_for, resolve
from harness.spec import Case
from tests.support import builders

OWN = {
    "toy-bert": ("", "+scratch", "+frozen", "+lora", "+bitfit", "+scratch+bitfit"),
    "cbow": ("",),
}


@pytest.mark.parametrize("name", [f"{own}{end}" for own, ends in OWN.items() for end in ends])
def test_a_models_own_name_is_known_from_the_runs_identity(name: str) -> None:
    made = plan.make(Settings(models=(name,), tasks=("rte",), data="toy"))
    (model,) = made.models
    identity = dict(resolve(made.cases[0], made).identity)
    own = adaptations.base_name(model, identity)
    assert own in OWN
    assert f"{own}{adaptations.suffixes(made.models[model].adaptations)}" == model
    run = builders.record(Case("rte", model, "cpu-fp32", 1), identity=identity)
    assert command.model_of(run) == model


def test_a_folder_is_for_the_user_to_name() -> None:
    run = builders.record(
        Case("rte", "mine+lora", "cpu-fp32", 1), identity={"adaptation": {"method": "lora"}}
    )
    assert command.model_of(run) == "path/to/mine+lora"
    run = builders.record(Case("rte", "org/mine", "cpu-fp32", 1))
    assert command.model_of(run) == "org/mine"


@pytest.mark.parametrize("task", ["rte", "mnli"])
@pytest.mark.parametrize("name", recipes.RECIPES)
def test_the_epochs_that_were_asked_for_are_told_from_the_recipes_own(name: str, task: str) -> None:
    row = tasks.get(task)
    own = recipe_for(row, recipes.get(name))
    assert recipes.row_of(dataclasses.asdict(own)) == (name, None)
    longer = recipe_for(row, recipes.get(name), own.epochs + 4)
    assert recipes.row_of(dataclasses.asdict(longer)) == (name, own.epochs + 4)
    assert recipes.row_of({}) == (None, None)
