"""Files, and names of files, that may contain a stranger's text."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from harness.records import codec, journal
from harness.records.store import Store
from harness.spec import Case
from tests.support import custom_task
from tests.support.builders import record
from tests.support.custom_task import CLASSES, TOML
from tests.support.outlets import CASE, Place, sealed

RTE = Case("rte", "toy-bert", "cpu-fp32", 1)


def _place(put: Callable[[str, Path], Any], *lines: str) -> Place:
    def made(text: str, folder: Path) -> Iterator[list[str]]:
        put(text, folder)
        yield from (line.split() for line in lines)

    return made


def _journal(text: str, folder: Path) -> None:
    log = journal.Journal(folder / "r/journal")
    log.note("planned", cases=[text, "b", "c"], settings={text: text})
    log.note("started", case=text)
    log.note("finished", case="b", status=text)
    log.note("skipped", case="c", reason=text)
    log.note("tested", case="b", outcome=text)
    log.close()
    (folder / "r/journal/x.jsonl").write_bytes(journal.to_line({"event": text, "time": text}))


def _change(text: str, folder: Path) -> None:
    """A change as a forger writes it: the manifest's checksum holds."""
    path = folder / "results/baselines/main/baseline.json"
    told = json.loads(path.read_bytes())
    del told["crc32"]
    code = dict.fromkeys(("branch", "commit", "session", "glue-bench", "glue-bench_sha256"), text)
    told["changes"][0] |= {"reason": text, "cells": [text], "gone": [text], **code}
    path.write_bytes(sealed(told))


def _task_file(more: str) -> Callable[[str, Path], None]:
    def put(text: str, folder: Path) -> None:
        custom_task.put(folder, {})
        (folder / "mine.toml").write_text(more.replace("TEXT", json.dumps(text)))

    return put


def _rows(name: str, content: str) -> Callable[[str, Path], None]:
    def put(text: str, folder: Path) -> None:
        quoted = text.replace('"', '""')
        custom_task.put(folder, {name: content.replace("TEXT", f'"{quoted}"')})

    return put


def _pyproject(lines: str) -> Callable[[str, Path], None]:
    def put(text: str, folder: Path) -> None:
        (folder / "pyproject.toml").write_text(lines.replace("TEXT", json.dumps(text)))

    return put


def _log(text: str, folder: Path) -> None:
    (folder / "log").write_text(
        f"{text}\n{codec.MARK} {text}\n{codec.MARK} {{{json.dumps(text)}: 1}}"
    )


def _labels(text: str, folder: Path) -> None:
    (folder / "labels").write_text(f"{text}\nx\t{text}\n")
    (folder / "predictions").write_text(f"index\tprediction\n{text}\t{text}\n0\t{text}\n")


MINE = "explain reviews-toy-bert-cpu-fp32-s42 --glue-task-file mine.toml"
WRITTEN: dict[str, Place] = {
    "a journal's events": _place(_journal, "status r", "baseline save new r --reason x"),
    "a change of a baseline": _place(
        _change, "baseline list", "baseline show main", "compare main r",
        "compare main r --format markdown", "baseline promote main r --reason x",
    ),
    "a name in a task file": _place(_task_file("[[task]]\nname = TEXT\n"), MINE),
    "a key of a task file": _place(_task_file(f"{TOML}TEXT = 1\n"), MINE),
    "labels of a task file": _place(
        _task_file(f"{TOML}labels = [TEXT, 'good']\n"), MINE
    ),
    "columns of a task file": _place(
        _task_file(TOML.replace('"stars"', "TEXT") + CLASSES), MINE
    ),
    "data of a task file": _place(
        _task_file(TOML.replace('"rows"', "TEXT") + CLASSES), MINE
    ),
    "splits of a task file": _place(
        _task_file(TOML + CLASSES + "splits = { train = TEXT, TEXT = TEXT }\n"),
        MINE,
    ),
    "a revision in a task file": _place(
        _task_file(
            TOML.replace('"rows"', '"hub:a/b"') + CLASSES + "revision = TEXT\n"
        ),
        MINE,
    ),
    "a metric of a task file": _place(
        _task_file(f"{TOML}{CLASSES}metrics = [TEXT]\n"), MINE
    ),
    "a CSV file's header": _place(_rows("train.csv", "TEXT,TEXT\na,bad\n"), MINE),
    "a CSV file's label": _place(_rows("train.csv", "review,stars\na,TEXT\n"), MINE),
    "a line of a log": _place(_log, "import g log"),
    "labels and predictions": _place(
        _labels, "score predictions --task sst2 --labels labels",
        "score predictions --task mnli --labels labels --split dev",
    ),
    "a key of pyproject.toml": _place(
        _pyproject("[tool.glue-bench]\nTEXT = 1\n"), f"explain {CASE}"
    ),
    "a table of pyproject.toml": _place(
        _pyproject("[tool.gluebench.TEXT]\n[tool.glue-bench.TEXT]\n"), f"explain {CASE}"
    ),
    "a value of pyproject.toml": _place(
        _pyproject("[tool.glue-bench]\nmodels = TEXT\ntasks = [TEXT]\n"), f"explain {CASE}"
    ),
    "a threshold of pyproject.toml": _place(
        _pyproject("[tool.glue-bench.thresholds]\nTEXT = TEXT\n"), "compare r r"
    ),
    "a threshold's cells": _place(
        _pyproject("[tool.glue-bench.thresholds.accuracy]\nTEXT = TEXT\n"), "compare r r"
    ),
    "no TOML": _place(
        lambda text, folder: (folder / "pyproject.toml").write_text(text, errors="replace"),
        f"explain {CASE}", "compare r r",
    ),
}  # fmt: skip


def _named(make: Callable[[Path, str], Any], *lines: str) -> Place:
    def put(text: str, folder: Path) -> Iterator[list[str]]:
        make(folder, text)
        yield from ([word.replace("TEXT", text) for word in line.split()] for line in lines)

    return put


def _model(folder: Path, text: str, **config: Any) -> None:
    (folder / "m" / text).mkdir(parents=True, exist_ok=True)
    (folder / "m" / text / "config.json").write_text(json.dumps({"model_type": text} | config))
    (folder / "m" / text / "model.safetensors").write_bytes(b"x")


def _touched(path: str) -> Callable[[Path, str], None]:
    def make(folder: Path, text: str) -> None:
        file = Path(os.fspath(folder / path) + text)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("x")

    return make


NAMED: dict[str, Place] = {
    "a results folder's name": _named(
        lambda folder, text: Store(folder / text).save(record(RTE)),
        "report TEXT", "report ./TEXT --format json", "status TEXT", "compare ./TEXT r",
        "census ./TEXT",
        "submit ./TEXT", "report r -o ./TEXT", "baseline save new ./TEXT --reason x",
        f"explain {CASE} --glue-results ./TEXT",
    ),
    "a record file's name": _named(_touched("r/runs/"), "report r", "flips r/runs/TEXT a"),
    "a record file's name.json": _named(
        lambda folder, text: _touched("r/runs/")(folder, f"{text}.json"),
        "report r", "status r", "flips ./r/runs/TEXT.json a", "compare r r", "submit r",
    ),
    "a journal's name": _named(
        lambda folder, text: _touched("r/journal/")(folder, f"{text}.jsonl"), "status r"
    ),
    "a baseline's name": _named(
        lambda folder, text: _touched(f"results/baselines/{text}/")(folder, "baseline.json"),
        "baseline list", "baseline show ./results/baselines/TEXT", "baseline show TEXT",
    ),
    "the name of a file beside a baseline's runs": _named(
        lambda folder, text: _touched("results/baselines/main/runs/")(folder, f"{text}.json"),
        "baseline list", "baseline show main", "compare main r",
    ),
    "a model folder's name": _named(
        _model, "predict ./m/TEXT x", f"explain {CASE} --glue-models ./m/TEXT",
        f"verify {CASE} --results r --model ./m/TEXT",
    ),
    "a file in a model folder": _named(
        lambda folder, text: (_model(folder, "m"), _touched("m/m/")(folder, text)),
        "predict ./m/m x", f"explain {CASE} --glue-models ./m/m",
    ),
    "a data folder's name": _named(
        lambda folder, text: _touched(f"d/{text}/")(folder, "SST-2"),
        f"explain {CASE} --glue-data ./d/TEXT",
        f"flips {CASE} {CASE} --results r --with-text --data ./d/TEXT",
    ),
    "a task file's name": _named(
        lambda folder, text: _touched("")(folder, f"{text}.toml"),
        f"explain {CASE} --glue-task-file ./TEXT.toml",
    ),
    "a log's name": _named(_touched(""), "import g ./TEXT"),
}  # fmt: skip
