"""Baselines: what may be in one, how it moves, and what is refused."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.compare import averaged_runs, baselines
from harness.compare.baselines import accept, load, locate, promote, save
from harness.compare.selection import select
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
    assert (ids(*found.records), found.commit) == (ids(again, other), OLD)
    assert found.cells == (SST2, RTE)
    assert dict(found.left_out) == {
        "skipped": 1, "of a dirty tree": 2, "of an unknown commit": 1,
        "of another commit": 1, "of a seed that has another run": 1,
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
    found = load(folder)
    assert (len(found.records), found.cells_without_failed) == (4, set())
    promote(folder, select([run(seed=45), failed(seed=46)]), "more seeds", "main", QUICK)
    (cell, _) = cells(load(folder).records)
    assert {r.case.seed for r in averaged_runs.went_wrong(cell)} == {43, 44, 46}
    assert len(cell.records) == 5
    accept(folder, RTE, select([run("rte", commit=NEW), failed("rte", 43, commit=NEW)]), "x", QUICK)
    assert len(load(folder).records) == 7
    assert load(folder).cells_without_failed == set()


@pytest.mark.cases
@pytest.mark.usefixtures("on_main")
def test_an_old_baseline_says_that_it_lacks_what_failed(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(baselines, "_cells_with_failed", lambda *args: ())  # as acts once were
    runs = [run(seed=seed) for seed in range(42, 45)]
    folder = saved(tmp_path, *runs, run("rte"))
    act = folder / "acts" / "0001.json"
    assert load(folder).cells_without_failed == {SST2, RTE}
    monkeypatch.undo()
    monkeypatch.setattr(git, "why_not_on", lambda folder, branch, commit: None)
    promote(folder, select([run(seed=45)]), "one more seed does not complete it", "main", QUICK)
    assert load(folder).cells_without_failed == {SST2, RTE}
    promote(folder, select([*runs, *load(folder).records[-1:]]), "all of it", "main", QUICK)
    assert load(folder).cells_without_failed == {RTE}
    assert act.exists()


@pytest.mark.parametrize(
    ("runs", "commit", "cell", "words"),
    [
        ([], None, None, "no run may be taken into a baseline: there is none. Fix: commit"),
        (
            [run(dirty=True), run(commit=None), run(status="failed", reason="x")], None, None,
            r"\(1 of a dirty tree, 1 of an unknown commit, 1 that failed\). Fix: commit",
        ),
        ([run(), run(commit=NEW)], "a", None, "which means 2 commits; expected one of a"),
        ([run(), run(dirty=True)], "b", None, r"no run that may be taken \(1 of a dirty tree\)"),
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
    assert (found.last.commit, found.last.branch, found.last.previous) == (OLD, "main", None)
    assert found.last.cells == (SST2, RTE)
    act = folder / "acts" / "0001.json"
    sha256 = hashlib.sha256(act.read_bytes()).hexdigest()
    assert (folder / "acts" / "0001.sha256").read_text() == f"{sha256}  0001.json\n"
    (tmp_path / "baselines" / "README.md").touch()
    assert baselines.names(tmp_path / "baselines") == ["main"]
    assert baselines.names(tmp_path / "none") == []


@pytest.mark.usefixtures("on_main")
def test_promoting_replaces_cells_joins_seeds_and_keeps_what_was(tmp_path: Path) -> None:
    sst2, rte = run(), run("rte")
    folder = saved(tmp_path, sst2, rte)
    before = files(folder)
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
    assert found.last == last
    assert [act.number for act in found.changes] == [1, 2, 3, 4]
    assert (last.cells, last.commit, last.branch) == ((COLA, SST2), NEW, "release")
    assert files(folder).items() >= before.items()


@pytest.mark.usefixtures("on_main")
def test_accepting_moves_one_cell_alone(tmp_path: Path) -> None:
    sst2, rte = run(), run("rte")
    folder = saved(tmp_path, sst2, rte)
    before = files(folder)
    worse = run(commit=NEW, score=0.1)
    runs = [worse, run("rte", commit=NEW)]
    act = accept(folder, SST2, select(runs), "an honest loss", QUICK)
    assert kept(load(folder)) == ids(worse, rte)
    assert (act.kind, act.cells, act.gone, act.branch) == ("accept", (SST2,), (), None)
    act = accept(folder, RTE, None, "not wanted", QUICK)
    assert kept(load(folder)) == ids(worse)
    assert (act.cells, act.gone, act.commit) == ((), (RTE,), None)
    assert files(folder).items() >= before.items()


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
        (lambda f: accept(f, SST2, select(load(f).records), "x"), "nothing would change"),
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
    monkeypatch.setattr(git, "why_not_on", lambda folder, branch, commit: f"no {branch} {commit}")
    with pytest.raises(UsageError, match=f"no main {OLD}.*Fix"):
        saved(tmp_path)
    assert not files(tmp_path)
    monkeypatch.setattr(git, "why_not_on", lambda folder, branch, commit: None)
    folder = saved(tmp_path)
    monkeypatch.setattr(git, "why_not_on", lambda folder, branch, commit: "cannot tell")
    with pytest.raises(UsageError, match="cannot tell"):
        promote(folder, select([run("cola")]), "x", "main")
    accept(folder, COLA, select([run("cola")]), "asks for no branch", QUICK)


@pytest.mark.usefixtures("on_main")
def test_worse_runs_move_nothing_by_being_stored_again_and_again(tmp_path: Path) -> None:
    folder = saved(tmp_path)
    before = load(folder)
    for root in (tmp_path / "results", folder):  # even into its own folder
        for _ in range(3):
            Store(root, QUICK).save(run(score=0.1, commit=NEW))
    assert load(folder) == before
