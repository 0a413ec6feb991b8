"""Marked names of a user, a machine and secrets, which a test looks for in everything written."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet

from harness.catalog import models
from tests.support.locations import ROOT

USER, LINK, HOST = "canary-user-7", "canary-link-7", "canary-host-7"
SECRETS = {
    "HF_TOKEN": "hf_canarytoken7",
    "AWS_SECRET_ACCESS_KEY": "canarykey7/with+signs",
    "GITHUB_TOKEN": "ghp_canarytoken7",
    "MY_PASSWORD": "canarypassword7",
    "HF_ENDPOINT": "https://canarylogin7:canarypass7@127.0.0.1:9/canarypath",
    "HTTPS_PROXY": "http://canarylogin7:canarypass7@127.0.0.1:9",
}
CANARIES = (
    USER, LINK, HOST, "hf_canarytoken7", "canarykey7", "ghp_canarytoken7", "canarypassword7",
    "canarylogin7", "canarypass7",
)  # fmt: skip
SITE = """
import importlib.abc, importlib.util, os, platform, socket, sys

if sys.platform != "win32":
    found = os.uname()
    names = (found.sysname, {host!r}, found.release, found.version, found.machine)
    os.uname = lambda: os.uname_result(names)
socket.gethostname = platform.node = lambda: {host!r}

def fine_tune(*args, **kwargs):
    values = dict(os.environ, HOST={host!r}, REAL=os.path.realpath(os.environ["HOME"]))
    planted = os.environ["PLANTED"]
    for name, value in values.items():
        planted = planted.replace("{{" + name + "}}", value)
    exec(planted)

class Planted(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name != "harness.training.loop":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        run = spec.loader.exec_module
        def exec_module(module):
            run(module)
            module.fine_tune = fine_tune
        spec.loader.exec_module = exec_module
        return spec

if os.environ.get("PLANTED"):
    sys.meta_path.insert(0, Planted())
"""
HERE = """
import os, sitecustomize

if os.environ.get("PLANTED"):  # pytest loads the plugin's modules by a finder of its own
    import harness.training.loop
    harness.training.loop.fine_tune = sitecustomize.fine_tune
"""


@dataclass(frozen=True)
class Project:
    """A project in a home folder that is behind a link, and what each session of it inherits."""

    home: Path  # as $HOME says it
    real: Path
    environment: dict[str, str]

    @property
    def folder(self) -> Path:
        return self.home / "project"

    def run(self, *args: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """A command of this interpreter in the project."""
        return subprocess.run(
            [sys.executable, "-m", *args],
            cwd=self.folder, env=self.environment | environment, text=True, timeout=300,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip

    def session(self, *args: str, **environment: str) -> str:
        """What a session of the benchmarks prints."""
        return self.run(
            "pytest", "benchmarks", "-p", "no:cacheprovider", "-k", "rte", "--glue-max-train",
            "64", "--glue-max-eval", "32", "--glue-epochs", "1", *args, **environment,
        ).stdout  # fmt: skip


def project(place: Path) -> Project:
    """A project with the benchmarks of this one."""
    real, home = place / "disk" / USER, place / "home" / LINK
    real.mkdir(parents=True)
    home.parent.mkdir()
    home.symlink_to(real)
    site = place / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(SITE.format(host=HOST))
    ignored = shutil.ignore_patterns("__*")
    shutil.copytree(ROOT / "benchmarks", home / "project" / "benchmarks", ignore=ignored)
    conftest = (ROOT / "conftest.py").read_text() + HERE
    (home / "project" / "conftest.py").write_text(conftest)
    (home / "project" / "pyproject.toml").write_text("[tool.pytest]\nstrict = true\n")
    (home / "tmp").mkdir()
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("GLUE_BENCH_", "PYTEST_"))}
    environment = {
        **kept, **SECRETS, "HOME": str(home), "USER": USER, "LOGNAME": USER, "HOSTNAME": HOST,
        "TMPDIR": str(home / "tmp"), "HF_HOME": str(home / "cache"), "HF_HUB_OFFLINE": "1",
        "PYTHONPATH": os.pathsep.join([str(site), str(ROOT)]), "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    return Project(home, real, environment)


def found_in(folder: Path) -> Iterator[tuple[Path, str]]:
    """Each file below a folder that says a canary, and which; names of files count too."""
    for path in sorted(folder.rglob("*")):
        said = str(path.relative_to(folder)).encode()
        if path.is_file():
            said += path.read_bytes()
            if path.suffix == ".parquet":
                table = pyarrow.parquet.read_table(path)
                said += str((table.schema, table.schema.metadata, table.to_pydict())).encode()
        for canary in CANARIES:
            if canary.encode() in said:
                yield path, canary


def toy_model(folder: Path) -> Path:
    """A copy of the toy model."""
    shutil.copytree(models.directory(models.MODELS["toy-bert"]), folder)
    return folder
