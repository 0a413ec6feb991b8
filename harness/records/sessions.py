"""The sessions of a results folder: what each planned, and how each case ended."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.errors import StorageError
from harness.records import journal
from harness.records.journal import Session
from harness.records.store import Store

DONE, RUNNING = "ok", "running"


@dataclass(frozen=True)
class Status:
    """The sessions of a folder, oldest first, and the files that could not be read."""

    folder: Path
    sessions: list[Session]
    damaged: list[StorageError]

    @property
    def open_cases(self) -> dict[str, str]:
        """Every planned case that has not ended ok in any session, and how far it got.

        Two sessions plan the same case if their settings are the same too. A case that still runs
        is left out.
        """
        fates: dict[tuple[str, str], str] = {}
        for session in self.sessions:
            started = {*session.started}
            for case in session.planned:
                if fates.get((case, session.settings)) != DONE:
                    fates[case, session.settings] = _fate(session, case, case in started)
        return {case: fate for (case, _), fate in fates.items() if fate not in (DONE, RUNNING)}


def _fate(session: Session, case: str, has_started: bool) -> str:
    if case in session.reused or session.finished.get(case) == "ok":
        outcome = session.tested.get(case, "passed")
        return DONE if outcome == "passed" else f"its run is ok, its test {outcome}"
    if case in session.finished:
        return session.finished[case]
    if case in session.skipped:
        return f"skipped: {session.skipped[case]}"
    if session.is_running:
        return RUNNING
    return "cut off" if has_started else "never began"


def read(folder: Path) -> Status:
    """The status of a results folder. Records also count where the journal lacks their case."""
    store = Store(folder)
    sessions, damaged = journal.sessions(store.journal)
    found = store.find()
    by_name = {session.name: session for session in sessions}
    for record in found.records:
        session = by_name.get(record.session or "")
        case = record.case.id
        if session is None or case in session.finished or case in session.skipped:
            continue
        if record.status == "skipped":
            session.skipped[record.case.id] = record.reason or ""
        else:
            session.finished[record.case.id] = record.status
    return Status(folder, sessions, [*found.damaged, *damaged])


def refused(folder: Path) -> tuple[set[str], list[StorageError]]:
    """Ids of the ok runs whose tests failed; and the journals that could not be read."""
    store = Store(folder)
    found, damaged = journal.sessions(store.journal)
    failed = {
        (session.name, case)
        for session in found
        for case, outcome in session.tested.items()
        if outcome == "failed"
    }
    return {r.id for r in store.find().records if (r.session, r.case.id) in failed}, damaged
