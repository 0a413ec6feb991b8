"""The gate's options in pytest sessions: policy, subject, and where they are read from."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.gate_project import SST2, judged, scoring
from tests.support.pytest_project import ARGS, run


@pytest.mark.parametrize(
    ("mean", "policy", "exit_code"),
    [
        (0.87, "strict", 1), (0.87, "normal", 1), (0.87, "report", 0),
        (0.90, "strict", 1), (0.90, "normal", 0), (0.90, "report", 0),
    ],
    ids=str,
)  # fmt: skip
def test_the_policy_says_which_verdicts_fail(
    mean: float, policy: str, exit_code: int, gated: pytest.Pytester
) -> None:
    scoring(mean)
    outcome = "failed" if exit_code else "skipped"
    found = judged(gated, *SST2, "--glue-policy", policy, "-rs")
    found.assert_outcomes(passed=5, deselected=48, **{outcome: 1})
    assert found.ret == exit_code
    spared = {"normal": "cannot tell", "report": "worse" if mean == 0.87 else "cannot tell"}
    if exit_code == 0:
        line = f"warning: 1 {spared[policy]}: the policy {policy} lets them pass"
        found.stdout.fnmatch_lines([line])


def test_the_gates_options_have_a_table_of_their_own(gated: pytest.Pytester) -> None:
    scoring(0.87)
    table = '[tool.glue-bench.gate]\npolicy = "report"\nsubject = ["model", "code"]\n'
    gated.makefile(".toml", pyproject=f"[tool.pytest]\n{table}")
    assert judged(gated, *SST2).ret == 0
    assert judged(gated, *SST2, "--glue-policy", "normal").ret == 1
    found = judged(gated, *SST2, "--glue-subject", "modle")
    assert found.ret == 4
    found.stderr.fnmatch_lines(["*--glue-subject: found 'modle'; unknown subject*model*"])
    gated.makefile(".toml", pyproject="[tool.pytest]\n[tool.glue-bench.gate]\nmargin = 1\n")
    found = judged(gated, *SST2)
    assert found.ret == 4
    found.stderr.fnmatch_lines(["*[[]tool.glue-bench.gate] has an unknown key 'margin'*"])


def test_another_recipe_is_compared_as_the_change_of_another_commit(
    gated: pytest.Pytester, code: dict[str, Any]
) -> None:
    found = judged(gated, *SST2, "--glue-epochs", "1")
    found.stdout.fnmatch_lines(["*recipe.epochs: was *, is 1. Fix: --glue-subject recipe*"])
    assert found.ret == 1
    assert judged(gated, *SST2, "--glue-epochs", "1", "--glue-subject", "recipe").ret == 0
    code["commit"] = "d" * 40
    found = judged(gated, *SST2, "--glue-epochs", "1")
    found.stdout.fnmatch_lines(["*what is compared: recipe.epochs: was *, is 1*"])
    assert found.ret == 0


def test_settings_that_pytest_does_not_read_are_an_error(
    gated: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = gated.path / "team"
    (inner / "benchmarks").mkdir(parents=True)
    (inner / "pyproject.toml").write_text('[tool.glue-bench.gate]\npolicy = "strict"\n')
    gated.makepyfile(**{"team/benchmarks/test_mine": "def test_mine(glue_run, glue_case): pass"})
    (gated.path / "pyproject.toml").unlink(missing_ok=True)
    (gated.path / "pytest.ini").write_text("[pytest]\n")
    monkeypatch.chdir(inner)
    found = gated.runpytest_inprocess("benchmarks", *ARGS)
    assert found.ret == pytest.ExitCode.INTERRUPTED
    found.stdout.fnmatch_lines(["*team/pyproject.toml: its [[]tool.glue-bench] is not read*"])


def test_a_threshold_that_fits_no_cell_is_named(gated: pytest.Pytester) -> None:
    limits = '"rte-*" = { score = "9pt" }\n"mrpc-mine-*" = { score = "2pt" }\n'
    gated.makefile(".toml", pyproject=f"[tool.pytest]\n[tool.glue-bench.thresholds]\n{limits}")
    found = judged(gated, *SST2, "--glue-tasks", "sst2,rte").stdout.str()
    name = "[tool.glue-bench.thresholds] 'mrpc-mine-*' fits no cell of this session or the baseline"
    assert name in found
    assert "'rte-*' fits" not in found


def test_a_cell_that_the_projects_file_no_longer_has_is_gone(gated: pytest.Pytester) -> None:
    """The file is part of the change under test. What is typed only narrows the session."""
    fp32 = ("--glue-targets", "cpu-fp32", "--glue-baseline", "main")
    gated.makefile(".toml", pyproject='[tool.pytest]\n[tool.glue-bench]\ntasks = "sst2"\n')
    found = judged(gated, *fp32)
    assert found.ret == 1
    found.stdout.fnmatch_lines([
        "*accept main rte-toy-bert-cpu-fp32 --gone*",
        "FAILED *test_regression[[]rte-toy-bert-cpu-fp32]*",
    ])  # fmt: skip
    found = judged(gated, *fp32, "--glue-tasks", "sst2")
    assert found.ret == 0
    found.stdout.fnmatch_lines(
        ["*cells of the baseline that are not judged: rte-toy-bert-cpu-fp32"]
    )


def test_settings_of_a_project_below_the_rootdir_are_an_error(gated: pytest.Pytester) -> None:
    inner = gated.path / "team"
    (inner / "benchmarks").mkdir(parents=True)
    (inner / "pyproject.toml").write_text('[tool.glue-bench]\ntasks = "rte"\n')
    (inner / "benchmarks" / "test_mine.py").write_text("def test_mine(glue_run, glue_case): pass")
    found = gated.runpytest_inprocess("team/benchmarks", *ARGS)
    assert found.ret == pytest.ExitCode.INTERRUPTED
    found.stdout.fnmatch_lines(["*team/pyproject.toml: its [[]tool.glue-bench] is not read*"])


def test_settings_beside_another_rootdir_are_an_error(gated: pytest.Pytester) -> None:
    gated.makefile(".toml", pyproject='[tool.glue-bench.gate]\npolicy = "strict"\n')
    (gated.path / "ci").mkdir()
    (gated.path / "ci" / "pytest.ini").write_text("[pytest]\n")
    found = judged(gated, *SST2, "-c", "ci/pytest.ini")
    assert found.ret == pytest.ExitCode.USAGE_ERROR
    found.stderr.fnmatch_lines(["*pyproject.toml: its [[]tool.glue-bench] is not read*"])


def test_the_messages_name_the_table_of_a_value(gated: pytest.Pytester) -> None:
    gated.makefile(".toml", pyproject='[tool.pytest]\n[tool.glue-bench.gate]\npolicy = "hard"\n')
    found = judged(gated, *SST2)
    found.stderr.fnmatch_lines(["*pyproject.toml: [[]tool.glue-bench.gate] policy: found 'hard'*"])


def test_the_gates_settings_of_the_file_wait_for_a_baseline(project: pytest.Pytester) -> None:
    table = "[tool.glue-bench.gate]\nrecheck = 10\nmax-seeds = 20\n"
    project.makefile(".toml", pyproject=f"[tool.pytest]\n{table}")
    sst2 = ("-k", "sst2 and fp32", "--glue-seeds", "5")
    assert run(project, *sst2).ret == 0
    for typed in (("--glue-recheck", "10"), ("--glue-max-seeds", "20")):
        assert run(project, *sst2, *typed).ret == pytest.ExitCode.USAGE_ERROR
