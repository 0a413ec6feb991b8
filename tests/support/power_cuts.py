"""Power cuts after every call of a writer: each state that one can leave is read and judged."""

from __future__ import annotations

import contextlib
import errno
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.compare import baselines
from harness.compare.selection import Selection
from harness.errors import StorageError, UsageError
from harness.files.disk import DISK, Disk
from harness.records import journal
from harness.records.journal import Journal
from harness.records.revisions import Revision
from harness.records.schema import Record
from harness.records.store import Store
from harness.spec import Case
from tests.support.builders import TABLE, record
from tests.support.disks import Contents, Failing, Left, Remembering

Judge = Callable[[Contents], int]
"""How many things are wrong with what a power cut left."""


def run(number: int, commit: int = 0) -> Record:
    """A record that differs from every other."""
    code = {"commit": f"{commit:040x}", "dirty": False}
    case = Case("sst2", "toy-bert", "cpu-fp32", number)
    return record(case, score=number / 1000, environment=code)


class Writer:
    """What a writer was told is safe, and what it has begun to store."""

    def __init__(self, root: Path, disk: Remembering, nested: str = "") -> None:
        self.root, self.disk = root / nested, disk
        self.begun: dict[str, Record] = {}
        self.safe: dict[str, Record] = {}

    def save(self, store: Store, number: int) -> None:
        made = run(number)
        self.begun[made.id] = made
        self.safe[made.id] = store.save(made, TABLE if number % 2 else None)

    def judge(self, state: Contents) -> int:
        store = Store(self.root, Left(state))
        found = store.find()
        by_id = {one.id: one for one in found.records}
        lost = [one for one in self.safe.values() if by_id.get(one.id) != one]
        wrong = [one for one in found.records if not self._is_one(one)]
        bare = [one for one in found.records if one.predictions and not store.has_predictions(one)]
        return len(lost) + len(wrong) + len(bare) + len(found.damaged)

    def _is_one(self, found: Record) -> bool:
        begun = self.begun.get(found.id)
        return begun is not None and found.model_copy(update={"predictions": None}) == begun


def crash_states(root: Path, records: int = 3, nested: str = "", **disk: Any) -> Counter[str]:
    """Save some records, the odd ones with predictions; `disk` as of `Remembering`."""
    remembering = Remembering(root, **disk)
    writer = Writer(root, remembering, nested)
    counts = _watch(remembering, writer.judge)
    store = Store(writer.root, remembering)
    for number in range(records):
        writer.save(store, number + 1)
        remembering.after_call()
    return counts


def crash_states_of_two(root: Path, switches: set[int], records: int = 2) -> Counter[str]:
    """Two processes save into one new folder; at these calls the other one goes on."""
    remembering = Remembering(root)
    writer = Writer(root, remembering, "results/local")
    counts = _watch(remembering, writer.judge)
    turns = Turns(switches)
    remembering.before_call = turns.pass_on

    def work(first: int) -> None:
        store = Store(writer.root, remembering)
        for number in range(first, first + records):
            writer.save(store, number)
            remembering.after_call()

    turns.run([lambda: work(1), lambda: work(101)])
    return counts


def crash_states_of_journal(
    root: Path, events: int = 4, fails_at: int = 0, **disk: Any
) -> Counter[str]:
    """Note some events, while a call may fail; `disk` as of `Remembering`."""
    remembering = Remembering(root, **disk)
    failing = Failing(fails_at, errno.EIO, disk=remembering)
    noted: list[str] = []

    def judge(state: Contents) -> int:
        lines = b"\n".join(state.values()).split(b"\n")
        found = [event["case"] for event in map(journal.from_line, filter(None, lines)) if event]
        others = len(found) - len(noted)  # one that failed, one that is being noted
        return [case for case in found if case in noted] != noted or others > 2

    counts = _watch(remembering, judge)
    writer = Journal(root / "results" / "journal", failing)
    for number in range(events):
        with contextlib.suppress(StorageError):
            writer.note("started", case=f"case {number}")
            noted.append(f"case {number}")
        remembering.after_call()
    writer.close()
    return counts


def crash_states_of_baseline(
    root: Path, moves: int = 2, fails_at: int = 0, replacing: bool = False, **disk: Any
) -> Counter[str]:
    """Save a baseline of one seed and promote others; what a failing call prevents is done again.

    The others are added, or with `replacing` they replace it. `disk` as of `Remembering`.
    """
    remembering = Remembering(root, **disk)
    failing = Failing(fails_at, errno.EIO, disk=remembering)
    folder = root / "baselines" / "main"
    allowed: list[set[str]] = [set()]  # what it may consist of now
    counts = _watch(remembering, lambda state: _consists_of(folder, Left(state)) not in allowed)
    for number in range(moves + 1):
        made = run(number, commit=number if replacing else 0)
        allowed.append({made.id} if replacing else {*allowed[-1], made.id})
        move = baselines.promote if number else baselines.save
        given = (folder, Selection((made,), Revision.of(made), {}), "a reason", "main")
        with contextlib.suppress(StorageError):
            move(*given, failing)
        if _consists_of(folder, DISK) == allowed[0]:
            move(*given, remembering)
        del allowed[0]
        remembering.after_call()
    return counts


def _consists_of(folder: Path, disk: Disk) -> set[str] | None:
    """The ids of a baseline's runs; None if it is damaged."""
    try:
        return {one.id for one in baselines.load(folder, disk).records}
    except UsageError:
        return set()
    except StorageError as error:  # there may be runs and no change yet; then it must say so
        return set() if "a first save was cut off" in str(error) else None


def _watch(disk: Remembering, judge: Judge) -> Counter[str]:
    counts = Counter(explored=0, violations=0)

    def cut_power() -> None:
        for state in disk.states():
            counts["explored"] += 1
            counts["violations"] += judge(state) > 0

    disk.after_call = cut_power
    return counts


class Turns:
    """Two threads of which one runs at a time; at the calls in `switches` they change places."""

    def __init__(self, switches: set[int]) -> None:
        self.switches = switches
        self.calls = 0
        self.changed = threading.Condition()
        self.alive: list[int] = []
        self.turn = 0
        self.mine = threading.local()
        self.errors: list[BaseException] = []

    def run(self, jobs: list[Callable[[], None]]) -> None:
        """Do the jobs; raises what any of them raised."""
        self.alive = list(range(len(jobs)))
        threads = [threading.Thread(target=self._do, args=one) for one in enumerate(jobs)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self.errors:
            raise self.errors[0]

    def pass_on(self) -> None:
        """At a switch, let the other thread go on; returns when it is this one's turn again."""
        with self.changed:
            self.calls += 1
            if self.calls in self.switches:
                self.turn = self.alive[-1] if self.turn == self.alive[0] else self.alive[0]
                self.changed.notify_all()
            self.changed.wait_for(lambda: self.turn == self.mine.number)

    def _do(self, number: int, job: Callable[[], None]) -> None:
        self.mine.number = number
        with self.changed:
            self.changed.wait_for(lambda: self.turn == number)
        try:
            job()
        except BaseException as error:  # noqa: BLE001  (raised again in `run`)
            self.errors.append(error)
        with self.changed:
            self.alive.remove(number)
            self.turn = self.alive[0] if self.alive else -1
            self.changed.notify_all()
