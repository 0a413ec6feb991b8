"""The project that `glue-bench init` writes, used by a team: from a wheel, with real runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import team as teams
from tests.support import wheels
from tests.support.team import CELL, Team

AGAINST_BASELINE = ("benchmarks", "--glue-baseline", "main", "--glue-seeds", "3")
SLOW_HOOK = """
import time

from torch.nn.modules import module


@module.register_module_forward_pre_hook
def log(layer, _):
    if type(layer).__name__ == "Embedding":  # three in each step
        time.sleep(0.1)
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Team:
    folder = tmp_path_factory.mktemp("team")
    programs = wheels.environment(folder / "env", wheels.build(folder / "dist"))
    return teams.made(folder / "repository", programs)


@pytest.fixture(scope="module")
def saved(made: Team) -> Team:
    """The repository with a baseline of five seeds, committed."""
    made.run("pytest", "benchmarks", "--glue-seeds", "5")
    said = made.run("glue-bench", "baseline", "save", "main", "--reason", "the first")
    assert "runs: 5" in said
    made.commit("Baseline")
    return made


@pytest.fixture
def team(saved: Team, tmp_path: Path) -> Team:
    return saved.copy(tmp_path / "repository")


def test_a_new_project_has_cases(made: Team) -> None:
    said = made.run("pytest", "benchmarks", "--collect-only")
    assert f"test_finetune.py::test_finetune[{CELL}-s42]" in said
    assert "env/lib" in made.run("python", "-c", "import harness; print(harness.__file__)")


@pytest.mark.slow
def test_a_healthy_change_is_green(team: Team) -> None:
    teams.add_noise(team, 1e-6)
    team.commit("The same checkpoint, saved again")
    said = team.run("pytest", *AGAINST_BASELINE, "--glue-policy", "strict")
    assert "verdicts: 1 not worse" in said


@pytest.mark.slow
def test_a_worse_checkpoint_is_red_until_it_is_accepted(team: Team) -> None:
    teams.add_noise(team, 2)
    team.commit("A checkpoint whose training broke")
    said = team.run("pytest", *AGAINST_BASELINE, code=1)
    assert f"test_regression[{CELL}]" in said
    assert "verdicts: 1 worse" in said
    report = team.run("glue-bench", "compare", "main", "results/local", code=1)
    assert "model_files.model.safetensors" in report
    team.run("glue-bench", "baseline", "accept", "main", CELL, "--reason", "half the size")
    team.commit("Accept the loss")
    said = team.run("pytest", *AGAINST_BASELINE)
    assert "worse" not in said.partition("verdicts:")[2].replace("not worse", "")


@pytest.mark.slow
def test_slow_code_of_the_team_is_red(made: Team, tmp_path: Path) -> None:
    """A hook that somebody forgot in conftest.py; it is in the process of inline runs only."""
    team = made.copy(tmp_path / "repository")
    (team.folder / "conftest.py").write_text(SLOW_HOOK)
    said = team.run(
        "glue-bench", "ab", "--a", "main", "-k", "s42", "--pairs", "5", "--",
        "--glue-engine", "inline", "--glue-max-train", "160", "--glue-epochs", "1", code=1,
    )  # fmt: skip
    assert CELL in said
    assert "verdicts: 1 worse" in said
