"""Looking up the commit: no code of a repository runs, and nothing leads to another repository."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.execution import checkout
from harness.system import git, inherited
from tests.support import payloads
from tests.support.processes import commands, until

Patch = pytest.MonkeyPatch


def test_no_code_of_a_repository_runs(tmp_path: Path, monkeypatch: Patch) -> None:
    repo = payloads.repository(tmp_path)
    apart = ("git folder elsewhere", "include", "filter a=b", "aliases")
    for name, arm in payloads.ARMED.items():
        if not name.startswith("fetch") and name not in apart:
            arm(repo)
    head = repo.git("rev-parse", "HEAD")
    for path in repo.canaries.iterdir():  # of the commit in the making
        path.unlink()
    repo.touched()
    assert repo.state == (head, False)
    assert git.why_not_on(repo.root, "main", head) is None
    with checkout.of_commit(repo.root, repo.commits[0]) as made:
        assert (made.folder / "harness" / "environment.py").read_text() == "# environment.py\n"
    assert repo.ran == set()
    payloads.run_plainly(repo)
    assert len(repo.ran) > 3  # git runs them where it is not told otherwise


@pytest.mark.parametrize("says_so", [True, False])
@pytest.mark.parametrize("name", [name for name in payloads.ARMED if name.startswith("fetch")])
def test_an_object_that_is_missing_is_not_fetched(
    name: str, says_so: bool, tmp_path: Path, monkeypatch: Patch
) -> None:
    repo = payloads.repository(tmp_path)
    payloads.ARMED[name](repo)
    if not says_so:  # to a git that does not know the variable
        monkeypatch.delitem(git.ENVIRONMENT, "GIT_NO_LAZY_FETCH")
    with (
        pytest.raises(UsageError, match=r"git rev-list: .*Fix: "),
        checkout.of_commit(repo.root, repo.commits[0]),
    ):
        pass
    assert repo.state == (repo.commits[1], False)
    assert repo.ran == set()


def test_a_filter_whose_name_cannot_be_switched_off_leaves_it_open_what_changed(
    tmp_path: Path, monkeypatch: Patch
) -> None:
    repo = payloads.repository(tmp_path)
    payloads.ARMED["filter a=b"](repo)
    repo.touched()
    assert repo.state == (repo.commits[1], None)
    assert repo.ran == set()


def test_the_environment_does_not_mislead(tmp_path: Path, monkeypatch: Patch) -> None:
    other = payloads.repository(tmp_path / "other")
    other.commit("another history")
    repo = payloads.repository(tmp_path / "ours")
    program = repo.program("environment")
    elsewhere = str(other.root / ".git")
    for name, value in {
        "GIT_DIR": elsewhere, "GIT_WORK_TREE": str(other.root), "GIT_INDEX_FILE": "/dev/null",
        "GIT_COMMON_DIR": elsewhere, "GIT_OBJECT_DIRECTORY": "/nowhere", "GIT_NAMESPACE": "x",
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": f"{elsewhere}/objects", "GIT_CEILING_DIRECTORIES": "/",
        "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "core.fsmonitor", "GIT_PREFIX": "x/",
        "GIT_CONFIG_VALUE_0": program, "GIT_CONFIG_PARAMETERS": f"'core.fsmonitor'='{program}'",
        "GIT_EXTERNAL_DIFF": program, "GIT_SSH_COMMAND": program, "GIT_PAGER": program,
        "GIT_ASKPASS": program, "GIT_EXEC_PATH": str(tmp_path), "GIT_TEMPLATE_DIR": str(tmp_path),
        "GIT_SHALLOW_FILE": "/dev/null", "GIT_REPLACE_REF_BASE": "x", "GIT_DEFAULT_HASH": "sha256",
        "GIT_TRACE": str(tmp_path / "trace"), "GIT_LITERAL_PATHSPECS": "x",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    assert repo.state == (repo.commits[1], False)
    with checkout.of_commit(repo.root, repo.commits[0]) as made:
        assert (made.folder / "harness" / "plugin.py").exists()
    assert repo.ran == set()
    assert not (tmp_path / "trace").exists()


def test_a_replaced_commit_is_not_the_one_of_its_id(tmp_path: Path, monkeypatch: Patch) -> None:
    repo = payloads.repository(tmp_path)
    repo.git("replace", *repo.commits)  # the first by the second
    with checkout.of_commit(repo.root, repo.commits[0]) as made:
        assert (made.folder / "harness" / "environment.py").read_text() == "# environment.py\n"


def test_a_folder_that_its_repository_does_not_hold_is_of_no_commit(tmp_path: Path) -> None:
    repo = payloads.repository(tmp_path)
    (repo.root / "untracked").mkdir()
    (repo.root / "untracked" / "test_mine.py").touch()
    assert git.state(repo.root / "untracked") == {}
    assert git.state(tmp_path) == {}
    assert git.state(repo.root)["branch"] == "main"


def test_where_a_commit_is_checked_out_ci_names_the_branch(
    tmp_path: Path, monkeypatch: Patch
) -> None:
    repo = payloads.repository(tmp_path)
    for name in git.BRANCH_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    repo.git("switch", "-q", "--detach")
    assert git.branch(repo.root) is None
    monkeypatch.setenv("GITHUB_REF_NAME", "12/merge")
    assert git.branch(repo.root) == "12/merge"
    monkeypatch.setenv("GITHUB_HEAD_REF", "faster")
    assert git.branch(repo.root) == "faster"
    repo.git("switch", "-q", "main")
    assert git.branch(repo.root) == "main"


def test_a_package_below_the_top_of_its_checkout(tmp_path: Path, monkeypatch: Patch) -> None:
    repo = payloads.repository(tmp_path)
    (repo.root / "part").mkdir()
    for name in ("harness", "benchmarks", "pyproject.toml"):
        repo.git("mv", name, f"part/{name}")
    repo.commit("moved")
    part = repo.root / "part"
    assert git.state(part)["commit"] == repo.commits[2]
    with checkout.of_commit(part, repo.commits[2]) as made:
        assert (made.folder / "benchmarks" / "test_finetune.py").exists()
        assert made.folder == made.top / "part"


def staged(repo: payloads.Repository) -> None:
    (repo.package / "plugin.py").write_text("changed")
    repo.git("add", "-A")


@pytest.mark.cases
@pytest.mark.parametrize(
    ("change", "dirty"),
    [
        (lambda repo: None, False),
        (lambda repo: repo.touched(), False),
        (lambda repo: (repo.package / "untracked").touch(), False),
        (lambda repo: (repo.package / "plugin.py").write_text("changed"), True),
        (lambda repo: (repo.package / "plugin.py").unlink(), True),
        (lambda repo: (repo.package / "plugin.py").chmod(0o755), True),
        (staged, True),
        (lambda repo: repo.config(status__showUntrackedFiles="all"), False),
    ],
    ids=["clean", "touched", "untracked", "changed", "gone", "mode", "staged", "configured"],
)  # fmt: skip
def test_what_was_changed(change: object, dirty: bool, tmp_path: Path, monkeypatch: Patch) -> None:
    repo = payloads.repository(tmp_path)
    change(repo)
    assert repo.state == (repo.commits[1], dirty)


def broken_head(repo: payloads.Repository) -> None:
    (repo.root / ".git" / "HEAD").write_text("ref: refs/heads/none\n")


def points_nowhere(repo: payloads.Repository) -> None:
    (repo.root / ".git").rename(repo.root / "gone")
    (repo.root / ".git").write_text("gitdir: /nowhere\n")


def points_to_itself(repo: payloads.Repository) -> None:
    (repo.root / ".git").rename(repo.root / "gone")
    (repo.root / ".git").write_text("gitdir: .git\n")


def another_work_tree(repo: payloads.Repository) -> None:
    repo.config(core__worktree=str(repo.root.parent))


def no_configuration(repo: payloads.Repository) -> None:
    (repo.root / ".git" / "config").write_text("[[[\n")


def no_index(repo: payloads.Repository) -> None:
    (repo.root / ".git" / "index").write_bytes(b"DIRC")


@pytest.mark.cases
@pytest.mark.parametrize(
    "damage", [points_nowhere, points_to_itself, another_work_tree, no_configuration, no_index]
)
def test_a_checkout_that_git_cannot_read_is_never_clean(
    damage: object, tmp_path: Path, monkeypatch: Patch
) -> None:
    repo = payloads.repository(tmp_path)
    damage(repo)
    assert repo.state in ((None, True), (None, None), (repo.commits[1], None))


def test_a_branch_without_commits(tmp_path: Path, monkeypatch: Patch) -> None:
    repo = payloads.repository(tmp_path)
    broken_head(repo)
    assert repo.state[0] is None


def test_a_checkout_of_somebody_else_is_the_users_to_trust(
    tmp_path: Path, monkeypatch: Patch
) -> None:
    repo = payloads.repository(tmp_path)
    if os.geteuid() != 0:
        pytest.skip("only root may give files away")
    for path in (repo.root, repo.root / ".git", repo.package):
        os.chown(path, 12345, 12345)
    monkeypatch.delenv("SUDO_UID", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert repo.state == (None, True)  # not known to be clean
    subprocess.run(["git", "config", "--global", "safe.directory", str(repo.root)], check=True)
    assert repo.state == (repo.commits[1], False)


@pytest.mark.parametrize(
    "said", ["HEAD", "main", "--all", "-h", "a" * 7, "", "A" * 40, "a" * 41, "a" * 39 + "\n"]
)
def test_only_a_whole_id_names_a_commit(said: str, tmp_path: Path, monkeypatch: Patch) -> None:
    repo = payloads.repository(tmp_path)
    why = git.why_not_on(repo.root, "main", said)
    assert why == "cannot tell: this checkout does not have the commit"
    refused = pytest.raises(UsageError, match="expected a full commit id")
    with refused, checkout.of_commit(repo.root, said):
        pass


def test_which_branch_holds_a_commit(tmp_path: Path) -> None:
    repo = payloads.repository(tmp_path)
    first, second = repo.commits

    def why(branch: str, commit: str) -> str:
        return git.why_not_on(repo.root, branch, commit) or "it is"

    repo.git("switch", "-q", "-c", "side", first)
    repo.commit("side")
    third = repo.commits[-1]
    assert [why("main", one) for one in (first, second)] == ["it is", "it is"]
    assert why("main", third) == "it is not in the history of 'main'"
    assert why("side", third) == "it is"
    assert why("side", "a" * 40) == "cannot tell: this checkout does not have the commit"
    for name in ("release", "*", "ma*"):
        assert why(name, first).startswith("cannot tell: this checkout has no branch")
    repo.git("update-ref", "refs/remotes/origin/release", third)
    assert why("release", third) == "it is"
    assert git.why_not_on(tmp_path, "main", first).startswith("cannot tell: this checkout has no ")
    (repo.root / ".git" / "shallow").write_text(f"{third}\n")
    assert why("main", third).startswith("cannot tell: this checkout is shallow")


def no_git(path: Path) -> None:
    pass


def hanging_git(path: Path) -> None:
    (path / "git").write_text("#!/bin/sh\nsleep 61 & sleep 61\n")
    (path / "git").chmod(0o755)


def git_that_fails(path: Path) -> None:
    (path / "git").write_text("#!/bin/sh\nprintf '\\377'; exit 1\n")
    (path / "git").chmod(0o755)


def no_program(path: Path) -> None:
    (path / "git").write_bytes(b"\x7fELF")
    (path / "git").chmod(0o755)


@pytest.mark.parametrize("make", [no_git, hanging_git, git_that_fails, no_program])
def test_without_a_git_that_answers_there_is_no_commit(
    make: object, tmp_path: Path, monkeypatch: Patch
) -> None:
    repo = payloads.repository(tmp_path / "repository")
    make(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path) + (":/usr/bin:/bin" if make is hanging_git else ""))
    monkeypatch.setattr(git, "TIMEOUT_S", 0.2)
    assert repo.state == (None, True)  # not known to be clean
    with (
        pytest.raises(UsageError, match="is in no git checkout"),
        checkout.of_commit(repo.root, repo.commits[0]),
    ):
        pass
    until(lambda: not [one for one in commands() if b"sleep\x0061" in one])


@pytest.mark.parametrize(
    ("name", "value", "given"),
    [
        ("HF_TOKEN", "x", False),
        ("GITHUB_TOKEN", "x", False),
        ("AWS_SECRET_ACCESS_KEY", "x", False),
        ("WHAT_NOBODY_KNOWS", "x", False),
        ("GLUE_BENCH_DATA", "x", True),
        ("GLUE_BENCH_API_KEY", "x", False),
        ("HTTPS_PROXY", "http://proxy:3128", True),
        ("HTTPS_PROXY", "http://me:password@proxy:3128", False),
        ("HTTP_PROXY", "me:password@proxy:3128", False),
        ("https_proxy", "http://me:pass/word@proxy:3128", False),
        ("https_proxy", "proxy:3128", True),
        ("HF_ENDPOINT", "https://me@hub", False),
        ("HF_ENDPOINT", "https://hub/?access=x", False),
        ("GLUE_BENCH_BEARER", "x", False),
        ("HF_HOME", "/cache", True),
        ("TOKENIZERS_PARALLELISM", "false", True),
        ("OMP_NUM_THREADS", "1", True),
        ("PYTEST_ADDOPTS", "-p evil", False),
        ("PYTHONSTARTUP", "x", False),
        ("GIT_DIR", "x", False),
    ],
)
def test_what_others_code_inherits(name: str, value: str, given: bool, monkeypatch: Patch) -> None:
    monkeypatch.setenv(name, value)
    assert (name in inherited.environment()) is given
