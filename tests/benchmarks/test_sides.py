"""Which peers a recipe has, which recipes have none, and how many rows a comparison needs."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from benchmarks.peers import sides
from harness.catalog.recipes import RECIPES
from harness.errors import UsageError
from harness.planning import plan
from harness.planning.options import Settings
from harness.planning.resolve import resolve
from harness.spec import RunConfig

GROUPED, RANDOM = RECIPES["miniature"], RECIPES["run-glue"]


def config(model: str = "toy-bert", recipe: str = "toy") -> RunConfig:
    made = plan.make(
        Settings(tasks=("sst2",), models=(model,), targets=("cpu-fp32",), recipe=recipe)
    )
    return resolve(made.cases[0], made)


def test_a_recipe_is_compared_with_rows_in_the_same_kind_of_order() -> None:
    assert [peer.name for peer in sides.peers_of(GROUPED)] == ["run_glue", "trainer"]
    assert [peer.name for peer in sides.peers_of(RANDOM)] == ["run_glue", "trainer-random"]
    assert [peer.name for peer in sides.peers_of(RANDOM, ("run_glue",))] == ["run_glue"]
    with pytest.raises(UsageError, match="unknown peer of recipe"):
        sides.peers_of(RANDOM, ("trainer",))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, None),
        ({"recipe": "miniature"}, None),
        ({"recipe": "bert-paper"}, "corrects the bias"),
        ({"recipe": "roberta"}, "another schedule"),
        ({"recipe": "notebook"}, "sets no training rows aside"),
        ({"model": "toy-bert+scratch"}, "pretrained models"),
        ({"model": "toy-bert+frozen"}, "pretrained models"),
        ({"model": "cbow"}, "pretrained models"),
    ],
)
def test_what_trainer_cannot_do_is_not_compared(changes: dict[str, Any], why: str | None) -> None:
    found = sides.why_not(config(**changes))
    assert found is None if why is None else found and why in found


def test_every_batch_is_whole() -> None:
    assert sides.whole_steps(3668, RANDOM) == 3648


def test_rows_grouped_by_length_fill_a_whole_group_or_are_all_of_the_task() -> None:
    assert sides.too_few(1600, 67349, GROUPED) is None
    assert "--glue-max-train 1600" in str(sides.too_few(1568, 67349, GROUPED))
    assert sides.too_few(608, 635, GROUPED) is None  # all of them, in whole steps
    assert sides.too_few(576, 635, GROUPED) is not None
    assert sides.too_few(128, 67349, RANDOM) is None  # nothing is grouped
    assert "--glue-max-train 128" in str(sides.too_few(96, 67349, RANDOM))
    assert "another task" in str(sides.too_few(96, 100, GROUPED))


def test_trainers_megabatch_is_that_of_transformers() -> None:
    torch = pytest.importorskip("torch")
    from transformers.trainer_pt_utils import get_length_grouped_indices

    small = dataclasses.replace(GROUPED, batch_size=4)
    for rows in (12, 64, 100, 900):
        lengths = list(range(rows))
        order = get_length_grouped_indices(lengths, 4, generator=torch.Generator().manual_seed(0))
        rises = [place for place in range(2, rows) if order[place] > order[place - 1]]
        # Within a group the rows get shorter; the longest row of all was moved to the front.
        group = sides.trainers_megabatch(rows, small)
        assert all(abs(place % group) <= 1 for place in rises)
        assert len(rises) >= (rows - 1) // group - 1
    assert sides.trainers_megabatch(1600, GROUPED) == 384
    assert sides.trainers_megabatch(6400, GROUPED) == 1600
    assert sides.our_megabatch(6400, GROUPED) == 1600
    assert sides.our_megabatch(640, GROUPED) == 640
