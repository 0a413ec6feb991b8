"""Repositories whose files name programs; a program would leave a file behind if it ran."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.system import git

HOOKS = (
    "applypatch-msg", "commit-msg", "fsmonitor-watchman", "post-applypatch", "post-checkout",
    "post-commit", "post-index-change", "post-merge", "post-rewrite", "pre-applypatch",
    "pre-auto-gc", "pre-commit", "pre-push", "pre-rebase", "prepare-commit-msg",
    "proc-receive", "push-to-checkout", "reference-transaction", "sendemail-validate",
)  # fmt: skip
BENCHMARKS = """
import json, os, subprocess, sys

def test_it():
    told = subprocess.run(["git", "status", "--porcelain"], capture_output=True, text=True)
    print(json.dumps({"environment": dict(os.environ), "status": told.stdout, "cwd": os.getcwd()}))
    assert False
"""


@dataclass
class Repository:
    """A clone of something like glue-bench with two commits, and a folder for what payloads do."""

    root: Path
    canaries: Path
    commits: list[str] = field(default_factory=list)

    @property
    def package(self) -> Path:
        return self.root / "harness"

    def git(self, *args: str, check: bool = True) -> str:
        told = ["git", "-c", "user.name=a", "-c", "user.email=a@b", *args]
        done = subprocess.run(
            told, cwd=self.root, check=check, capture_output=True, text=True, timeout=60
        )
        return done.stdout.strip()

    def commit(self, message: str) -> None:
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        self.commits.append(self.git("rev-parse", "HEAD"))

    def config(self, **values: str) -> None:
        """Set what the repository's own configuration says; `__` stands for a dot."""
        for key, value in values.items():
            self.git("config", "--add", key.replace("__", "."), value)

    def program(self, name: str, then: str = "exit 1") -> str:
        """A program that leaves a canary behind."""
        self.canaries.mkdir(exist_ok=True)
        path = self.canaries.parent / "programs" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\ntouch '{self.canaries}/{name}'\n{then}\n")
        path.chmod(0o755)
        return str(path)

    @property
    def ran(self) -> set[str]:
        """The programs that were run."""
        return {path.name for path in self.canaries.iterdir()} if self.canaries.exists() else set()

    @property
    def state(self) -> tuple[str | bool | None, str | bool | None]:
        """Its commit, and whether it has changes, as a record has them."""
        found = git.state(self.root)
        return found.get("commit"), found.get("dirty")

    def touched(self) -> None:
        """Let git look at the contents of all files again."""
        for path in self.package.iterdir():
            os.utime(path, (1, 1))


def repository(place: Path, *, attributes: str = "") -> Repository:
    """Two commits, clean."""
    place.mkdir(parents=True, exist_ok=True)
    made = Repository(place / "clone", place / "canaries")
    made.package.mkdir(parents=True)
    (made.root / "benchmarks").mkdir()
    (made.root / "benchmarks" / "test_finetune.py").write_text(BENCHMARKS)
    (made.root / "pyproject.toml").write_text("[tool.pytest]\n")
    (made.root / ".gitignore").write_text("__pycache__\n")
    for name in ("__init__.py", "plugin.py", "environment.py"):
        (made.package / name).write_text(f"# {name}\n")
    made.git("init", "-q", "-b", "main")
    if attributes:
        (made.root / ".gitattributes").write_text(attributes)
    made.commit("one")
    (made.package / "environment.py").write_text("# two\n")
    made.commit("two")
    return made


def hook(name: str) -> Callable[[Repository], None]:
    def arm(repo: Repository) -> None:
        shutil.copy(repo.program(name, "exit 0"), repo.root / ".git" / "hooks" / name)

    return arm


def monitor(repo: Repository) -> None:
    repo.config(core__fsmonitor=repo.program("fsmonitor"))


def hooks_elsewhere(repo: Repository) -> None:
    folder = repo.root.parent / "hooks"
    folder.mkdir()
    for name in ("post-index-change", "post-checkout", "reference-transaction"):
        shutil.copy(repo.program("hooksPath", "exit 0"), folder / name)
    repo.config(core__hooksPath=str(folder))


def filtered(key: str, name: str = "x") -> Callable[[Repository], None]:
    def arm(repo: Repository) -> None:
        program = repo.program(f"{key}-{name}", "cat")
        (repo.root / ".git" / "info" / "attributes").write_text(f"* filter={name}\n")
        repo.git("config", f"filter.{name}.{key}", program)
        repo.git("config", f"filter.{name}.required", "true")

    return arm


def included(repo: Repository) -> None:
    other = repo.root.parent / "included"
    other.write_text(f'[core]\nfsmonitor = "{repo.program("included")}"\n')
    repo.config(include__path=str(other))


def included_if(repo: Repository) -> None:
    other = repo.root.parent / "included-if"
    filter_ = f'[filter "y"]\nclean = "{repo.program("included-if", "cat")}"\n'
    other.write_text(filter_)
    (repo.root / ".git" / "info" / "attributes").write_text("* filter=y\n")
    repo.git("config", f"includeIf.gitdir:{repo.root}/.path", str(other))


def worktree_configuration(repo: Repository) -> None:
    repo.config(extensions__worktreeConfig="true")
    repo.git("config", "--worktree", "core.fsmonitor", repo.program("worktree-config"))


def attributes_of_the_user(repo: Repository) -> None:
    other = repo.root.parent / "attributes"
    other.write_text("* filter=z diff=z\n")
    repo.config(core__attributesFile=str(other), filter__z__clean=repo.program("z", "cat"))


def missing(repo: Repository) -> None:
    """Remove an object of the first commit, so that git would fetch it."""
    blob = repo.git("rev-parse", f"{repo.commits[0]}:harness/environment.py")
    (repo.root / ".git" / "objects" / blob[:2] / blob[2:]).unlink()


def promised(name: str, url: str, **also: str) -> Callable[[Repository], None]:
    def arm(repo: Repository) -> None:
        missing(repo)
        program = repo.program(name)
        repo.config(
            core__repositoryformatversion="1", extensions__partialClone="origin",
            remote__origin__url=url.format(program=program), remote__origin__promisor="true",
            **{key: value.format(program=program) for key, value in also.items()},
        )  # fmt: skip

    return arm


def diffed(repo: Repository) -> None:
    (repo.root / ".git" / "info" / "attributes").write_text("* diff=d merge=d\n")
    repo.config(
        diff__external=repo.program("diff.external", "exit 0"),
        diff__d__command=repo.program("diff.command", "exit 0"),
        diff__d__textconv=repo.program("textconv", "cat $1"),
        merge__d__driver=repo.program("merge.driver", "exit 0"),
    )


def signed(repo: Repository) -> None:
    repo.config(log__showSignature="true", gpg__program=repo.program("gpg", "exit 0"))


def programs(repo: Repository) -> None:
    """Whatever else a repository may name."""
    for key in (
        "core.pager", "pager.status", "pager.config", "pager.for-each-ref", "core.editor",
        "sequence.editor", "core.askPass", "credential.helper", "core.gitProxy", "core.sshCommand",
        "uploadpack.packObjectsHook", "core.alternateRefsCommand", "diff.tool", "gpg.ssh.program",
        "gc.recentObjectsHook", "trace2.eventTarget", "interactive.diffFilter",
    ):  # fmt: skip
        repo.git("config", key, repo.program(key, "cat"))


def aliases(repo: Repository) -> None:
    for name in ("status", "rev-parse", "ls-files", "for-each-ref", "init", "merge-base"):
        repo.git("config", f"alias.{name}", f"!{repo.program(f'alias-{name}')}")


def submodule(repo: Repository) -> None:
    inner = repo.root / "inner"
    inner.mkdir()
    one = Repository(inner, repo.canaries)
    one.git("init", "-q")
    (inner / "file").write_text("x\n")
    one.commit("inner")
    repo.git("-c", "advice.addEmbeddedRepo=false", "add", "inner")
    repo.git("commit", "-q", "-m", "three")
    one.config(core__fsmonitor=repo.program("submodule"))
    os.utime(inner / "file", (1, 1))


def moved(repo: Repository) -> None:
    """Let `.git` be a file that names a folder elsewhere."""
    elsewhere = repo.root.parent / "elsewhere"
    (repo.root / ".git").rename(elsewhere)
    (repo.root / ".git").write_text(f"gitdir: {elsewhere}\n")
    monitor(repo)


ARMED: Mapping[str, Callable[[Repository], None]] = {
    **{f"hook {name}": hook(name) for name in HOOKS},
    "core.fsmonitor": monitor,
    "core.hooksPath": hooks_elsewhere,
    "filter clean": filtered("clean"),
    "filter smudge": filtered("smudge"),
    "filter process": filtered("process"),
    "filter a.b": filtered("clean", "a.b"),
    "filter a=b": filtered("clean", "a=b"),
    "include": included,
    "includeIf": included_if,
    "worktree configuration": worktree_configuration,
    "core.attributesFile": attributes_of_the_user,
    "fetch by ssh": promised("ssh", "ssh://nowhere/x", core__sshCommand="{program}"),
    "fetch by ext": promised("ext", "ext::{program}", protocol__ext__allow="always"),
    "fetch from a folder": promised("pack", "/", remote__origin__uploadpack="{program}"),
    "fetch by a helper": promised("vcs", "x", remote__origin__vcs="ext"),
    "diff and merge": diffed,
    "signatures": signed,
    "programs": programs,
    "aliases": aliases,
    "submodule": submodule,
    "git folder elsewhere": moved,
}
"""What a repository may have run, by the name of what names it."""

PLAIN = (
    ("status",), ("diff", "HEAD~1"), ("log", "--show-signature", "-1"), ("diff", "--textconv"),
    ("worktree", "add", "--detach", "../plain", "HEAD"), ("checkout", "-q", "HEAD~1"),
    ("cat-file", "-e", "{blob}"), ("archive", "HEAD"), ("commit", "--allow-empty", "-qm", "x"),
)  # fmt: skip


def run_plainly(repo: Repository) -> None:
    """What git runs where it is not told otherwise."""
    blob = repo.git("rev-parse", f"{repo.commits[0]}:harness/environment.py")
    for command in PLAIN:
        repo.touched()
        repo.git(*(word.format(blob=blob) for word in command), check=False)
