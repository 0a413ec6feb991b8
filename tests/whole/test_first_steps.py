"""What a new user types first: help, versions, verbs, wrong options, Ctrl-C, half-written rows."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from harness import cli, metrics
from harness.catalog import tasks
from harness.data.row_sources import located
from harness.errors import UsageError
from harness.modeling import scratch
from harness.spec import Case, DataRequest, Task
from tests.support.builders import outcome
from tests.support.configs import resolved
from tests.support.engines import ANSWERS, FakeEngine
from tests.support.locations import ROOT
from tests.support.pytest_project import ARGS, glue_bench, run

WITHOUT = """
from functools import partial
from importlib.machinery import PathFinder
find = PathFinder.find_spec
def find_spec(name, path=None, target=None):
    return None if name.partition(".")[0] in {!r} else find(name, path, target)
PathFinder.find_spec = partial(find_spec)  # pytest would bind a function to its own class
"""
"""A sitecustomize.py for which packages are not installed."""


def in_a_clone(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    """pytest in this checkout, where the packages of the extra `dev` are not installed."""
    (folder / "sitecustomize.py").write_text(WITHOUT.format(("hypothesis", "peft")))
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:hypothesispytest", "-p", "no:cacheprovider",
         *args],
        cwd=ROOT, capture_output=True, text=True, timeout=100,
        env={**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "80"},
    )  # fmt: skip


@pytest.mark.cases
def test_pytest_help_works_without_the_dev_extra(tmp_path: Path) -> None:
    done = in_a_clone(tmp_path, "--help")
    assert done.returncode == 0, done.stderr
    assert "--glue-models=A,B" in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize("args", [(), ("tests/test_cli.py",)])
@pytest.mark.cases
def test_pytest_without_the_dev_extra_says_what_is_missing(
    tmp_path: Path, args: tuple[str, ...]
) -> None:
    done = in_a_clone(tmp_path, *args)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert done.stdout.strip() == ""
    assert len(done.stderr.strip().splitlines()) == 2
    assert "not installed: hypothesis, peft. Fix: pip install -c constraints.txt -e '.[dev]'" in (
        done.stderr
    )


def test_the_benchmarks_need_no_dev_extra(tmp_path: Path) -> None:
    done = in_a_clone(tmp_path, "benchmarks", "--collect-only", "-q", "-k", "sst2")
    assert done.returncode == 0, done.stderr
    assert "[sst2-toy-bert-cpu-fp32-s42]" in done.stdout


def verbs() -> list[tuple[str, ...]]:
    """Each verb of the command, as it is typed."""
    group = cli.COMMAND
    found: list[tuple[str, ...]] = [()]
    for name, command in group.commands.items():  # type: ignore[attr-defined]  (a click Group)
        inner = getattr(command, "commands", {})
        found += [(name,), *((name, verb) for verb in inner)]
    return found


@pytest.mark.parametrize("verb", verbs(), ids=" ".join)
@pytest.mark.cases
def test_help_shows_all_that_is_written(verb: tuple[str, ...], capsys, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    code, out, err = glue_bench(capsys, monkeypatch, *verb, "--help")
    assert (code, err) == (0, "")
    assert max(map(len, out.splitlines())) <= 80
    command = cli.COMMAND
    for name in verb:
        command = command.commands[name]  # type: ignore[attr-defined]  (a click Group)
    shown = re.sub(r"\s", "", out)
    for parameter in command.params:
        assert re.sub(r"\s", "", getattr(parameter, "help", None) or "") in shown
    for name, inner in getattr(command, "commands", {}).items():
        if not inner.hidden:  # its summary is whole
            assert not re.search(rf"^  {name} .*\w\.\.\.$", out, re.M)


def test_where_thresholds_come_from_is_in_the_help(capsys, monkeypatch) -> None:
    _, out, _ = glue_bench(capsys, monkeypatch, "compare", "--help")
    assert "(default: [tool.glue-bench.thresholds])" in " ".join(out.split())


@pytest.mark.parametrize(
    "command", [["-m", "harness"], ["-c", "from harness.cli import main; main()"]]
)
@pytest.mark.cases
def test_the_version(command: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, *command, "--version"], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"glue-bench \d+\.\d+\.\d+\n", done.stdout)


@pytest.mark.parametrize(
    "args",
    [("run",), ("run", "sst2"), ("run", "--task", "sst2", "--lr=1"), ("train",), ("evaluate",),
     ("benchmark", "-k", "sst2")],
)  # fmt: skip
@pytest.mark.cases
def test_run_says_how_runs_are_started(args: tuple[str, ...], capsys, monkeypatch) -> None:
    code, out, err = glue_bench(capsys, monkeypatch, *args)
    assert (code, out) == (2, "")
    assert f"there is no verb `{args[0]}`: pytest starts the runs" in err
    assert "`pytest benchmarks -k sst2`" in err
    assert "harness.run" in err


def test_a_verb_that_is_misspelt(capsys, monkeypatch) -> None:
    code, _, err = glue_bench(capsys, monkeypatch, "reprot")
    assert code == 2
    assert "Did you mean 'report'?" in err


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--glue-task", "cola"), "Did you mean --glue-tasks?"),
        (("--glue-task=cola",), "Did you mean --glue-tasks?"),
        (("--glue-lr", "1e-3"), "glue-bench list recipes"),
        (("--glue-models", "bert-base"), "Did you mean 'bert-base-uncased' or"),
        (("--glue-targets", "cuda"), "Did you mean 'cuda-fp32', 'cuda-tf32', 'cuda-bf16' or"),
    ],
)
@pytest.mark.cases
def test_a_wrong_option_is_one_line(
    project: pytest.Pytester, args: tuple[str, ...], said: str
) -> None:
    found = run(project, *args)
    assert found.ret == pytest.ExitCode.USAGE_ERROR
    assert said in found.stderr.str()
    assert len(found.stderr.str().strip().splitlines()) == 1


def test_an_option_of_another_plugin_is_left_alone(project: pytest.Pytester) -> None:
    project.makeconftest(
        "pytest_plugins = ['harness.plugin']\n"
        "def pytest_addoption(parser):\n    parser.addoption('--glue-colour')\n"
    )
    found = run(project, "--collect-only", "-q", "-k", "sst2", "--glue-colour", "red")
    assert found.ret == 0


def test_explain_suggests_the_option_too(capsys, monkeypatch) -> None:
    case = "sst2-toy-bert-cpu-fp32-s42"
    code, _, err = glue_bench(capsys, monkeypatch, "explain", case, "--glue-task", "sst2")
    assert code == 2
    assert "Did you mean --glue-tasks?" in err


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("cuda", "No case has 'cuda'. To add it: --glue-targets cuda-fp32"),
        ("minilm", "No case has 'minilm'. To add it: --glue-models minilm"),
        ("sst2 and cuda-bf16", "No case has 'cuda-bf16'. To add it: --glue-targets cuda-bf16"),
        ("bert-base-uncased", "To add it: --glue-models bert-base-uncased"),
        ("cola-ood", "To add it: --glue-tasks cola-ood"),
    ],
)
@pytest.mark.cases
def test_a_name_that_no_case_has_is_told_by_which_option_it_comes_in(
    project: pytest.Pytester, word: str, said: str
) -> None:
    found = run(project, "--collect-only", "-k", word)
    assert found.ret == pytest.ExitCode.NO_TESTS_COLLECTED
    assert said in found.stdout.str()


INTERRUPTED = """
import pytest
pytest_plugins = ["harness.plugin"]

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    if "bf16" in item.name:
        raise KeyboardInterrupt
"""


@pytest.mark.parametrize("resumes", [False, True])
@pytest.mark.cases
def test_the_last_line_after_ctrl_c_says_how_to_go_on(
    project: pytest.Pytester, engines: list[FakeEngine], resumes: bool
) -> None:
    project.makeconftest(INTERRUPTED)
    args = ("benchmarks", "-k", "sst2 or rte", *ARGS, *(["--glue-resume"] if resumes else []))
    found = project.runpytest_inprocess(*args, no_reraise_ctrlc=True)
    assert found.ret == pytest.ExitCode.INTERRUPTED
    assert [line for line in found.outlines if line][-1] == (
        "glue-bench: interrupted after 1 of 4 cases. To go on: pytest benchmarks -k 'sst2 or rte' "
        "-p no:cacheprovider -p no:randomly --glue-resume"
    )


def test_a_session_that_ended_by_itself_says_nothing_of_resuming(
    project: pytest.Pytester, engines: list[FakeEngine]
) -> None:
    ANSWERS[0] = lambda config: outcome(status="failed", reason="x")
    assert "--glue-resume" not in run(project, "-k", "sst2", "-x").stdout.str()


def test_an_interrupted_session_without_cases_says_nothing(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_mine(): raise KeyboardInterrupt")
    found = pytester.runpytest_inprocess("-p", "harness.plugin", *ARGS, no_reraise_ctrlc=True)
    assert "glue-bench:" not in found.stdout.str()


IMDB = Task(
    "imdb", "IMDb", ("text",), ("neg", "pos"), ("accuracy",),
    rows={"train": 25_000, "validation": 25_000, "test": 25_000},
)  # fmt: skip


@pytest.mark.parametrize(
    ("task", "source", "words"),
    [
        (IMDB, "toy", ["imdb: toy data has no rows of it", "MAKERS in harness/data/toy/makers.py",
                       "SHARES in harness/data/toy/generate.py", "docs/adding.md"]),
        (dataclasses.replace(IMDB, rows={"train": 9, "dev": 9}), "toy", ["for its split dev"]),
        (dataclasses.replace(IMDB, rows_of="cola"), "toy", ["Fix: use --glue-data DIR"]),
        (IMDB, "DIR", ["imdb: harness/catalog/glue_files.py does not say which file holds its",
                       'File("imdb", "train", ...)']),
    ],
)  # fmt: skip
@pytest.mark.cases
def test_a_task_without_its_rows_is_told_what_to_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, task: Task, source: str, words: list[str]
) -> None:
    monkeypatch.setitem(tasks.TASKS, "imdb", task)
    request = DataRequest(str(tmp_path) if source == "DIR" else source)
    case = Case("imdb", "toy-bert", "cpu-fp32", 42)
    with pytest.raises(UsageError) as caught:
        resolved(case, request, threads=1)
    for said in words:
        assert said in str(caught.value)


def test_every_task_of_glue_has_its_miniature() -> None:
    for name in tasks.DATA_SETS:
        located(DataRequest("toy"), tasks.TASKS[name])


@pytest.mark.cases
def test_a_metric_or_network_that_there_is_not_is_named() -> None:
    wrong = dataclasses.replace(IMDB, metrics=("acuracy",))
    with pytest.raises(UsageError, match=r"task imdb: unknown metric 'acuracy'. Did you mean 'acc"):
        metrics.evaluate(wrong, [0, 1], [0, 1])
    with pytest.raises(UsageError, match=r"unknown network .* 'gru'"):
        scratch.Network("gru", 9, 2, pairs=False)


def readme(name: str) -> list[str]:
    """The lines of the README's block that stands below `<!-- name -->`."""
    text = (ROOT / "README.md").read_text("utf-8")
    found = re.findall(rf"<!-- {name} -->\n```bash\n(.*?)```", text, re.S)
    assert len(found) == 1, f"README.md: expected one block below <!-- {name} -->"
    return found[0].splitlines()


@pytest.mark.parametrize("name", ["clone", "cpu", "venv", "main", "tests"])
@pytest.mark.cases
def test_the_readmes_commands_are_pasted_line_by_line(name: str) -> None:
    assert len(readme(name)) == 1


@pytest.mark.cases
def test_pasting_the_readmes_commands_brings_no_cuda_to_a_machine_without_a_gpu() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    places = [text.index(f"<!-- {name} -->") for name in ("clone", "cpu", "main", "tests")]
    assert places == sorted(places)
    (line,) = readme("cpu")
    pinned = re.search(r"^torch==(\S+)$", (ROOT / "constraints.txt").read_text(), re.M)
    assert pinned is not None
    assert line.startswith(readme("venv")[0])
    assert f"torch=={pinned[1]} --index-url https://download.pytorch.org/whl/cpu" in line


def test_ci_runs_what_the_readme_says() -> None:
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    for name in ("venv", "main", "tests"):
        assert f'"$(readme {name})"' in script
