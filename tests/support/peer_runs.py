"""Processes of a comparison with peers that never ran, and one that prints and fails."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from benchmarks.peers.child import Job
from benchmarks.peers.figures import Measured
from harness.planning.resolve import from_json

QUIET = Measured(
    side="glue-bench",
    seed=42,
    batch_size=32,
    steps=124,
    step_seconds=[0.01] * 116,
    cpu_s=2.0,
    threads=1,
    eval_s=0.5,
    eval_rows=1000,
    tokens=48036,
    computed_tokens=64048,
    weights_sha256="ab",
    rows_sha256={"train": "cd", "validation": "ef"},
    is_finite=True,
    score=0.9,
    steal_share=0.0,
    calibration_s=[0.002, 0.002],
)


class FakeProcesses:
    """Answers jobs as processes would; `change` may alter what a job's process measures."""

    def __init__(self, change: Callable[[Job, Measured], Measured] = lambda job, run: run) -> None:
        self.change = change
        self.jobs: list[tuple[str, int]] = []  # the side and the seed of each, trials left out

    def __call__(self, job: Job) -> Any:
        if job.is_trial:
            return 128
        config = from_json(job.config)
        self.jobs.append((job.side, config.case.seed))
        run = dataclasses.replace(
            QUIET, side=job.side, seed=config.case.seed, threads=config.threads
        )
        return asdict(self.change(job, run))


if __name__ == "__main__":  # started as the process of a side
    print("the last words of a side")
    sys.exit(3)
