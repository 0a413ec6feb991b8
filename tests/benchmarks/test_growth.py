"""The suite that shows how speed and memory grow."""

from __future__ import annotations

import pytest

from benchmarks.growth import growth
from harness.spec import Case


def test_each_size_is_a_line_of_a_table(monkeypatch: pytest.MonkeyPatch, fork_server: None) -> None:
    monkeypatch.setattr(growth, "ROWS", (64, 96))
    monkeypatch.setattr(growth, "LENGTHS", (8, 16))
    monkeypatch.setattr(growth, "TOKENS", 1024)
    said: list[str] = []
    measured = growth.measure(Case("sst2", "toy-bert", "cpu-fp32", 42), said.append)
    tables = growth.text(measured)
    assert len(said) == 4
    assert [len(records) for records in measured.values()] == [2, 2]
    by_length = measured["by length"]
    short, long = (r.timing.tokens / r.timing.examples for r in by_length if r.timing)
    assert 8 <= short < long
    assert [r.timing.examples for r in by_length if r.timing] == [128, 64]
    assert "by number of rows: toy-bert, cpu-fp32" in tables
    assert max(map(len, tables.splitlines())) <= 80
