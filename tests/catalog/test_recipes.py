"""Recipes against what was published of them."""

from __future__ import annotations

import pytest

from harness.catalog import profiles, recipes, targets, tasks
from harness.data import sample
from harness.errors import UsageError
from harness.planning import options, plan
from harness.planning.resolve import from_json, recipe_for, to_json
from harness.spec import Case, DataRequest, Recipe, Split
from tests.support.configs import resolved
from tests.support.locations import ROOT


def test_the_docs_have_every_recipe_in_both_parts() -> None:
    table, reasons = (ROOT / "docs" / "recipes.md").read_text().split("## Why each")
    for name in recipes.RECIPES:
        assert f"\n| `{name}` |" in table, f"docs/recipes.md: expected a row of the table: {name}"
        assert f"**`{name}`**" in reasons, f"docs/recipes.md: expected under Why each: **`{name}`**"


def test_every_recipe_has_a_source_and_sane_numbers() -> None:
    for recipe in recipes.RECIPES.values():
        assert len(recipe.source) > 20, (
            f"{recipe.name}: harness/catalog/recipes.py: source is {recipe.source!r}; expected a "
            "paper, a program, or what the numbers were chosen on"
        )
        assert 1e-6 < recipe.learning_rate <= 1e-2
        assert 0 <= recipe.warmup < 1
        assert 0 <= recipe.held_out < 1
        assert set(recipe.epochs_of) <= set(tasks.TASKS)


@pytest.mark.parametrize(
    ("name", "rate", "epochs", "batch", "length", "warmup", "decay", "eps", "corrected"),
    [
        ("run-glue", 2e-5, 3, 32, 128, 0.0, 0.0, 1e-8, True),
        ("bert-paper", 2e-5, 3, 32, 128, 0.1, 0.01, 1e-6, False),
        ("notebook", 2e-5, 4, 32, 64, 0.0, 0.0, 1e-8, True),
        ("stable", 2e-5, 20, 16, 128, 0.1, 0.01, 1e-6, True),
        ("roberta", 2e-5, 10, 32, 512, 0.06, 0.1, 1e-6, True),
        ("miniature", 1e-4, 4, 32, 128, 0.1, 0.01, 1e-6, True),
    ],
)
def test_published_hyper_parameters(
    name: str, rate: float, epochs: int, batch: int, length: int, warmup: float, decay: float,
    eps: float, corrected: bool,
) -> None:  # fmt: skip
    row = recipes.get(name)
    assert (row.learning_rate, row.epochs, row.batch_size, row.max_length) == (
        rate, epochs, batch, length,
    )  # fmt: skip
    assert (row.warmup, row.weight_decay, row.eps, row.bias_correction) == (
        warmup, decay, eps, corrected,
    )  # fmt: skip
    assert row.grad_clip == (None if name == "roberta" else 1.0)
    # Their code takes int() of the warm-up's steps; Trainer, and what is our own, rounds up.
    assert row.warmup_rounds_up is (name not in ("bert-paper", "stable", "roberta"))
    assert row.decays_from_start is (name == "bert-paper")


@pytest.mark.cases
@pytest.mark.parametrize(
    ("name", "difference"),
    [
        ("bert-paper", "batches go on over the end of an epoch"),
        ("stable", "kept the best weights; here the last ones are scored"),
        ("roberta", "batches of 16 for CoLA, RTE, MRPC and STS-B"),
        ("miniature", "bias correction, a fall from the peak and grouping by length are our own"),
    ],
)
def test_a_recipe_says_where_it_is_not_its_sources(name: str, difference: str) -> None:
    assert difference in recipes.get(name).source.partition("Differs: ")[2]


def test_run_glue_trains_two_tasks_longer() -> None:
    own = {
        name: recipe_for(tasks.TASKS[name], recipes.get("run-glue")).epochs for name in tasks.GLUE_9
    }
    assert {name for name, epochs in own.items() if epochs == 5} == {"mrpc", "wnli"}
    assert set(own.values()) == {3, 5}


def test_the_notebook_has_241_steps_an_epoch() -> None:
    rows = tasks.TASKS["cola"].rows["train"]
    whole = Split([("x",)] * rows, [0] * rows, range(rows))
    left = sample.without(whole, recipes.get("notebook").held_out, seed=42)
    assert len(left) == 7695
    assert -(-len(left) // 32) == 241
    assert list(left.ids) == sorted(set(left.ids))
    assert left.ids != sample.without(whole, 0.1, seed=43).ids
    assert sample.without(whole, 0.0, seed=42) is whole


def test_profiles_mean_what_they_say() -> None:
    quick = plan.make(options.Settings(profile="quick"))
    assert (quick.data.source, quick.data.max_train, quick.data.predict_test) == (
        "hub",
        2000,
        False,
    )
    assert len(quick.cases) == 6 * 1 * len(targets.defaults()) * 3
    paper = plan.make(options.Settings(profile="paper"))
    assert {case.task for case in paper.cases} == set(tasks.GLUE_9)  # ax is MNLI's
    assert {case.target for case in paper.cases} == set(targets.fastest())
    assert (len(paper.cases), paper.settings.recipe, paper.data.predict_test) == (
        9 * 5,
        "run-glue",
        True,
    )
    assert not paper.profile.above_floor
    for profile in profiles.PROFILES.values():
        assert profile.note


@pytest.mark.parametrize(
    ("present", "has_bf16", "best"),
    [
        (("cpu-fp32", "cpu-bf16"), False, "cpu-fp32"),
        (("cpu-fp32", "cpu-bf16"), True, "cpu-bf16"),
        (("cpu-fp32", "cpu-bf16", "cuda-fp32", "cuda-bf16"), False, "cuda-bf16"),
        (("cpu-fp32", "cpu-bf16", "mps-fp32"), False, "mps-fp32"),
    ],
)
def test_the_best_target_of_a_machine(monkeypatch, present, has_bf16, best) -> None:
    monkeypatch.setattr(targets, "defaults", lambda: present)
    monkeypatch.setattr(targets, "cpu_has_bf16", lambda: has_bf16)
    assert targets.fastest() == (best,)


def test_an_option_replaces_its_own_column(tmp_path) -> None:
    (tmp_path / "RTE").mkdir()
    made = plan.make(
        options.Settings(profile="paper", predict_test=False, data=str(tmp_path), seeds=(1,))
    )
    assert not made.data.predict_test
    assert made.data.source == str(tmp_path)
    assert (made.settings.recipe, {case.seed for case in made.cases}) == ("run-glue", {1})
    assert "data" in made.named
    assert "models" not in made.named


def test_an_unknown_recipe_is_told_the_nearest() -> None:
    with pytest.raises(UsageError, match="Did you mean 'notebook'"):
        recipes.get("notebok")


def test_a_whole_recipe_is_taken_as_it_is() -> None:
    own = Recipe("mine", "", learning_rate=1e-3, epochs=1, batch_size=8, max_length=16)
    config = resolved(Case("rte", "cbow", "cpu-fp32", 1), DataRequest(), recipe=own, threads=1)
    assert config.recipe == own
    assert from_json(to_json(config)).recipe == own
