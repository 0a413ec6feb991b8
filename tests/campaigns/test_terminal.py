"""Every hostile text in every place where one can stand, and what the commands then show."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support import outlet_files, outlets, scoreboard
from tests.support.terminal_texts import TEXTS, nameable, typeable
from tests.whole.test_outlets import told

pytestmark = pytest.mark.faults
ROW = "terminal"
AT_ONCE = 16  # texts that stand in a file beside each other


@pytest.fixture(scope="module", autouse=True)
def _counted() -> None:
    scoreboard.add(ROW, texts=len(TEXTS))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, on_main: None) -> Path:
    outlets.world(tmp_path / "world")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def fresh(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a world that no earlier text has touched."""
    here = home / "here"
    monkeypatch.chdir(home)
    shutil.rmtree(here, ignore_errors=True)
    shutil.copytree(home / "world", here)
    monkeypatch.chdir(here)
    return here


def count(lines: list[list[str]]) -> None:
    """Try commands; none may show a text raw, or break."""
    found = told(iter(lines))
    scoreboard.add(ROW, commands=len(lines), raw=len(found))
    assert lines
    assert found == []


@pytest.mark.parametrize("line", outlets.commands(), ids=" ".join)
def test_typed(line: list[str], home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fresh(home, monkeypatch)
    scoreboard.add(ROW, places=1)
    count([[word.replace("TEXT", text) for word in line] for text in typeable(TEXTS)])


PLACES = outlets.STORED | outlet_files.WRITTEN


@pytest.mark.parametrize("place", PLACES)
def test_stored_and_written(place: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scoreboard.add(ROW, places=1)
    whole = [text.encode(errors="replace").decode() for text in TEXTS]
    for first in range(0, len(whole), AT_ONCE):
        text = "\n".join(whole[first : first + AT_ONCE])
        count(list(PLACES[place](text, fresh(home, monkeypatch))))


@pytest.mark.parametrize("place", outlet_files.NAMED)
def test_names_of_files(place: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scoreboard.add(ROW, places=1)
    for text in nameable(TEXTS):
        count(list(outlet_files.NAMED[place](text, fresh(home, monkeypatch))))


@pytest.mark.parametrize("name", ["GLUE_BENCH_DATA", "GLUE_BENCH_RESULTS"])
def test_environment(name: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scoreboard.add(ROW, places=1)
    fresh(home, monkeypatch)
    for text in typeable(TEXTS):
        monkeypatch.setenv(name, text)
        count([["explain", outlets.CASE], ["explain", outlets.CASE, "--glue-profile", "quick"]])
