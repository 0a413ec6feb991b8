"""Stored texts name neither the user, the home folder, the machine nor a secret."""

from __future__ import annotations

import itertools
import json
import os
import random
import string
import unicodedata
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest

from harness.errors import WorkerCrashed
from harness.records.redaction import redacted
from harness.records.store import Store
from harness.text.escape import harmless
from harness.text.values import plain, shown, shown_path
from tests.support import canaries
from tests.support.builders import outcome
from tests.support.engines import ANSWERS, FakeEngine, died
from tests.support.pytest_project import run

Patch = pytest.MonkeyPatch


@pytest.fixture(autouse=True)
def nobody_in_particular(monkeypatch: Patch) -> None:
    """A user and a machine whose names are known, and no secret."""
    for name in ("USER", "LOGNAME", "USERNAME", "SUDO_USER", "HOSTNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("harness.records.redaction._of_system", lambda field: None)
    monkeypatch.setattr("platform.node", lambda: "localhost")
    monkeypatch.setenv("HOME", "/home/ann")


@pytest.mark.cases
@pytest.mark.parametrize("home", ["", "/", "x", ".", "//", "/.", "./", "/../"])
def test_only_a_home_folder_of_ones_own_is_left_out(home: str, monkeypatch: Patch) -> None:
    monkeypatch.setenv("HOME", home)
    assert redacted("/data/x: no such file") == "/data/x: no such file"


@pytest.mark.cases
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/home/ann/x: no such file", "~/x: no such file"),
        ("/home/ann: it is a file", "~: it is a file"),
        ("/home/ann", "~"),
        ("found '/home/ann'; expected", "found '~'; expected"),
        ("in /home/ann.", "in ~."),
        ("in /home/ann, and", "in ~, and"),
        ("/home//ann///x /home/./ann/x //home/ann/x", "~///x ~/x ~/x"),
        ("file:///home/ann/x", "file:~/x"),
        ("%2Fhome%2Fann%2Fx", "~%2Fx"),
        (r"\/home\/ann\/x", r"~\/x"),
        ("/mnt/home/ann/x", "/mnt/~/x"),
        ("/home/anna/x /home/ann-b/x /home/ann.b/x", "/home/anna/x /home/ann-b/x /home/ann.b/x"),
        ("/home/annotations", "/home/annotations"),
        ("/home/an/x /home /home/", "/home/an/x /home /home/"),
        ("/home/ann/a /home/ann/b", "~/a ~/b"),
        ("/home/ann\n/home/ann/x", "~\n~/x"),
    ],
)  # fmt: skip
def test_the_home_folder_is_a_tilde(text: str, expected: str) -> None:
    assert redacted(text) == expected


@pytest.mark.cases
@pytest.mark.parametrize("slash", ["", "/", "//"])
def test_a_home_folder_behind_links(slash: str, tmp_path: Path, monkeypatch: Patch) -> None:
    real = tmp_path / "users" / "anna"
    real.mkdir(parents=True)
    (tmp_path / "home").symlink_to(tmp_path / "users")
    (tmp_path / "me").symlink_to(tmp_path / "home" / "anna")
    monkeypatch.setenv("HOME", f"{tmp_path}/me{slash}")
    monkeypatch.setattr(
        "harness.records.redaction._of_system",
        {"pw_dir": f"{tmp_path}/home/anna", "pw_name": "anna"}.__getitem__,
    )
    for spelt in ("me", "users/anna", "home/anna"):
        assert redacted(f"{tmp_path}/{spelt}/x") == "~/x"
    assert redacted(f"{tmp_path}/users/annabel/x").endswith("/users/annabel/x")


@pytest.mark.cases
@pytest.mark.parametrize(
    "name", ["änne", "アンナ", "a b", "a'b", 'a"b', "a%b", "a\\b", "a\udce9", "a.b", "a(b)+", "a$b"]
)
def test_a_home_folder_however_its_name_is_escaped(name: str, monkeypatch: Patch) -> None:
    home = f"/data/people/{name}"
    monkeypatch.setenv("HOME", home)
    path = f"{home}/model"
    for form in ("NFC", "NFD"):
        same = unicodedata.normalize(form, path)
        for escaped in (
            same, ascii(same), repr(same), harmless(same), json.dumps(same), plain(same),
            shown_path(Path(same)), shown(same), quote(os.fsencode(same)),
            quote(os.fsencode(same), safe=""), repr(os.fsencode(same)), repr(ascii(same)),
            str(OSError(2, "x", same)),
        ):  # fmt: skip
            assert "people" not in redacted(f"{escaped}: no such folder"), escaped


@pytest.mark.cases
def test_a_long_home_folder_in_a_value_that_was_cut(monkeypatch: Patch) -> None:
    for length, below in itertools.product(range(30, 120, 7), (1, 9, 30, 80)):
        letters = random.Random(length).choices(string.ascii_lowercase, k=length)
        home = f"/h/{''.join(letters)}"
        monkeypatch.setenv("HOME", home)
        path = f"{home}/{'m' * below}"
        said = redacted(f"found {shown(path)}")
        assert not any(home[at : at + 8] in said for at in range(2, len(home) - 8)), said


@pytest.mark.cases
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/scratch/ann/x", "/scratch/USER/x"),
        ("/scratch/ann", "/scratch/USER"),
        ("ssh://ann@gpu07.corp.example/x", "ssh://HOST/x"),
        ("~ann/x", "~USER/x"),
        ("/scratch/anna/x /planned", "/scratch/anna/x /planned"),
        ("ann is a word", "ann is a word"),
        ("gpu07: connection refused", "HOST: connection refused"),
        ("http://GPU07:8080/x", "http://HOST:8080/x"),
        ("/net/gpu07/x", "/net/HOST/x"),
        ("gpu07.corp.example", "HOST"),
        ("gpu071 xgpu07 gpu07-2", "gpu071 xgpu07 gpu07-2"),
    ],
)
def test_names_of_users_and_machines(text: str, expected: str, monkeypatch: Patch) -> None:
    monkeypatch.setenv("USER", "ann")
    monkeypatch.setattr("platform.node", lambda: "gpu07.corp.example")
    assert redacted(text) == expected


@pytest.mark.cases
def test_a_users_name_that_is_no_word(monkeypatch: Patch) -> None:
    monkeypatch.setenv("USER", "ann.b7")
    assert redacted("by ann.b7 (ann.b7), xann.b7 ann.b77") == "by USER (USER), xann.b7 ann.b77"


@pytest.mark.cases
def test_a_machine_whose_name_is_a_word(monkeypatch: Patch) -> None:
    monkeypatch.setattr("platform.node", lambda: "atlas")
    assert redacted("the atlas at http://atlas:80/atlas") == "the atlas at http://HOST:80/HOST"


@pytest.mark.cases
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("401 for hf_canarycanary", "401 for $HF_TOKEN"),
        ("?token=hf_canarycanary&x", "?token=$HF_TOKEN&x"),
        ("https://me:pa%2Fss@hub.example/x", "https://hub.example/x"),
        ("https://me:p@ss@hub.example/x", "https://hub.example/x"),
        ("http://proxy:3128 me@example.org", "http://proxy:3128 me@example.org"),
        ("a%2Fb%2Bcdef a/b+cdef", "$MY_SECRET $MY_SECRET"),
        ("1 is short", "1 is short"),
        ("/run/agent.1", "/run/agent.1"),
    ],
)
def test_secrets_of_the_environment(text: str, expected: str, monkeypatch: Patch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_canarycanary")
    monkeypatch.setenv("MY_SECRET", "a/b+cdef")
    monkeypatch.setenv("SOME_KEY", "1")
    monkeypatch.setenv("SSH_AUTH_SOCK", "/run/agent.1")
    assert redacted(text) == expected


@pytest.mark.cases
@pytest.mark.parametrize(
    "text", ["/" * 200_000, "/home/" * 50_000, "%2F" * 100_000, "://" * 100_000, "@" * 100_000]
)
def test_long_texts_are_read_once(text: str) -> None:
    assert redacted(text)


def failing(call: Callable[[], object]) -> None:
    raise KeyError("uid not found")


def test_a_user_whom_the_system_does_not_know(monkeypatch: Patch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr("pwd.getpwuid", failing)
    monkeypatch.delenv("HOME")
    assert redacted("/data/x") == "/data/x"


@pytest.mark.parametrize("ends", ["failed", "crashed"])
def test_a_session_writes_no_trace_of_its_user(
    ends: str, project: pytest.Pytester, engines: list[FakeEngine], tmp_path: Path,
    monkeypatch: Patch,
) -> None:  # fmt: skip
    real = tmp_path / "disk" / canaries.USER
    real.mkdir(parents=True)
    (tmp_path / canaries.LINK).symlink_to(real)
    for name, value in canaries.SECRETS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HOME", str(tmp_path / canaries.LINK))
    monkeypatch.setenv("USER", canaries.USER)
    monkeypatch.setattr("platform.node", lambda: canaries.HOST)
    said = (
        f"{real}/x, {tmp_path}/{canaries.LINK}/y, {real} of {canaries.USER} on {canaries.HOST}: "
        f"{' '.join(canaries.SECRETS.values())}"
    )
    ANSWERS[0] = lambda config: (
        died(WorkerCrashed(said), said)
        if ends == "crashed"
        else outcome(status="failed", reason=said)
    )
    run(project, "-k", "rte and fp32")
    folder = project.path / "results"
    (stored,) = Store(folder / "local").load()
    assert (stored.status, stored.reason[:13]) == (ends, "~/x, ~/y, ~ o")
    assert [*canaries.found_in(folder)] == []
