"""Where a run starts from: no home folder, a long TMPDIR, a pool's worker, several threads."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from harness.errors import StorageError
from harness.execution.process import ProcessEngine
from harness.planning.resolve import from_json, to_json
from harness.records.store import Store
from harness.spec import Case, DataRequest, RunConfig
from tests.support.configs import resolved
from tests.support.engines import FakeEngine
from tests.support.locations import ROOT
from tests.support.pytest_project import ARGS, run

pytestmark = pytest.mark.cases


def configuration() -> RunConfig:
    small = DataRequest("toy", max_train=32, max_eval=32)
    return resolved(Case("rte", "toy-bert", "cpu-fp32", 42), small, epochs=1, threads=1)


SCRIPT = """
import multiprocessing, sys, harness
def one(seed):
    run = harness.run("rte", seed=seed, max_train=32, max_eval=32, epochs=1, results=sys.argv[1])
    return run.status
with multiprocessing.get_context("fork").Pool(1) as pool:
    print(pool.map(one, [1]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a process may not be forked")
def test_a_pools_worker_runs_without_a_home_and_with_a_long_tmpdir(tmp_path: Path) -> None:
    script, long = tmp_path / "script.py", tmp_path / ("t" * 130)
    script.write_text(SCRIPT)  # without `if __name__ == "__main__"`
    long.mkdir()
    environment = {key: os.environ[key] for key in os.environ if key != "HOME"}
    environment |= {"TMPDIR": str(long), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, script, tmp_path / "r"], env=environment, cwd=tmp_path, text=True,
        capture_output=True, timeout=300, check=False,
    )  # fmt: skip
    # Above it stands what the run printed, such as a warning of coverage's.
    assert done.stdout.splitlines()[-1:] == ["['ok']"], done.stderr
    assert len(Store(tmp_path / "r").load()) == 1
    assert not list(long.glob("glue-bench-*"))


def test_no_temporary_folder_at_all_is_one_error_before_the_first_case(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*args: object, **kwargs: object) -> None:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/x']")

    monkeypatch.setattr(tempfile, "TemporaryFile", none)
    found = run(project, "-k", "rte and fp32")
    assert found.ret == pytest.ExitCode.USAGE_ERROR
    found.stderr.fnmatch_lines(["*no temporary folder can be written*TMPDIR*"])
    with pytest.raises(StorageError, match="TMPDIR"):
        ProcessEngine()


def test_a_temporary_folder_that_vanishes_is_a_crash_with_a_record(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made = ProcessEngine()
    try:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
        future = made.submit(configuration(), lambda *step: None)
        found = future.result(60).outcome
        assert found.status == "crashed"
        assert "no worker could be started" in str(found.reason)
    finally:
        made.close()


def test_a_configuration_travels_with_names_that_are_no_utf8() -> None:
    config = configuration()
    object.__setattr__(config, "save_to", os.fsdecode(b"/caf\xe9"))
    assert from_json(to_json(config)) == config


@pytest.mark.parametrize(
    "asked",
    ["--fixtures", "--fixtures-per-test", "--collect-only", "--co", "--setup-plan", "--setup-only",
     "--markers", "--version", "--help", "--cache-show"],
)  # fmt: skip
def test_what_only_lists_opens_no_session(
    asked: str, project: pytest.Pytester, engines: list[FakeEngine]
) -> None:
    plugins = ARGS[2:] if asked == "--cache-show" else ARGS
    found = project.runpytest_inprocess("benchmarks", *plugins, asked, "-k", "rte")
    assert found.ret == 0
    assert not engines
    assert not (project.path / "results").exists()
    assert "INTERNALERROR" not in found.stdout.str() + found.stderr.str()


def test_a_file_that_a_library_may_not_read_is_a_record(
    project: pytest.Pytester, engines: list[FakeEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(*args: object, **kwargs: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", "/cache/refs/main")

    monkeypatch.setattr("harness.planning.resolve._resolved", denied)
    found = run(project, "-k", "rte and fp32")
    assert found.ret == 1
    (stored,) = Store(project.path / "results" / "local").load()
    assert stored.reason == "/cache/refs/main: cannot be read: Permission denied"
