"""An older commit's files, and what runs there: without our secrets, and no longer than we do."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.execution import checkout, other_code
from harness.system import supervisor
from tests.support import payloads
from tests.support.locations import ROOT
from tests.support.processes import commands, until

Patch = pytest.MonkeyPatch
FAMILY = """
import os, signal, subprocess, sys, time

def test_it():
    program = "import time; time.sleep(999)  # {marker}"
    started = [
        subprocess.Popen([sys.executable, "-c", program], start_new_session=alone)
        for alone in (False, True, True)
    ]
    started[-1].send_signal(signal.SIGSTOP)
    # An orphan: its parent ends at once.
    orphan = f"subprocess.Popen([sys.executable, '-c', {{program!r}}], start_new_session=True)"
    subprocess.run([sys.executable, "-c", f"import subprocess, sys; {{orphan}}"], check=True)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    open({ready!r}, "w").close()
    time.sleep(999)
"""
DRIVER = """
import signal, sys
from pathlib import Path
from harness.execution import checkout, other_code

signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in a shell's background job
with checkout.of_commit(Path(sys.argv[1]), sys.argv[2]) as made:
    other_code.run_pytest(made, ["benchmarks"])
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: Patch) -> Path:
    """A folder for temporary files of a test's own."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_an_older_commit_runs_without_our_secrets(tmp_path: Path, monkeypatch: Patch) -> None:
    repo = payloads.repository(tmp_path / "r")
    payloads.monitor(repo)
    for name in ("HF_TOKEN", "GITHUB_TOKEN", "AWS_SECRET_ACCESS_KEY", "PYTEST_ADDOPTS", "GIT_DIR"):
        monkeypatch.setenv(name, "--canary")
    monkeypatch.setenv("GLUE_BENCH_DATA", "/data")
    with checkout.of_commit(repo.root, repo.commits[0]) as made:
        printed = other_code.run_pytest(made, ["benchmarks"])
        seen = json.loads(next(line for line in printed.splitlines() if line.startswith("{")))
    monkeypatch.delenv("GIT_DIR")
    assert "--canary" not in str(seen)
    assert seen["environment"]["GLUE_BENCH_DATA"] == "/data"
    assert seen["environment"]["HF_HUB_DISABLE_IMPLICIT_TOKEN"] == "1"
    assert seen["cwd"] == str(made.folder)
    assert seen["status"] == ""  # its own git finds a clean checkout
    assert repo.ran == set()
    assert not made.folder.exists()
    assert repo.git("worktree", "list").count("\n") == 0


@pytest.mark.parametrize("commit", ["another branch", "unrelated", "a tag", "a tree", "absent"])
def test_only_a_commit_of_this_history_is_run(
    commit: str, tmp_path: Path, monkeypatch: Patch
) -> None:
    repo = payloads.repository(tmp_path / "r")
    repo.git("switch", "-q", "-c", "side", repo.commits[0])
    repo.commit("of another branch")
    repo.git("tag", "-a", "-m", "tag", "tag", repo.commits[0])
    repo.git("switch", "-q", "--orphan", "unrelated")
    repo.git("commit", "-q", "--allow-empty", "-m", "unrelated")
    unrelated = repo.git("rev-parse", "HEAD")
    repo.git("switch", "-q", "main")
    found = {
        "another branch": repo.commits[-1], "unrelated": unrelated, "absent": "a" * 40,
        "a tag": repo.git("rev-parse", "tag"), "a tree": repo.git("rev-parse", "HEAD^{tree}"),
    }[commit]  # fmt: skip
    words = "not in (this checkout|the history of HEAD).*Fix: run in a checkout"
    with pytest.raises(UsageError, match=words), checkout.of_commit(repo.root, found):
        pass


def test_a_commit_whose_files_were_forged_is_not_run(tmp_path: Path, monkeypatch: Patch) -> None:
    repo = payloads.repository(tmp_path / "r")
    ours, other = (repo.git("rev-parse", f"{one}:harness/environment.py") for one in repo.commits)
    place = repo.root / ".git" / "objects"
    forged = place / ours[:2] / ours[2:]
    forged.chmod(0o644)
    forged.write_bytes((place / other[:2] / other[2:]).read_bytes())
    with (
        pytest.raises(UsageError, match=r"git (rev-list|pack-objects|read-tree): "),
        checkout.of_commit(repo.root, repo.commits[0]),
    ):
        pass


def test_links_and_odd_names_stay_in_the_folder(tmp_path: Path, monkeypatch: Patch) -> None:
    repo = payloads.repository(tmp_path / "r")
    (repo.root / "link").symlink_to(tmp_path)
    (repo.root / "a\nb \xe9").write_text("x")
    (repo.root / os.fsdecode(b"\xff")).write_text("x")
    repo.commit("odd")
    with checkout.of_commit(repo.root, repo.commits[-1]) as made:
        assert (made.folder / "link").is_symlink()
        assert (made.folder / "a\nb \xe9").exists()
    assert tmp_path.exists()
    assert (repo.root / "pyproject.toml").exists()


PATHS = (
    "mine={}/model+lora",
    "{}/model",
    "--glue-data={}/model",
    "{}/model/config.json::test_it",
    "minilm,{0}/model",
    "a={0}/model,b={0}/model2",
    "a={0}/model+lora,{0}/model2+bitfit,toy-bert",
    "--glue-models=a={0}/model,b={0}/model2",
    "{}/with,comma",
    "{}/with+plus+lora",
)


def made_project(tmp_path: Path) -> payloads.Repository:
    """A repository with models at its top and in its folder `sub`."""
    repo = payloads.repository(tmp_path / "r")
    for folder in (repo.root, repo.root / "sub"):
        for name in ("model", "model2", "with,comma", "with+plus"):
            (folder / name).mkdir(parents=True)
            (folder / name / "config.json").write_text("{}")
    repo.commit("models")
    (repo.root / "untracked").mkdir()
    return repo


@pytest.mark.parametrize("path", PATHS)
def test_a_path_of_the_project_becomes_that_of_the_checkout(path: str, tmp_path: Path) -> None:
    repo = made_project(tmp_path)
    with checkout.of_commit(repo.root, repo.commits[-1]) as made:
        assert made.moved(repo.root, path.format(repo.root)) == path.format(made.folder)
        assert made.lacks(repo.root, path.format(repo.root)) == []


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("is_linked", [False, True])
def test_a_path_beside_the_project_becomes_that_of_the_checkout(
    is_linked: bool, path: str, tmp_path: Path
) -> None:
    repo = made_project(tmp_path)
    project = repo.root / "sub"
    if is_linked:
        project = tmp_path / "link"
        project.symlink_to(repo.root / "sub")
    with checkout.of_commit(project, repo.commits[-1]) as made:
        assert made.moved(project, path.format(repo.root)) == path.format(made.top)
        assert made.moved(project, path.format(project)) == path.format(made.folder)
        beside = made.moved(project, f"{repo.root}/sub/../model")
        assert beside == f"{made.top}/model"


def test_a_path_that_the_checkout_lacks_stays_and_is_named(tmp_path: Path) -> None:
    repo = made_project(tmp_path)
    (tmp_path / "other").mkdir()
    untracked, other = f"{repo.root}/untracked", f"{tmp_path}/other"
    with checkout.of_commit(repo.root, repo.commits[-1]) as made:
        for path in (untracked, other, f"x={untracked}+lora"):
            assert made.moved(repo.root, path) == path
        assert made.lacks(repo.root, f"x={untracked}+lora,{other}") == [untracked, other]
        mixed = made.moved(repo.root, f"a={untracked},b={repo.root}/model")
        assert mixed == f"a={untracked},b={made.folder}/model"
        for word in ("toy-bert", "sst2 and fp32", "a/b,c", f"{tmp_path}/no", "/" + "x" * 5000):
            assert made.moved(repo.root, word) == word
            assert made.lacks(repo.root, word) == []
        assert made.moved(repo.root, str(repo.root)) == str(repo.root)
        elsewhere = f"{tmp_path}/copy{repo.root}/model"  # only its end is the project's path
        assert made.moved(repo.root, elsewhere) == elsewhere


def test_the_working_tree_lacks_nothing(tmp_path: Path) -> None:
    repo = made_project(tmp_path)
    with checkout.as_it_is(repo.root / "sub") as made:
        for path in (f"{repo.root}/untracked", f"a={repo.root}/model,b={repo.root}/sub/model"):
            assert made.moved(repo.root / "sub", path) == path
            assert made.lacks(repo.root / "sub", path) == []


def test_what_a_killed_session_left_is_removed_and_what_is_in_use_is_not(
    temporary: Path, tmp_path: Path, monkeypatch: Patch
) -> None:
    repo = payloads.repository(tmp_path / "r")
    with checkout.of_commit(repo.root, repo.commits[0]) as made:
        left = temporary / "glue-recheck-left"
        (left / "checkout").mkdir(parents=True)
        (left / "lock").touch()
        (temporary / "glue-recheck-new").mkdir()  # as it is between two calls of a maker
        (temporary / "glue-recheck-link").symlink_to(repo.root)
        (temporary / "glue-recheck-file").touch()
        (temporary / "glue-recheck-fifo").mkdir()
        os.mkfifo(temporary / "glue-recheck-fifo" / "lock")
        (temporary / "glue-other").mkdir()
        checkout.sweep(repo.root)
        assert not left.exists()
        assert (made.folder / "harness").exists()
    there = {path.name.removeprefix("glue-") for path in temporary.iterdir()}
    assert there >= {"recheck-new", "recheck-link", "recheck-file", "other"}
    os.utime(temporary / "glue-recheck-new", (1, 1))
    checkout.sweep(repo.root)
    assert not (temporary / "glue-recheck-new").exists()
    assert (repo.root / "harness").exists()


@pytest.mark.parametrize("gone", [False, True])
def test_worktrees_that_earlier_versions_left_are_removed(
    gone: bool, temporary: Path, tmp_path: Path, monkeypatch: Patch
) -> None:
    repo = payloads.repository(tmp_path / "r")
    for folder in (temporary / "glue-bench-x" / "baseline", tmp_path / "the users own"):
        repo.git("worktree", "add", "--lock", "--detach", str(folder), repo.commits[0])
    if gone:
        (temporary / "glue-bench-x" / "baseline").rename(tmp_path / "elsewhere")
    checkout.sweep(repo.root)
    assert not (temporary / "glue-bench-x").exists()
    listed = repo.git("worktree", "list")
    assert "glue-bench-x" not in listed
    assert "the users own" in listed


def test_a_worktree_of_an_earlier_version_that_is_in_use_stays(
    temporary: Path, tmp_path: Path, monkeypatch: Patch
) -> None:
    repo = payloads.repository(tmp_path / "r")
    folder = temporary / "glue-bench-x" / "baseline"
    repo.git("worktree", "add", "--detach", str(folder), repo.commits[0])
    monkeypatch.chdir(folder)
    checkout.sweep(repo.root)
    assert (folder / "harness").exists()


def killed(driver: subprocess.Popen[bytes]) -> None:
    driver.kill()


def interrupted(driver: subprocess.Popen[bytes]) -> None:
    driver.send_signal(signal.SIGINT)


def killed_with_a_stopped_supervisor(driver: subprocess.Popen[bytes]) -> None:
    for pid in supervisor.descendants(driver.pid):
        with contextlib.suppress(OSError):
            if b"supervisor.py" in Path(f"/proc/{pid}/cmdline").read_bytes():
                os.kill(pid, signal.SIGSTOP)
    driver.kill()


@pytest.mark.skipif(sys.platform != "linux", reason="what is promised elsewhere is less")
@pytest.mark.parametrize("end", [killed, interrupted, killed_with_a_stopped_supervisor])
def test_an_older_commit_ends_with_the_session(
    end: Callable[[subprocess.Popen[bytes]], None], tmp_path: Path, monkeypatch: Patch
) -> None:
    repo = payloads.repository(tmp_path / "r")
    marker, ready = f"marker {time.monotonic_ns()}", tmp_path / "ready"
    test = repo.root / "benchmarks" / "test_finetune.py"
    test.write_text(FAMILY.format(marker=marker, ready=str(ready)))
    repo.commit("a family of processes")
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(repo.root), repo.commits[-1]],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stderr=subprocess.DEVNULL,
    )
    try:
        until(ready.exists)
        assert len(of(marker)) >= 4
        end(driver)
        driver.wait(30)
        until(lambda: not of(marker))
        until(lambda: not [one for one in commands() if str(tmp_path).encode() in one])
    finally:
        driver.kill()
        driver.wait()
    with checkout.of_commit(repo.root, repo.commits[0]):
        assert len([*tmp_path.glob("temporary/glue-recheck-*")]) == 1


def test_what_runs_after_its_command_is_ended_too(tmp_path: Path) -> None:
    marker = f"marker {time.monotonic_ns()}"
    program = (
        "import subprocess, sys; "
        "subprocess.Popen([sys.executable, '-c', {!r}], start_new_session=True); exit(7)"
    )
    child = program.format(f"import time; time.sleep(999)  # {marker}")
    command = [sys.executable, "-I", "-S", supervisor.__file__, sys.executable, "-c", child]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        assert process.wait(60) == 7
    assert not of(marker)


def of(marker: str) -> list[bytes]:
    return [one for one in commands() if f"time.sleep(999)  # {marker}\0".encode() in one]
