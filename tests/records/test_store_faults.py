"""The store and the journal on failing disks: short forms of `tox -e faults`."""

from __future__ import annotations

import errno
import json
from collections import Counter
from pathlib import Path

import pytest

from harness.errors import NotStored
from harness.records.identity import key_of
from harness.records.store import Store, read
from tests.support import damaged_bytes, disk_failures, power_cuts, scoreboard, store_machine
from tests.support.builders import TABLE
from tests.support.disk_failures import in_child
from tests.support.locations import GOLDEN, ROOT
from tests.support.power_cuts import crash_states, crash_states_of_journal, crash_states_of_two


def none_wrong(row: str, counts: Counter[str], at_least: int = 0) -> None:
    explored, violations = counts.values()
    assert explored >= at_least
    assert violations == 0
    scoreboard.add(row, **counts)


@pytest.mark.parametrize("links", [True, False])
def test_no_power_cut_takes_or_tears_what_was_stored(tmp_path: Path, links: bool) -> None:
    counts = crash_states(tmp_path, nested="results/local", links=links)
    none_wrong("crash states", counts, at_least=50)


@pytest.mark.parametrize("switch", [2, 4, 20])
def test_a_folder_that_another_process_has_just_made_is_safe_too(
    tmp_path: Path, switch: int
) -> None:
    none_wrong("crash states", crash_states_of_two(tmp_path, {switch}), at_least=100)


@pytest.mark.parametrize("fails_at", range(12))
def test_no_power_cut_takes_what_was_noted(tmp_path: Path, fails_at: int) -> None:
    none_wrong("crash states", crash_states_of_journal(tmp_path, 4, fails_at), at_least=15)


@pytest.mark.parametrize("left_out", ["flush", "flush_folder"])
@pytest.mark.parametrize("explore", [crash_states, crash_states_of_journal])
def test_a_careless_writer_is_found_out(tmp_path: Path, explore: object, left_out: str) -> None:
    less = {"records": 1} if explore is crash_states else {"events": 2}
    assert explore(tmp_path, leave_out=(left_out,), **less)["violations"] > 0


def test_a_rename_without_a_flush_is_found_out(tmp_path: Path) -> None:
    assert crash_states(tmp_path, 1, leave_out=("flush",), links=False)["violations"] > 0


def test_whichever_call_fails_the_run_is_stored_or_printed(tmp_path: Path) -> None:
    counts = disk_failures.failing_calls(tmp_path, (errno.ENOSPC, None))
    assert counts["injected"] == counts["survived"] > 80
    scoreboard.add("faults", **counts)


def test_a_disk_that_fills_up_anywhere_in_a_record_loses_nothing(tmp_path: Path) -> None:
    none_wrong("disk full", disk_failures.limited_files(tmp_path, 100), at_least=30)


def test_a_small_disk_fills_up_and_is_emptied(tmp_path: Path) -> None:
    counts = disk_failures.small_disk(tmp_path)
    if counts is None:
        pytest.skip("this user may not mount a file system by `unshare -rm`")
    assert counts["fillings"] > 10
    assert counts["silent_losses"] == 0


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, float]]:
    """What one child counted, as starting it takes longest."""
    acts = (("writers", 16, 2), ("kills", 12, 1), ("volume", 500))
    return in_child(*((act, tmp_path_factory.mktemp(act), *given) for act, *given in acts))


def test_writers_do_not_disturb_each_other(counted: dict[str, dict[str, float]]) -> None:
    counts = counted["writers"]
    assert (counts["read"], counts["torn"]) == (counts["written"], 0) == (32, 0)


def test_a_taken_name_is_refused_and_its_file_left_alone(tmp_path: Path) -> None:
    first = Store(tmp_path).save(power_cuts.run(1), TABLE)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*")}
    second = first.model_copy(update={"threads": 1, "predictions": None})
    for table in (None, TABLE, TABLE | {"row": [3, 4, 5]}):
        with pytest.raises(NotStored, match=r"the file exists|File exists"):
            Store(tmp_path).save(second, table)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.*")} == before


def test_a_killed_writer_loses_nothing_that_it_told_of(
    counted: dict[str, dict[str, float]],
) -> None:
    counts = counted["kills"]
    assert counts["acknowledged"] > 0
    assert [counts[what] for what in ("acknowledged_results_lost", "doubled", "torn")] == [0, 0, 0]


def test_damaged_files_are_told_by_name() -> None:
    scoreboard.add("damaged records", **damaged_bytes.damaged_files(150))


def test_damaged_lines_are_told_by_number() -> None:
    scoreboard.add("damaged records", **damaged_bytes.damaged_lines(150))


def test_many_records_are_read_with_their_values(counted: dict[str, dict[str, float]]) -> None:
    counts = counted["volume"]
    assert (counts["records"], counts["wrong_or_torn"]) == (500, 0)


def test_a_folder_holds_what_it_should_whatever_happens() -> None:
    none_wrong("store model", store_machine.walks(8, 12), at_least=50)


@pytest.mark.parametrize("schema", [1, 2, 3])
def test_records_of_every_schema_are_read_for_ever(schema: int) -> None:
    path = GOLDEN / f"schema{schema}.json"
    found = read(path)
    stored = json.loads(path.read_text()) | {"schema": 3}
    stored.pop("crc32", None)
    # What has been added to a record since is not in these; identities are brought up to date.
    now = found.model_dump(mode="json", by_alias=True, exclude_unset=True) | {"schema": 3}
    if schema < 3:
        del stored["identity"], stored["cell_key"]
    assert stored.items() <= now.items()
    assert found.cell_key == key_of(found.identity)
    assert found.identity["numerics"] == {"all": 1}
    assert "eval_batch_size" not in found.identity["recipe"]
    assert (found.case.id, found.score) == ("sst2-toy-bert-cpu-fp32-s42", 0.932)
    assert found.predictions is not None
    assert found.predictions.rows == 250
    assert (found.observed is None) == (found.batching is None) == (schema == 1)
    if found.observed and found.batching:
        assert (found.observed.updates, found.batching.micro_batch) == (128, 32)


def test_git_leaves_stored_bytes_alone() -> None:
    lines = (ROOT / ".gitattributes").read_text().splitlines()
    assert {"results/** -text", "tests/golden/** -text"} <= {*lines}
