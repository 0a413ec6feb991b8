"""Fine-tunes with the harness, in a process of its own, and says what it measured.

python -m benchmarks.peers.ours JOB.json RESULT.json
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Generator
from pathlib import Path
from unittest import mock

import torch

from benchmarks.peers import child
from benchmarks.peers.clock import MachineWatch, StepClock, TokenCounter, waiter
from benchmarks.peers.figures import Measured
from harness.errors import GlueBenchError
from harness.modeling.speedups.vocabulary import UsedEmbedding
from harness.planning.resolve import from_json
from harness.training import runner


def measure(job: child.Job) -> Measured:
    """The harness's own run of a configuration. Raises `GlueBenchError` if it does not end ok."""
    config = from_json(job.config)
    recipe, device = config.recipe, config.target.device
    rows = config.data.max_train or 0
    clock = StepClock(rows // recipe.batch_size, waiter(device))
    folder = Path(str(config.model_directory))
    vocabulary = json.loads((folder / "config.json").read_text("utf-8")).get("vocab_size", 0)
    counter, watch = TokenCounter(vocabulary), MachineWatch(device, config.threads)
    with watch.running(), counter.counting(), _counting_used(counter):
        outcome, _ = runner.run(config, lambda step, steps: clock.after_step())
    timing, data, seen = outcome.timing, outcome.data, outcome.observed
    if outcome.status != "ok" or timing is None or data is None or seen is None:
        raise GlueBenchError(f"the run ended as {outcome.status}: {outcome.reason}")
    scored = config.task.evaluated
    return Measured(
        side=job.side,
        seed=config.case.seed,
        batch_size=recipe.batch_size,
        steps=clock.steps,
        step_seconds=clock.seconds,
        cpu_s=clock.cpu_s,
        threads=clock.threads,
        eval_s=timing.eval_s,
        eval_rows=recipe.epochs * sum(data.splits[name].rows for name in scored),
        tokens=timing.tokens,
        computed_tokens=counter.computed,
        weights_sha256=seen.weights_sha256,
        rows_sha256={name: data.splits[name].sha256 for name in ("train", *scored)},
        is_finite=True,  # or the run would have ended as `diverged`
        score=outcome.score or 0.0,
        steal_share=watch.steal_share,
        calibration_s=watch.calibration_s,
    )


@contextlib.contextmanager
def _counting_used(counter: TokenCounter) -> Generator[None]:
    """A block in which lookups in the embeddings of used tokens are counted too."""
    lookup = UsedEmbedding.forward

    def counted(self: UsedEmbedding, ids: torch.Tensor) -> torch.Tensor:
        if torch.is_grad_enabled():
            counter.computed += ids.numel()
        return lookup(self, ids)

    with mock.patch.object(UsedEmbedding, "forward", counted):
        yield


if __name__ == "__main__":
    child.main(measure)
