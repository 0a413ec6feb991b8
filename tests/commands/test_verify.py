"""`glue-bench verify`: what it prints, and its exit codes."""

from __future__ import annotations

from pathlib import Path

import pytest

import harness
from harness.execution.engine import InlineEngine
from harness.records.schema import Record
from harness.records.store import Store, file_name
from harness.spec import Case
from tests.support import builders
from tests.support.pytest_project import glue_bench
from tests.whole.test_imports import run_blocked


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    with pytest.MonkeyPatch.context() as patch:
        # The model is small: one CPU is faster.
        patch.setattr("harness.system.environment.usable_cpus", lambda: (0,))
        record = harness.run(
            "rte", target="cpu-bf16", max_train=64, max_eval=16, epochs=2, results=folder,
            engine="inline",
        )  # fmt: skip
    assert record.status == "ok", record.reason
    return folder


@pytest.fixture
def verify(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr("harness.execution.process.ProcessEngine", InlineEngine)
    return lambda *args: glue_bench(capsys, monkeypatch, "verify", *map(str, args))


def stored(results: Path) -> Path:
    return next((results / "runs").iterdir())


def record_of(results: Path) -> Record:
    (record,) = Store(results).load()
    return record


def test_a_worker_has_the_same_bits(results: Path, capsys, monkeypatch) -> None:
    code, out, err = glue_bench(capsys, monkeypatch, "verify", str(stored(results)))
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "rte-toy-bert-cpu-bf16-s42, 1 thread(s)",
        "equal: 4 losses are bitwise the same",
    ]


def test_only_the_worker_needs_torch(results: Path) -> None:
    done = run_blocked(
        ("torch", "transformers", "datasets"),
        "from harness.execution import engine, replay\n"
        "from harness.planning import stored_run\n"
        f"record = stored_run.find({str(stored(results))!r}).record\n"
        "print(replay.configuration(record).replay_steps)",
    )
    assert done.stdout == "4\n", done.stderr


def test_the_exit_code_says_whether_it_is_the_same(
    results: Path, verify, tmp_path: Path, monkeypatch
) -> None:
    code, out, err = verify(stored(results), "--threads", "2")
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == "rte-toy-bert-cpu-bf16-s42, 2 thread(s)"

    record = record_of(results)
    losses = [2 * record.first_losses[0], *record.first_losses[1:]]
    Store(tmp_path).save(record.model_copy(update={"first_losses": losses}))
    code, out, _ = verify(record.id[:8], "--results", tmp_path)
    assert code == 1
    assert f"different at step 1: loss was {losses[0]}, is {record.first_losses[0]}" in out

    monkeypatch.setattr("harness.training.runner.replay", lambda *args: 1 / 0)
    code, out, _ = verify(stored(results))
    assert code == 3
    assert "cannot tell: ZeroDivisionError" in out


def test_what_cannot_be_meant_is_one_line(verify, tmp_path: Path) -> None:
    case = Case("rte", "toy-bert", "cpu-fp32", 42)
    lost = builders.record(case, first_losses=[], status="failed", reason="x.tsv:3: found")
    Store(tmp_path).save(lost)
    path = tmp_path / "runs" / file_name(lost)
    for args, expected, words in [
        ([tmp_path / "none.json"], 2, "no such file"),
        ([tmp_path], 2, "is a folder"),
        ([path, "--threads", "0"], 2, "--threads"),
        ([path], 4, "holds no losses to compare (failed: x.tsv:3: found)"),
    ]:
        code, out, err = verify(*args)
        assert (code, out) == (expected, "")
        assert words in err
        assert "Traceback" not in err
    path.write_bytes(path.read_bytes()[:-20])
    code, _, err = verify(path)
    assert code == 5
    assert err.startswith(f"glue-bench: {path}: ")
