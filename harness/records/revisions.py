"""Which code computed a run: a commit without changes, or else whatever one session ran."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from harness.records.schema import Record

ID_DIGITS = 7  # of a commit, as git shows it


@dataclass(frozen=True)
class Revision:
    """The code of a run, as far as its record tells.

    Runs of one clean commit of the project, by one version of glue-bench's sources, ran the same
    code. Files that were changed, or that are in no repository, may have been others in the next
    session: then only the runs of one session belong together.
    """

    commit: str | None  # of the project in which pytest ran
    glue_bench: str | None  # sha256 of glue-bench's own sources; None in older records
    session: str | None  # None: the commit says it all

    @classmethod
    def of(cls, record: Record) -> Revision:
        """The revision of a run."""
        sources = _text(record, "glue-bench_sha256")
        if commit := clean_commit(record):
            return cls(commit, sources, None)
        return cls(commit_of(record), sources, record.session or record.id)

    @property
    def is_clean(self) -> bool:
        """Whether a commit tells which code ran."""
        return self.session is None

    @property
    def code(self) -> str:
        """The commit in short, and whether files were changed since."""
        if self.commit is None:
            return "no commit"
        return self.commit[:ID_DIGITS] + ("" if self.is_clean else " with changes")

    def __str__(self) -> str:
        commit = f"commit {self.code}" if self.commit else self.code
        return commit if self.is_clean else f"{commit}, session {self.session}"


def commit_of(record: Record) -> str | None:
    """The commit of the project in which a run was made; None if it is not known."""
    return _text(record, "commit")


def clean_commit(record: Record) -> str | None:
    """The commit that computed a run, if no tracked file was changed; else None."""
    return commit_of(record) if record.environment.get("dirty") is False else None


def by_revision(records: Iterable[Record]) -> dict[Revision, list[Record]]:
    """Runs grouped by the code that computed them; the group with the newest run comes first."""
    groups: dict[Revision, list[Record]] = defaultdict(list)
    for record in sorted(records, key=lambda record: (record.created, record.id), reverse=True):
        groups[Revision.of(record)].append(record)
    return {revision: runs[::-1] for revision, runs in groups.items()}


def _text(record: Record, fact: str) -> str | None:
    value = record.environment.get(fact)
    return str(value) if value else None
