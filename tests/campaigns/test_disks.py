"""Minutes of injected faults, counted at the end: `tox -e faults`."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.records.test_store_faults import none_wrong
from tests.support import damaged_bytes, disk_failures, scoreboard, store_machine
from tests.support.disk_failures import in_child
from tests.support.power_cuts import crash_states, crash_states_of_journal, crash_states_of_two

pytestmark = pytest.mark.faults


@pytest.mark.parametrize("links", [True, False])
@pytest.mark.parametrize("nested", ["", "new", "new/results/local"])
def test_power_cuts(tmp_path: Path, nested: str, links: bool) -> None:
    none_wrong("crash states", crash_states(tmp_path, 12, nested, links=links))


def test_power_cuts_of_two_writers_that_change_places_once(tmp_path: Path) -> None:
    for switch in range(1, 80):
        place = tmp_path / str(switch)
        place.mkdir()
        none_wrong("crash states", crash_states_of_two(place, {switch}, 3))


def test_power_cuts_of_two_writers_that_change_places_often(tmp_path: Path) -> None:
    drawn = random.Random(0)
    for number in range(120):
        place = tmp_path / str(number)
        place.mkdir()
        switches = {*drawn.sample(range(1, 80), drawn.randint(2, 20))}
        none_wrong("crash states", crash_states_of_two(place, switches))


def test_power_cuts_of_a_journal(tmp_path: Path) -> None:
    for call in range(100):
        place = tmp_path / str(call)
        place.mkdir()
        none_wrong("crash states", crash_states_of_journal(place, 20, call))


def test_every_error_at_every_call(tmp_path: Path) -> None:
    counts = disk_failures.failing_calls(tmp_path)
    assert counts["injected"] == counts["survived"]
    scoreboard.add("faults", **counts)


def test_a_full_disk_at_every_byte(tmp_path: Path) -> None:
    none_wrong("disk full", disk_failures.limited_files(tmp_path, 1))


def test_writers(tmp_path: Path) -> None:
    counts = in_child(("writers", tmp_path, 16, 125))["writers"]
    assert (counts["read"], counts["torn"]) == (counts["written"], 0)
    scoreboard.add("16 writers", **counts)


def test_damaged_records() -> None:
    scoreboard.add("damaged records", **damaged_bytes.damaged_files(10_000))
    scoreboard.add("damaged records", **damaged_bytes.damaged_lines(10_000))


def test_volume(tmp_path: Path) -> None:
    counts = in_child(("volume", tmp_path, 100_000))["volume"]
    assert (counts["records"], counts["wrong_or_torn"]) == (100_000, 0)
    scoreboard.add("volume", **counts)


def test_a_folder_holds_what_it_should_whatever_happens() -> None:
    none_wrong("store model", store_machine.walks(200, 30))


def test_kills(tmp_path: Path) -> None:
    counts = in_child(("kills", tmp_path, 500, 0))["kills"]
    scoreboard.add("kills", **counts)
    assert [counts[what] for what in ("acknowledged_results_lost", "doubled", "torn")] == [0, 0, 0]
