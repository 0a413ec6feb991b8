"""A pytest project with a baseline, and runs whose scores a test sets."""

from __future__ import annotations

import random
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest

from harness.records.schema import Outcome
from harness.spec import RunConfig
from harness.system import environment
from tests.support.builders import outcome
from tests.support.engines import ANSWERS, FakeEngine
from tests.support.pytest_project import glue_bench, run

COMMIT = "c" * 40
CELL = "sst2-toy-bert-cpu-fp32"
GATED = ("--glue-targets", "cpu-fp32", "--glue-baseline", "main")
SST2, BOTH = ("-k", "sst2", *GATED), ("-k", "sst2 or rte", *GATED)


@pytest.fixture
def code(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """This code's commit, clean, and on main; what is put here is what records say."""
    facts = {**environment.facts(), "commit": COMMIT, "branch": "main", "dirty": False}
    monkeypatch.setattr("harness.system.environment.facts", lambda project=None: dict(facts))
    monkeypatch.setattr("harness.system.git.why_not_on", lambda *where: None)
    return facts


def scoring(mean: float, *, unlucky: Collection[int] = (), **changed: Any) -> None:
    """Let every run from here on score `mean`, give or take what its seed gives.

    `unlucky` seeds score 3 points less.
    """

    def answer(config: RunConfig) -> Outcome:
        draw = random.Random(f"{config.case.id}/{mean}")
        score = mean + draw.gauss(0, 0.004) - (0.03 if config.case.seed in unlucky else 0)
        return outcome(**{
            "score": score, "metrics": {"validation": {"accuracy": score}},
            "first_losses": [draw.random(), draw.random()], **changed,
        })  # fmt: skip

    ANSWERS[0] = answer


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the first test that is `gated` leaves its baseline for the others."""
    return tmp_path_factory.mktemp("gated") / "saved"


@pytest.fixture
def gated(
    project: pytest.Pytester,
    code: dict[str, Any],
    engines: list[FakeEngine],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    saved: Path,
) -> pytest.Pytester:
    """A project with a baseline of ten seeds of sst2 and rte, all at 0.9."""
    scoring(0.90)
    if saved.exists():
        shutil.copytree(saved, project.path, dirs_exist_ok=True)
        return project
    seeds = ("--glue-seeds", "10", "--glue-results", "b")
    assert run(project, "-k", "(sst2 or rte) and fp32", *seeds).ret == 0
    words = ("baseline", "save", "main", "b", "--reason", "the first")
    assert glue_bench(capsys, monkeypatch, *words)[0] == 0
    shutil.copytree(project.path, saved)
    engines.clear()
    return project


def judged(project: pytest.Pytester, *args: str) -> pytest.RunResult:
    """A gated session on five seeds that the baseline has not had."""
    return run(project, "--glue-seeds", "60,61,62,63,64", *args)
