"""The workflows, of this project and of the one that `glue-bench init` writes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.commands import init
from tests.support import command_lines
from tests.support.locations import ROOT

OURS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
GITHUB = [*OURS, init.TEMPLATE / "github.yml"]
GITLAB = init.TEMPLATE / "gitlab.yml"
PAGE = (ROOT / "docs" / "ci.md").read_text("utf-8")
PINNED = re.compile(r"uses: [\w.-]+/[\w./-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+")
ID_OF_TEST = {"ids": lambda file: file.name}


def loaded(file: Path) -> dict[Any, Any]:
    content = yaml.safe_load(file.read_text("utf-8"))
    assert isinstance(content, dict)
    return content


def test_this_project_has_two() -> None:
    assert [file.name for file in OURS] == ["ci.yml", "nightly.yml"]


@pytest.mark.parametrize("file", GITHUB, **ID_OF_TEST)
@pytest.mark.cases
def test_actions_are_pinned_and_the_token_is_read_only(file: Path) -> None:
    text, content = file.read_text("utf-8"), loaded(file)
    uses = [line.strip() for line in text.splitlines() if "uses:" in line]
    assert uses
    for line in uses:
        assert PINNED.fullmatch(line.removeprefix("- ")), line
    assert content["permissions"] == {"contents": "read"}
    assert all("permissions" not in job for job in content["jobs"].values())
    assert all(job["timeout-minutes"] <= 180 for job in content["jobs"].values())
    assert "pull_request_target" not in text
    assert "workflow_run" not in text
    assert "secrets" not in text
    checkouts = [step for step in steps(content) if "checkout" in step.get("uses", "")]
    assert len(checkouts) == len(content["jobs"])
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


@pytest.mark.parametrize("file", GITHUB, **ID_OF_TEST)
@pytest.mark.cases
def test_no_script_contains_an_expression(file: Path) -> None:
    """An expression is pasted into the script before the shell reads it: somebody else's code."""
    for script in command_lines.scripts_in(loaded(file)):
        assert "${{" not in script


def test_the_examples_of_the_page_keep_the_same_rules() -> None:
    examples = [text for language, text in command_lines.blocks(PAGE) if language == "yaml"]
    assert len(examples) >= 5
    for text in examples:
        assert all(PINNED.search(line) for line in text.splitlines() if "uses:" in line)
        assert not any("${{" in s for s in command_lines.scripts_in(yaml.safe_load(text)))
        assert "secrets" not in text
        assert "permissions:" not in text or "permissions:\n  contents: read\n" in text


@pytest.mark.parametrize("name", ["github.yml", "gitlab.yml"])
def test_the_page_has_the_workflows_that_init_writes(name: str) -> None:
    examples = [text for language, text in command_lines.blocks(PAGE) if language == "yaml"]
    assert (init.TEMPLATE / name).read_text("utf-8") in examples


def test_an_action_has_one_version() -> None:
    texts = [PAGE, *(file.read_text("utf-8") for file in GITHUB)]
    found = {use for text in texts for use in re.findall("uses: (.*)", text)}
    assert len(found) == len({use.partition("@")[0] for use in found})


@pytest.mark.parametrize("file", [*GITHUB, GITLAB], **ID_OF_TEST)
@pytest.mark.cases
def test_its_commands_exist(file: Path, pytester: pytest.Pytester) -> None:
    (pytester.path / "benchmarks").mkdir()
    scripts = list(command_lines.scripts_in(loaded(file)))
    commands = [words for script in scripts for words in command_lines.in_script(script)]
    assert commands or all(".ci/run" in script for script in scripts)
    for command in commands:
        command_lines.check(command, pytester.parseconfig)


def test_ci_runs_the_script_lint_and_the_benchmarks() -> None:
    said = "\n".join(command_lines.scripts_in(loaded(OURS[0])))
    for command in (".ci/run", "tox -e lint", "pytest benchmarks", "glue-bench compare",
                    "glue-bench ab", "glue-bench report"):  # fmt: skip
        assert command in said
    nightly = "\n".join(command_lines.scripts_in(loaded(OURS[1])))
    for command in ("--glue-recheck 10", 'tox -e "$ENVIRONMENT"'):
        assert command in nightly
    environments = loaded(OURS[1])["jobs"]["long-tests"]["strategy"]["matrix"]["environment"]
    assert {*environments} <= {*command_lines.ENVIRONMENTS}


def steps(content: dict[str, Any]) -> list[dict[str, Any]]:
    return [step for job in content["jobs"].values() for step in job["steps"]]


@pytest.mark.parametrize(
    ("script", "commands"),
    [
        ("pip install x && pytest -k 'a and b' > log", [("pytest", "-k", "a and b")]),
        ("X=1 python -m pytest -q || code=$?", [("pytest", "-q")]),
        ("if glue-bench list; then tox -q; fi", [("glue-bench", "list"), ("tox", "-q")]),
        ("(cd x && .venv/bin/glue-bench report | head)  # pytest", [("glue-bench", "report")]),
        ("glue-bench ab \\\n  --a main", [("glue-bench", "ab", "--a", "main")]),
    ],
)  # fmt: skip
def test_commands_are_found(script: str, commands: list[tuple[str, ...]]) -> None:
    assert command_lines.in_script(script) == commands


@pytest.mark.parametrize(
    "command",
    ["pytest benchmarks --glue-sedes 3", "glue-bench ab --a main --pears 3", "tox -e nonsense",
     "glue-bench compair a b", "glue-bench baseline svae main", "pytest --no-such-option"],
)  # fmt: skip
def test_a_misspelt_command_is_found(command: str, pytester: pytest.Pytester) -> None:
    (words,) = command_lines.in_script(command)
    with pytest.raises((AssertionError, pytest.fail.Exception, pytest.UsageError)):
        command_lines.check(words, pytester.parseconfig)
