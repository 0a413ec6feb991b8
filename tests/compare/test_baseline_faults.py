"""Baselines that are damaged, cut off, or moved by two at once."""

from __future__ import annotations

import contextlib
import errno
import itertools
import shutil
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.compare import baselines
from harness.compare.baselines import load, names, promote, save
from harness.compare.selection import select
from harness.errors import StorageError
from harness.records.schema import Record
from harness.records.store import Store, file_name
from harness.system import git
from tests.support import power_cuts, scoreboard
from tests.support.baselines import NEW, QUICK, RTE, files, ids, kept, moved_twice, run, saved
from tests.support.disks import Failing, Unflushed


@pytest.mark.usefixtures("on_main")
def test_any_damage_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    folder = moved_twice(tmp_path)
    sound, tried = load(folder), 0
    for path, whole in files(folder).items():
        step = max(1, len(whole) // 12)
        places = {*range(0, len(whole), step), *range(len(whole) - 20, len(whole))}
        flipped = [whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :] for at in places]
        for content in (*flipped, *(whole[:at] for at in places), whole + b"\n", b""):
            path.write_bytes(content)
            if path.name == "baseline.json" and content.split() == whole.split():
                assert load(folder).changes == sound.changes  # white space after the checksum
                continue
            with pytest.raises(StorageError, match=rf"{path.name}.*Fix: "):
                load(folder)
            tried += 1
        path.unlink()
        with pytest.raises(
            StorageError, match=f"{path}: .*git restore --source=HEAD --staged --worktree {folder}"
        ):
            load(folder)
        path.write_bytes(whole)
    assert load(folder).last.reason == "third"
    scoreboard.add("damaged baselines", tried=tried, clear_errors=tried)


@pytest.mark.usefixtures("on_main")
def test_files_that_were_swapped_are_found(tmp_path: Path) -> None:
    folder, other = saved(tmp_path / "one"), saved(tmp_path / "two")
    manifest = folder / "baseline.json"
    own = manifest.read_bytes()
    shutil.copy(other / "baseline.json", manifest)  # sound, and of another baseline
    with pytest.raises(StorageError, match=r"runs/.*cannot be read.*git restore"):
        load(folder)
    manifest.write_bytes(own)
    first, second = sorted((folder / "runs").iterdir())
    first.rename(folder / "kept")
    second.rename(first)
    (folder / "kept").rename(second)
    with pytest.raises(StorageError, match=r"found other content than was saved; .*git restore"):
        load(folder)


@pytest.mark.usefixtures("on_main")
def test_an_older_manifest_is_no_way_back(tmp_path: Path) -> None:
    folder = saved(tmp_path)
    older = (folder / "baseline.json").read_bytes()
    promote(folder, select([run(commit=NEW)]), "second", "main", QUICK)
    (folder / "baseline.json").write_bytes(older)
    with pytest.raises(StorageError, match=r"runs/sst2.*cannot be read"):
        load(folder)


@pytest.mark.usefixtures("on_main")
def test_without_its_manifest_there_is_no_baseline(tmp_path: Path) -> None:
    folder = saved(tmp_path)
    (folder / "baseline.json").unlink()
    with pytest.raises(StorageError, match=r"baseline.json: there is no such file, yet runs/ has"):
        load(folder)
    assert names(folder.parent) == ["main"]
    save(folder, select([run()]), "as after a first save that was cut off", "main", QUICK)
    assert len(load(folder).other_files) == 2


@pytest.mark.parametrize(
    ("found", "instead", "words"),
    [
        (
            '"schema": 3',
            '"schema": 4',
            "key schema: found '4'; this glue-bench reads 3. Fix: install",
        ),
        ('"schema": 3', '"schema": 2', "key schema: found '2'; .* reads 3. Fix: make it again, or"),
        ('"name": "', '"name": "../', "key 'runs.0.name': .*found '../sst2"),
        ('"reason": "the', '"reason": "\\n', "key 'changes.0.reason': .*expected one line"),
        ('"kind"', '"kinb"', "key 'changes.0.kind': Field required"),
    ],
)
@pytest.mark.usefixtures("on_main")
def test_a_manifest_that_says_what_none_can_say(
    tmp_path: Path, found: str, instead: str, words: str
) -> None:
    path = saved(tmp_path) / "baseline.json"
    body = path.read_text().rpartition(",")[0].replace(found, instead, 1)
    path.write_text(f'{body},\n "crc32": "{zlib.crc32(body.encode()):08x}"\n}}\n')
    with pytest.raises(StorageError, match=f"{path}: {words}"):
        load(path.parent)
    path.write_text(body + "}")
    with pytest.raises(StorageError, match=f"{path}: key (crc32: missing|schema: found '[24]')"):
        load(path.parent)


@pytest.mark.parametrize("replacing", [True, False])
@pytest.mark.parametrize("links", [True, False])
@pytest.mark.usefixtures("on_main")
def test_a_power_cut_leaves_the_old_baseline_or_the_new(
    tmp_path: Path, links: bool, replacing: bool
) -> None:
    counts = power_cuts.crash_states_of_baseline(tmp_path, replacing=replacing, links=links)
    assert (counts["explored"] > 100, counts["violations"]) == (True, 0)
    scoreboard.add("crash states", **counts)


@pytest.mark.parametrize("replacing", [True, False])
@pytest.mark.parametrize("fails_at", range(2, 34, 2))
@pytest.mark.usefixtures("on_main")
def test_a_move_that_was_cut_off_and_done_again_is_safe(
    tmp_path: Path, fails_at: int, replacing: bool
) -> None:
    counts = power_cuts.crash_states_of_baseline(tmp_path, 1, fails_at, replacing)
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
        rte = ids(*saved_rte(folder))
        disk = Failing(call, errno.ENOSPC)
        try:
            promote(folder, new, "x", "main", disk)
        except StorageError as error:
            assert "--baselines" in str(error) or "The change itself is stored" in str(error)
        if not disk.failed:
            break
        counts["injected"] += 1
        if kept(load(folder)) == before:
            promote(folder, new, "x", "main", QUICK)
        after = before - rte | ids(*new.records)
        counts["survived"] += kept(load(folder)) == after
    assert counts["injected"] == counts["survived"] > 10
    scoreboard.add("faults", **counts)


def saved_rte(folder: Path) -> list[Record]:
    return [one for one in Store(folder).load() if one.case.id == f"{RTE}-s42"]


class Overtaken(Unflushed):
    """Does something else before the manifest gets its name."""

    def __init__(self, meanwhile: Callable[[], object]) -> None:
        self.meanwhile = meanwhile

    def rename(self, path: Path, name: Path) -> None:
        self.meanwhile()
        super().rename(path, name)


@pytest.mark.usefixtures("on_main")
def test_a_change_during_another_is_refused(tmp_path: Path) -> None:
    folder = saved(tmp_path)
    first, second = run("cola"), run("mrpc")

    def meanwhile() -> None:
        with pytest.raises(StorageError, match="main: another process changes it right now"):
            promote(folder, select([second]), "second", "main", QUICK)

    promote(folder, select([first]), "first", "main", Overtaken(meanwhile))
    assert load(folder).last.reason == "first"
    promote(folder, select([second]), "again", "main", QUICK)
    assert {first.id, second.id} <= kept(load(folder))


@pytest.mark.parametrize("verb", ["save", "promote"])
@pytest.mark.usefixtures("on_main")
def test_a_change_that_another_one_overtook_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    """As where both read the baseline before one of them locks it, or without locks at all."""
    folder = tmp_path / "baselines" / "main"
    if verb == "promote":
        saved(tmp_path)
    first, second = run("cola"), run("mrpc")
    change = {"save": save, "promote": promote}[verb]

    @contextlib.contextmanager
    def overtaken(place: Path) -> Iterator[None]:
        monkeypatch.undo()
        monkeypatch.setattr(git, "why_not_on", lambda *where: None)
        change(folder, select([first]), "quicker", "main", QUICK)
        yield

    monkeypatch.setattr(baselines, "locked", overtaken)
    with pytest.raises(StorageError, match=r"baseline.json: another change was made at the same"):
        change(folder, select([second]), "slower", "main", QUICK)
    found = load(folder)
    assert (found.last.reason, first in found.records, second in found.records) == (
        "quicker", True, False,
    )  # fmt: skip
    promote(folder, select([second]), "again", "main", QUICK)
    assert {first.id, second.id} <= kept(load(folder))


@pytest.mark.usefixtures("on_main")
def test_runs_that_are_no_longer_part_are_removed_last(tmp_path: Path) -> None:
    folder = saved(tmp_path)
    stray = Store(folder, QUICK).save(run("mrpc"))
    removed: list[Path] = []

    class Watched(Unflushed):
        def remove(self, path: Path) -> None:
            if path.suffix == ".json":
                assert load(folder).last.reason == "new"
                removed.append(path)
            super().remove(path)

    after = promote(folder, select([run(commit=NEW)]), "new", "main", Watched())
    assert [path.name[:6] for path in removed] == ["sst2-t"]
    assert after.other_files == [file_name(stray)]  # what no change put there is nobody's to remove
