"""What came of computing a run's first steps again.

Bitwise equal losses say that recipe, rows, weights, order and arithmetic were all the same, as far
as those steps go. Where they are not equal, the inputs are named in the order in which they enter a
run: the first that differs is the one to look at.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.errors import Exit
from harness.records.schema import Status
from harness.spec import Target

INPUTS = ("recipe", "rows", "weights", "order", "code", "environment")
"""What a loss depends on, in the order of `Replay.differences`."""

FP32_TOLERANCE, REDUCED_TOLERANCE = 1e-3, 1e-2
"""How far losses may be apart, relative to the larger, and still differ by rounding alone.

Another number of threads, CPU or version of torch adds the same numbers in another order. Reduced:
bf16, fp16 and TF32, of which bf16 rounds by up to 4e-3. docs/reliability.md has measured figures.
"""


def tolerance(target: Target) -> float:
    """The tolerance for losses that were computed on a target."""
    return REDUCED_TOLERANCE if target.autocast or target.tf32 else FP32_TOLERANCE


@dataclass(frozen=True)
class Difference:
    """One input that is not what it was."""

    input: str  # of `INPUTS`
    what: str  # `recipe.learning_rate: was 2e-05, is 0.0001`
    rounds: bool  # by itself it changes no more than how results are rounded


@dataclass(frozen=True)
class Replay:
    """The losses of a run's first steps, then and now, and what differs between the two."""

    case: str
    threads: int
    then: tuple[float, ...]
    now: tuple[float, ...]  # none where the replay did not end well
    tolerance: float  # up to which losses count as equal
    status: Status  # of the replay
    reason: str | None  # for any status but ok
    differences: tuple[Difference, ...]
    unknown: tuple[str, ...]  # what may differ and cannot be told

    @property
    def is_equal(self) -> bool:
        """Whether every loss is the same to the last bit."""
        return self.then == self.now

    @property
    def apart(self) -> float:
        """The largest difference of two losses, relative to the larger; infinite if one lacks."""
        if len(self.then) != len(self.now):
            return float("inf")
        pairs = zip(self.then, self.now, strict=True)
        return max(abs(a - b) / (max(abs(a), abs(b)) or 1.0) for a, b in pairs)

    @property
    def is_close(self) -> bool:
        """Whether rounding may be all that the losses differ by: no input says otherwise."""
        return self.apart <= self.tolerance and all(found.rounds for found in self.differences)

    @property
    def step(self) -> int | None:
        """The first step, from 1 on, whose loss is another; None where there is none."""
        pairs = enumerate(zip(self.then, self.now, strict=False), start=1)
        return next((step for step, (then, now) in pairs if then != now), None)

    @property
    def exit(self) -> Exit:
        """The exit code of `glue-bench verify`."""
        if self.status not in ("ok", "diverged"):
            return Exit.UNDECIDED
        return Exit.FINE if self.is_equal or self.is_close else Exit.WORSE


def text(replay: Replay) -> str:
    """A replay for the terminal."""
    lines = [f"{replay.case}, {replay.threads} thread(s)", _judgement(replay)]
    if replay.differences:
        first = replay.differences[0].input
        lines.append(f"the first input that differs: {first}")
        lines += [f"  {found.input}: {found.what}" for found in replay.differences]
    elif not replay.is_equal:
        lines.append("no input that the record knows of differs")
    if not replay.is_equal:
        lines += [f"not known: {what}" for what in replay.unknown]
    return "\n".join(lines)


def _judgement(replay: Replay) -> str:
    steps, at = len(replay.then), replay.step
    if replay.exit is Exit.UNDECIDED:
        return f"cannot tell: {replay.reason}"
    if replay.is_equal:
        return f"equal: {steps} losses are bitwise the same"
    if at is None:
        ended = replay.reason or f"there are {len(replay.now)} now"
        return f"different: {steps} losses were finite; {ended}"
    was = f"step {at}: loss was {replay.then[at - 1]!r}, is {replay.now[at - 1]!r}"
    if replay.exit is Exit.FINE:
        return (
            f"equal within {replay.tolerance:g}: {steps} losses differ by {replay.apart:.1e} at "
            f"most, first at {was}"
        )
    return f"different at {was}"
