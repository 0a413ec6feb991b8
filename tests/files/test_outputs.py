"""What a user names to be written: a file or a folder, or refused, with nothing harmed."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import harness
from harness.errors import Exit, StorageError, UsageError
from harness.files import outputs
from harness.files.disk import DISK, replace_file
from harness.records.store import Store
from harness.reports.report import NAMES
from harness.spec import Case
from tests.support import special_paths
from tests.support.board_runs import scored
from tests.support.builders import record
from tests.support.engines import FakeEngine
from tests.support.pytest_project import glue_bench
from tests.support.pytest_project import run as run_session
from tests.support.special_paths import everything
from tests.support.submission_runs import run

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(capsys: Any, monkeypatch: pytest.MonkeyPatch) -> Command:
    return lambda *args: glue_bench(capsys, monkeypatch, *args)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A results folder that has a run to submit and to report."""
    run(Store(tmp_path / "r"), "wnli")
    return tmp_path / "r"


@pytest.fixture
def no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs are not read: what is refused is refused before."""

    def find(store: Store) -> None:
        raise AssertionError("runs were read")

    monkeypatch.setattr(Store, "find", find)


def without_nul(places: dict[str, Path]) -> list[Path]:
    """Places that a command line can name."""
    return [path for name, path in places.items() if name != "NUL"]


def is_refused(answer: tuple[int, str, str], path: Path) -> bool:
    """Whether that is one clear error with what fixes it."""
    code, out, err = answer
    assert code in (Exit.USAGE, Exit.STORAGE), (path, answer)
    assert out == ""
    assert "-o " in err
    assert "Fix: " in err
    assert len(err.splitlines()) == 1
    return True


@pytest.mark.usefixtures("no_work")
def test_submit_writes_no_link_device_or_pipe(
    results: Path, tmp_path: Path, command: Command
) -> None:
    places = special_paths.not_for_files(tmp_path / "odd")
    before = everything(tmp_path)
    for path in without_nul(places):
        assert is_refused(command("submit", results, "-o", path, "--fill", "all"), path)
    assert everything(tmp_path) == before


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize("path", ["/dev/null", "/dev/stdout", "/dev/full", "/dev/fd/1", "/dev/tty"])
def test_devices_of_the_machine_are_refused_before_any_work(
    results: Path, command: Command, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*args: object) -> None:
        raise AssertionError("it was to be replaced")

    monkeypatch.setattr("harness.files.disk.replace_file", never)
    monkeypatch.setattr("harness.files.outputs.replace_file", never)
    assert is_refused(command("submit", results, "-o", path), Path(path))
    assert is_refused(command("report", results, "-o", path), Path(path))


def test_the_message_names_what_a_link_leads_to(
    results: Path, tmp_path: Path, command: Command
) -> None:
    (tmp_path / "real.zip").write_text("precious")
    (tmp_path / "latest.zip").symlink_to("real.zip")
    _, _, err = command("submit", results, "-o", tmp_path / "latest.zip", "--fill", "all")
    assert "latest.zip: it is a symbolic link, which is not followed" in err
    assert f"name the file that it points to, {tmp_path}/real.zip" in err
    assert (tmp_path / "real.zip").read_text() == "precious"


@pytest.mark.usefixtures("no_work")
def test_report_writes_into_no_pipe_device_or_file(
    results: Path, tmp_path: Path, command: Command
) -> None:
    places = special_paths.not_for_folders(tmp_path / "odd")
    before = everything(tmp_path)
    for path in without_nul(places):
        assert is_refused(command("report", results, "-o", path), path)
    assert everything(tmp_path) == before


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize("name", NAMES)
def test_each_file_of_a_report_may_be_no_link(
    results: Path, tmp_path: Path, command: Command, name: str
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "mine").write_text("precious")
    (tmp_path / "out" / name).symlink_to(tmp_path / "mine")
    before = everything(tmp_path)
    assert is_refused(command("report", results, "-o", tmp_path / "out"), tmp_path)
    assert everything(tmp_path) == before


def test_a_link_to_a_folder_is_a_folder(results: Path, tmp_path: Path, command: Command) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "out").symlink_to("real")
    assert command("report", results, "-o", tmp_path / "out")[0] == 0
    assert (tmp_path / "real" / "report.md").is_file()
    assert (tmp_path / "out").is_symlink()
    assert command("submit", results, "-o", tmp_path / "out" / "s.zip", "--fill", "all")[0] == 0
    assert (tmp_path / "real" / "s.zip").is_file()


def test_a_file_is_replaced_with_its_permissions(
    results: Path, tmp_path: Path, command: Command
) -> None:
    old = tmp_path / "s.zip"
    old.write_text("older")
    old.chmod(0o640)
    assert command("submit", results, "-o", old, "--fill", "all")[0] == 0
    assert old.read_bytes()[:2] == b"PK"
    assert stat.S_IMODE(old.stat().st_mode) == 0o640
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r", "s.zip"]


def test_a_file_that_may_not_be_written_to_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x").write_text("mine")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(StorageError, match=r"it may not be written. Fix: allow it with `chmod"):
        outputs.replace(tmp_path / "x", b"new", "-o", "y")
    assert (tmp_path / "x").read_text() == "mine"


def test_a_folder_without_write_permission_is_said_before_any_work(tmp_path: Path) -> None:
    for path in (Path("/proc/x.zip"), Path("/sys/x.zip")):
        if path.parent.is_dir():
            with pytest.raises(StorageError, match="could not write"):
                outputs.check_file(path, "-o", "y")


def test_what_appears_meanwhile_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the last look and the move, as another program may do it."""
    path = tmp_path / "x"

    def write(*args: object) -> None:
        if not path.is_symlink():
            path.symlink_to("elsewhere")

    monkeypatch.setattr(type(DISK), "flush", write)
    with pytest.raises(OSError, match="there is a symbolic link"):
        replace_file(DISK, path, b"new")
    assert [one.name for one in tmp_path.iterdir()] == ["x"]


@pytest.mark.parametrize("option", ["--glue-results", "--glue-save-models"])
def test_a_session_refuses_what_is_no_folder_before_its_first_case(
    project: pytest.Pytester, engines: list[FakeEngine], tmp_path: Path, option: str
) -> None:
    places = special_paths.not_for_folders(tmp_path / "odd")
    before = everything(tmp_path)
    for name in ("a file", "a pipe", "a dangling link", "the device null", "a socket"):
        if name in places:
            found = run_session(project, "-k", "rte and fp32", option, str(places[name]))
            assert found.ret == pytest.ExitCode.USAGE_ERROR
            assert "folder" in " ".join(found.errlines)
            assert not any(engine.submitted for engine in engines)
    assert everything(tmp_path) == before


@pytest.mark.usefixtures("on_main")
def test_a_baseline_is_no_pipe_device_or_file(
    results: Path, tmp_path: Path, command: Command
) -> None:
    environment = {"commit": "a1" + "0" * 38, "dirty": False}
    Store(tmp_path / "b").save(
        record(Case("rte", "toy-bert", "cpu-fp32", 42), environment=environment)
    )
    places = special_paths.not_for_folders(tmp_path / "odd")
    before = everything(tmp_path)
    for path in without_nul(places):
        for said in ((f"{path}",), ("main", "--baselines", path)):
            code, _, err = command("baseline", "save", *said, "--reason", "why", tmp_path / "b")
            assert code in (Exit.USAGE, Exit.STORAGE), (said, err)
            assert "Fix: " in err
    assert everything(tmp_path) == before


def test_run_refuses_what_is_no_folder(tmp_path: Path, engines: list[FakeEngine]) -> None:
    places = special_paths.not_for_folders(tmp_path / "odd")
    before = everything(tmp_path)
    for path in places.values():
        for argument in ("results", "save_models"):
            folders = {"results": tmp_path / "r"} | {argument: path}
            with pytest.raises(UsageError, match=f"{argument}: found"):
                harness.run("rte", **folders)
    assert everything(tmp_path) == before


def test_pretraining_looks_before_it_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.data.toy import pretrain

    def never(*args: object) -> None:
        raise AssertionError("it began")

    monkeypatch.setattr(pretrain, "make_tokenizer", never)
    for path in special_paths.not_for_folders(tmp_path / "odd").values():
        with pytest.raises((UsageError, StorageError), match="Fix: "):
            pretrain.pretrain(path)
    (tmp_path / "out").mkdir()
    os.mkfifo(tmp_path / "out" / "vocab.txt")
    with pytest.raises(UsageError, match="it is a named pipe; expected a file"):
        pretrain.pretrain(tmp_path / "out")


def test_reports_of_many_runs_replace_each_other(
    results: Path, tmp_path: Path, command: Command
) -> None:
    for score in (0.5, 0.6):
        Store(results).save(scored("rte", score))
        assert command("report", results, "-o", tmp_path / "out")[0] == 0
    assert not [path for path in (tmp_path / "out").iterdir() if path.suffix == ".tmp"]
