"""`glue-bench init`: the files of a new project, and those that are there already."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path

import pytest

from harness.commands import init
from harness.compare import thresholds
from harness.data.toy.pretrain import SHIPPED
from harness.planning import option_sources, options
from harness.system import environment
from tests.support.locations import ROOT
from tests.support.pytest_project import ARGS, glue_bench


def test_every_file_is_written(tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = glue_bench(capsys, monkeypatch, "init", "new/benchmarks")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        *(f"wrote new/benchmarks/{name}" for name in init.FILES),
        "next: read new/benchmarks/README.md",
    ]
    folder = tmp_path / "new" / "benchmarks"
    assert {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()} == {*init.FILES}


@pytest.mark.parametrize(
    ("version", "line"), [("1.2.3", "glue-bench==1.2.3"), (None, "glue-bench")]
)
def test_the_version_that_wrote_it_is_required(
    version: str | None, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "version", lambda name: version)
    init.write(tmp_path)
    assert line in (tmp_path / "requirements.txt").read_text().splitlines()


def test_files_that_are_there_stay(tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("pyproject.toml").write_text("mine")
    Path(".gitignore").symlink_to("nowhere")
    Path("README.md").mkdir()
    code, out, err = glue_bench(capsys, monkeypatch, "init")
    assert code == 1
    kept = "README.md, pyproject.toml, .gitignore"
    assert f"kept, since they are there and differ: {kept}. Fix: " in err
    assert "wrote benchmarks/test_finetune.py\n" in out
    assert Path("pyproject.toml").read_text() == "mine"
    assert Path(".gitignore").is_symlink()
    assert not Path("nowhere").exists()


def test_a_second_time_writes_what_is_missing(tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert glue_bench(capsys, monkeypatch, "init")[0] == 0
    Path("README.md").unlink()
    code, out, err = glue_bench(capsys, monkeypatch, "init")
    assert (code, out, err) == (0, "wrote README.md\nnext: read README.md\n", "")
    assert glue_bench(capsys, monkeypatch, "init") == (0, "next: read README.md\n", "")


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_a_file_is_no_folder(place: str, tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    code, out, err = glue_bench(capsys, monkeypatch, "init", place)
    assert (code, out) == (2, "")
    assert "file: it is a file; expected a folder. Fix: " in err
    assert [*tmp_path.iterdir()] == [tmp_path / "file"]


def test_a_full_disk_is_said(tmp_path: Path, capsys, monkeypatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("harness.files.disk.write_file", full)
    code, _, err = glue_bench(capsys, monkeypatch, "init")
    assert code == 5
    assert "README.md" in err
    assert "make room" in err


def test_its_settings_are_valid(tmp_path: Path) -> None:
    init.write(tmp_path)
    settings = option_sources.merge({}, tmp_path, tmp_path)
    assert settings.tasks == ("sst2", "rte")
    assert settings.policy == "normal"
    assert len(thresholds.from_pyproject(tmp_path).rows) == 2
    switched_on = (tmp_path / "pyproject.toml").read_text()
    for line in switched_on.splitlines():
        name = line.removeprefix("# ").partition(" ")[0]
        if line.startswith(f"# {name} = "):  # a choice that is a comment
            key = f"[tool.glue-bench]\n{line.removeprefix('# ')}"
            tomllib.loads(key)
            assert name in {option.name for option in options.OPTIONS}


def test_its_tests_are_collected(pytester: pytest.Pytester) -> None:
    init.write(pytester.path)
    shutil.copytree(SHIPPED, pytester.path / "model")
    pytester.makeconftest("pytest_plugins = ['harness.plugin']")
    found = pytester.runpytest_inprocess("benchmarks", *ARGS, "--collect-only", "-q")
    assert found.ret == 0
    found.stdout.fnmatch_lines(["*test_finetune?sst2-mine-cpu-fp32-s42?"])
    found.stdout.fnmatch_lines(["*10 tests collected*"])


def test_the_wheel_has_the_template() -> None:
    builder = pytest.importorskip("hatchling.builders.wheel", reason="hatchling is not installed")
    files = {
        Path(file.distribution_path)
        for file in builder.WheelBuilder(str(ROOT)).recurse_included_files()
    }
    assert {Path("harness/template") / name for name in init.FILES.values() if name} <= files
