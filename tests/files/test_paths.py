"""Paths that cannot be what an option or argument means: a message each, nowhere a traceback."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from harness.catalog import models
from harness.errors import UsageError
from harness.files import paths
from harness.planning import option_sources, plan
from harness.records.store import Store
from harness.spec import Case
from tests.support.builders import record
from tests.support.engines import FakeEngine
from tests.support.pytest_project import glue_bench, run

LONG = "n" * 300
NOT_UTF8 = os.fsdecode(b"caf\xe9")


@pytest.fixture
def odd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Paths under which there is no folder, by what is wrong with each."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    (tmp_path / "file").write_text("x")
    (tmp_path / "empty").mkdir()
    return {
        "no user": "~nosuchuser/x",
        "points to itself": "./loop",
        "points to itself, inside": "./loop/x",
        "link to something that does not exist": "./dangling",
        "it is a file": "./file",
        "a part of it is a file": "./file/x",
        "longer than a file system allows": f"./{LONG}",
        "not UTF-8": f"./{NOT_UTF8}",
        "line end": "./a\nb",
        "moves a terminal": "./a\x1b[31mb",
    }


VERBS = [
    ("report", "PATH"),
    ("report", "empty", "-o", "PATH"),
    ("status", "PATH"),
    ("submit", "PATH"),
    ("submit", "empty", "-o", "PATH"),
    ("compare", "PATH", "empty"),
    ("compare", "empty", "PATH"),
    ("compare", "base", "empty", "--baselines", "PATH"),
    ("flips", "PATH", "PATH"),
    ("flips", "a", "b", "--results", "PATH"),
    ("verify", "PATH"),
    ("verify", "a", "--results", "PATH"),
    ("import", "empty", "PATH"),
    ("import", "PATH", "file"),
    ("score", "PATH", "--task", "rte", "--labels", "file"),
    ("score", "file", "--task", "rte", "--labels", "PATH"),
    ("baseline", "list", "--baselines", "PATH"),
    ("baseline", "show", "PATH"),
    ("baseline", "save", "PATH", "--reason", "why", "empty"),
    ("baseline", "save", "x", "--reason", "why", "PATH"),
    ("list", "models", "--model", "PATH"),
    ("fetch", "PATH"),
    ("predict", "PATH", "a text"),
    ("explain", "PATH"),
    *(
        ("explain", "rte-toy-bert-cpu-fp32-s42", f"--glue-{option}=PATH")
        for option in ("results", "data", "models", "task-file", "vectors", "save-models")
    ),
]


@pytest.mark.cases
@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_no_verb_has_a_traceback(
    verb: tuple[str, ...], odd: dict[str, str], capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in odd.values():
        args = [arg.replace("PATH", path) for arg in verb]
        code, out, err = glue_bench(capsys, monkeypatch, *args)
        assert code in (0, 2, 4, 5), (args, err)
        assert code == 0 or err
        assert "\x1b" not in out + err
        (out + err).encode()


@pytest.mark.cases
@pytest.mark.parametrize(
    "option", ["results", "data", "task-file", "vectors", "save-models", "baseline", "models"]
)
@pytest.mark.parametrize("path", ["~nosuchuser/x", "loop", ""])
def test_an_option_says_why_a_path_cannot_be(
    option: str, path: str, odd: dict[str, str], tmp_path: Path
) -> None:
    if option in ("models", "baseline") and "/" not in path:
        pytest.skip("a name, and no path")
    with pytest.raises(UsageError) as caught:
        plan.make(option_sources.merge({option.replace("-", "_"): path}, tmp_path, tmp_path))
    assert any(
        words in str(caught.value) for words in ("'nosuchuser'", "points to itself", "found ''")
    )


@pytest.mark.cases
def test_why_there_is_no_folder(odd: dict[str, str]) -> None:
    for words, path in odd.items():
        why = paths.why_no_folder(Path(path))
        assert why is not None
        if words.startswith(("no user", "not UTF-8", "line end", "moves")):
            assert why == "no such folder"
        else:
            assert words.split(",")[0] in why.replace("symbolic ", "")
    assert paths.why_no_folder(Path()) is None


def denied(*args: object, **kwargs: object) -> None:
    raise PermissionError(13, "Permission denied")


@pytest.mark.cases
@pytest.mark.parametrize("name", ["/root/model", "~/model", "a/b/model"])
def test_a_folder_above_that_may_not_be_searched(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(Path, "stat", denied)
    with pytest.raises(UsageError, match="Permission denied"):
        models.get(name)
    with pytest.raises(UsageError, match=r"--glue-data: .*Permission denied"):
        plan.checked_source(name, "--glue-data")
    assert not paths.is_folder(tmp_path)
    assert not paths.is_file(tmp_path)


@pytest.mark.cases
def test_a_results_folder_that_is_no_utf8_is_written_read_and_shown(
    project: pytest.Pytester,
    engines: list[FakeEngine],
    capsys: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = run(project, "-k", "rte and fp32", "--glue-results", NOT_UTF8)
    found.assert_outcomes(passed=1, deselected=17)
    assert len(Store(project.path / NOT_UTF8).load()) == 1
    code, out, _ = glue_bench(capsys, monkeypatch, "report", NOT_UTF8, "-o", "written")
    assert (code, out) == (0, "")
    assert "RTE" in (project.path / "written" / "report.md").read_text("utf-8")
    code, out, _ = glue_bench(capsys, monkeypatch, "report", NOT_UTF8)
    assert code == 0
    out.encode()


@pytest.mark.cases
def test_names_as_long_as_a_file_system_allows(
    project: pytest.Pytester, engines: list[FakeEngine]
) -> None:
    folder = project.path / ("m" * 255)
    folder.symlink_to(models.directory(models.MODELS["toy-bert"]))
    ours = project.path / "r"
    long = models.choose([str(folder)])
    (name,) = long
    case = Case("rte", name, "cpu-fp32", 42)
    stored = Store(ours).save(record(case))
    assert stored.case.id == case.id
    assert max(len(path.name) for path in (ours / "runs").iterdir()) <= 255


@pytest.mark.cases
def test_the_home_folder_may_be_unknown(
    project: pytest.Pytester, engines: list[FakeEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", nobody)
    monkeypatch.setattr("harness.hub.snapshots.cache", lambda: None)
    found = run(
        project, "--glue-tasks", "rte", "--glue-models", "nobody/nothing", "--glue-targets",
        "cpu-fp32",
    )  # fmt: skip
    assert found.ret == 1
    (stored,) = Store(project.path / "results" / "local").load()
    assert stored.status == "failed"
    assert "HF_HOME" in (stored.reason or "")
