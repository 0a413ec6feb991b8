"""What [tool.glue-bench] of a pyproject.toml may hold, and what it says of anything else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.compare import thresholds
from harness.errors import UsageError
from harness.planning import option_sources, options, plan, project

pytestmark = pytest.mark.cases


def said(tmp_path: Path, text: str) -> options.Settings:
    (tmp_path / "pyproject.toml").write_bytes(text.encode())
    return option_sources.merge({}, tmp_path, tmp_path)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (f"epochs = {'9' * 5000}", "not valid TOML: Exceeds the limit"),
        (f"seeds = [1, {'9' * 5000}]", "not valid TOML: Exceeds the limit"),
        (f"data = {'[' * 5000}", "not valid TOML"),
        ("tasks = rte", '(at line 2, column 9); expected lines such as name = "text"'),
        (f"data = {'{a=' * 5000}", "not valid TOML"),
        (f"timeout = 1e{'9' * 5000}", "timeout: found 'inf'; expected a number of seconds"),
        (f"epochs = {'9' * 4000}", "expected a whole number above zero, at most"),
        ("epochs = 2020-01-01", "epochs: found '2020-01-01'; expected text, a number"),
        ("epochs = 07:32:00", "expected text, a number"),
        ("epochs = true", "expected a whole number above zero"),
        ("epochs = inf", "expected a whole number above zero"),
        ("epochs = {a = 1}", "expected text, a number"),
        ("timeout = nan", "expected a number of seconds above zero"),
        ("results = 5", "results: found '5'; expected text in quotes"),
        ("results = nan", "results: found 'nan'; expected text in quotes"),
        ("results = true", "results: found 'True'; expected text in quotes"),
        ("results = 2020-01-01T00:00:00Z", "expected text in quotes"),
        ("results = ''", "found ''; expected the name of a folder"),
        (r'results = "a\u0000b"', "cannot contain a NUL"),
        ("results = '~nosuchuser/x'", "no user is called 'nosuchuser'"),
        ("models = [['a']]", "models: found '['a']'; expected text in quotes"),
        ("models = {a = 1}", "expected text in quotes"),
        ("tasks = [1]", "tasks: found '1'; expected text in quotes"),
        ("tasks = []", "expected one name or several"),
        ("resume = 1", "expected true or false"),
        ("seeds = 4294967296", "expected seeds of at most 4294967295"),
        ("seeds = 1000000000", "at most 10,000 seeds; `1000000000,` means that one seed"),
        ("jobs = 1000000000", "expected at most 1,024"),
    ],
)
def test_a_value_that_cannot_be_meant(line: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        said(tmp_path, f"[tool.glue-bench]\n{line}\n")
    assert words in str(caught.value)
    assert "pyproject.toml" in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("key", "value"),
    [(key, "xyz") for key in ("tasks", "models", "targets", "recipe", "profile")],
)
def test_an_unknown_name_says_where_it_was_said(key: str, value: str, tmp_path: Path) -> None:
    in_file = said(tmp_path, f'[tool.glue-bench]\n{key} = "{value}"\n')
    with pytest.raises(UsageError, match=rf"^pyproject\.toml: \[tool\.glue-bench\] {key}: unknown"):
        plan.make(in_file)
    typed = option_sources.merge({key: value}, tmp_path, tmp_path)
    with pytest.raises(UsageError, match=f"^--glue-{key}: unknown"):
        plan.make(typed)
    with pytest.raises(UsageError, match=r"^unknown"):  # from Python: nothing was typed
        plan.make(replace(typed, origins={}))


@pytest.mark.parametrize(
    "limits", ["2020-01-01", "inf", "nan", "true", "[1]", "{a = 1}", "9" * 4000, "'-5'"]
)
def test_a_threshold_that_cannot_be_meant(limits: str, tmp_path: Path) -> None:
    text = f"[tool.glue-bench.thresholds]\n'*' = {{ score = {limits} }}\n"
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(UsageError, match=r"thresholds\] '\*' score"):
        thresholds.from_pyproject(tmp_path)


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*args: object, **kwargs: object) -> None:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "pyproject.toml").touch()
    monkeypatch.setattr("os.open", denied)
    with pytest.raises(UsageError, match=r"pyproject.toml: cannot be read: Permission denied"):
        project.table(tmp_path / "pyproject.toml")
    monkeypatch.undo()
    (tmp_path / "pyproject.toml").unlink()
    (tmp_path / "pyproject.toml").mkdir()
    assert project.table(tmp_path / "pyproject.toml") == {}


def test_what_may_be_meant_is_taken(tmp_path: Path) -> None:
    text = "[tool.glue-bench]\nseeds = [7]\nepochs = 2\ntimeout = 1.5\nresume = true\n"
    settings = said(tmp_path, f"\ufeff{text}tasks = ['rte', 'cola']\nmodels = 'toy-bert'\n")
    assert (settings.seeds, settings.epochs, settings.timeout) == ((7,), 2, 1.5)
    assert (settings.resume, settings.tasks) == (True, ("rte", "cola"))
