"""The process of one side: reads its job from a file, and writes what it measured into another.

python -m benchmarks.peers.trainer JOB.json RESULT.json
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.peers.figures import Measured


@dataclass(frozen=True)
class Job:
    """What a process has to do; `config` is a `RunConfig` as JSON."""

    side: str
    config: str
    eval_batch: int  # of a peer
    is_trial: bool = False  # only find the fastest `eval_batch`


def main(work: Callable[[Job], Measured | int]) -> None:
    """Do the work of a job: a measurement, or on trial the fastest batch of evaluation."""
    job_file, result_file = map(Path, sys.argv[1:])
    done = work(Job(**json.loads(job_file.read_text("utf-8"))))
    result = asdict(done) if isinstance(done, Measured) else done
    result_file.write_text(json.dumps(result), "utf-8")
