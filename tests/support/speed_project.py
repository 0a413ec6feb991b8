"""A copy of this project in a repository of its own, in which a test may make training slower."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from harness.training import loop
from tests.support.locations import ROOT

BEFORE_UPDATE = "                scaler.step(optimizer)\n"


def committed(folder: Path) -> Path:
    """The package, the benchmarks and the root conftest, committed."""
    project = folder / "project"
    skipped = shutil.ignore_patterns("__pycache__")
    for name in ("harness", "benchmarks"):
        shutil.copytree(ROOT / name, project / name, ignore=skipped)
    shutil.copy(ROOT / "conftest.py", project)
    (project / "pyproject.toml").write_text("[tool.pytest]\nstrict = true\n")
    for words in (
        ("init", "-q", "-b", "main"),
        ("add", "-A"),
        ("-c", "user.name=x", "-c", "user.email=x@x", "commit", "-qm", "as it is"),
    ):
        subprocess.run(["git", *words], cwd=project, check=True)
    return project


def plant(project: Path, statement: str) -> None:
    """Let every training step run a statement first."""
    file = project / Path(loop.__file__).relative_to(ROOT)
    text = file.read_text()
    assert text.count(BEFORE_UPDATE) == 1
    indent = " " * (len(BEFORE_UPDATE) - len(BEFORE_UPDATE.lstrip()))
    file.write_text(text.replace(BEFORE_UPDATE, f"{indent}{statement}\n{BEFORE_UPDATE}"))
