"""Which stored runs a side of a comparison is."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from harness.compare import sides
from harness.compare.baselines import save
from harness.compare.selection import select
from harness.errors import StorageError, UsageError
from harness.records.schema import Record
from harness.records.store import Store
from harness.spec import Case
from tests.support.builders import record
from tests.support.cell_runs import FACTS, NOW, facts

A, B = "a" * 40, "b" * 40
MONDAY, TUESDAY, WEDNESDAY = "20260105T080000-aaaaaaaa", "20260106T080000-bb", "20260107T080000-cc"


def runs(commit: str | None, session: str, hours: float, count: int = 5, **of: Any) -> list[Record]:
    when = NOW + timedelta(hours=hours)
    told = FACTS | {"commit": commit, "branch": "main"} | of
    return [
        record(
            Case("sst2", "toy-bert", "cpu-fp32", 42 + number),
            environment=told,
            created=when + timedelta(seconds=number),
            session=session,
        )
        for number in range(count)
    ]


def stored(folder: Path, *groups: list[Record]) -> Path:
    for group in groups:
        for run in group:
            Store(folder).save(run)
    return folder


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def find(text: str, beside: sides.Side | None = None) -> list[str]:
    """The ids of the runs of a side, from `results` and `baselines`."""
    return [run.id for run in sides.find(text, Path("r"), Path("b"), beside).records]


def ids(records: list[Record]) -> list[str]:
    return [run.id for run in records]


def test_a_folder_means_the_code_that_ran_last() -> None:
    old, new = runs(A, MONDAY, 0), runs(B, TUESDAY, 24)
    stored(Path("r"), old, new)
    assert find("./r") == find("r") == ids(new)
    assert str(sides.find("r", Path("r"), Path("b"))) == (
        "r: 5 runs of commit bbbbbbb (not its 5 other runs)"
    )


@pytest.mark.cases
def test_a_change_that_moved_an_input_replaces_the_runs_before_it() -> None:
    healthy = runs(A, MONDAY, 0)
    changed = [run.model_copy(update={"cell_key": "e" * 64}) for run in runs(B, TUESDAY, 1)]
    stored(Path("r"), healthy, changed)
    assert find("r") == ids(changed)


def test_cells_of_older_code_are_named() -> None:
    old, new = runs(A, MONDAY, 0), runs(B, TUESDAY, 1)
    rte = [
        run.model_copy(
            update={
                "case": run.case.model_copy(
                    update={"task": "rte", "id": run.case.id.replace("sst2", "rte")}
                )
            }
        )
        for run in new
    ]
    stored(Path("r"), old, rte)
    (line,) = sides.remarks(sides.find("r", Path("r"), Path("b")))
    assert line == (
        "older than the newest code, commit bbbbbbb: sst2-toy-bert-cpu-fp32 (commit aaaaaaa)"
    )


def test_of_changed_files_the_last_session_counts() -> None:
    first, second = (runs(A, s, h, dirty=True) for s, h in ((MONDAY, 0), (TUESDAY, 1)))
    stored(Path("r"), first, second)
    assert find("r") == ids(second)


def test_sessions_of_one_clean_commit_belong_together() -> None:
    first, second = runs(A, MONDAY, 0), runs(A, TUESDAY, 1)
    stored(Path("r"), first, second)
    assert find("r") == ids(first + second)


@pytest.mark.usefixtures("on_main")
def test_beside_a_baseline_of_the_same_folder_the_runs_that_were_made_since_count() -> None:
    base, older = runs(A, MONDAY, 0, 10), runs("c" * 40, MONDAY, -24)
    stored(Path("r"), older, base)
    save(Path("b/main"), select(base), "why", "main")
    then = sides.find("main", Path("r"), Path("b"))
    assert find("r", then) == []  # nothing was run since: older runs are not taken instead
    own = sides.find("r", Path("r"), Path("b"), then)
    assert sides.remarks(own)[-1].startswith("only the base's own runs: sst2-toy-bert-cpu-fp32. ")
    again = runs(A, TUESDAY, 1)
    stored(Path("r"), again)
    assert find("r", then) == ids(again)
    worse = runs(B, TUESDAY, 2)
    stored(Path("r"), worse)
    assert find("r", then) == ids(worse)


def test_commits_sessions_and_branches_are_named_by_their_beginnings() -> None:
    first, second, third = runs(A, MONDAY, 0), runs(B, TUESDAY, 1), runs(B, WEDNESDAY, 2)
    side_branch = facts(runs(A, MONDAY, 3), branch="side")
    stored(Path("r"), first, second, third, side_branch)
    assert find("@aaaa") == find("r@aaaaaaa") == find(f"r@{A}") == ids(first + side_branch)
    assert find("main@aaaa") == ids(first)
    assert find("main@") == ids(second + third)
    assert find(f"@{TUESDAY}") == find("r@20260106") == ids(second)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("@abc", "no commits or sessions begin with 'abc'; expected one. There are runs of"),
        ("@2026", "2 commits or sessions begin with '2026'"),
        ("none@aaa", "r holds no run of branch 'none'"),
        ("nowhere", "no such baseline.*or name a baseline, a folder of results"),
        ("no/where", "no/where: no such folder; expected a baseline, a folder of results"),
    ],
)
def test_a_side_that_is_not_there_says_what_is(text: str, words: str) -> None:
    stored(Path("r"), runs(A, MONDAY, 0), runs(B, TUESDAY, 1))
    with pytest.raises(UsageError, match=words):
        find(text)


def test_of_a_commit_the_runs_without_changes_count() -> None:
    clean, dirty = runs(A, MONDAY, 0), runs(A, TUESDAY, 1, dirty=True)
    stored(Path("r"), clean, dirty)
    assert find("@aaa") == ids(clean)
    assert find("@20260106") == ids(dirty)
    stored(Path("q"), dirty, runs(A, WEDNESDAY, 2, dirty=True))
    with pytest.raises(UsageError, match="expected one of these sessions"):
        find("q@aaa")


@pytest.mark.usefixtures("on_main")
def test_a_baselines_folder_is_never_read_as_results() -> None:
    stored(Path("r"), runs(A, MONDAY, 0, 10))
    save(Path("b/main"), select(Store(Path("r")).load()), "why", "main")
    Store(Path("b/main")).save(runs(B, TUESDAY, 1)[0])  # a run that its manifest does not name
    kept = sides.find("main", Path("r"), Path("b"))
    for text in ("b/main", "b/main@", "b/main@aaa"):
        assert [run.id for run in sides.find(text, Path("r"), Path("b")).records] == ids(
            [*kept.records]
        )
    with pytest.raises(UsageError, match="no commits or sessions begin"):
        find("b/main@bbb")
    Path("b/main/baseline.json").unlink()
    for text in ("main", "b/main", "b/main@", "b/main@aaa"):
        with pytest.raises(StorageError):
            find(text)


@pytest.mark.usefixtures("on_main")
def test_a_name_means_the_baseline_also_beside_a_folder_of_that_name() -> None:
    stored(Path("r"), runs(A, MONDAY, 0, 10))
    save(Path("b/main"), select(Store(Path("r")).load()), "why", "main")
    stored(Path("main"), runs(B, TUESDAY, 1))
    assert len(find("main")) == 10
    assert len(find("./main")) == 5
