"""Logs that contain records, and the command that imports them."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.records import codec
from harness.records.schema import Record
from harness.spec import Case
from harness.text import log_marks
from tests.support.builders import record

SESSION = "20260102T030405-1a2b3c4d"
BEGUN = log_marks.announcement(SESSION)
Import = Callable[..., tuple[int, str, str]]


def made(task: str = "rte", **changed: Any) -> Record:
    """A record of a session; what is changed need not be valid."""
    case = Case(task, "toy-bert", "cpu-fp32", 42)
    return record(case, session=SESSION).model_copy(update=changed)


def raw_line(**changed: Any) -> str:
    """A line that is sealed like a record's, whatever it holds."""
    body = json.dumps(json.loads(made().model_dump_json(by_alias=True)) | changed)[:-1]
    return f'{codec.MARK} {body}, "crc32": "{zlib.crc32(body.encode()):08x}"}}'


@pytest.fixture
def import_log(tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> Import:
    """`glue-bench import` of a log into the folder `r`."""

    def command(log: str | bytes, *args: object) -> tuple[int, str, str]:
        content = log if isinstance(log, bytes) else log.encode(errors="surrogatepass")
        (tmp_path / "log").write_bytes(content)
        from tests.support.pytest_project import (
            glue_bench,  # here: this is loaded before the tests that need it
        )

        return glue_bench(capsys, monkeypatch, "import", tmp_path / "r", tmp_path / "log", *args)

    return command
