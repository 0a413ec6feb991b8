"""The verbs of `glue-bench baseline`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.records.journal import Journal
from harness.records.store import Store
from tests.support.baselines import NEW, OLD, QUICK, RTE, SST2, run
from tests.support.pytest_project import glue_bench

pytestmark = pytest.mark.usefixtures("on_main")
FIRST = ("save", "main", "r", "--reason", "the first one")


@pytest.fixture
def say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> Any:
    """`glue-bench baseline ...` beside a results folder `r`: its exit code and all it printed."""
    monkeypatch.chdir(tmp_path)
    bad = run(seed=44, status="failed", reason="x", score=None)
    for one in (run(score=0.91), run(seed=43), run("rte"), bad, run(dirty=True)):
        Store(Path("r"), QUICK).save(one)

    def say(*args: str) -> tuple[int, str]:
        code, out, errors = glue_bench(capsys, monkeypatch, "baseline", *args)
        assert max(map(len, [*out.splitlines(), ""])) <= 80
        return code, out + errors

    return say


def joined(text: str) -> str:
    """A text whose lines were filled, on one line."""
    return " ".join(text.split())


def test_a_baseline_is_saved_moved_and_shown(say: Any) -> None:
    assert say("list") == (
        4, "results/baselines: holds no baseline; `glue-bench baseline save` makes one\n",
    )  # fmt: skip
    code, text = say(*FIRST)
    assert code == 0
    assert text.splitlines()[0].endswith(" save: the first one")
    assert f"took runs of commit {OLD} on main:\n   {SST2}, {RTE}\n" in text
    assert "toy data (generated, no GLUE scores): cells: 2, runs: 4, seeds: 42-44,\n" in text
    assert "left out: 1 of a changed tree\n" in text
    assert "results/baselines/main: cells: 2, runs: 4\n" in text
    assert "runs that went wrong (counted, not averaged): 1\n" in text
    assert "cells with fewer than 10: 2, the fewest: 1;" in text

    for seed in range(42, 52):
        Store(Path("r"), QUICK).save(run("rte", seed, commit=NEW))
    code, text = say("accept", "main", RTE, "r", "--reason", "known loss", "--commit", NEW[:4])
    assert (code, "cells: 2, runs: 13\n" in text) == (0, True)
    assert "left out: 1 of another commit\n" in text
    code, text = say("accept", "main", SST2, "r", "--reason", "not wanted", "--gone")
    assert (code, f"removed: {SST2}\n" in text, "few seeds" in text) == (0, True, False)
    code, text = say("promote", "main", "r", "--reason", "back", "--commit", OLD[:4])
    assert code == 0
    cell = "{} (recipe toy, toy data (generated, no GLUE scores), {} run{})"
    assert f"added: {cell.format(SST2, 3, 's')}" in joined(text)
    one, ten = cell.format(RTE, 1, ""), cell.format(RTE, 10, "s")
    assert f"replaced: {ten} by {one}" in joined(text)

    code, text = say("list")
    assert code == 0
    assert text.splitlines()[3].split()[:7] == ["main", "2", "4", "1", OLD[:7], "4", "promote"]
    code, text = say("show", "results/baselines/main")
    assert code == 0
    lines = text.splitlines()
    assert lines[0] == "Baseline main on toy data (generated, no GLUE scores)"
    assert lines[3].split()[:4] == ["sst2", "toy-bert", "cpu-fp32", "toy"]
    assert lines[3].split()[4:] == ["90.50", "±0.71", "2", "1", OLD[:7]]
    changes = [line.split()[2:] for line in lines if line[:2] in ("1.", "2.", "3.", "4.")]
    assert changes == [
        ["save:", "the", "first", "one"], ["accept:", "known", "loss"],
        ["accept:", "not", "wanted"], ["promote:", "back"],
    ]  # fmt: skip


def test_a_damaged_baseline_is_named_and_the_others_are_listed(say: Any) -> None:
    say(*FIRST)
    assert say("save", "other", "r", "--reason", "another")[0] == 0
    manifest = Path("results/baselines/main/baseline.json")
    manifest.write_bytes(manifest.read_bytes()[:-20])
    code, text = say("list")
    assert code == 5
    assert [line.split()[0] for line in text.splitlines()[3:5]] == ["main", "other"]
    assert "corrupt" in text.splitlines()[3]
    assert f"glue-bench: {manifest}: " in text
    for verb in (["show", "main"], ["promote", "main", "r", "--reason", "x"]):
        code, text = say(*verb)
        assert (code, f"{manifest}: " in text) == (5, True)


def test_what_is_refused(say: Any) -> None:
    assert say("show", "mian")[0] == 2
    code, text = say("save", "main", "r", "--reason", "x", "--commit", "ff")
    assert (code, "r: --commit: found 'ff'" in text) == (2, True)
    assert say("save", "Main", "r", "--reason", "x")[0] == 2
    assert say("save", "main", "none", "--reason", "x")[0] == 2
    assert say("save", "main", "r")[0] == 2  # without a reason
    assert say(*FIRST)[0] == 0
    assert say(*FIRST)[0] == 2
    code, text = say("accept", "main", RTE, "--reason", "x", "--gone", "--commit", OLD)
    assert (code, "without --commit" in text) == (2, True)
    code, text = say("accept", "main", RTE, "--reason", "x", "--gone", "--session", "s")
    assert (code, "without --session" in text) == (2, True)
    code, text = say("save", "new", "r", "--reason", "x", "--model", "bert")
    assert (code, "r: --model: unknown model 'bert'. Did you mean 'toy-bert'?" in text) == (2, True)


def test_verbs_are_narrowed_to_tasks_models_and_targets(say: Any) -> None:
    code, text = say("save", "main", "r", "--reason", "x", "--task", "rte")
    assert (code, "cells: 1, runs: 1\n" in text) == (0, True)
    code, text = say(
        "promote", "main", "r", "--reason", "y", "--task", "sst2", "--task", "rte",
        "--model", "toy-bert", "--target", "cpu-fp32",
    )  # fmt: skip
    assert (code, "cells: 2, runs: 4\n" in text, "added: sst2" in text) == (0, True, True)


def test_worse_runs_are_not_promoted(say: Any) -> None:
    for seed in range(42, 52):
        Store(Path("good"), QUICK).save(run(seed=seed, score=0.9 + seed / 10_000))
        Store(Path("bad"), QUICK).save(run(seed=seed, score=0.5 + seed / 10_000, commit=NEW))
    assert say("save", "main", "good", "--reason", "x")[0] == 0
    code, text = say("promote", "main", "bad", "--reason", "y")
    assert (code, "main: the new runs are worse, so nothing was changed:\n" in text) == (1, True)
    assert f"{SST2}: worse" in text
    assert "1. " in say("show", "main")[1]
    code, text = say("promote", "main", "bad", "--reason", "y", "--worse")
    assert (code, "2. " in text) == (0, True)


def test_seeds_that_gave_one_run_are_named_and_not_promoted(say: Any) -> None:
    say(*FIRST)
    for seed in (60, 61):
        Store(Path("r"), QUICK).save(run(seed=seed, commit=NEW, first_losses=[0.7, 0.6]))
    code, text = say("promote", "main", "r", "--reason", "one order of rows for all seeds")
    assert code == 1
    assert "no longer depends on the seed" in joined(text)
    code, text = say("save", "other", "r", "--reason", "the same")
    assert code == 0
    assert f"warning: {SST2}: runs of different seeds had the same losses" in joined(text)


def test_the_old_name_of_a_renamed_model_is_named(say: Any) -> None:
    say(*FIRST)
    Store(Path("n"), QUICK).save(run(model="ours", commit=NEW, cell_key=run().cell_key))
    code, text = say("promote", "main", "n", "--reason", "renamed")
    assert code == 0
    assert f"{SST2} stays, and has the inputs of sst2-ours-cpu-fp32. Fix: if" in joined(text)
    assert f"accept main {SST2} --gone" in joined(text)


def test_all_cells_of_a_name_are_removed_and_named(say: Any) -> None:
    Store(Path("r"), QUICK).save(run(seed=7, recipe="stable"))
    say(*FIRST)
    code, text = say("accept", "main", SST2, "r", "--reason", "not wanted", "--gone")
    assert code == 0
    for recipe, runs in (("toy", 3), ("stable", 1)):
        assert (
            f"{SST2} (recipe {recipe}, toy data (generated, no GLUE scores), {runs} run"
            in joined(text)
        )


def test_without_a_repository_the_runs_of_one_session_are_saved(say: Any) -> None:
    for session in ("20260101T000000-aaaa", "20260102T000000-bbbb"):
        Store(Path("o"), QUICK).save(run(commit=None, dirty=None, session=session))
    code, text = say("save", "main", "o", "--reason", "x")
    assert (code, "left out: 1 of another session" in text) == (0, True)
    assert "took runs of session 20260102T000000-bbbb (no repository, so no commit" in joined(text)
    code, text = say("save", "other", "o", "--reason", "x", "--session", "20260101")
    assert (code, "sessions: 20260101T000000-aaaa left out: 1" in joined(text)) == (0, True)
    lines = say("list")[1].splitlines()
    assert lines[3].split()[:5] == ["main", "1", "1", "1", "none"]


def test_runs_from_before_the_repository_are_not_taken_by_chance(
    say: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    Store(Path("o"), QUICK).save(run(commit=None, dirty=None, session="20260101T000000-aaaa"))
    monkeypatch.setattr("harness.system.git.head", lambda folder: OLD)
    code, text = say("save", "main", "o", "--reason", "x")
    assert code == 2
    assert "made without a repository, and here is one. Fix: commit, and run" in joined(text)
    assert say("save", "main", "o", "--reason", "x", "--session", "2026")[0] == 0


def test_while_a_session_writes_nothing_is_taken(say: Any) -> None:
    journal = Journal(Path("r/journal"), QUICK)
    journal.note("planned", cases=[], settings={})
    try:
        code, text = say(*FIRST)
        assert (code, f"r: session {journal.session} is still running there" in text) == (2, True)
        assert not Path("results").exists()
    finally:
        journal.close()
    assert say(*FIRST)[0] == 0


def test_runs_without_comparable_times_are_named(say: Any) -> None:
    Store(Path("r"), QUICK).save(run("rte", 43, threads=1, flags=["shared_cores"]))
    code, text = say(*FIRST)
    assert code == 0
    assert "runs beside others (--glue-jobs), so without comparable times: 1\n" in text
    assert f"different numbers of threads, so without comparable times: {RTE}" in joined(text)


def test_files_that_are_no_part_of_a_baseline_are_named(say: Any) -> None:
    say(*FIRST)
    Store(Path("results/baselines/main"), QUICK).save(run("rte", commit=NEW))
    code, text = say("show", "main")
    assert (code, "that are no part of it: 1, such as rte-" in joined(text)) == (0, True)


def test_damaged_results_are_not_left_out_in_silence(say: Any) -> None:
    damaged = next(iter(Path("r/runs").iterdir()))
    damaged.write_bytes(damaged.read_bytes()[:-5])
    code, text = say(*FIRST)
    assert (code, f"{damaged}: " in text) == (5, True)
    assert not Path("results").exists()
