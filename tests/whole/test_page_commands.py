"""Every command in README.md and docs/ has the program's own options."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from harness.commands import init
from tests.support import command_lines
from tests.support.locations import ROOT

PAGES = [
    ROOT / "README.md",
    init.TEMPLATE / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
]
SHELL = ("bash", "sh")
TYPED = re.compile(r"(\.venv/bin/)?(glue-bench|pytest|tox|python -m pytest) ")


def commands_in(page: Path) -> list[tuple[str, ...]]:
    found = []
    for language, text in command_lines.blocks(page.read_text("utf-8")):
        if language == "yaml":
            scripts = [*command_lines.scripts_in(yaml.safe_load(text))]
        else:
            # A block without a language may also hold output.
            is_shell = language in SHELL
            lines = text.splitlines() if is_shell or not language else []
            scripts = [line for line in lines if is_shell or TYPED.match(line)]
        found += [words for script in scripts for words in command_lines.in_script(script)]
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_commands_of_a_page_exist(page: Path, pytester: pytest.Pytester) -> None:
    (pytester.path / "benchmarks").mkdir()
    for command in commands_in(page):
        command_lines.check(command, pytester.parseconfig)


def test_commands_are_found_in_pages() -> None:
    readme = commands_in(ROOT / "README.md")
    assert ("pytest", "benchmarks") in readme  # below <!-- main -->
    assert any("--glue-baseline" in command for command in readme)
    guide = commands_in(ROOT / "docs" / "ci.md")
    assert ("pytest", "benchmarks", "--glue-tasks", "$TASK") in guide  # in a workflow
    assert len(guide) >= 15
