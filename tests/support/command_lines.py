"""Commands of glue-bench, pytest and tox in shell scripts and in pages, and a check of them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.exceptions import TyperException

from harness import cli
from harness.planning import options
from tests.support.locations import ROOT

PROGRAMS = ("glue-bench", "pytest", "tox")
BEFORE_A_COMMAND = {"if", "then", "else", "do", "while", "until", "!", "{"}
SCRIPTS = ("run", "script", "before_script", "after_script")
ENVIRONMENTS = re.findall(r"^\[testenv:(\w+)\]", (ROOT / "tox.ini").read_text("utf-8"), re.M)
Words = tuple[str, ...]


def in_script(script: str) -> list[Words]:
    """The words of each command of these programs in a shell script; pipes and redirects end it."""
    found = []
    for line in script.replace("\\\n", " ").splitlines():
        for words in _simple_commands(line):
            if command := _ours(words):
                found.append(command)
    return found


def _simple_commands(line: str) -> Iterator[list[str]]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars="();<>|&")
    lexer.whitespace_split = True
    words: list[str] = []
    skips_next = False
    for word in lexer:
        if set(word) <= set("<>"):  # a redirect; the file follows
            skips_next = True
        elif set(word) <= set("();|&"):
            yield words
            words = []
        elif skips_next:
            skips_next = False
        else:
            words.append(word)
    yield words


def _ours(words: list[str]) -> Words | None:
    while words and (words[0] in BEFORE_A_COMMAND or re.match(r"\w+=", words[0])):
        words = words[1:]
    if words[1:3] == ["-m", "pytest"] and Path(words[0]).name.startswith("python"):
        words = words[2:]
    if words and Path(words[0]).name in PROGRAMS:
        return (Path(words[0]).name, *words[1:])
    return None


def scripts_in(content: Any) -> Iterator[str]:
    """Every script of a workflow of GitHub (`run`) or of GitLab (`script` and its kin)."""
    if isinstance(content, list):
        for part in content:
            yield from scripts_in(part)
    elif isinstance(content, dict):
        for key, value in content.items():
            if key in SCRIPTS and isinstance(value, str):
                yield value
            elif key in SCRIPTS and isinstance(value, list):
                yield "\n".join(value)
            else:
                yield from scripts_in(value)


def blocks(page: str) -> Iterator[tuple[str, str]]:
    """The language and the text of each fenced block of a Markdown page."""
    for match in re.finditer(r"^( *)```(\w*)\n(.*?)^\1```$", page, re.S | re.M):
        indent, language, text = match.groups()
        yield language, re.sub(f"^{indent}", "", text, flags=re.M)


def check(command: Words, parse: Any) -> None:
    """Fail unless the program has each option of the command; `parse` is `pytester.parseconfig`."""
    program, *args = command
    if program == "pytest":
        unknown = list(options.unknown_flags(args))
        assert unknown == [], f"{shlex.join(command)}: {unknown}"
        parse(*(word for word in args if not word.startswith("-p")))
    elif program == "tox":
        names = [word for before, word in pairwise(args) if before == "-e"]
        assert {*names} <= {*ENVIRONMENTS, "$ENVIRONMENT"}, shlex.join(command)
    else:
        _parse_verb(cli.COMMAND, args, shlex.join(command))


def _parse_verb(command: Any, args: list[str], line: str) -> None:
    """Parse a command of glue-bench without running it."""
    while hasattr(command, "commands") and args and not args[0].startswith("-"):
        assert args[0] in command.commands, line
        command, args = command.commands[args[0]], args[1:]
    try:
        command.make_context("glue-bench", args)
    except typer.Exit:  # --help, --version
        return
    except TyperException as error:
        pytest.fail(f"{line}: {error}")
