"""The verb `init`: a small project for a team that benchmarks its own model. Needs no torch."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from harness.errors import Exit, StorageError, UsageError
from harness.files import disk, outputs, paths
from harness.system import environment
from harness.terminal import say
from harness.text.values import shown_path

TEMPLATE = environment.HERE / "template"
FILES = {
    "README.md": "README.md",
    "pyproject.toml": "pyproject.toml",
    "requirements.txt": "requirements.txt",
    "benchmarks/test_finetune.py": "test_finetune.py",
    "benchmarks/test_verdicts.py": "test_verdicts.py",
    ".github/workflows/glue-bench.yml": "github.yml",
    ".gitlab-ci.yml": "gitlab.yml",
    ".gitignore": "gitignore",
    "results/baselines/.gitkeep": None,
}
"""A file of the project -> the file of the template; None: it is empty.

In the template no name begins with a dot: git and the wheel's builder would obey such files.
"""
PINNED = re.compile(rb"^([\w-]+)==VERSION$", re.MULTILINE)
"""In requirements.txt: a package, to be pinned to the version that is installed here."""


def init(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="the project's folder, new or not")
    ] = Path(),
) -> None:
    """Write a small project that benchmarks a model of your own, with workflows for CI.

    No file is ever overwritten. Exits with 1 if files with other content are there; the others are
    written.
    """
    written = write(folder)
    for name in written.made:
        say(f"wrote {shown_path(folder / name)}")
    if written.kept:
        say(
            f"glue-bench: kept, since they are there and differ: {', '.join(written.kept)}. Fix: "
            "`glue-bench init NEW` writes all files into a new folder; copy from there what you "
            "need",
            err=True,
        )
        raise typer.Exit(Exit.WORSE)
    say(f"next: read {shown_path(folder / 'README.md')}")


@dataclass(frozen=True)
class Written:
    """The files of the template that were written, and those that other files have the place of."""

    made: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)


def write(folder: Path) -> Written:
    """Write the files that `folder` lacks.

    A file with the template's content counts as neither made nor kept. Raises `UsageError` if the
    folder cannot be one, `StorageError` for a file that could not be written.
    """
    if obstacle := paths.obstacle(folder):
        place, why = obstacle
        raise UsageError(f"{shown_path(place)}: {why}; expected a folder. Fix: name another")
    written = Written()
    for name, source in FILES.items():
        content = _content(source)
        path = folder / name
        if path.exists() or path.is_symlink():
            if not _holds(path, content):
                written.kept.append(name)
            continue
        try:
            disk.make_folders(disk.DISK, path.parent)
            disk.write_file(disk.DISK, path, content)
        except FileExistsError:  # somebody was faster
            written.kept.append(name)
        except OSError as error:
            raise StorageError(outputs.cannot_write(path, error, "DIR", len(content))) from error
        else:
            written.made.append(name)
    return written


def _content(source: str | None) -> bytes:
    if source is None:
        return b""
    return PINNED.sub(_pinned, (TEMPLATE / source).read_bytes())


def _pinned(found: re.Match[bytes]) -> bytes:
    """A line of requirements.txt, with the public version; without one if none is installed."""
    version = environment.version(found[1].decode())
    return found[1] + (f"=={version.partition('+')[0]}".encode() if version else b"")


def _holds(path: Path, content: bytes) -> bool:
    try:
        return paths.is_file(path) and path.read_bytes() == content
    except OSError:
        return False
