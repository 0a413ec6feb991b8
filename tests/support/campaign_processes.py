"""Processes that campaigns start: they fork, kill their children, or fill a file system.

`python -m tests.support.campaign_processes '[["kills", "FOLDER", 100, 0]]'` calls functions of this
module and prints what each of them counted.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import resource
import shutil
import signal
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd  # noqa: F401  (pyarrow does; once, not in each forked child)
import pyarrow.parquet  # noqa: F401  (as above)

from harness.errors import NotStored
from harness.records import store
from harness.records.schema import Record
from harness.records.store import Store
from harness.spec import Case
from tests.support import printed_records
from tests.support.builders import TABLE
from tests.support.disk_failures import is_whole, same
from tests.support.disks import Unflushed
from tests.support.locations import GOLDEN
from tests.support.power_cuts import run

SCHEMA_3 = GOLDEN / "schema3.json"
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
Counts = dict[str, float]


def numbered(template: Record, *number: int) -> Record:
    """A record that can be made again from its number, to compare one that was read with."""
    name = hashlib.sha256(str(number).encode()).hexdigest()[:32]
    seed, last = number[-1], template.case
    name_of_case = Case(last.task, last.model, last.target, seed).id
    case = last.model_copy(update={"seed": seed, "id": name_of_case})
    changed = {
        "id": name,
        "case": case,  # names hold a case and 8 digits of an id: few runs share both
        "created": BEGAN + timedelta(seconds=number[0], microseconds=number[-1]),
        "first_losses": [one / 7 for one in number],
        "predictions": None,
    }
    return template.model_copy(update=changed)


def small_disk(root: str, kib: int) -> Counts:
    """Fill a small file system with records, from each page; then make room again."""
    counts = {"fillings": 0, "silent_losses": 0}
    for filler in range(16, kib, 4):
        (Path(root) / "filler").write_bytes(bytes(filler * 1024))
        counts["fillings"] += 1
        counts["silent_losses"] += not _is_kept_when_full(Path(root))
        shutil.rmtree(Path(root) / "results", ignore_errors=True)
    return counts


def _is_kept_when_full(root: Path) -> bool:
    full, safe = Store(root / "results"), []
    try:
        for number in range(1000):
            safe.append(full.save(run(number), TABLE))
    except NotStored as refused:
        (stored,) = printed_records.records_in(refused.line)
    else:
        raise AssertionError("the disk did not fill up")
    kept = is_whole(full, safe)
    (root / "filler").unlink()
    return kept and is_whole(full, [*safe, full.save(stored)])


def writers(root: str, processes: int, records: int) -> Counts:
    """Many processes save into one folder at once, each with predictions."""
    template = run(1)
    began = time.perf_counter()
    children = []
    for writer in range(processes):
        children.append(os.fork())
        if not children[-1]:
            shared = Store(Path(root))
            for number in range(records):
                shared.save(numbered(template, writer, number), TABLE)
            os._exit(0)
    failed = sum(os.waitpid(child, 0)[1] != 0 for child in children)
    seconds = time.perf_counter() - began
    found = Store(Path(root)).find()
    expected = {
        (made := numbered(template, writer, number)).id: made
        for writer in range(processes)
        for number in range(records)
    }
    read = sum(expected.get(one.id) == same(one) for one in found.records)
    written = len(expected)
    return {
        "written": written, "read": read, "torn": len(found.damaged) + failed,
        "ms_a_record": seconds * 1000 / written,
    }  # fmt: skip


def kills(root: str, rounds: int, seed: int) -> Counts:
    """Kill a process that saves records, each time somewhere else, and read what it left."""
    drawn = random.Random(seed)
    counts = {
        "kills": 0,
        "acknowledged": 0,
        "acknowledged_results_lost": 0,
        "doubled": 0,
        "torn": 0,
    }
    template = run(1)
    Store(Path(root) / "first").save(template, TABLE)  # which takes longer than later ones
    for number in range(rounds):
        place = Path(root) / str(number // 10)  # the writers that follow find what others left
        safe = _killed(place, template, number, drawn)
        left = Store(place)
        found = left.find()
        by_id = {one.id: one for one in found.records if left.has_predictions(one)}
        lost = [one for one in safe if one.id not in by_id or same(by_id[one.id]) != one]
        counts["kills"] += 1
        counts["acknowledged"] += len(safe)
        counts["acknowledged_results_lost"] += len(lost)
        counts["doubled"] += len(found.records) - len({one.id for one in found.records})
        counts["torn"] += len(found.damaged)
    return counts


def _killed(root: Path, template: Record, writer: int, drawn: random.Random) -> list[Record]:
    """The records whose saving a writer told of, before it was killed."""
    mouth, ear = reversed(os.pipe())
    child = os.fork()
    if not child:
        _save_for_ever(root, template, writer, mouth)
    os.close(mouth)
    with os.fdopen(ear) as told:
        numbers = [int(told.readline()) for _ in range(drawn.randint(0, 4))]
        time.sleep(drawn.uniform(0, 0.01))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        numbers += [int(line) for line in told if line.endswith("\n")]
    return [numbered(template, writer, number) for number in numbers]


def _save_for_ever(root: Path, template: Record, writer: int, mouth: int) -> None:
    saving = Store(root)
    for number in range(1_000_000):
        saving.save(numbered(template, writer, number), TABLE)
        os.write(mouth, f"{number}\n".encode())


def volume(root: str, records: int) -> Counts:
    """Read very many records of real size."""
    template = store.read(SCHEMA_3)
    filled = Store(Path(root), Unflushed())
    for number in range(records):
        filled.save(numbered(template, number))
    size = sum(file.stat().st_size for file in os.scandir(filled.runs))
    began, began_cpu = time.perf_counter(), time.process_time()
    found = Store(Path(root)).find()
    seconds, cpu = time.perf_counter() - began, time.process_time() - began_cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    wrong = sum(
        one != numbered(template, number)
        for number, one in enumerate(found.records)
        if number % 97 == 0
    )
    return {
        "records": len(found.records), "wrong_or_torn": wrong + len(found.damaged),
        "MB": size / 1e6, "s": seconds, "s_of_CPU": cpu, "MB_of_memory": peak * 1024 / 1e6,
    }  # fmt: skip


ACTS: dict[str, Callable[..., Counts]] = {
    act.__name__: act for act in (small_disk, writers, kills, volume)
}

if __name__ == "__main__":
    print(json.dumps({act: ACTS[act](*given) for act, *given in json.loads(sys.argv[1])}))
