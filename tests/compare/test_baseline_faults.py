"""Baselines that are damaged, cut off, or moved by two at once."""

from __future__ import annotations

import errno
import itertools
import shutil
import zlib
from pathlib import Path

import pytest

from harness.compare.baselines import load, promote, save
from harness.compare.selection import select
from harness.errors import StorageError
from harness.records.schema import Record
from harness.records.store import Store
from tests.support import power_cuts, scoreboard
from tests.support.baselines import NEW, QUICK, RTE, files, ids, kept, moved_twice, run, saved
from tests.support.disks import Failing, Unflushed


@pytest.mark.usefixtures("on_main")
def test_any_damage_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    folder = moved_twice(tmp_path)
    tried = 0
    for path, whole in files(folder).items():
        step = max(1, len(whole) // 12)
        places = {*range(0, len(whole), step), *range(len(whole) - 20, len(whole))}
        flipped = [whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :] for at in places]
        for content in (*flipped, *(whole[:at] for at in places), whole + b"\n", b""):
            path.write_bytes(content)
            with pytest.raises(StorageError, match=rf"{path.name}.*Fix: "):
                load(folder)
            tried += 1
        path.unlink()
        if path.suffix == ".json":
            with pytest.raises(StorageError, match=f"{path}: .*git restore {folder}"):
                load(folder)
        else:  # a change is valid without its sum
            assert load(folder).last.number == 3
        path.write_bytes(whole)
    assert load(folder).last.reason == "third"
    scoreboard.add("damaged baselines", tried=tried, clear_errors=tried)


@pytest.mark.usefixtures("on_main")
def test_changes_that_do_not_follow_each_other(tmp_path: Path) -> None:
    folder, other = moved_twice(tmp_path / "one"), moved_twice(tmp_path / "two")
    acts = folder / "acts"
    copies = {
        "0002 (copy).json": "0002.json", "02.json": "0002.json", "0000.json": "0001.json",
        "0004.json": "0003.json",
    }  # fmt: skip
    for name, source in copies.items():
        shutil.copy(acts / source, acts / name)
        with pytest.raises(StorageError, match=r"name of a change|key number: found 3; expected 4"):
            load(folder)
        (acts / name).unlink()
    for name in ("0002.json", "0002.sha256"):
        shutil.copy(other / "acts" / name, acts)
    with pytest.raises(StorageError, match=r"0002.json: key previous: found"):
        load(folder)
    shutil.rmtree(acts)
    with pytest.raises(StorageError, match="there is no change, yet runs/ has runs"):
        load(folder)
    save(folder, select([run()]), "as after a first save that was cut off", "main", QUICK)


@pytest.mark.parametrize(
    ("found", "instead", "words"),
    [
        ('"schema": 1', '"schema": 2', "key schema: found '2'; this glue-bench reads 1 to 1. Fix"),
        ('"name": "', '"name": "../', "key 'runs.0.name': .*found '../sst2"),
        ('"reason": "the', '"reason": "\\n', "key 'reason': .*expected one line"),
        ('"number"', '"nunber"', "key 'number': Field required"),
    ],
)
@pytest.mark.usefixtures("on_main")
def test_an_act_that_says_what_none_can_say(
    tmp_path: Path, found: str, instead: str, words: str
) -> None:
    path = saved(tmp_path) / "acts" / "0001.json"
    body = path.read_text().rpartition(",")[0].replace(found, instead, 1)
    path.write_text(f'{body},\n "crc32": "{zlib.crc32(body.encode()):08x}"\n}}\n')
    with pytest.raises(StorageError, match=f"{path}: {words}"):
        load(path.parents[1])
    path.write_text(body + "}")
    with pytest.raises(StorageError, match=f"{path}: key (crc32: missing|schema: found '2')"):
        load(path.parents[1])


@pytest.mark.parametrize("links", [True, False])
@pytest.mark.usefixtures("on_main")
def test_a_power_cut_leaves_the_old_baseline_or_the_new(tmp_path: Path, links: bool) -> None:
    counts = power_cuts.crash_states_of_baseline(tmp_path, links=links)
    assert (counts["explored"] > 100, counts["violations"]) == (True, 0)
    scoreboard.add("crash states", **counts)


@pytest.mark.parametrize("fails_at", range(2, 34, 2))
@pytest.mark.usefixtures("on_main")
def test_a_move_that_was_cut_off_and_done_again_is_safe(tmp_path: Path, fails_at: int) -> None:
    counts = power_cuts.crash_states_of_baseline(tmp_path, 1, fails_at)
    assert (counts["explored"] > 50, counts["violations"]) == (True, 0)
    scoreboard.add("crash states", **counts)


@pytest.mark.parametrize("left_out", ["flush", "flush_folder"])
@pytest.mark.usefixtures("on_main")
def test_careless_writing_would_be_found_out(tmp_path: Path, left_out: str) -> None:
    assert power_cuts.crash_states_of_baseline(tmp_path, 0, leave_out=(left_out,))["violations"] > 0


@pytest.mark.usefixtures("on_main")
def test_whichever_call_fails_it_has_moved_or_not(tmp_path: Path) -> None:
    new = select([run("rte", seed=43, commit=NEW)])
    counts = {"injected": 0, "survived": 0}
    for call in itertools.count(1):
        folder = saved(tmp_path / str(call))
        before = kept(load(folder))
        disk = Failing(call, errno.ENOSPC)
        try:
            promote(folder, new, "x", "main", disk)
        except StorageError as error:
            assert "--baselines" in str(error)
        if not disk.failed:
            break
        counts["injected"] += 1
        if kept(load(folder)) == before:
            promote(folder, new, "x", "main", QUICK)
        after = before - ids(*saved_rte(folder)) | ids(*new.records)
        counts["survived"] += kept(load(folder)) == after
    assert counts["injected"] == counts["survived"] > 10
    scoreboard.add("faults", **counts)


def saved_rte(folder: Path) -> list[Record]:
    return [one for one in Store(folder).load() if one.case.id == f"{RTE}-s42"]


@pytest.mark.usefixtures("on_main")
def test_of_two_at_once_the_second_is_refused(tmp_path: Path) -> None:
    folder = saved(tmp_path)
    first, second = run("cola"), run("mrpc")

    class Overtaken(Unflushed):
        def link(self, path: Path, name: Path) -> None:
            if name.name == "0002.json":
                promote(folder, select([first]), "quicker", "main", QUICK)
            super().link(path, name)

    with pytest.raises(StorageError, match=r"0002.json: another change was made at the same time"):
        promote(folder, select([second]), "slower", "main", Overtaken())
    found = load(folder)
    assert (found.last.reason, first in found.records, second in found.records) == (
        "quicker", True, False,
    )  # fmt: skip
    promote(folder, select([second]), "again", "main", QUICK)
    assert {first.id, second.id} < kept(load(folder))
