"""`--glue-max-seeds`: which cells run more seeds, which seeds, and what is refused."""

from __future__ import annotations

import pytest

from harness.planning import options
from harness.records.store import Store
from harness.session import recheck
from tests.support.engines import FakeEngine
from tests.support.gate_project import BOTH, CELL, SST2, judged, scoring
from tests.support.pytest_project import run

SEEDS_OF_THE_BASE = [*range(42, 52)]


def seeds_run(engines: list[FakeEngine], task: str = "sst2") -> list[int]:
    return [c.case.seed for c in engines[-1].submitted if c.case.task == task]


def test_a_cell_that_is_open_runs_more_seeds_up_to_the_most(
    gated: pytest.Pytester, engines: list[FakeEngine]
) -> None:
    scoring(0.9001)
    found = judged(gated, *SST2, "--glue-max-seeds", "17", "-rs")
    found.assert_outcomes(passed=5, skipped=1, deselected=48)
    seeds = seeds_run(engines)
    assert seeds == [*range(60, 65), *SEEDS_OF_THE_BASE, 65, 66]
    stored = Store(gated.path / "results" / "local").load()
    assert sorted(record.case.seed for record in stored) == sorted(seeds)
    found.stdout.fnmatch_lines([
        "results: results/local (this session's runs: 17)",
        "*SKIPPED*cannot tell; score *17 new seeds do not decide, and --glue-max-seeds is 17*",
    ])  # fmt: skip


def test_a_cell_that_is_decided_runs_no_more(
    gated: pytest.Pytester, engines: list[FakeEngine]
) -> None:
    scoring(0.87)
    found = judged(gated, *BOTH, "--glue-max-seeds", "20")
    found.assert_outcomes(passed=10, failed=2, deselected=42)
    assert seeds_run(engines) == seeds_run(engines, "rte") == [*range(60, 65)]


def test_a_loss_that_the_planned_seeds_do_not_prove_is_found_with_more(
    gated: pytest.Pytester, engines: list[FakeEngine]
) -> None:
    scoring(0.8932)
    assert judged(gated, *SST2).ret == 0
    found = judged(gated, *SST2, "--glue-max-seeds", "20")
    found.stdout.fnmatch_lines([f"*test_regression[[]{CELL}]*", "worse; score 89.88 -> *"])
    assert found.ret == 1
    assert seeds_run(engines) == [*range(60, 65), *SEEDS_OF_THE_BASE[:5]]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((*SST2, "--glue-max-seeds", "5"),
         "*--glue-max-seeds 5: 5 seeds are planned; expected more than these. Fix: "
         "--glue-max-seeds 20"),
        (("-k", "sst2", "--glue-max-seeds", "9"),
         "*--glue-max-seeds: expected --glue-baseline NAME beside it"),
    ],
    ids=["no more than planned", "no baseline"],
)  # fmt: skip
def test_a_number_of_no_use_is_refused_before_the_first_case(
    words: tuple[str, ...], said: str, gated: pytest.Pytester, engines: list[FakeEngine]
) -> None:
    found = run(gated, "--glue-seeds", "60,61,62,63,64", *words)
    assert (found.ret, [engine.submitted for engine in engines]) == (4, [])
    found.stderr.fnmatch_lines([said])


def test_the_second_stage_gets_every_option_or_leaves_it_out_on_purpose() -> None:
    keys = {option.key for option in options.OPTIONS}
    assert keys >= recheck.OMITTED | recheck.REPLACED
    assert "max_seeds" in recheck.OMITTED
