"""The fine-tuning matrix: one item per task x model x target x seed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.session.timing import show_times, worker_clock

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_benchmark.fixture import BenchmarkFixture

    from harness.records.schema import Record
    from harness.spec import Case


@pytest.mark.benchmark(timer=worker_clock, group="fine-tuning, seconds per epoch")
def test_finetune(
    benchmark: BenchmarkFixture, glue_run: Callable[[Case], Record], glue_case: Case
) -> None:
    show_times(benchmark, glue_run(glue_case))
