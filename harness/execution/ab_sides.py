"""The sides of an A/B comparison: what a user may name, and how each is run.

.                     the working tree as it is
main, v1.2, abc1234   a commit of the project's repository, in a folder of its own
env:PATH              the working tree, run by another environment
target:cpu-bf16       the working tree, on another target
option:recipe=X       the working tree, with --glue-recipe X
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import sys
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from harness.catalog import targets
from harness.errors import UsageError
from harness.execution import checkout as checkouts
from harness.execution.checkout import Checkout
from harness.planning import options
from harness.planning.option_sources import OF_THE_GATE
from harness.system import git
from harness.text.names import nearest, unknown
from harness.text.values import shown, shown_path

TREE = "."
ENVIRONMENT, TARGET, OPTION = "env:", "target:", "option:"
FORMS = ". (the working tree), a commit or branch, env:PATH, target:NAME or option:NAME=VALUE"
AXES = {"tasks": "task", "models": "model", "targets": "target"}
"""Options in which sides may differ -> the part of a cell's name that then differs too."""
OURS = (
    *OF_THE_GATE,
    *("results", "jobs", "resume", "save-models", "ab", "ab-budget", "suite", "pairs", "peers"),
)
"""Options that a comparison sets itself, or that make no sense in its sessions."""


@dataclass(frozen=True)
class SideName:
    """A side as it was named. `commit` is a full id; `branch` has it in its history."""

    typed: str
    commit: str | None = None
    branch: str | None = None
    python: Path = Path(sys.executable)
    arguments: tuple[str, ...] = ()  # of its pytest sessions
    axis: str | None = None  # the part of a cell's name in which it may differ from the other side

    @property
    def label(self) -> str:
        """As it is shown."""
        if self.typed == TREE:
            return "the working tree"
        if self.commit and not self.commit.startswith(self.typed):
            return f"{self.typed} ({self.commit[:7]})"
        return self.commit[:7] if self.commit else self.typed


def named(typed: str, project: Path) -> SideName:
    """The side that a text names; relative paths are relative to `project`. Raises `UsageError`."""
    if typed == TREE:
        return SideName(typed)
    if typed.startswith(ENVIRONMENT):
        return SideName(typed, python=_python(project / typed.removeprefix(ENVIRONMENT)))
    if typed.startswith(TARGET):
        target = targets.get(typed.removeprefix(TARGET))
        return SideName(typed, arguments=("--glue-targets", target.name), axis="target")
    if typed.startswith(OPTION):
        return _with_option(typed)
    commit = git.ask(
        project, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{typed}^{{commit}}"
    ).text
    if not commit or not git.is_full_id(commit):
        refs = git.ask(project, "for-each-ref", "--format=%(refname:short)").text or ""
        guess = nearest(typed, refs.split())
        fetch = "git fetch --unshallow" if git.is_shallow(project) else "git fetch"
        raise UsageError(
            f"side {shown(typed)}: the repository of {shown_path(project)} has no such commit, "
            f"branch or tag.{f' Did you mean {shown(guess)}?' if guess else ''} Expected {FORMS}. "
            f"Fix: `{fetch}`, or correct the name"
        )
    return SideName(typed, commit, _branch_of(commit, project))


def _branch_of(commit: str, project: Path) -> str | None:
    """A branch whose history has the commit, here or as fetched from origin; None: none has it."""
    places = ("refs/heads", "refs/remotes/origin")
    form = "--format=%(refname)"
    found = git.ask(project, "for-each-ref", form, f"--contains={commit}", *places).text or ""
    names = [ref.split("/", 3 if ref.startswith(places[1]) else 2)[-1] for ref in found.split()]
    return next((name for name in names if name != "HEAD"), None)


def _python(path: Path) -> Path:
    """The interpreter of an environment, or the one named itself. Raises `UsageError`."""
    candidates = (path, path / "bin" / "python", path / "Scripts" / "python.exe")
    found = next((place for place in candidates if place.is_file()), None)
    if found is None:
        raise UsageError(
            f"side {ENVIRONMENT}{shown_path(path)}: there is no Python; expected a virtual "
            "environment's folder, or a python executable"
        )
    return found.absolute()  # not resolved: a link's own place says which environment it is of


def _with_option(typed: str) -> SideName:
    name, equals, value = typed.removeprefix(OPTION).partition("=")
    name = name.removeprefix("--").removeprefix("glue-")
    known = {option.name: option for option in options.OPTIONS if option.name not in OURS}
    if name not in known:
        raise UsageError(f"side {shown(typed)}: {unknown('option', name, known)}")
    if known[name].is_switch != (not equals):
        expected = f"{OPTION}{name}" + ("" if known[name].is_switch else "=VALUE")
        raise UsageError(f"side {shown(typed)}: expected {expected}")
    arguments = (known[name].flag, value) if equals else (known[name].flag,)
    return SideName(typed, arguments=arguments, axis=AXES.get(name))


@dataclass(frozen=True)
class Side:
    """A side that can be run."""

    name: SideName
    checkout: Checkout


@contextlib.contextmanager
def opened(name: SideName, project: Path) -> Generator[Side]:
    """The side with its files, for as long as the block lasts. Raises `UsageError`."""
    files = (
        checkouts.of_commit(project, name.commit, name.branch)
        if name.commit
        else checkouts.as_it_is(project)
    )
    with files as checkout:
        yield Side(name, checkout)


def with_absolute_paths(arguments: list[str], here: Path) -> tuple[str, ...]:
    """Arguments of pytest in which no path of an option --glue-* depends on the folder.

    The sessions of a commit run in a folder of their own. Raises `UsageError` for an option that a
    comparison sets itself, or that does not exist.
    """
    for complaint in options.unknown_flags(arguments):
        raise UsageError(complaint)
    by_flag = {option.flag: option for option in options.OPTIONS}
    found: list[str] = []
    words = iter(arguments)
    for word in words:
        flag, equals, value = word.partition("=")
        option = by_flag.get(flag)
        if option is None:
            found.append(word)
            continue
        if option.name in OURS:
            raise UsageError(
                f"{flag}: a comparison of two sides sets this itself. Fix: leave it out"
            )
        if option.is_switch:
            found.append(word)
            continue
        text = value if equals else next(words, None)
        if text is None:
            raise UsageError(f"{flag}: expected a value")
        found += [flag, options.absolute(option, text, flag, here)]
    for flag, option in by_flag.items():
        value = os.environ.get(option.environment or "")
        if value and flag not in found and option.name not in OURS:
            found += [flag, options.absolute(option, value, str(option.environment), here)]
    return tuple(found)


def differing_axes(*names: SideName) -> tuple[str, ...]:
    """The parts of a cell's name in which these sides differ on purpose."""
    return tuple({name.axis: None for name in names if name.axis})


def described(name: SideName) -> dict[str, object]:
    """What is stored of a side."""
    return {**dataclasses.asdict(name), "python": str(name.python)}
