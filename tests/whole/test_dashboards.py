"""What services that draw charts read of our files, as docs/ci.md says."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from harness.records.store import Store
from tests.support.engines import FakeEngine
from tests.support.locations import ROOT
from tests.support.prediction_runs import on_toy_rows
from tests.support.pytest_project import run

READ_BY_THE_ACTION = {"ops", "stddev", "mean", "rounds"}
READ_BY_BENCHER = {"median", "iqr"}


def test_the_file_of_benchmark_json_has_what_they_read(
    project: pytest.Pytester, engines: list[FakeEngine]
) -> None:
    assert run(project, "-k", "sst2 and fp32", "--benchmark-json", "b.json").ret == 0
    content = json.loads((project.path / "b.json").read_text())
    assert isinstance(content["machine_info"], dict)
    assert isinstance(content["commit_info"], dict)
    (entry,) = content["benchmarks"]
    assert entry["fullname"].endswith("test_finetune[sst2-toy-bert-cpu-fp32-s42]")
    for key in READ_BY_THE_ACTION | READ_BY_BENCHER:
        assert isinstance(entry["stats"][key], int | float), key


def test_the_script_for_scores_writes_a_list_that_the_action_takes(tmp_path: Path) -> None:
    Store(tmp_path / "results" / "local").save(*on_toy_rows("sst2", range(5)))
    page = (ROOT / "docs" / "ci.md").read_text("utf-8")
    (script,) = re.findall(r"```python\n(.*?)```", page, re.S)
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=60,
        env={"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (entry,) = json.loads(done.stdout)
    assert entry["name"] == "sst2-toy-bert-cpu-fp32"
    assert entry["unit"] == "points"
    assert 0 <= entry["value"] <= 100
