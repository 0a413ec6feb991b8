"""Disks on which each call of a writer fails in turn, and a check of what is stored afterwards."""

from __future__ import annotations

import errno
import itertools
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from harness.errors import NotStored, StorageError
from harness.records import codec, journal
from harness.records.journal import Journal
from harness.records.schema import Record
from harness.records.store import Store
from tests.support import printed_records
from tests.support.builders import TABLE
from tests.support.disks import Failing, Limited, Unflushed
from tests.support.locations import ROOT
from tests.support.power_cuts import run

ERRORS = (errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EINTR, errno.EMFILE, None)


def failing_calls(root: Path, errors: Iterable[int | None] = ERRORS) -> Counter[str]:
    """Each error at each call of saving a record and of noting an event; once, and for good."""
    counts = Counter(injected=0, survived=0)
    for error, for_good, act in itertools.product(errors, (False, True), (saved, noted)):
        for call in itertools.count(1):
            place = root / f"{act.__name__}-{error}-{for_good}-{call}"
            disk = Failing(call, error, for_good)
            survived = act(place, disk)
            shutil.rmtree(place, ignore_errors=True)
            if not disk.failed:
                break
            counts["injected"] += 1
            counts["survived"] += survived
    return counts


def saved(root: Path, disk: Failing) -> bool:
    """Whether saving a run is done, or refused with the whole record, and nothing else is hurt."""
    healthy = Store(root / "results", Unflushed())
    # The new folder is made on the failing disk, except where older records are at stake.
    old = [] if disk.for_good else [healthy.save(run(1), TABLE)]
    return attempted(healthy, Store(healthy.root, disk), run(2), old)


def attempted(
    healthy: Store, failing: Store, made: Record, old: list[Record], table: Any = TABLE
) -> bool:
    """Save on a failing disk, then on a healthy one; whether all is as promised after each."""
    try:
        stored = failing.save(made, table)
    except NotStored as refused:
        (stored,) = printed_records.records_in(refused.line)
        if not isinstance(stored, Record) or same(stored) != same(made):
            return False
        partly = healthy.find()
        if partly.damaged or [one for one in partly.records if one not in (*old, stored)]:
            return False
        if stored not in partly.records:
            healthy.save(made, table)
    return is_whole(healthy, [*old, made]) and is_whole(
        healthy, [*old, made, healthy.save(run(3), TABLE)]
    )


def same(record: Record) -> Record:
    """A record without the name of its predictions, which come to it as it is stored."""
    return record.model_copy(update={"predictions": None})


def is_whole(store: Store, expected: list[Record]) -> bool:
    """Whether a store holds just these runs, with their values and predictions."""
    found = store.find()
    return (
        not found.damaged
        and [same(one) for one in found.records] == [same(one) for one in expected]
        and all(store.has_predictions(one) for one in found.records if one.predictions)
    )


def limited_files(root: Path, step: int) -> Counter[str]:
    """The system takes no byte past an offset: every `step`-th of a record's."""
    size = len(codec.to_bytes(run(2)))
    counts = Counter(offsets=0, silent_losses=0)
    for offset in sorted({0, 1, size - 1, size, *range(0, size, step)}):
        for table in (None, TABLE):
            place = root / f"{offset}-{table is None}"
            healthy = Store(place, Unflushed())
            old = [healthy.save(run(1), TABLE)]
            kept = attempted(healthy, Store(place, Limited(offset)), run(2), old, table)
            counts["offsets"] += 1
            counts["silent_losses"] += not kept
            shutil.rmtree(place)
    return counts


def noted(root: Path, disk: Failing) -> bool:
    """Whether noted events are read back in order, though one could not be written."""
    writer = Journal(root / "results" / "journal", disk)
    root.mkdir()
    safe, failed = [], []
    for number in range(3):
        try:
            writer.note("started", case=f"case {number}")
            safe.append(f"case {number}")
        except StorageError:
            failed.append(f"case {number}")
    if not disk.for_good and len(failed) > 1:
        return False
    found = journal_cases(writer.path) if writer.path.exists() else []
    return [case for case in found if case in safe] == safe and {*found} <= {*safe, *failed}


def journal_cases(path: Path) -> list[str]:
    """The cases that the whole lines of a journal name."""
    events = [journal.from_line(line) for line in path.read_bytes().split(b"\n") if line]
    return [event["case"] for event in events if event]


def in_child(*acts: tuple[object, ...], through: tuple[str, ...] = ()) -> dict[str, Any]:
    """What functions of `children`, given with their arguments, count; keyed by their names.

    `through` is a command that starts the child.
    """
    program = [sys.executable, "-m", "tests.support.campaign_processes"]
    done = subprocess.run(
        [*through, *program, json.dumps(acts, default=str)],
        stdout=subprocess.PIPE, text=True, check=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    return json.loads(done.stdout)


def small_disk(root: Path, kib: int = 64) -> dict[str, int] | None:
    """A file system of so few KiB, filled; None where this user may not mount one."""
    mount = f'mount -t tmpfs -o size={kib}k none "$0" && exec "$@"'
    through = ("unshare", "-rm", "sh", "-c", mount, str(root))
    try:
        subprocess.run([*through, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return in_child(("small_disk", root, kib), through=through)["small_disk"]
