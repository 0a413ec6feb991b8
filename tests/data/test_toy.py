"""The rows of the toy world: the same everywhere, shaped like GLUE's, noisy and balanced."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from statistics import fmean

import pytest

from harness.catalog import tasks
from harness.catalog.tasks import GLUE_9
from harness.data import toy
from harness.data.toy.lexicon import COAST, TOWN, members
from harness.spec import Split

TASKS = {name: tasks.TASKS[name] for name in tasks.DATA_SETS}
CLASSIFICATION = [task for task in GLUE_9 if not TASKS[task].is_regression]

# Prints a digest of every row of every task; run again in a process with another hash seed.
DIGEST = """
import hashlib, json, sys
from harness.data.toy import generate
from harness.catalog.tasks import DATA_SETS
rows = {
    task: {name: [list(map(list, split.texts)), split.labels] for name, split in splits.items()}
    for task, splits in ((task, generate(task)) for task in DATA_SETS)
}
heavy = {"torch", "transformers", "datasets", "numpy"} & sys.modules.keys()
print(hashlib.sha256(json.dumps(rows).encode()).hexdigest(), sorted(heavy))
"""


def labelled(task: str, noise: float = toy.NOISE) -> dict[str, Split]:
    splits = toy.generate(task, noise)
    return {name: split for name, split in splits.items() if split.labels is not None}


def digest_in_process(hash_seed: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", DIGEST],
        check=True, capture_output=True, text=True,
        cwd=Path(toy.__file__).parents[3],
        env=os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": "."},
    ).stdout.strip()  # fmt: skip


def test_the_same_rows_in_every_process_without_a_heavy_import() -> None:
    first, second = digest_in_process("1"), digest_in_process("2")
    assert first == second
    assert first.endswith("[]"), "generating imported a heavy package"


def test_the_same_rows_on_every_call() -> None:
    first, second = toy.generate("rte"), toy.generate("rte")
    assert [(s.texts, s.labels) for s in first.values()] == [
        (s.texts, s.labels) for s in second.values()
    ]


def test_version_names_these_rows() -> None:
    rows = [[split.texts, split.labels] for t in TASKS for split in toy.generate(t).values()]
    found = hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16]
    assert (toy.VERSION, found) == (1, "284399c9329afc88"), (
        "rows changed: raise VERSION, pretrain anew"
    )


@pytest.mark.parametrize("task", TASKS)
def test_splits_are_the_tasks(task: str) -> None:
    row, splits = TASKS[task], toy.generate(task)
    assert set(splits) == set(row.rows) | ({"ax"} if task == "mnli" else set())
    for name, split in splits.items():
        assert list(split.ids) == list(range(len(split.texts)))
        assert len(split) >= 100
        assert {len(texts) for texts in split.texts} == {len(row.text_columns)}
        assert (split.labels is None) == (name.startswith("test") or name == "ax")
    assert all(len(splits[name]) == 250 for name in row.evaluated)


def test_ax_is_shared() -> None:
    assert toy.generate("mnli")["ax"].texts == toy.generate("ax")["test"].texts


@pytest.mark.parametrize("task", CLASSIFICATION)
def test_labels_in_range_noisy_and_balanced(task: str) -> None:
    classes = len(TASKS[task].labels)
    true = labelled(task, noise=0)
    for name, split in labelled(task).items():
        labels, clean = split.labels or (), true[name].labels or ()
        assert split.texts == true[name].texts, "noise may change labels only"
        assert set(labels) == set(range(classes))
        assert all(type(x) is int for x in labels)
        wrong = fmean(a != b for a, b in zip(labels, clean, strict=True))
        assert 0.055 <= wrong <= 0.065, name
        majority = max(Counter(labels).values()) / len(labels)
        assert 1 / classes <= majority <= (0.68 if classes == 2 else 0.45), name


def test_scores_of_stsb() -> None:
    true = labelled("stsb", noise=0)
    for name, split in labelled("stsb").items():
        scores, clean = split.labels or (), true[name].labels or ()
        assert all(type(x) is float and 0 <= x <= 5 for x in scores)
        assert all(abs(x * 5 - round(x * 5)) < 1e-9 for x in scores), "steps of 0.2"
        assert len(set(scores)) > 15
        error = fmean(abs(a - b) for a, b in zip(scores, clean, strict=True))
        assert 0.1 < error < 0.4, name


@pytest.mark.parametrize("task", TASKS)
def test_no_row_twice(task: str) -> None:
    splits = toy.generate(task)
    rows = [frozenset(row) for split in splits.values() for row in split.texts]
    assert len(rows) == len(set(rows)), "also not with its two texts exchanged"


def test_mismatched_sets_have_their_own_nouns() -> None:
    splits = toy.generate("mnli")
    for region, names in ((COAST, ("train", "validation_matched")), (TOWN, ("test_mismatched",))):
        strange = {*members(region.people), *members(region.things), *region.places}
        for name in names:
            assert not any(strange & set(" ".join(row).split()) for row in splits[name].texts)
