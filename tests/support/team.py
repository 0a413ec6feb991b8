"""A team's repository, made by `glue-bench init` of an installed wheel, with a model of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from harness.data.toy.pretrain import SHIPPED

MODEL = "model"  # its folder; its name is `mine`
CELL = "cola-mine-cpu-fp32"
WEIGHTS = f"{MODEL}/model.safetensors"
SETTINGS = {  # as the template has it -> a task that toy-bert learns from 400 rows
    'tasks = ["sst2", "rte"]': 'tasks = ["cola"]',
    "# max-train = 2000": "max-train = 400",
    "# max-eval = 500": "max-eval = 200",
    '# recipe = "run-glue"': 'recipe = "toy"',
    '"*" = { score = "2pt" }': '"*" = { score = "10pt" }',
}


@dataclass(frozen=True)
class Team:
    """A repository, and the programs of the environment in which its people work."""

    folder: Path
    programs: Path

    def run(self, program: str, *args: str, code: int = 0) -> str:
        """Run a program of the environment in the repository; returns what it said."""
        command = [self.programs / program, *args]
        if program == "pytest":  # the environment has no program of that name
            command = [self.programs / "python", "-m", "pytest", "-q", *args]
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "COVERAGE"))}
        done = subprocess.run(
            command, cwd=self.folder, capture_output=True, text=True, timeout=1500,
            env={**kept, "OMP_NUM_THREADS": "1", "COLUMNS": "100"},
        )  # fmt: skip
        said = done.stdout + done.stderr
        assert done.returncode == code, f"{program} {' '.join(args)}: {done.returncode}\n{said}"
        return said

    def commit(self, message: str) -> None:
        """Commit everything."""
        for words in (("add", "-A"), ("commit", "-qm", message)):
            git = ["git", "-c", "user.name=x", "-c", "user.email=x@x", *words]
            subprocess.run(git, cwd=self.folder, check=True)

    def copy(self, folder: Path) -> Team:
        """The same, in another folder: what is done there leaves this one alone."""
        shutil.copytree(self.folder, folder)
        return Team(folder, self.programs)


def made(folder: Path, programs: Path) -> Team:
    """A repository as `glue-bench init` writes it, with a model, small tasks, and one commit."""
    folder.mkdir()
    team = Team(folder, programs)
    team.run("glue-bench", "init")
    shutil.copytree(SHIPPED, folder / MODEL)
    file = folder / "pyproject.toml"
    text = file.read_text()
    for old, new in SETTINGS.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    file.write_text(text)
    subprocess.run(["git", "init", "-q", "-b", "main"], cwd=folder, check=True)
    team.commit("Benchmarks")
    return team


def add_noise(team: Team, share: float) -> None:
    """Add noise to every weight of the model: a share of the standard deviation of its tensor."""
    draw = np.random.default_rng(0)
    file = team.folder / WEIGHTS
    noised = {
        name: (values + share * values.std() * draw.standard_normal(values.shape)).astype(
            values.dtype
        )
        for name, values in load_file(file).items()
    }
    save_file(noised, file, metadata={"format": "pt"})
