"""Which runs were computed by the same code."""

from __future__ import annotations

from harness.records.revisions import Revision, by_revision
from harness.records.schema import Record
from harness.spec import Case
from tests.support.builders import record

A, B = "a" * 40, "b" * 40


def run(
    commit: str | None, session: str, *, dirty: bool | None = False, sources: str = "1"
) -> Record:
    facts = {"commit": commit, "dirty": dirty, "glue-bench_sha256": sources}
    return record(Case("rte", "toy-bert", "cpu-fp32", 42), environment=facts, session=session)


def test_runs_of_one_clean_commit_ran_the_same_code() -> None:
    runs = [run(A, "monday"), run(A, "tuesday"), run(B, "tuesday"), run(A, "monday", sources="2")]
    assert [len(group) for group in by_revision(runs).values()] == [1, 1, 2]  # the newest first


def test_changed_files_and_no_repository_bind_runs_to_their_session() -> None:
    for commit, dirty in ((A, True), (A, None), (None, None)):
        first, same, other = (run(commit, name, dirty=dirty) for name in ("m", "m", "t"))
        assert Revision.of(first) == Revision.of(same) != Revision.of(other)
        assert not Revision.of(first).is_clean


def test_how_a_revision_is_named() -> None:
    assert str(Revision.of(run(A, "m"))) == "commit aaaaaaa"
    assert str(Revision.of(run(A, "m", dirty=True))) == "commit aaaaaaa with changes, session m"
    assert str(Revision.of(run(None, "m", dirty=None))) == "no commit, session m"
