"""`glue-bench census`: what it prints, and its exit codes."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from harness.records.store import Store
from harness.spec import Case
from tests.support.builders import record
from tests.support.cell_runs import spread
from tests.support.pytest_project import glue_bench


def put(folder: Path, model: str, scores: list[float], first: int = 42, **changed) -> None:
    for seed, score in enumerate(scores, start=first):
        case = Case("sst2", model, "cpu-fp32", seed)
        Store(folder).save(record(case, score=score, **changed))


@pytest.fixture
def census(tmp_path: Path, monkeypatch, capsys):
    put(tmp_path, "toy-bert", spread(0.9, 10, 0.004))
    put(tmp_path, "minilm", spread(0.8, 8, 0.002))
    put(tmp_path, "minilm", [0.5, 0.5], first=80, flags=["collapsed"])
    put(tmp_path, "cbow", spread(0.7, 3))
    return lambda *args: glue_bench(capsys, monkeypatch, "census", tmp_path, *args)


def test_it_shows_spreads_margins_times_and_thresholds(census) -> None:
    code, out, error = census()
    assert (code, error) == (0, "")
    assert max(map(len, out.splitlines())) <= 80
    lines = [line.split() for line in out.splitlines()]
    assert ["sst2-toy-bert-cpu-fp32", "10", "0%", "90.00", "0.32", "89.48..90.44", "3.8"] in lines
    assert ["sst2-minilm-cpu-fp32", "10", "20%", "80.01", "0.17", "79.74..80.22", "3.8"] in lines
    said = " ".join(out.split())
    assert "unstable cells: 1 of 3 sst2-minilm-cpu-fp32: 2 of 10 seeds went wrong (2 coll" in said
    assert ["sst2-toy-bert-cpu-fp32", "0.97", "0.79", "0.63", "0.53"] in lines
    assert "3 seeds 34 s, 5 seeds 56 s, 10 seeds 112 s, 20 seeds 4 min" in said
    assert "too few seeds to say how far they differ (expected 5 that can be averaged): " in said
    toml = tomllib.loads(out[out.index("# glue-bench census: 5 seeds beside 10") :])
    rows = toml["tool"]["glue-bench"]["thresholds"]
    assert rows["sst2-toy-bert-cpu-fp32"] == {"score": "0.8pt"}
    assert [*rows] == ["sst2-toy-bert-cpu-fp32", "sst2-minilm-cpu-fp32"]


def test_more_seeds_hold_a_smaller_margin(census) -> None:
    code, out, _ = census("--seeds", "40", "--base", "40")
    assert code == 0
    assert ["cell", "3", "5", "10", "20", "40"] in [line.split() for line in out.splitlines()]
    assert '"sst2-toy-bert-cpu-fp32" = { score = "0.3pt" }' in out


def test_a_folder_without_runs_and_a_damaged_one(census, tmp_path: Path, monkeypatch, capsys):
    empty = tmp_path / "empty"
    empty.mkdir()
    code, out, error = glue_bench(capsys, monkeypatch, "census", empty)
    assert (code, out) == (4, "")
    assert "holds no run; expected runs/*.json. Fix: " in error
    assert glue_bench(capsys, monkeypatch, "census", tmp_path / "none")[0] == 2
    next((tmp_path / "runs").glob("*cbow*")).write_text("{")
    code, out, error = census()
    assert (code, "Seeds of each cell" in out, ".json: " in error) == (5, True, True)
    assert census("--seeds", "1")[0] == 2
