"""Small baselines, and runs that can be saved in one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.compare.baselines import Baseline, accept, promote, save
from harness.compare.selection import select
from harness.records.schema import Record
from harness.spec import Case
from tests.support.builders import record
from tests.support.disks import Unflushed

OLD, NEW = "a1" + "0" * 38, "a2" + "0" * 38
SST2, RTE, COLA = (f"{task}-toy-bert-cpu-fp32" for task in ("sst2", "rte", "cola"))
QUICK = Unflushed()


def run(
    task: str = "sst2",
    seed: int = 42,
    commit: str | None = OLD,
    model: str = "toy-bert",
    **more: Any,
) -> Record:
    facts = {"commit": commit, "dirty": more.pop("dirty", False), **more.pop("facts", {})}
    case = Case(task, model, "cpu-fp32", seed)
    return record(case, environment=facts, **more)


def saved(tmp_path: Path, *runs: Record) -> Path:
    folder = tmp_path / "baselines" / "main"
    save(folder, select(runs or (run(), run("rte"))), "the first", "main", QUICK)
    return folder


def ids(*runs: Record) -> set[str]:
    return {one.id for one in runs}


def kept(baseline: Baseline) -> set[str]:
    return ids(*baseline.records)


def files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def moved_twice(tmp_path: Path) -> Path:
    folder = saved(tmp_path)
    promote(folder, select([run(commit=NEW)]), "second", "main", QUICK)
    accept(folder, RTE, None, "third", QUICK)
    return folder
