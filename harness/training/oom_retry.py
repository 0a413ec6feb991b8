"""How a run's steps are cut up to fit the memory, and how often that is tried.

Where memory runs out in training, the run is thrown away and starts again from its seed with the
micro-batch halved. A step's rows, their weights in the loss and so what is learned stay the same.
Where it runs out in evaluation, the evaluation batch is halved and the run goes on.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from harness.records.schema import Batching, Outcome, revised
from harness.spec import Recipe, RunConfig

RETRIES = 3


def in_smaller_parts(recipe: Recipe, retries: int) -> Recipe:
    """The recipe as it is computed: each retry doubles the accumulation."""
    return replace(recipe, accumulation=recipe.accumulation * 2**retries)


@dataclass
class BatchSizes:
    """The sizes that a run is computed in, and the phase it is in."""

    recipe: Recipe  # with the accumulation that is computed
    retries: int
    phase: Literal["loading", "training", "evaluation"] = "loading"
    eval_batch: int = field(init=False)

    def __post_init__(self) -> None:
        self.recipe = in_smaller_parts(self.recipe, self.retries)
        self.eval_batch = self.recipe.eval_batch_size

    @property
    def are_smaller(self) -> bool:
        """Whether they are smaller than the recipe asks."""
        return self.retries > 0 or self.eval_batch < self.recipe.eval_batch_size

    def record(self, *, ran_out: bool = False) -> Batching | None:
        """What a record says of them; None before training began."""
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
    """The configuration to start again with; None where there is no need, or nothing to halve."""
    if outcome.status != "oom" or outcome.batching is None:
        return None
    if outcome.batching.ran_out_in == "evaluation":  # of single rows
        return None
    if config.oom_retries >= RETRIES or outcome.batching.micro_batch == 1:
        return None
    return replace(config, oom_retries=config.oom_retries + 1)


def explained(config: RunConfig, outcome: Outcome) -> Outcome:
    """An outcome for good; for `oom` its reason also says what was tried and what to do."""
    if outcome.status != "oom":
        return outcome
    mends = ["a smaller model", "another target"]
    if outcome.batching is None:
        tried = "the model and its data did not fit, there was nothing to halve"
    elif outcome.batching.ran_out_in == "evaluation":
        tried = "not even one row at a time could be evaluated"
    else:
        retries = range(config.oom_retries + 1)
        sizes = [str(in_smaller_parts(config.recipe, n).micro_batch) for n in retries]
        tried = f"tried with {', then '.join(sizes)} rows at a time"
    if outcome.batching:
        mends.append(f"a recipe whose max_length is below {config.recipe.max_length}")
    if config.jobs > 1:
        mends.insert(0, "fewer --glue-jobs")
    reason = f"{(outcome.reason or '').rstrip('.')}; {tried}. Mend: {', or '.join(mends)}"
    return revised(outcome, reason=reason)
