"""Two sides that take turns: the order of the sessions, the budget, red results, and the files."""

from __future__ import annotations

import math
import re
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.compare import speed_cells, speed_measures, speed_store
from harness.errors import Exit, StorageError, UsageError
from harness.execution import ab, ab_sides
from harness.execution.ab_sides import SideName
from harness.execution.other_code import Ended
from harness.spec import Policy
from tests.support import payloads
from tests.support.ab_sessions import SST2, Processes

EFFECTS = speed_measures.default_effects(0.05)
TREE = SideName(".")


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> Processes:
    """Sessions in which both sides are equally fast, unless a test says otherwise."""
    made = Processes([0.1], [0.1])
    monkeypatch.setattr("harness.execution.other_code.run_session", made)
    return made


@pytest.fixture
def clock(processes: Processes, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock on which each session takes 10 seconds."""
    monkeypatch.setattr(ab, "time", SimpleNamespace(monotonic=processes.clock))


def run(project: Path, **changed: object) -> tuple[ab.Result, list[str]]:
    """A comparison of the working tree with itself, and what it said meanwhile."""
    said: list[str] = []
    request = {
        "a": TREE, "b": TREE, "project": project, "arguments": ["benchmarks", "-k", "sst2"],
        "results": project / "results", "effects": EFFECTS, "pairs": 6,
    }  # fmt: skip
    return ab.run(ab.Request(**request | changed), said.append), said


def test_both_sides_are_tried_and_then_take_turns(processes: Processes, tmp_path: Path) -> None:
    result, said = run(tmp_path)
    assert processes.order == [
        "trial-a", "trial-b", "1-01-a", "1-02-b", "1-03-b", "1-04-a", "1-05-a", "1-06-b",
        "1-07-b", "1-08-a", "1-09-a", "1-10-b", "1-11-b", "1-12-a",
    ]  # fmt: skip
    checkout, words, python = processes.started[0]
    assert words[:3] == ["benchmarks", "-k", "sst2"]
    assert words[3:5] == ["--glue-jobs", "1"]
    assert (checkout.folder, python) == (tmp_path, Path(sys.executable))
    assert not checkout.temporary.exists()
    assert result.comparison.exit_code(Policy.strict) is Exit.FINE
    assert len(result.sessions) == 12  # without those on trial
    assert said[-1].startswith("pair 6 of 6: ")


def test_a_red_result_is_repeated(processes: Processes, tmp_path: Path) -> None:
    processes.steps["b"] = [0.12]
    result, said = run(tmp_path)
    assert processes.order[14] == "2-01-a"
    assert len(processes.order) == 2 + 12 + 12
    assert result.comparison.exit_code(Policy.strict) is Exit.WORSE
    assert any(line.startswith("worse: sst2-toy-bert-cpu-fp32; repeating") for line in said)


def test_a_red_result_that_does_not_repeat_cannot_be_told(
    processes: Processes, tmp_path: Path
) -> None:
    processes.steps["b"] = [*[0.12] * 7, 0.1]
    result, _ = run(tmp_path)
    assert result.comparison.exit_code(Policy.strict) is Exit.UNDECIDED


def test_it_can_be_judged_again(processes: Processes, tmp_path: Path) -> None:
    processes.steps["b"] = [0.12]
    result, _ = run(tmp_path)
    info, sessions, damaged = speed_store.load(result.folder)
    assert damaged == []
    assert (info.a.label, info.effects) == ("the working tree", EFFECTS)
    assert [(s.side, s.stage) for s in sessions] == [(s.side, s.stage) for s in result.sessions]
    rule = info.effects, info.differing, info.alpha
    assert speed_cells.compare(sessions, *rule) == result.comparison
    (result.folder / speed_store.FILE).write_text('{"effects": 1}')
    with pytest.raises(StorageError, match=r"comparison\.json: key a: Field required"):
        speed_store.load(result.folder)
    with pytest.raises(UsageError, match=r"found no comparison\.json"):
        speed_store.load(tmp_path)


@pytest.mark.parametrize("lost", ["2-03-b", "2-04-a", "2-01-a", "2-12-a"])
def test_a_lost_session_keeps_its_place(lost: str, processes: Processes, tmp_path: Path) -> None:
    processes.steps["b"] = [0.12]
    result, _ = run(tmp_path)
    before = [(s.side, s.stage) for s in result.sessions]
    shutil.rmtree(result.folder / lost)
    info, sessions, damaged = speed_store.load(result.folder)
    assert [(s.side, s.stage) for s in sessions] == before
    place = 12 + int(lost[2:4]) - 1
    assert [at for at, session in enumerate(sessions) if session.is_lost] == [place]
    assert lost in str(damaged[0])
    assert "Fix: restore the folder" in str(damaged[0])
    cell = speed_cells.compare(sessions, info.effects).verdicts[0]
    change = cell.findings[0].change
    assert (change.change and change.change.count, str(cell.verdict)) == (5, "worse")
    assert change.change is not None
    assert change.change.mean == pytest.approx(math.log(1.2), abs=0.01)


def test_a_session_under_the_other_sides_name_is_lost(processes: Processes, tmp_path: Path) -> None:
    result, _ = run(tmp_path)
    (result.folder / "1-03-b").rename(result.folder / "1-03-a")
    (result.folder / "1-9999-a").mkdir()  # no comparison has so many
    _, sessions, damaged = speed_store.load(result.folder)
    assert [session.side for session in sessions] == [s.side for s in result.sessions]
    assert [session.is_lost for session in sessions].index(True) == 2
    assert len(damaged) == 1


@pytest.mark.parametrize(
    ("effects", "key"),
    [
        ("{}", "effects"),
        ('{"step_time": 0}', r"effects\.step_time"),
        ('{"step_time": -1}', r"effects\.step_time"),
        ('{"step_time": NaN}', r"effects\.step_time"),
        ('{"step_time": Infinity}', r"effects\.step_time"),
        ('{"step_time": null}', r"effects\.step_time"),
        ('{"step_time": 0.05, "peak_memory": 1e999}', r"effects\.peak_memory"),
    ],
)
def test_stored_effects_are_increases(
    effects: str, key: str, processes: Processes, tmp_path: Path
) -> None:
    result, _ = run(tmp_path)
    file = result.folder / speed_store.FILE
    text = re.sub(r'"effects": \{[^}]*\}', f'"effects": {effects}', file.read_text())
    file.write_text(text)
    with pytest.raises(StorageError, match=rf"comparison\.json: key {key}: "):
        speed_store.load(result.folder)


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize(
    ("budget_s", "pairs"),
    [
        (1000.0, 10),
        (20 + 2 * 160.0, 8),  # whole blocks of two pairs, in half of what is left after the trial
        (20 + 2 * 139.0, 6),
    ],
)
def test_a_budget_stops_at_a_whole_block(
    budget_s: float, pairs: int, processes: Processes, tmp_path: Path
) -> None:
    result, said = run(tmp_path, pairs=10, budget_s=budget_s)
    assert len(result.sessions) == 2 * pairs
    assert (f"stopped after {pairs} pairs: the budget allows no more" in said) == (pairs < 10)


@pytest.mark.usefixtures("clock")
def test_a_budget_that_is_too_short_is_refused_with_the_time_needed(
    processes: Processes, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=r"6 pairs of .* about 5m, .* Fix: --budget 5m or more"):
        run(tmp_path, budget_s=259.0)
    assert len(processes.started) == 2
    assert not [*(tmp_path / "results" / "ab").iterdir()]
    run(tmp_path, budget_s=260.0)


@pytest.mark.usefixtures("clock")
def test_red_without_time_to_repeat_it_cannot_be_told(
    processes: Processes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    processes.steps["b"] = [0.12]
    monkeypatch.setattr(ab._Turns, "has_time_for", lambda self, pairs: False)
    result, _ = run(tmp_path)
    assert result.comparison.exit_code(Policy.strict) is Exit.UNDECIDED
    assert len(result.sessions) == 12


def test_a_side_that_fails_is_an_error_with_its_output(
    processes: Processes, tmp_path: Path
) -> None:
    processes.lacks, processes.ended = {"b"}, Ended(1, "E   SyntaxError: invalid syntax")
    with pytest.raises(UsageError, match=r"side B, the working tree: ran no case.*\n.*SyntaxError"):
        run(tmp_path)
    assert len(processes.started) == 2
    processes.ended = Ended(5, "no tests ran")
    with pytest.raises(ab.NothingRan, match="nothing was selected"):
        run(tmp_path)
    assert not [*(tmp_path / "results" / "ab").iterdir()]


def test_sides_without_a_cell_in_common_compare_nothing(
    processes: Processes, tmp_path: Path
) -> None:
    processes.cases["b"] = [type(SST2)("rte", "toy-bert", "cpu-fp32", 42)]
    with pytest.raises(ab.NothingRan, match=r"only side A has it; .*only side B has it"):
        run(tmp_path)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "1s"), (90, "90s"), (120, "2m"), (899.5, "15m"), (7201, "2h01m")]
)
def test_durations(seconds: float, text: str) -> None:
    assert ab.duration(seconds) == text


# What a user may name as a side.


def test_a_commit_runs_in_a_folder_of_its_own(
    tmp_path: Path,
) -> None:
    repo = payloads.repository(tmp_path)
    first, last = repo.commits
    repo.git("branch", "old", first)
    for typed, commit in (("HEAD~1", first), ("HEAD", last), (first[:8], first), ("old", first)):
        assert ab_sides.named(typed, repo.root).commit == commit
    name = ab_sides.named("old", repo.root)
    assert name.label == f"old ({first[:7]})"
    with ab_sides.opened(name, repo.root) as side:
        assert (side.checkout.folder / "harness").is_dir()
        assert side.checkout.folder != repo.root
    assert not side.checkout.folder.exists()


def test_paths_that_a_commit_lacks_are_named_once_for_its_side(
    processes: Processes, tmp_path: Path
) -> None:
    repo = payloads.repository(tmp_path / "r")
    for name in ("old", "new"):
        (repo.root / name).mkdir()
        (repo.root / name / "config.json").write_text("{}")
        if name == "old":
            repo.commit(name)
    models = ["--glue-models", f"a={repo.root}/old,b={repo.root}/new"]
    name = ab_sides.named("HEAD", repo.root)
    _, said = run(repo.root, a=name, arguments=["benchmarks", *models])
    told = [line for line in said if "not of the commit" in line]
    assert len(told) == 1
    assert told[0] == (
        f"A {name.label}: not of the commit, and so the same for both sides: {repo.root}/new"
    )
    for checkout, words, _ in processes.started[:2]:
        moved = f"a={checkout.folder}/old,b={repo.root}/new"
        assert words[words.index("--glue-models") + 1] == moved


def test_a_commit_of_a_branch_that_head_does_not_contain(
    tmp_path: Path,
) -> None:
    repo = payloads.repository(tmp_path)
    repo.git("branch", "ahead")
    repo.git("reset", "--hard", "HEAD~1")
    for typed in ("ahead", repo.commits[1]):
        with ab_sides.opened(ab_sides.named(typed, repo.root), repo.root) as side:
            assert side.name.commit == repo.commits[1]


@pytest.mark.parametrize("typed", ["nope", "--all", "", "HEAD^{tree}", "a\x00b", "main..HEAD"])
def test_what_is_no_commit_is_refused(typed: str, tmp_path: Path) -> None:
    repo = payloads.repository(tmp_path)
    with pytest.raises(UsageError, match=r"has no such commit, branch or tag.*Fix: `git fetch`"):
        ab_sides.named(typed, repo.root)


def test_a_misspelt_branch_is_guessed(tmp_path: Path) -> None:
    repo = payloads.repository(tmp_path)
    with pytest.raises(UsageError, match="Did you mean 'main'"):
        ab_sides.named("maim", repo.root)


def test_an_environment_is_a_folder_or_its_python(tmp_path: Path) -> None:
    python = tmp_path / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    for typed in ("env:venv", "env:venv/bin/python"):
        assert ab_sides.named(typed, tmp_path).python == python
    with pytest.raises(UsageError, match="there is no Python"):
        ab_sides.named("env:nothing", tmp_path)


def test_targets_and_options_become_arguments(tmp_path: Path) -> None:
    named = {
        typed: ab_sides.named(typed, tmp_path)
        for typed in ("target:cpu-bf16", "option:recipe=run-glue", "option:--glue-models=bilstm",
                      "option:predict-test")
    }  # fmt: skip
    assert [(side.arguments, side.axis) for side in named.values()] == [
        (("--glue-targets", "cpu-bf16"), "target"),
        (("--glue-recipe", "run-glue"), None),
        (("--glue-models", "bilstm"), "model"),
        (("--glue-predict-test",), None),
    ]
    assert ab_sides.differing_axes(*named.values()) == ("target", "model")


@pytest.mark.parametrize(
    "typed",
    ["target:gpu", "option:recpe=x", "option:recipe", "option:results=x", "option:predict-test=1"],
)
def test_wrong_targets_and_options_are_refused(typed: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"unknown|expected"):
        ab_sides.named(typed, tmp_path)


def test_paths_of_options_do_not_depend_on_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GLUE_BENCH_DATA", raising=False)
    (tmp_path / "own").mkdir()
    words = [
        "-x",
        "--glue-task-file=mine.toml",
        "--glue-models",
        "minilm,./own",
        "--glue-epochs",
        "1",
    ]
    assert ab_sides.with_absolute_paths(words, tmp_path) == (
        "-x", "--glue-task-file", str(tmp_path / "mine.toml"),
        "--glue-models", f"minilm,{tmp_path}/own", "--glue-epochs", "1",
    )  # fmt: skip
    monkeypatch.setenv("GLUE_BENCH_DATA", "glue")
    assert ab_sides.with_absolute_paths([], tmp_path) == ("--glue-data", str(tmp_path / "glue"))
    assert ab_sides.with_absolute_paths(["--glue-data", "toy"], tmp_path) == ("--glue-data", "toy")
    for wrong in (["--glue-results", "x"], ["--glue-epochs"], ["--glue-recpe", "x"]):
        with pytest.raises(UsageError):
            ab_sides.with_absolute_paths(wrong, tmp_path)
