"""A comparison with peers: the order of its processes, what refuses it, and real training."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import pytest

from benchmarks.peers import comparison, tables
from benchmarks.peers.child import Job
from benchmarks.peers.comparison import NoPeer, plan_comparison
from benchmarks.peers.figures import Measured
from benchmarks.peers.sides import OURS
from harness.errors import UsageError
from harness.planning import plan
from harness.planning.options import Settings
from harness.planning.resolve import to_json
from tests.support.peer_runs import FakeProcesses


def planned(**settings: Any) -> comparison.Comparison:
    chosen = {"tasks": ("sst2",), "targets": ("cpu-fp32",), "pairs": 3, **settings}
    made = plan.make(Settings(**chosen))
    return plan_comparison(made, made.cases)


def test_sides_take_turns_and_each_round_has_a_seed() -> None:
    processes, said = FakeProcesses(), []
    comparison.run(planned(), said.append, processes)
    names = [OURS, "run_glue", "trainer-random"]
    assert processes.jobs == [
        *((name, 42) for name in names),
        *((name, 43) for name in names[::-1]),
        *((name, 44) for name in names),
    ]
    assert said[0] == (
        "peers: sst2-toy-bert-cpu-fp32: pair 1 of 3: examples/s glue-bench 3200, run_glue 3200, "
        "trainer-random 3200"
    )


def test_seeds_that_are_named_are_used_in_turn() -> None:
    seeds = [config.case.seed for config in planned(seeds=(7, 9)).rounds]
    assert seeds == [7, 9, 7]


def test_rows_fill_whole_batches() -> None:
    made = planned(max_train=300)
    assert (made.rows, made.steps) == (288, 36)
    assert {config.data.max_train for config in made.rounds} == {288}


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(UsageError, match="Fix: --glue-max-train 992"):
        planned(recipe="miniature", max_train=500)


def test_without_accelerate_there_is_no_peer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison, "find_spec", lambda name: None)
    with pytest.raises(NoPeer, match=r"accelerate. Fix: pip install 'glue-bench\[peers\]'"):
        planned()


def test_the_tables_say_what_was_dropped_and_the_file_has_all(tmp_path: Path) -> None:
    def second_is_stolen(job: Job, run: Measured) -> Measured:
        slow = job.side == "run_glue"
        return dataclasses.replace(
            run,
            step_seconds=[0.02 if slow else 0.01] * 116,
            steal_share=0.1 if run.seed == 43 else 0.0,
            score=0.8 + run.seed / 1000,
        )

    found = comparison.run(planned(), lambda line: None, FakeProcesses(second_is_stolen))
    lines = tables.text(found).splitlines()
    assert lines[0] == "Training: sst2-toy-bert-cpu-fp32, recipe toy, 992 rows, 4 epochs"
    rest = "75.0 84.30 0.06 3"
    assert [" ".join(line.split()) for line in lines[3:6]] == [
        f"glue-bench 3200 (3200 to 3200) - {rest}",
        f"run_glue 1600 (1600 to 1600) 2.00 (2.00 to 2.00) {rest}",
        f"trainer-random 3200 (3200 to 3200) 1.00 (1.00 to 1.00) {rest}",
    ]
    assert "pairs: 2; dropped: 1 steal" in lines
    assert "CPU time of a training example, ms, also of dropped pairs: glue-bench 0.54," in lines
    assert max(map(len, lines)) <= 80
    stored = json.loads(tables.store(found, tmp_path).read_text("utf-8"))
    assert [round["dropped"] for round in stored["rounds"]] == [None, "steal", None]
    assert stored["figures"][1]["training_ratio"]["value"] == 2.0
    assert stored["faults"] == []
    assert stored["eval_batches"] == {"run_glue": 8, "trainer-random": 128}


def test_groups_of_another_size_are_named() -> None:
    found = comparison.run(planned(recipe="miniature"), lambda line: None, FakeProcesses())
    assert "rows sorted by length together: ours 992, Trainer's 224" in tables.text(found)


def test_a_process_that_fails_is_an_error_with_its_last_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(comparison, "MODULES", {OURS: "tests.support.peer_runs"})
    with pytest.raises(UsageError, match="the last words of a side"):
        comparison.run_process(Job(OURS, "{}", 0))


@pytest.mark.usefixtures("one_thread")
def test_both_sides_train_from_the_same_weights_on_the_same_rows() -> None:
    pytest.importorskip("accelerate")
    from benchmarks.peers import ours, trainer

    def in_this_process(job: Job) -> Any:
        done = (ours if job.side == OURS else trainer).measure(job)
        return dataclasses.asdict(done) if isinstance(done, Measured) else done

    made = planned(max_train=128, epochs=2, pairs=1)
    alone = dataclasses.replace(made, rounds=tuple(_alone(c) for c in made.rounds))
    found = comparison.run(alone, lambda line: None, in_this_process)
    assert found.faults == []
    sides = found.rounds[0].sides
    assert [*sides] == [OURS, "run_glue", "trainer-random"]
    assert found.eval_batches["run_glue"] == 8
    for run in sides.values():
        assert (run.steps, len(run.step_seconds), run.eval_rows) == (8, 4, 500)
        assert math.isfinite(run.examples_per_s)
        assert run.fill is not None
        assert run.score > 0.3
    padded, dynamic = sides["run_glue"], sides["trainer-random"]
    assert padded.computed_tokens == 2 * 128 * 48
    assert padded.tokens < dynamic.computed_tokens < padded.computed_tokens
    assert to_json(alone.config)  # what a process would be given


@pytest.mark.slow
def test_a_real_comparison_in_processes_of_its_own() -> None:
    pytest.importorskip("accelerate")
    found = comparison.run(planned(max_train=128, epochs=1, pairs=1), lambda line: None)
    assert found.faults == []
    assert "Training: sst2-toy-bert-cpu-fp32, recipe toy-1ep, 128 rows" in tables.text(found)


def _alone(config: Any) -> Any:
    return dataclasses.replace(config, threads=1)
