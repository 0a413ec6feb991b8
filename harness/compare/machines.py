"""Whether the runs of two sides come from the same machine, and which of them are bit-identical."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta

from harness.compare.measures import Needs
from harness.records.cells import Cell
from harness.records.schema import Record
from harness.system.environment import MACHINE

DAY = timedelta(days=1)


def differences(
    base: Sequence[Record], new: Sequence[Record], needs: Needs, but_for: Collection[str] = ()
) -> list[str]:
    """How the machines of the two sides differ, and when they ran if that counts, a line each."""
    facts = [*MACHINE, "boot"] if needs is Needs.MOMENT else [*MACHINE]
    facts = [name for name in facts if name not in but_for]
    lines = []
    for name in facts:
        then, now = ({str(run.environment.get(name)) for run in side} for side in (base, new))
        if len(then | now) > 1:
            lines.append(f"{name}: was {' or '.join(sorted(then))}, is {' or '.join(sorted(now))}")
        elif name == "boot" and then | now == {"None"}:
            lines.append("boot: unknown, so the machine may be another one")
    then, now = ({str(run.threads) for run in side} for side in (base, new))
    if len(then | now) > 1:
        lines.append(f"threads: was {' or '.join(sorted(then))}, is {' or '.join(sorted(now))}")
    times = [run.created for run in (*base, *new)]
    if needs is Needs.MOMENT and times and max(times) - min(times) > DAY:
        lines.append(f"day: {min(times):%Y-%m-%d} and {max(times):%Y-%m-%d}")
    return lines


def count_bit_identical(base: Cell, new: Cell) -> str:
    """How many seeds are bit-identical, out of those that could be: `3/5`; `-` if none could.

    A seed counts whose losses, metrics and predictions are the same on both sides, out of the seeds
    that both sides ran on the same kind of machine.
    """
    before = {run.case.seed: run for run in base.ok}
    pairs = [(before[run.case.seed], run) for run in new.ok if run.case.seed in before]
    pairs = [(then, now) for then, now in pairs if not differences([then], [now], Needs.MACHINE)]
    same = sum(_results(then) == _results(now) for then, now in pairs)
    return f"{same}/{len(pairs)}" if pairs else "-"


def is_bit_identical(base: Record, new: Record) -> bool:
    """Whether two runs have the same score, losses, metrics and predictions.

    Runs without any of the losses and predictions prove nothing: metrics alone often agree.
    """
    is_known = bool(new.first_losses or new.predictions)
    return is_known and (base.score, _results(base)) == (new.score, _results(new))


def _results(run: Record) -> tuple[object, ...]:
    return (run.first_losses, run.metrics, run.predictions and run.predictions.sha256)
