"""How a run is computed in smaller parts after memory ran out, and how often.

If memory runs out in training, the run starts again from its seed with half the micro-batch. The
rows of a step and their weights in the loss stay the same, and so does what is learned. If memory
runs out in evaluation, the evaluation batch is halved and the run goes on.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from harness.records.schema import Batching, Outcome, revised
from harness.spec import Recipe, RunConfig

RETRIES = 3


def in_smaller_parts(recipe: Recipe, retries: int) -> Recipe:
    """The recipe after so many retries, each of which doubles the accumulation."""
    return replace(recipe, accumulation=recipe.accumulation * 2**retries)


@dataclass
class BatchSizes:
    """The batch sizes that a run is computed in, and the phase that it is in."""

    recipe: Recipe  # as planned; then with the accumulation that is computed
    retries: int
    phase: Literal["loading", "training", "evaluation"] = "loading"
    eval_batch: int = field(init=False)

    def __post_init__(self) -> None:
        self.recipe = in_smaller_parts(self.recipe, self.retries)
        self.eval_batch = self.recipe.eval_batch_size

    @property
    def are_smaller(self) -> bool:
        """Whether they are smaller than the recipe's."""
        return self.retries > 0 or self.eval_batch < self.recipe.eval_batch_size

    def record(self, *, ran_out: bool = False) -> Batching | None:
        """The sizes as a record holds them; None before training began."""
        if self.phase == "loading":
            return None
        micro = self.recipe.micro_batch
        return Batching(
            batch_requested=self.recipe.batch_size,
            micro_batch=micro,
            accumulation=-(-self.recipe.batch_size // micro),
            eval_batch=self.eval_batch,
            oom_retries=self.retries,
            ran_out_in=self.phase if ran_out else None,
        )


def smaller(config: RunConfig, outcome: Outcome) -> RunConfig | None:
    """The configuration to run again; None if memory sufficed or nothing can be halved."""
    if outcome.status != "oom" or outcome.batching is None:
        return None
    if outcome.batching.ran_out_in == "evaluation":  # the batch was a single row by then
        return None
    if config.oom_retries >= RETRIES or outcome.batching.micro_batch == 1:
        return None
    return replace(config, oom_retries=config.oom_retries + 1)


def explained(config: RunConfig, outcome: Outcome) -> Outcome:
    """The final outcome; the reason of an `oom` also says what was tried and what to do."""
    if outcome.status != "oom":
        return outcome
    fixes = ["a smaller model", "another target"]
    if outcome.batching is None:
        tried = "the model and its data did not fit, there was nothing to halve"
    elif outcome.batching.ran_out_in == "evaluation":
        tried = "not even one row at a time could be evaluated"
    else:
        retries = range(config.oom_retries + 1)
        sizes = [str(in_smaller_parts(config.recipe, n).micro_batch) for n in retries]
        tried = f"tried with {', then '.join(sizes)} rows at a time"
    if outcome.batching:
        fixes.append(f"a recipe whose max_length is below {config.recipe.max_length}")
    if config.jobs > 1:
        fixes.insert(0, "fewer --glue-jobs")
    reason = f"{(outcome.reason or '').rstrip('.')}; {tried}. Fix: {', or '.join(fixes)}"
    return revised(outcome, reason=reason)
