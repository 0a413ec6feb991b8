"""The verbs of `glue-bench baseline`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

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


def test_a_baseline_is_saved_moved_and_shown(say: Any) -> None:
    assert say("list") == (
        4, "results/baselines: holds no baseline; `glue-bench baseline save` makes one\n",
    )  # fmt: skip
    code, text = say(*FIRST)
    assert code == 0
    assert text.splitlines()[0].endswith(" save: the first one")
    assert f"took runs of commit {OLD} on main:\n   {SST2}, {RTE}\n" in text
    assert "left out: 1 of a dirty tree\n" in text
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
    assert say("promote", "main", "r", "--reason", "back", "--commit", OLD[:4])[0] == 0

    code, text = say("list")
    assert code == 0
    assert text.splitlines()[3].split()[:7] == ["main", "2", "4", "1", OLD[:7], "4", "promote"]
    code, text = say("show", "results/baselines/main")
    assert code == 0
    lines = text.splitlines()
    assert lines[0] == "Baseline main on toy data (generated, no GLUE scores)"
    assert lines[3].split()[:4] == ["sst2", "toy-bert", "cpu-fp32", "toy"]
    assert lines[3].split()[4:] == ["90.50", "±0.71", "2", "1", OLD[:7]]
    acts = [line.split()[2:] for line in lines if line[:2] in ("1.", "2.", "3.", "4.")]
    assert acts == [
        ["save:", "the", "first", "one"], ["accept:", "known", "loss"],
        ["accept:", "not", "wanted"], ["promote:", "back"],
    ]  # fmt: skip


def test_a_damaged_baseline_is_named_and_the_others_are_listed(say: Any) -> None:
    say(*FIRST)
    assert say("save", "other", "r", "--reason", "another")[0] == 0
    act = Path("results/baselines/main/acts/0001.json")
    act.write_bytes(act.read_bytes()[:-20])
    code, text = say("list")
    assert code == 5
    assert [line.split()[0] for line in text.splitlines()[3:5]] == ["main", "other"]
    assert "corrupt" in text.splitlines()[3]
    assert f"glue-bench: {act}: " in text
    for verb in (["show", "main"], ["promote", "main", "r", "--reason", "x"]):
        code, text = say(*verb)
        assert (code, f"{act}: " in text) == (5, True)


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
    assert (code, "--gone" in text) == (2, True)


def test_damaged_results_are_not_left_out_in_silence(say: Any) -> None:
    damaged = next(iter(Path("r/runs").iterdir()))
    damaged.write_bytes(damaged.read_bytes()[:-5])
    code, text = say(*FIRST)
    assert (code, f"{damaged}: " in text) == (5, True)
    assert not Path("results").exists()
