"""A folder of many records, a few of them damaged, is read and tabulated: `tox -e slow`."""

from __future__ import annotations

import csv
import io
import itertools
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.catalog import tasks
from harness.errors import Exit
from harness.records import codec
from harness.records.schema import Record
from harness.records.store import Store, file_name, read
from harness.reports import report
from harness.reports.boards import boards
from harness.spec import Axis, Case
from tests.records.test_store import BROKEN
from tests.support import builders, scoreboard
from tests.support.campaign_processes import SCHEMA_3, numbered

MODELS = [f"model-{number}" for number in range(20)]
TARGETS = ("cpu-fp32", "cpu-bf16")
CELLS = list(itertools.product(tasks.GLUE_9, MODELS, TARGETS))
GLUE_BENCH = (sys.executable, "-c", "from harness.cli import main; main()")


def run(template: Record, number: int) -> Record:
    """A record of real size: each cell has its seeds, and each run its losses."""
    seed, place = divmod(number, len(CELLS))
    task, model, target = CELLS[place]
    name = f"{task}-{model}-{target}"
    case = {"id": f"{name}-s{42 + seed}", "task": task, "model": model, "target": target}
    made = numbered(template, number)
    like = builders.record(Case(task, model, target, 0), score=0.9 - number % 900 / 1000)
    return made.model_copy(
        update={
            "case": made.case.model_copy(update={**case, "seed": 42 + seed}),
            "cell_key": name,
            **{key: getattr(like, key) for key in ("score", "metrics", "history")},
        }
    )


def fill(root: Path, records: int) -> dict[str, str]:
    """Store so many, and beside them copies of the first, each damaged in another way.

    Returns the names of those files and what is to be said of each.
    """
    template, runs = read(SCHEMA_3), root / "runs"
    runs.mkdir(parents=True)
    for number in range(records):
        made = run(template, number)
        (runs / file_name(made)).write_bytes(codec.to_bytes(made))
    first = run(template, 0).model_copy(update={"identity": {}})  # for which BROKEN was written
    whole = codec.to_bytes(first).decode()
    told = {"x-copy.json": "holds the same run"}
    (runs / "x-copy.json").write_text(whole)
    for place, (change, words) in enumerate(BROKEN.values()):
        told[f"x-{place}.json"] = words
        (runs / f"x-{place}.json").write_text(change(whole))
    return told


def timed(act: Callable[[], Any]) -> tuple[Any, float]:
    """What the act returns, and the seconds it took."""
    began = time.perf_counter()
    done = act()
    return done, time.perf_counter() - began


@pytest.mark.parametrize("records", [360, pytest.param(20_000, marks=pytest.mark.slow)])
def test_many_records_become_one_report(tmp_path: Path, records: int) -> None:
    damaged = fill(tmp_path, records)
    found, load_s = timed(Store(tmp_path).find)
    _, group_s = timed(lambda: [board.rows for board in boards(found.records)])
    made, tabulate_s = timed(lambda: report.make(found.records, "results", by=Axis.target))
    files, format_s = timed(lambda: dict(report.files(made)))
    rows = list(csv.DictReader(io.StringIO(files["cells.csv"])))
    output = tmp_path / "report"
    command = [*GLUE_BENCH, "report", str(tmp_path), "-o", str(output)]
    cpu = sum(os.times()[2:4])  # of children
    done, command_s = timed(lambda: subprocess.run(command, capture_output=True, text=True))
    scoreboard.add(
        f"report of {records:,} records", damaged_files=len(found.damaged), s_to_load=load_s,
        s_to_group=group_s, s_to_tabulate=tabulate_s, s_to_format=format_s,
        s_for_the_command=command_s,
        s_of_its_CPU=sum(os.times()[2:4]) - cpu, records_a_second=int(records / load_s),
    )  # fmt: skip
    assert len(found.records) == records
    assert [run.created for run in found.records] == sorted(run.created for run in found.records)
    assert (len(rows), sum(int(row["n"]) for row in rows)) == (len(CELLS), records)
    assert (output / "report.md").read_text().startswith("# glue-bench report")
    assert done.returncode == Exit.STORAGE
    said, *complaints = done.stderr.splitlines()
    assert said.startswith(f"{output}: runs: {records}; report.md, ")
    for errors in ([str(error) for error in found.damaged], complaints):
        assert len(errors) == len(damaged)
        for name, words in damaged.items():
            assert any(f"{name}: " in error and words in error for error in errors)
