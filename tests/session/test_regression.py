"""The gate in pytest sessions: what is red, what is skipped, and what must never be green."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.records.store import Store
from tests.support import scoreboard
from tests.support.builders import outcome
from tests.support.engines import ANSWERS, FakeEngine
from tests.support.gate_project import BOTH, CELL, GATED, SST2, judged, scoring
from tests.support.pytest_project import ARGS, glue_bench, run


def test_an_item_per_cell_comes_last_and_says_what_it_found(gated: pytest.Pytester) -> None:
    gated.makefile(
        ".toml", pyproject='[tool.pytest]\n[tool.glue-bench.thresholds]\n"*" = {score="2pt"}'
    )
    found = judged(gated, *BOTH, "-v")
    found.assert_outcomes(passed=12, deselected=42)
    found.stdout.fnmatch_lines([
        "  baseline main: 20 runs, commit ccccccc, save of *; judged: 2",
        "*test_finetune*",
        f"benchmarks/test_regression.py::test_regression[[]{CELL}] PASSED*",
        "*test_regression[[]rte-toy-bert-cpu-fp32] PASSED*",
        "*= verdicts against the baseline main =*",
        "score x 100, higher is better, margin -2pt",
        f"{CELL} *10+5  89.88  90.00 *..* not worse",
        "all cells together: * nothing certain",
        "verdicts: 2 not worse",
    ])  # fmt: skip
    lines = found.outlines[found.outlines.index("score x 100, higher is better, margin -2pt") :]
    assert max(map(len, lines)) <= 80


def test_worse_fails_without_a_traceback_and_again_the_next_time(
    gated: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    scoring(0.87)
    kept = sorted((p, p.read_bytes()) for p in gated.path.glob("results/baselines/**/*.json"))
    for _ in range(2):
        found = judged(gated, *SST2, "--junitxml=j.xml")
        found.assert_outcomes(passed=5, failed=1, deselected=48)
        assert found.ret == 1
        found.stdout.fnmatch_lines(
            [f"*test_regression[[]{CELL}]*", "worse; score 89*margin -0.2pt*"]
        )
        found.stdout.no_fnmatch_line("*Traceback*")
        found.stdout.no_fnmatch_line("*plugin.py*")
    junit = (gated.path / "j.xml").read_text()
    assert 'message="Failed: worse; score 89' in junit
    assert '<property name="verdict" value="worse"' in junit
    assert kept == sorted(
        (p, p.read_bytes()) for p in gated.path.glob("results/baselines/**/*.json")
    )


def test_better_passes_and_what_cannot_be_told_is_skipped(gated: pytest.Pytester) -> None:
    scoring(0.93)
    judged(gated, *SST2).assert_outcomes(passed=6, deselected=48)
    scoring(0.9001)
    found = judged(gated, *SST2, "-rs")
    found.assert_outcomes(passed=5, skipped=1, deselected=48)
    assert found.ret == 0
    found.stdout.fnmatch_lines(
        ["verdicts: 1 cannot tell", "SKIPPED*cannot tell; score 89.88 -> *on each side"]
    )


def test_without_a_baseline_there_are_no_verdicts(project: pytest.Pytester, engines: Any) -> None:
    run(project, "-k", "sst2").assert_outcomes(passed=2, deselected=16)
    found = project.runpytest_inprocess("benchmarks/test_regression.py", *ARGS)
    assert found.ret == 5
    found.stdout.fnmatch_lines(["glue-bench: verdicts need a baseline. Fix: --glue-baseline NAME"])


def only_the_verdicts(project: pytest.Pytester) -> pytest.RunResult:
    return project.runpytest_inprocess("benchmarks/test_regression.py", *ARGS, *SST2)


def only_the_cases(project: pytest.Pytester) -> pytest.RunResult:
    return project.runpytest_inprocess("benchmarks/test_finetune.py", *ARGS, *SST2)


def deselected(project: pytest.Pytester) -> pytest.RunResult:
    return judged(
        project, *SST2, "--deselect", f"benchmarks/test_regression.py::test_regression[{CELL}]"
    )


def a_task_the_baseline_lacks(project: pytest.Pytester) -> pytest.RunResult:
    return judged(project, "-k", "cola", *GATED)


def every_run_skipped(project: pytest.Pytester) -> pytest.RunResult:
    ANSWERS[0] = lambda config: outcome(status="skipped", reason="no such device", score=None)
    return judged(project, "-k", "sst2", "--glue-baseline", "main")


def a_cell_gone(project: pytest.Pytester) -> pytest.RunResult:
    scoring(0.93)
    return judged(
        project,
        *BOTH,
        *(
            f"--deselect=benchmarks/test_finetune.py::test_finetune[rte-toy-bert-cpu-fp32-s{s}]"
            for s in range(60, 65)
        ),
    )


def another_recipe(project: pytest.Pytester) -> pytest.RunResult:
    return judged(project, *SST2, "--glue-epochs", "1")


def runs_that_failed(project: pytest.Pytester) -> pytest.RunResult:
    ANSWERS[0] = lambda config: outcome(status="diverged", reason="the loss is nan", score=None)
    return judged(project, *SST2)


def collapsed_runs(project: pytest.Pytester) -> pytest.RunResult:
    scoring(0.90, flags=["collapsed"])
    return judged(project, *SST2)


def kept_runs_of_the_baseline(project: pytest.Pytester) -> pytest.RunResult:
    return run(project, *SST2, "--glue-seeds", "10", "--glue-resume", "--glue-results", "b")


def xdist(project: pytest.Pytester) -> pytest.RunResult:
    return judged(project, *SST2, "-n", "1")


def one_run_worse_by_far(project: pytest.Pytester) -> pytest.RunResult:
    scoring(0.5)
    return run(project, *SST2)


NEVER_GREEN = {
    only_the_verdicts: 1, only_the_cases: 5, deselected: 5, a_task_the_baseline_lacks: 5,
    every_run_skipped: 1, a_cell_gone: 1, another_recipe: 1, runs_that_failed: 1,
    collapsed_runs: 1, kept_runs_of_the_baseline: 1, xdist: 4, one_run_worse_by_far: 1,
}  # fmt: skip


@pytest.mark.parametrize("scenario", NEVER_GREEN)
def test_what_was_not_compared_is_never_green(scenario: Any, gated: pytest.Pytester) -> None:
    found = scenario(gated)
    scoreboard.add("gate sessions", scenarios=1, wrongly_green=int(found.ret == 0))
    assert found.ret == NEVER_GREEN[scenario]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda folder: None, ["*/mian: no such baseline. Did you mean 'main'*"]),
        (lambda folder: (folder / "baseline.json").write_text("{}"), ["*/baseline.json: *"]),
        (lambda folder: next((folder / "runs").iterdir()).unlink(), ["*runs/*.json: *"]),
    ],
    ids=["missing", "corrupt", "run missing"],
)
def test_a_baseline_that_cannot_be_used_is_known_before_the_first_case(
    spoil: Any, words: list[str], gated: pytest.Pytester, engines: list[FakeEngine]
) -> None:
    spoil(gated.path / "results" / "baselines" / "main")
    name = "mian" if "mian" in words[0] else "main"
    found = judged(gated, "-k", "sst2", "--glue-baseline", name)
    scoreboard.add("gate sessions", scenarios=1, wrongly_green=int(found.ret == 0))
    assert (found.ret, [engine.submitted for engine in engines]) == (4, [])
    found.stderr.fnmatch_lines(words[:1])


def test_runs_kept_from_other_code_are_not_judged(
    gated: pytest.Pytester, code: dict[str, Any]
) -> None:
    judged(gated, *SST2)
    found = judged(gated, *SST2, "--glue-resume")
    assert found.ret == 0  # the same commit: they count
    code["commit"] = "d" * 40
    found = judged(gated, *SST2, "--glue-resume")
    found.stdout.fnmatch_lines(["*gone; *"])
    assert found.ret == 1


def test_a_failed_test_keeps_its_ok_run_out_of_baselines(
    gated: pytest.Pytester, capsys: Any, monkeypatch: Any
) -> None:
    body = "def test_mine(glue_run, glue_case): assert glue_run(glue_case).score > 1"
    gated.makepyfile(**{"benchmarks/test_mine": body})
    found = gated.runpytest_inprocess(
        "benchmarks/test_mine.py", *ARGS, "-k", "sst2 and fp32", "--glue-results", "mine"
    )
    assert found.ret == 1
    assert [r.status for r in Store(gated.path / "mine").load()] == ["ok"]
    words = ("baseline", "save", "other", "mine", "--reason", "x")
    code, _, error = glue_bench(capsys, monkeypatch, *words)
    assert (code, "1 whose test failed" in error) == (2, True)


def test_a_baseline_is_not_promoted_to_worse_runs_in_passing(
    gated: pytest.Pytester, capsys: Any, monkeypatch: Any, code: dict[str, Any]
) -> None:
    scoring(0.87)
    code["commit"] = "d" * 40
    judged(gated, *BOTH, "--glue-results", "worse")
    words = ("baseline", "promote", "main", "worse", "--reason", "x")
    exit_code, _, error = glue_bench(capsys, monkeypatch, *words)
    assert exit_code == 1
    assert f"{CELL}: worse; score 8" in error
    assert "Fix: --worse" in error
    assert judged(gated, *SST2).ret == 1
    accept = ("baseline", "accept", "main", CELL, "worse", "--reason", "smaller vocabulary")
    assert glue_bench(capsys, monkeypatch, *accept)[0] == 0
    found = judged(gated, *BOTH)  # the runs that were accepted, to the last bit
    found.assert_outcomes(passed=11, failed=1, deselected=42)
    found.stdout.fnmatch_lines([f"{CELL}: all 5 seeds are bit-identical to the base's"])
    found.stdout.fnmatch_lines([f"{CELL}: accepted on *: smaller vocabulary"])
    assert glue_bench(capsys, monkeypatch, *words, "--worse")[0] == 0
    assert judged(gated, *BOTH).ret == 0


def test_a_healthy_change_with_the_same_seeds_is_green_by_default(gated: pytest.Pytester) -> None:
    """Five seeds, a margin of 0.2 pt: statistics alone would need far more."""
    found = run(gated, "--glue-seeds", "5", *BOTH)
    assert found.ret == 0
    found.assert_outcomes(passed=12, deselected=42)
    said = " ".join(line.strip() for line in found.outlines)
    assert "rte-toy-bert-cpu-fp32: all 5 seeds are bit-identical to the base's" in said
    partly = run(gated, "--glue-seeds", "50,51,52,53,54", *SST2)  # 52 to 54: not in the baseline
    partly.assert_outcomes(passed=5, skipped=1, deselected=48)


@pytest.mark.parametrize(("recheck", "needed"), [("6", 7), ("3", 7), ("1", 7)])
def test_a_second_stage_that_is_weaker_is_refused_before_the_first_case(
    recheck: str, needed: int, gated: pytest.Pytester, engines: list[FakeEngine]
) -> None:
    found = judged(gated, *SST2, "--glue-recheck", recheck)
    assert (found.ret, [engine.submitted for engine in engines]) == (4, [])
    found.stderr.fnmatch_lines([
        f"*--glue-recheck {recheck}: the first stage of *compares 5 seeds with 10 of the baseline; "
        f"a second stage needs at least {needed} seeds a side to see the same loss. "
        f"Fix: --glue-recheck {needed} or more; 10 is usual"
    ])  # fmt: skip


def test_seeds_and_ids_select_the_verdict_of_their_cell(gated: pytest.Pytester) -> None:
    for words in (("-k", f"{CELL}-s60"), ("-m", "glue(task='sst2', target='cpu-fp32', seed=60)")):
        found = judged(gated, *words, "--glue-baseline", "main", "--collect-only", "-q")
        assert [line for line in found.outlines if "::" in line] == [
            f"benchmarks/test_finetune.py::test_finetune[{CELL}-s60]",
            f"benchmarks/test_regression.py::test_regression[{CELL}]",
        ]


def test_stored_runs_compare_as_the_session_did(
    gated: pytest.Pytester, capsys: Any, monkeypatch: Any, tmp_path: Path
) -> None:
    def compared(*words: object) -> tuple[int, str]:
        code, out, error = glue_bench(capsys, monkeypatch, "compare", *words)
        return code, out + error

    scoring(0.87)
    judged(gated, *BOTH)
    new = "results/local"
    code, said = compared("main", new, "--fail-on", "accuracy:-1pt", "--fail-on", "step_time:+10%")
    assert (code, "worse" in said, "Traceback" in said) == (1, True, False)
    assert compared("main", new, "--fail-on", "accuracy:-9pt")[0] == 0
    assert compared("main", new, "--fail-on", "score:-0.4pt", "--format", "markdown")[0] == 1
    assert compared("b", "b")[0] == 4
    assert compared("main", "b")[0] == 4
    assert compared("main", "elsewhere")[0] == 2
    assert compared("mian", new)[0] == 2
    assert compared("main", new, "--fail-on", "accuracy:+1pt")[0] == 2
    for policy, expected in (("strict", 3), ("normal", 0), ("report", 0)):
        assert compared("main", new, "--fail-on", "f1:1pt", "--policy", "report")[0] == 0
        undecided = ("main", new, "--fail-on", "score:-4pt", "--policy", policy)
        assert compared(*undecided)[0] == expected
    assert compared("b", f"{new}@ccc", "--fail-on", "accuracy:-9pt")[0] == 0
    assert compared("main", new, "--subject", "modle")[0] == 2
    (gated.path / "empty").mkdir()
    assert compared("main", "empty")[0] == 4
    next((gated.path / "results" / "local" / "runs").iterdir()).write_text("{")
    assert compared("main", new)[0] == 5


def test_a_baseline_is_not_promoted_to_runs_that_fail_more_often(
    gated: pytest.Pytester, capsys: Any, monkeypatch: Any, code: dict[str, Any]
) -> None:
    code["commit"] = "d" * 40
    judged(gated, *SST2, "--glue-results", "failing")
    answer = ANSWERS[0]
    ANSWERS[0] = lambda config: outcome(
        status="oom", reason="out of memory", score=None, metrics={}
    )
    run(gated, *SST2, "--glue-seeds", "70,", "--glue-results", "failing")
    ANSWERS[0] = answer
    words = ("baseline", "promote", "main", "failing", "--reason", "x")
    exit_code, _, error = glue_bench(capsys, monkeypatch, *words)
    assert (exit_code, "Fix: --worse" in error) == (1, True)
    assert glue_bench(capsys, monkeypatch, *words, "--worse")[0] == 0
