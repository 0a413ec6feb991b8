"""Baselines: what may be in one, how it moves, and what is refused."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.compare import averaged_runs, baselines
from harness.compare.baselines import accept, load, locate, promote, save
from harness.compare.selection import RUN_AGAIN, narrowed, select
from harness.errors import UsageError
from harness.records.cells import cells
from harness.records.schema import Record
from harness.records.store import Store
from harness.system import git
from tests.support.baselines import COLA, NEW, OLD, QUICK, RTE, SST2, files, ids, kept, run, saved


def failed(task: str = "sst2", seed: int = 42, status: str = "failed", **more: Any) -> Record:
    return run(task, seed, status=status, reason="x", score=None, **more)


def test_only_runs_of_clean_trees_at_one_commit_are_chosen() -> None:
    first, again, other = run(), run(), run("rte", seed=7)
    unfit = [run(dirty=True), run(dirty=None), run(commit=None), failed(status="skipped")]
    found = select([run(commit=NEW), *unfit, first, again, other], OLD[:2])
    assert (ids(*found.records), found.revision.commit) == (ids(again, other), OLD)
    assert found.cells == (SST2, RTE)
    assert dict(found.left_out) == {
        "skipped": 1, "of a changed tree": 1,
        "of a tree that git could not compare with its commit": 1, "of no commit": 1,
        "of another commit": 1, RUN_AGAIN: 1,
    }  # fmt: skip
    newest = run(commit=NEW)
    assert select([first, newest, run(dirty=True)]).records == (newest,)
    assert select([first, other, newest], cell=RTE).records == (other,)


@pytest.mark.cases
def test_runs_that_failed_are_kept_beside_those_that_ended_ok() -> None:
    bad = [failed(seed=50 + i, status=s) for i, s in enumerate(("failed", "oom", "diverged"))]
    collapsed = run(seed=60, flags=["collapsed", "at_floor"])
    unkeyed = failed(seed=61, cell_key=None)
    first, own = run(), run(seed=62)
    alone = [failed("cola"), failed("cola", 43)]  # a cell that nothing could be compared with
    found = select([first, *bad, collapsed, unkeyed, own, *alone], refused={collapsed.id, own.id})
    assert ids(*found.records) == ids(first, *bad, collapsed, unkeyed)
    assert found.cells == (SST2,)
    assert dict(found.left_out) == {"whose test failed": 1, "of a cell without an ok run": 2}


@pytest.mark.cases
def test_of_a_failed_run_that_was_run_again_both_are_kept_and_the_first_is_counted() -> None:
    bad, again = failed(), run()
    dirty, other = failed(seed=43, dirty=True), failed(seed=44, commit=NEW)
    fine = [run(seed=seed) for seed in (43, 44, 45)]
    late = failed(seed=45)  # the first run of this seed ended ok
    found = select([bad, again, dirty, other, *fine, late], OLD)
    assert ids(*found.records) == ids(bad, again, *fine)
    (cell,) = cells(found.records)
    assert averaged_runs.went_wrong(cell) == [bad]
    assert ids(*averaged_runs.runs(cell)) == ids(again, *fine)
    (whole,) = cells([bad, again, dirty, other, *fine, late])  # runs of other code say nothing
    assert averaged_runs.went_wrong(whole) == [bad]


@pytest.mark.usefixtures("on_main")
def test_a_baseline_keeps_what_failed_through_every_move(tmp_path: Path) -> None:
    bad, unkeyed, rte = failed(seed=43), failed(seed=44, cell_key=None), run("rte")
    folder = saved(tmp_path, run(), bad, unkeyed, rte, failed("rte"))
    assert len(load(folder).records) == 4
    promote(folder, select([run(seed=45), failed(seed=46)]), "more seeds", "main", QUICK)
    (cell, _) = cells(load(folder).records)
    assert {r.case.seed for r in averaged_runs.went_wrong(cell)} == {43, 44, 46}
    assert len(cell.records) == 5
    accept(folder, RTE, select([run("rte", commit=NEW), failed("rte", 43, commit=NEW)]), "x", QUICK)
    assert len(load(folder).records) == 7


@pytest.mark.cases
def test_without_a_repository_the_runs_of_one_session_are_chosen() -> None:
    loose = run(seed=4, commit=None, dirty=None)  # of `harness.run`
    first = [run(seed=s, commit=None, dirty=None, session="20260101T000000-aa") for s in (1, 2)]
    second = [run(seed=s, commit=None, dirty=None, session="20260102T000000-bb") for s in (2, 3)]
    found = select([*first, loose, *second])
    assert (ids(*found.records), found.revision.session) == (ids(*second), second[0].session)
    assert dict(found.left_out) == {"of another session": 3}
    assert select([*first, *second], session="20260101").records == tuple(first)
    assert select([*first, loose, *second], session=loose.id[:9]).records == (loose,)
    clean = run(seed=9)
    assert select([*first, *second, clean]).records == (clean,)
    with pytest.raises(UsageError, match=r"found '2026', which means 2 sessions; expected one of"):
        select([*first, *second], session="2026")
    with pytest.raises(UsageError, match=r"--commit: found 'a1'.*; no run has a commit"):
        select(first, "a1")


@pytest.mark.cases
def test_a_session_also_narrows_the_runs_of_a_commit() -> None:
    one, two = (run(seed=seed, session=f"{seed}-x") for seed in (1, 2))
    assert select([one, two]).records == (one, two)
    found = select([one, two], session="1")
    assert (found.records, found.revision.session) == ((one,), None)
    assert dict(found.left_out) == {"of another session": 1}


@pytest.mark.cases
def test_runs_of_one_commit_by_other_sources_of_glue_bench_are_left_out() -> None:
    one, two = (
        run(seed=seed, facts={"glue-bench": "1.0", "glue-bench_sha256": f"{seed}" * 64})
        for seed in (1, 2)
    )
    found = select([one, two])
    assert (found.records, found.glue_bench) == ((two,), "1.0")
    assert dict(found.left_out) == {"of the same commit, by other sources of glue-bench": 1}


@pytest.mark.cases
def test_runs_with_other_versions_of_libraries_are_left_out() -> None:
    one, two, three = (
        run(seed=seed, facts={"torch": torch, "transformers": "5.5"})
        for seed, torch in enumerate(("2.12.0", "2.13.0+cpu", "2.13.0"), 1)
    )
    found = select([one, two, three])
    assert found.records == (two, three)
    assert dict(found.left_out) == {"with torch 2.12.0": 1}


@pytest.mark.cases
def test_runs_are_narrowed_by_task_model_and_target() -> None:
    runs = [run(), run("rte"), run(model="Org/Big"), run("rte", model="Org/Big")]
    assert narrowed(runs) == runs
    assert narrowed(runs, ["rte"], ["toy-bert"]) == [runs[1]]
    assert narrowed(runs, models=["big"]) == narrowed(runs, models=["Org/Big"]) == runs[2:]
    assert narrowed(runs, ["sst2", "rte"], targets=["cpu-fp32"]) == runs
    with pytest.raises(UsageError, match=r"--task: unknown task 'sts2'. Did you mean 'sst2'"):
        narrowed(runs, ["sts2"])


@pytest.mark.parametrize(
    ("runs", "commit", "cell", "words"),
    [
        ([], None, None, "no run may be taken into a baseline: there is none. Fix: commit"),
        (
            [run(dirty=True), run(status="failed", reason="x")], None, None,
            r"\(1 of a changed tree, 1 that failed\). Fix: commit the project's changes",
        ),
        ([run(), run(commit=NEW)], "a", None, "which means 2 commits; expected one of a"),
        ([run(), run(dirty=True)], "b", None, r"no run that may be taken \(1 of a changed tree\)"),
        ([run()], "", None, "found ''"),
        ([run()], None, "sst2-toy-bert-cpu-pf32", f"Did you mean '{SST2}'"),
        ([run(model="a/B"), run(model="c/b")], None, "sst2-b-cpu-fp32", "models .*a/B, c/b"),
    ],
)  # fmt: skip
def test_where_no_run_or_no_one_cell_is_meant(
    runs: list[Record], commit: str | None, cell: str | None, words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        select(runs, commit, cell)


@pytest.mark.usefixtures("on_main")
def test_a_baseline_is_read_as_it_was_saved(tmp_path: Path) -> None:
    runs = [run(), run(seed=43), run("rte")]
    folder = saved(tmp_path, *runs)
    found = load(folder)
    assert list(found.records) == runs == Store(folder).load()
    assert (found.name, found.last.kind, found.last.reason) == ("main", "save", "the first")
    assert (found.last.commit, found.last.branch, found.last.session) == (OLD, "main", None)
    assert found.last.cells == (SST2, RTE)
    told = json.loads((folder / "baseline.json").read_bytes())
    assert [*told] == ["schema", "changes", "runs", "crc32"]
    sums = {path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in (folder / "runs").iterdir()}  # fmt: skip
    assert {one["name"]: one["sha256"] for one in told["runs"]} == sums
    (tmp_path / "baselines" / "README.md").touch()
    (tmp_path / "baselines" / "notes").mkdir()
    assert baselines.names(tmp_path / "baselines") == ["main"]
    assert baselines.names(tmp_path / "none") == []


@pytest.mark.usefixtures("on_main")
def test_a_change_names_the_glue_bench_that_made_its_runs(tmp_path: Path) -> None:
    made = run(facts={"glue-bench": "1.2", "glue-bench_sha256": "f" * 64})
    change = load(saved(tmp_path, made)).last
    assert (change.commit, change.glue_bench, change.glue_bench_sha256) == (OLD, "1.2", "f" * 64)


def test_without_a_repository_no_branch_is_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(git, "why_not_on", lambda *where: "must not be asked")
    first, other = (run(seed=seed, commit=None, dirty=None, session=f"s{seed}") for seed in (1, 2))
    folder = saved(tmp_path, first)
    change = load(folder).last
    assert (change.commit, change.branch, change.session) == (None, None, "s1")
    after = promote(folder, select([other]), "another session replaces it", "main", QUICK)
    assert kept(after) == ids(other)


@pytest.mark.usefixtures("on_main")
def test_promoting_replaces_cells_joins_seeds_and_keeps_the_rest(tmp_path: Path) -> None:
    sst2, rte = run(), run("rte")
    folder = saved(tmp_path, sst2, rte)
    seed, again = run("rte", seed=43), run("rte")
    promote(folder, select([seed, again]), "more seeds", "main", QUICK)
    assert kept(load(folder)) == ids(sst2, seed, again)
    other_inputs = run("rte", seed=44, recipe="stable")
    promote(folder, select([other_inputs]), "another recipe", "main", QUICK)
    assert kept(load(folder)) == ids(sst2, other_inputs)
    newer, cola = run(seed=43, commit=NEW), run("cola", commit=NEW)
    last = promote(folder, select([newer, cola]), "new code", "release", QUICK)
    found = load(folder)
    assert kept(found) == ids(newer, cola, other_inputs)
    assert found == last
    assert [change.kind for change in found.changes] == ["save", *["promote"] * 3]
    change = found.last
    assert (change.cells, change.commit, change.branch) == ((COLA, SST2), NEW, "release")
    assert len(files(folder)) == 1 + 3


@pytest.mark.usefixtures("on_main")
def test_accepting_moves_one_cell_alone(tmp_path: Path) -> None:
    sst2, rte = run(), run("rte")
    folder = saved(tmp_path, sst2, rte)
    worse = run(commit=NEW, score=0.1)
    runs = [worse, run("rte", commit=NEW)]
    change = accept(folder, SST2, select(runs), "an honest loss", QUICK).last
    assert kept(load(folder)) == ids(worse, rte)
    assert (change.kind, change.cells, change.gone, change.branch) == ("accept", (SST2,), (), None)
    change = accept(folder, RTE, None, "not wanted", QUICK).last
    assert kept(load(folder)) == ids(worse)
    assert (change.cells, change.gone, change.commit) == ((), (RTE,), None)
    assert len(files(folder)) == 1 + 1


Do = Callable[[Path], object]
TOO_LONG = "x" * 301


@pytest.mark.parametrize(
    ("do", "words"),
    [
        (lambda f: save(f, select([run()]), "again", "main"), "baseline exists.* --reason TEXT"),
        (lambda f: promote(f, select([run()]), " ", "main"), "--reason: found ' '; expected one"),
        (lambda f: promote(f, select([run()]), "two\nlines", "main"), r"found 'two\\nlines'"),
        (lambda f: accept(f, SST2, select([run()]), TOO_LONG), "at most 300"),
        (lambda f: promote(f, select(load(f).records), "x", "main"), "nothing would change: it"),
        (lambda f: accept(f, SST2, select([*load(f).records, run(dirty=True)]), "x"),
         r"nothing would change.*; others were left out \(1 of a changed tree\)"),
        (lambda f: accept(f, "sst2-x", None, "x"), "unknown cell 'sst2-x'.*Known: sst2-toy"),
        (lambda f: accept(f, SST2, select([run("rte")]), "x"), f"Known: {RTE}"),
        (lambda f: [accept(f, c, None, "x") for c in (SST2, RTE)], "its only cell"),
        (lambda f: promote(f.with_name("mian"), select([run()]), "x", "main"),
         "no such baseline. Did you mean 'main'.*Beside it: main.*baseline save"),
        (lambda f: load(f / "none"), "none: no such baseline. Fix"),
        (lambda f: locate("../main", f) and locate("Main", f), "'Main': expected a folder"),
        (lambda f: locate("..", f), "or a name of"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("on_main")
def test_refused_and_nothing_moved(tmp_path: Path, do: Do, words: str) -> None:
    folder = saved(tmp_path)
    with pytest.raises(UsageError, match=words):
        do(folder)
    assert load(folder).changes[0].kind == "save"


def test_a_commit_that_is_not_on_the_branch_is_refused(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(git, "why_not_on", lambda where, branch, commit: f"no {branch} {commit}")
    with pytest.raises(UsageError, match=f"no main {OLD}.*Fix: merge it"):
        saved(tmp_path)
    assert not files(tmp_path)
    monkeypatch.setattr(git, "why_not_on", lambda *where: None)
    folder = saved(tmp_path)
    monkeypatch.setattr(git, "why_not_on", lambda *where: "cannot tell")
    for branch in ("main", ""):
        with pytest.raises(UsageError, match="cannot tell"):
            promote(folder, select([run("cola")]), "x", branch)
    accept(folder, COLA, select([run("cola")]), "asks for no branch", QUICK)


def test_the_branch_is_one_of_the_repository_of_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "project" / "benchmarks"
    project.mkdir(parents=True)
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    me = ("-c", "user.name=a", "-c", "user.email=a@b")
    for words in (("init", "-q", "-b", "main"), (*me, "commit", "-q", "--allow-empty", "-m", "x")):
        subprocess.run(["git", *words], cwd=project.parent, check=True)
    commit = git.head(project)
    monkeypatch.chdir(project)
    change = load(saved(tmp_path, run(commit=commit))).last
    assert (change.commit, change.branch) == (commit, "main")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="cannot tell: this checkout has no branch 'main'"):
        saved(tmp_path / "elsewhere", run(commit=commit))


@pytest.mark.usefixtures("on_main")
def test_worse_runs_move_nothing_by_being_stored_again_and_again(tmp_path: Path) -> None:
    folder = saved(tmp_path)
    before = load(folder)
    for root in (tmp_path / "results", folder):  # even into its own folder
        for _ in range(3):
            Store(root, QUICK).save(run(score=0.1, commit=NEW))
    assert load(folder) == before
