"""Every kind of bad input wherever it is read, in children that may hang: `tox -e faults`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from harness.hub import snapshots
from tests.support import hostile_servers, scoreboard
from tests.support.input_process import HANG_S

pytestmark = pytest.mark.faults

MOST_S = 600  # of one place
BAD = ("model traps", "model json", "model values", "model tensors", "data files", "other formats")


def tried(place: str, home: Path) -> list[dict[str, Any]]:
    """What came of each input of a place, as a child of its own tells it."""
    environment = {name: said for name, said in os.environ.items() if not name.startswith("HF_")}
    environment |= {"HF_HOME": str(home / "hf"), "OMP_NUM_THREADS": "1"}
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.support.input_process", place, str(home)],
        env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        # Its input stays open: a link to it would wait.
        assert child.stdout
        lines, began = [], time.monotonic()
        for line in child.stdout:
            lines.append(json.loads(line))
            if time.monotonic() - began > MOST_S:
                pytest.fail(f"{place}: {len(lines)} lines in {MOST_S} s")
        assert child.wait(HANG_S) == 0, lines[-1:]
    finally:
        child.kill()
        child.communicate()
    return [line for line in lines if "outcome" in line]


def named(found: list[dict[str, Any]], outcome: str) -> list[str]:
    return [f"{one['name']}: {one['said']}" for one in found if one["outcome"] == outcome]


@pytest.mark.parametrize("place", BAD)
def test_bad_inputs(tmp_path: Path, place: str) -> None:
    found = tried(place, tmp_path)
    counts = Counter(one["outcome"] for one in found)
    scoreboard.add(
        "bad inputs", tried=len(found), clear_errors=counts["clear error"],
        read_soundly=counts["read"], hangs=counts["hang"], tracebacks=counts["traceback"],
    )  # fmt: skip
    assert counts["clear error"] > 0
    for outcome in ("hang", "traceback", "unclear error"):
        assert named(found, outcome) == []


def test_no_folder_of_a_model_asks_the_network_or_runs_code(tmp_path: Path) -> None:
    found = tried("network", tmp_path)
    asked = [f"{one['name']}: {one['asked']}" for one in found if one["asked"]]
    ran = [str(path) for path in (tmp_path, Path.cwd()) for path in path.rglob("PICKLE-RAN")]
    scoreboard.add("network", model_folders=len(found), asked=len(asked), code_ran=len(ran))
    assert len(found) > 500
    assert (asked, ran) == ([], [])
    assert [*named(found, "hang"), *named(found, "traceback")] == []


def test_no_card_of_a_data_set_reads_a_local_file(tmp_path: Path) -> None:
    found = tried("data cards", tmp_path)
    read = [*named(found, "traceback"), *named(found, "hang"), *named(found, "unclear error")]
    asked = [f"{one['name']}: {one['asked']}" for one in found if one["asked"]]
    scoreboard.add(
        "local files read by a data set's card", cards=len(found), read=len(read), asked=len(asked)
    )
    assert len(found) > 200
    assert (read, asked) == ([], [])


def test_servers_that_are_no_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    limits = {"wait_s": 1.5, "least": 1_000}
    monkeypatch.setattr(snapshots, "LOOKUP", limits)
    monkeypatch.setattr(snapshots, "DOWNLOAD", limits)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    answers: dict[str, str] = {}
    for name, server in [*hostile_servers.LOOKUPS.items(), *hostile_servers.DOWNLOADS.items()]:
        home = tmp_path / str(len(answers))
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(home / "a" / "b" / "hub"))
        snapshots._lookup.cache_clear()
        with hostile_servers.serving(server) as address:
            monkeypatch.setattr(constants, "ENDPOINT", address)
            began = time.monotonic()
            found = snapshots.fetch("model", "org/x", ["*.json"])
        took = time.monotonic() - began
        escaped = [*home.rglob("*evil*")]
        is_clear = isinstance(found, snapshots.Absent) and found.why.isprintable() and not escaped
        key = f"{name} ({len(answers)})"
        answers[key] = "clear" if is_clear else f"{found} {escaped}"
        answers[key] = answers[key] if took < 2 * HANG_S else f"{took} s"
    clear = sum(said == "clear" for said in answers.values())
    scoreboard.add("servers that are no Hub", tried=len(answers), clear_errors=clear)
    assert {name: said for name, said in answers.items() if said != "clear"} == {}
