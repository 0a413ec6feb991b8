"""Which cases a pytest session has: ids, -k, -m, options, pyproject.toml."""

from __future__ import annotations

import pytest

from tests.support.pytest_project import ARGS, run


def test_the_default_is_every_task_in_two_precisions(project: pytest.Pytester) -> None:
    found = run(project, "--collect-only", "-q")
    names = [line.split("::")[1] for line in found.outlines if "::" in line]
    tasks = ("cola", "sst2", "mrpc", "stsb", "qqp", "mnli", "qnli", "rte", "wnli")
    assert names == [
        f"test_finetune[{task}-toy-bert-{target}-s42]"
        for task in tasks
        for target in ("cpu-fp32", "cpu-bf16")
    ]
    assert not (project.path / "results").exists()


@pytest.mark.parametrize(
    ("args", "count"),
    [
        (("-k", "sst2"), 2),
        (("-k", "sst2 and not bf16"), 1),
        (("-k", "ax"), 2),
        (("-k", "ax and fp32"), 1),
        (("-m", "glue(task='rte', target='cpu-fp32')"), 1),
        (("-m", "glue(task='ax')"), 2),
        (("-m", "glue(seed=42) and not glue(task='mnli')"), 16),
        (("--glue-tasks", "sst-2,RTE,sst2", "--glue-seeds", "3"), 12),
        (("--glue-seeds", "7,9", "--glue-targets", "cpu-fp32"), 18),
        (("--glue-seeds", "7,"), 18),
        (("--glue-models", "toy-bert,toy-bert+scratch", "-k", "scratch"), 18),
    ],
)
def test_selection(project: pytest.Pytester, args: tuple[str, ...], count: int) -> None:
    found = run(project, "--collect-only", "-q", *args)
    assert sum("::test_finetune[" in line for line in found.outlines) == count
    assert found.ret == 0


def test_nothing_selected_suggests_the_nearest_name(project: pytest.Pytester) -> None:
    found = run(project, "-k", "sts2 or rtee")
    assert found.ret == pytest.ExitCode.NO_TESTS_COLLECTED
    found.stdout.fnmatch_lines([
        "glue-bench: none of 18 cases is selected.",
        "  Did you mean 'sst2' by 'sts2'?",
        "  Did you mean 'rte' by 'rtee'?",
    ])  # fmt: skip


def test_a_mark_of_another_name_is_told_what_there_is(project: pytest.Pytester) -> None:
    found = run(project, "-m", "glue(tsk='cola') or benchmark(group='x')")
    found.stdout.fnmatch_lines(
        ["  The mark `glue` has no 'tsk'. It has: task, model, target, seed"]
    )
    assert "has no 'group'" not in found.stdout.str()


def test_the_header_counts_many_seeds_and_says_where_a_part_is_predicted(
    project: pytest.Pytester,
) -> None:
    found = run(project, "--collect-only", "--glue-tasks", "ax", "--glue-seeds", "42")
    found.stdout.fnmatch_lines([
        "  models toy-bert; targets cpu-fp32, cpu-bf16; seeds 42 to 83 (42 seeds)",
        "  ax: predicted by runs of mnli",
    ])  # fmt: skip
    found = run(project, "--collect-only", "--glue-seeds", "1,2,3,4,5,7")
    found.stdout.fnmatch_lines(["*; seeds 1, 2, 3, 4, 5, 7"])


@pytest.mark.parametrize("named", ["above", "above/glue_data/RTE", "above/other"])
def test_a_folder_beside_glue_data_is_refused_before_the_first_case(
    project: pytest.Pytester, named: str
) -> None:
    for folder in ("glue_data/RTE", "other"):
        (project.path / "above" / folder).mkdir(parents=True)
    found = run(project, "--glue-data", named)
    assert found.ret == pytest.ExitCode.USAGE_ERROR
    hint = "" if named.endswith("other") else "*Did you mean *above/glue_data[?]"
    found.stderr.fnmatch_lines([f"*--glue-data: *{named}' holds no folder of a task; *{hint}"])


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--glue-tasks", "sst3"), "Did you mean 'sst2'?"),
        (("--glue-models", "minilmm"), "Did you mean 'minilm'?"),
        (("--glue-models", "minilm+lra"), "unknown adaptation of minilm"),
        (("--glue-targets", "cpu-fp23"), "Did you mean 'cpu-fp32'?"),
        (("--glue-recipe", "run_glue"), "Did you mean 'run-glue'?"),
        (("--glue-profile", "toi"), "Did you mean 'toy'?"),
        (("--glue-seeds", "x"), "--glue-seeds: found 'x'; expected how many seeds"),
        (("--glue-epochs", "0"), "--glue-epochs: found '0'; expected a whole number above zero"),
        (("--glue-timeout", "nan"), "--glue-timeout: found 'nan'"),
        (("--glue-data", "nowhere"), "which is not a folder"),
        (("--glue-engine", "inlin"), "Did you mean 'inline'?"),
        (("--glue-tasks", ""), "--glue-tasks: found ''; expected one name or several"),
        (("--glue-models", "toy-bert+scratch+scratch"), "unknown adaptation"),
        (("--glue-engine", "inline", "--glue-jobs", "2"), "the inline engine has no jobs"),
    ],
)  # fmt: skip
def test_a_wrong_option_is_one_line_and_exit_4(
    project: pytest.Pytester, args: tuple[str, ...], words: str
) -> None:
    found = run(project, *args)
    assert found.ret == pytest.ExitCode.USAGE_ERROR
    assert words in found.stderr.str()
    assert "Traceback" not in found.stderr.str()


def test_defaults_in_pyproject_and_the_command_line_wins(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.makefile(
        ".toml",
        pyproject="[tool.pytest]\nstrict = true\n[tool.glue-bench]\n"
        'tasks = ["rte", "wnli"]\nseeds = 2\ntargets = "cpu-fp32"\nresults = "kept"\n',
    )
    found = run(project, "--collect-only", "-q")
    assert sum("::test_finetune[" in line for line in found.outlines) == 4
    found = run(project, "--collect-only", "-q", "--glue-tasks", "cola")
    assert sum("::test_finetune[cola-" in line for line in found.outlines) == 2
    found = run(project, "--collect-only")
    found.stdout.fnmatch_lines(["*results in kept"])
    monkeypatch.setenv("GLUE_BENCH_RESULTS", "elsewhere")
    found = run(project, "--collect-only")
    found.stdout.fnmatch_lines(["*results in elsewhere"])


def test_a_wrong_key_in_pyproject_is_a_usage_error(project: pytest.Pytester) -> None:
    project.makefile(".toml", pyproject='[tool.glue-bench]\ntask = "rte"\n')
    found = run(project, "--glue-seeds", "1")
    assert found.ret == pytest.ExitCode.USAGE_ERROR
    assert "Did you mean 'tasks'?" in found.stderr.str()


def test_a_wrong_value_in_pyproject_is_shown_without_a_traceback(
    project: pytest.Pytester,
) -> None:
    project.makefile(".toml", pyproject='[tool.glue-bench]\nmodels = "mine=nowhere"\n')
    found = run(project)
    assert found.ret == pytest.ExitCode.INTERRUPTED
    printed = found.stdout.str()
    assert "model 'mine=nowhere': 'nowhere': no such folder" in printed
    assert "plugin.py" not in printed


def test_xdist_is_refused_with_the_option_to_use(project: pytest.Pytester) -> None:
    pytest.importorskip("xdist")
    found = project.runpytest_subprocess("benchmarks", *ARGS, "-k", "sst2", "-n", "2")
    assert found.ret == pytest.ExitCode.USAGE_ERROR
    assert "say --glue-jobs N" in found.stdout.str()
    assert found.stdout.str().count("ERROR collecting") == 1  # once, though each worker collects
    assert "Traceback" not in found.stdout.str()


def test_xdist_is_refused_also_where_nothing_is_shown(project: pytest.Pytester) -> None:
    pytest.importorskip("xdist")
    silent = ("--collect-only", "-p", "no:terminal")
    found = project.runpytest_subprocess("benchmarks", *ARGS, *silent, "-k", "sst2", "-n", "1")
    assert found.ret == pytest.ExitCode.USAGE_ERROR


def test_xdist_is_for_whatever_asks_for_no_case(pytester: pytest.Pytester) -> None:
    pytest.importorskip("xdist")
    pytester.makepyfile("NAME = 'glue_case'\n\ndef test_mine(): assert NAME")
    found = pytester.runpytest_subprocess("-p", "harness.plugin", *ARGS, "-n", "1")
    found.assert_outcomes(passed=1)


def test_other_projects_are_left_alone(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_mine(): pass")
    found = pytester.runpytest_inprocess("-p", "harness.plugin", *ARGS)
    found.assert_outcomes(passed=1)
    assert "glue" not in found.stdout.str().split("collected")[1]


def test_a_list_of_one_seed_in_pyproject_is_that_seed(project: pytest.Pytester) -> None:
    project.makefile(".toml", pyproject='[tool.glue-bench]\nseeds = [7]\ntasks = ["rte"]\n')
    found = run(project, "--collect-only", "-q")
    names = [line for line in found.outlines if "::" in line]
    assert [name.endswith("-s7]") for name in names] == [True, True]


def test_a_session_without_cases_does_not_read_the_settings(pytester: pytest.Pytester) -> None:
    pytester.makefile(".toml", pyproject="[tool.glue-bench]\nbaselin = 'main'\n")
    pytester.makepyfile("def test_of_somebody_else(): pass")
    found = pytester.runpytest_inprocess(*ARGS)
    found.assert_outcomes(passed=1)
    assert found.ret == 0
