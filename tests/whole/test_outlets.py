"""Whatever stands where in the hands of others: no command shows it raw, and none breaks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import outlet_files, outlets
from tests.support.terminal_texts import Said, glue_bench, unruly

TYPED = "x\x1b]0;t\x07\x1b[2J\x9b31m\r::error::y\n::error::z ##[error]a ##vso[b] \u202e\udce9"
ALL = f"::error::x {TYPED}\ud800 ##teamcity[c] section_start:1:a"
WHOLE = ALL.encode(errors="replace").decode()  # with no half of a surrogate pair
NAME = TYPED.replace("\n", "\x0b")


def wrong(said: Said, line: list[str]) -> list[str]:
    """What is wrong with what a command said."""
    markdown = (
        line[0] == "report" and not {"csv", "latex", "json"} & {*line}
    ) or "markdown" in line
    found = unruly(said.out, parted=markdown) + unruly(said.err)
    if said.error:
        found.append(f"crash: {said.error[:200]!a}")
    if said.code not in range(6):
        found.append(f"exit code {said.code}")
    return [f"{' '.join(line)[:100]!a}: {one}" for one in found]


def told(lines: Iterator[list[str]]) -> list[str]:
    return [fault for line in lines for fault in wrong(glue_bench(*line), line)]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, on_main: None) -> Path:
    outlets.world(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_what_is_typed(here: Path) -> None:
    lines = ([word.replace("TEXT", TYPED) for word in line] for line in outlets.commands())
    assert told(lines) == []
    assert len(outlets.commands()) > 80


@pytest.mark.parametrize("place", ["case", "model", "reason", "note"])  # others: `tox -e faults`
def test_what_a_record_holds(place: str, here: Path) -> None:
    assert told(iter(outlets.STORED[f"a record's {place}"](WHOLE, here))) == []


@pytest.mark.parametrize("place", outlet_files.WRITTEN)
def test_what_other_files_hold(place: str, here: Path) -> None:
    assert told(iter(outlet_files.WRITTEN[place](WHOLE, here))) == []


@pytest.mark.parametrize("place", outlet_files.NAMED)
def test_what_files_are_called(place: str, here: Path) -> None:
    assert told(iter(outlet_files.NAMED[place](NAME, here))) == []


@pytest.mark.parametrize("name", ["GLUE_BENCH_DATA", "GLUE_BENCH_RESULTS"])
def test_what_the_environment_says(name: str, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, TYPED)
    lines = [["explain", outlets.CASE], ["explain", outlets.CASE, "--glue-profile", "quick"]]
    assert told(iter(lines)) == []
