"""Places that may contain a stranger's text, and the commands that show it.

`TYPED` has the command lines, `STORED` what a record holds; `outlet_files` has other files. Each
place is put up in a folder that holds a `world` and is the current one by then.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from harness.planning import options
from harness.records import codec
from harness.records.store import Store
from harness.spec import Case
from tests.support.baselines import saved
from tests.support.builders import record
from tests.support.prediction_runs import on_toy_rows

CASE = "sst2-toy-bert-cpu-fp32-s42"
TYPED = """
TEXT
list TEXT
list models --model TEXT
list references --task TEXT
list references --model TEXT
list references --split TEXT
report TEXT
report r --format TEXT
report r --by TEXT
report r --by model --reference TEXT
report r -o r/runs/TEXT/x
report r --TEXT
compare TEXT r
compare r TEXT
compare r r --fail-on TEXT
compare r r --fail-on TEXT:-1pt
compare main r --baselines TEXT
compare r r --format TEXT
census TEXT
census r --seeds TEXT
census r --base TEXT
flips TEXT a
flips CASE TEXT
flips CASE CASE --results TEXT
flips CASE CASE --with-text --data TEXT
flips CASE CASE --format TEXT
flips CASE CASE --limit TEXT
status TEXT
import r TEXT
import TEXT log
explain TEXT
explain CASE TEXT
explain CASE --glue-TEXT
fetch TEXT
init TEXT
verify TEXT
verify CASE --threads TEXT
verify CASE --results TEXT
submit TEXT
submit r -o r/TEXT/x.zip
submit r --model TEXT
submit r --target TEXT
submit r --recipe TEXT
submit r --seed TEXT
submit r --fill TEXT
score TEXT --task sst2 --labels labels
score log --task TEXT --labels labels
score log --task sst2 --labels TEXT
score log --task sst2 --labels labels --split TEXT
baseline TEXT
baseline save TEXT --reason x --results r
baseline save new --reason TEXT
baseline save new r --reason TEXT
baseline save new r --reason x --commit TEXT
baseline save new r --reason x --branch TEXT
baseline save new r --reason x --session TEXT
baseline save new r --reason x --task TEXT
baseline save new r --reason x --model TEXT
baseline promote main r --reason x --target TEXT
baseline save new TEXT --reason x
baseline promote TEXT r --reason x
baseline promote main r --reason TEXT
baseline accept TEXT CELL r --reason x
baseline accept main TEXT r --reason x
baseline accept main CELL --gone --reason TEXT
baseline list --baselines TEXT
baseline show TEXT
baseline show main --baselines TEXT
predict TEXT x
run TEXT
run TEXT TEXT
"""


def commands() -> list[list[str]]:
    """Every command line with TEXT in it, as words."""
    lines = [line.split() for line in TYPED.strip().splitlines()]
    lines += [["explain", "CASE", option.flag, "TEXT"] for option in options.OPTIONS]
    named = {"CASE": CASE, "CELL": CASE.removesuffix("-s42")}
    return [[named.get(word, word) for word in line] for line in lines]


def world(folder: Path) -> None:
    """A results folder `r`, a baseline `main` in `results/baselines`, a log and labels."""
    for made in (on_toy_rows("sst2", range(5)), on_toy_rows("rte", range(9))):
        Store(folder / "r").save(*made)
    saved(folder / "results")
    (folder / "log").write_text("0\t1\n")
    (folder / "labels").write_text("sentence\tlabel\na\t1\n")


Place = Callable[[str, Path], Iterable[list[str]]]
"""Puts a text into files of a folder that holds a `world`; gives the commands to try."""


def _records(**changed: Callable[[str], dict[str, Any]]) -> dict[str, Place]:
    """Places in a record: what of an ok run, or of one that failed, is another."""

    def place(change: Callable[[str], dict[str, Any]]) -> Place:
        def put(text: str, folder: Path) -> Iterator[list[str]]:
            made = record(Case("sst2", "toy-bert", "cpu-fp32", 42))
            told = json.loads(made.model_dump_json(by_alias=True))
            _merge(told, change(text))
            (folder / "f/runs").mkdir(parents=True, exist_ok=True)
            (folder / "f/runs/x.json").write_bytes(sealed(told))
            (folder / "log").write_text(f"{codec.MARK} {sealed(told).decode()}")
            yield from ([*line.split()] for line in READERS)
            yield ["flips", "f/runs/x.json", CASE, "--results", "r"]
            yield ["verify", "f/runs/x.json", "--data", "none"]

        return put

    return {f"a record's {name}": place(change) for name, change in changed.items()}


READERS = (
    "report f", "report f --format csv", "report f --format json", "report f --format latex",
    "report f --by model", "report f -o out", "status f", "census f", "compare r f", "compare f r",
    "compare f r --format markdown", "submit f -o out.zip", "import g log",
    f"explain {CASE} --glue-results f --glue-tasks sst2", "baseline save new f --reason x",
)  # fmt: skip


def _merge(told: dict[str, Any], change: dict[str, Any]) -> None:
    for name, value in change.items():
        if isinstance(value, dict) and isinstance(told.get(name), dict):
            _merge(told[name], value)
        else:
            told[name] = value


def sealed(told: dict[str, Any]) -> bytes:
    """A record as a forger writes it: on one line, with a checksum that holds."""
    body = json.dumps(told)[:-1].encode()
    return body + b', "crc32": "%08x"}' % zlib.crc32(body)


FAILED = {"status": "failed", "score": None, "metrics": {}}
SKIPPED = {"status": "skipped", "score": None, "metrics": {}}
STORED = _records(
    case=lambda text: {"case": {"id": text}},
    task=lambda text: {"case": {"task": text}},
    model=lambda text: {"case": {"model": text}},
    target=lambda text: {"case": {"target": text}},
    id=lambda text: {"id": text},
    reason=lambda text: FAILED | {"reason": text},
    skip=lambda text: SKIPPED | {"reason": text},
    status=lambda text: {"status": text},
    flags=lambda text: {"flags": [text]},
    profile=lambda text: {"profile": text},
    session=lambda text: {"session": text},
    recipe=lambda text: {"recipe": {"name": text}},
    source=lambda text: {"source": {"kind": text}},
    revision=lambda text: {"source": {"kind": "hub", "revision": text}},
    environment=lambda text: {"environment": {"torch": text, "commit": text, "cpu": text}},
    identity=lambda text: {"identity": {text: text}},
    cell_key=lambda text: {"cell_key": text},
    note=lambda text: {"model": {"notes": [text], "dtype": text}},
    labels=lambda text: {
        "flags": ["missing_labels"], "data": {"splits": {"train": {"missing_labels": [text]}}}
    },
    split=lambda text: {"metrics": {text: {text: 0.5}}},
    predictions=lambda text: {"predictions": {"name": text, "sha256": text, "rows": 1}},
    key=lambda text: {text: text},
    model_folder=lambda text: {"saved_model": text, "saved_model_sha256": text},
)  # fmt: skip
